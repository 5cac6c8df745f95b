/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by join_listener.c and its two transports, HTTP and SIP. No other file includes it. */
#pragma once

#include <systemd/sd-event.h>
#include "core/join/join_sip.h"
#include "join_sources.h"
#include "join_listener.h"
#include "ctl/daemon/http/endpoint_socket.h"

/* --- join_listener.c */

/* Handles a request from a peer. */
struct join_answer join_listener_handle(
	struct join_listener *listener, const struct join_request *request, struct endpoint peer);

/* Classifies a peer before any of its data is read. Counts and logs an outsider. */
enum join_source join_listener_classify(struct join_listener *listener, struct endpoint peer);

/* Counts requests that could not be received. Until the next check, the silence of servers does not count. */
void join_listener_count_lost(struct join_listener *listener, enum join_lost what, uint64_t count);

/* Logs a refusal, with a rate limit. join_listener_handle() logs its own refusals. */
void join_listener_log_refusal(struct join_listener *listener, const struct join_answer *answer, struct endpoint peer);

/* --- join_http.c: POST with JSON */

struct join_http;

/* 0 or -errno. */
int join_http_new(struct join_http **out, sd_event *event, struct endpoint where, struct join_listener *listener);
void join_http_free(struct join_http *http);

/* --- join_udp.c: SIP */

struct join_udp;

/* 0 or -errno. */
int join_udp_new(struct join_udp **out, sd_event *event, struct endpoint where, struct join_listener *listener);
void join_udp_free(struct join_udp *udp);
