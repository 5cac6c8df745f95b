/* SPDX-License-Identifier: GPL-2.0 */
/* Between join_listener.c and the two ways on which servers talk to it. */
#pragma once

#include <netinet/in.h>
#include <systemd/sd-event.h>
#include "core/join/join_sip.h"
#include "join_sources.h"
#include "join_listener.h"

/* --- join_listener.c */

/* Takes a request that has come from a peer. */
struct join_answer join_listener_handle(
	struct join_listener *listener, const struct join_request *request, struct join_peer peer);

/* Classifies a peer before anything is read from it; an outsider is counted and logged. */
enum join_source join_listener_classify(struct join_listener *listener, struct join_peer peer);

/* Logs a refusal, unless there are too many. join_listener_handle does it by itself. */
void join_listener_log_refusal(struct join_listener *listener, const struct join_answer *answer, struct join_peer peer);

union join_name {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

socklen_t join_name_of(struct join_peer peer, union join_name *name);
struct join_peer join_peer_of(const struct sockaddr *name);

/* A socket that is bound there, and does not block. It, or -errno. */
int join_socket(struct join_peer where, int type);

/* --- join_http.c: POST with JSON */

struct join_http;

/* 0 or -errno. */
int join_http_new(struct join_http **out, sd_event *event, struct join_peer where, struct join_listener *listener);
void join_http_free(struct join_http *http);

/* --- join_udp.c: SIP */

struct join_udp;

/* 0 or -errno. */
int join_udp_new(struct join_udp **out, sd_event *event, struct join_peer where, struct join_listener *listener);
void join_udp_free(struct join_udp *udp);
