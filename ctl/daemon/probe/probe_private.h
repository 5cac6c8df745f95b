/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by probes.c and probe_*.c, except probe_path.c. No other file includes it. */
#pragma once

#include <openssl/ssl.h>
#include <sys/queue.h>
#include "core/health/probe_message.h"
#include "probes.h"

#define MILLISECOND UINT64_C(1000)

/* A set of probe options, shared by pools with equal `probe:` options. */
struct profile {
	struct config_probe probe; /* owns its strings */
	struct timespec ca_time;   /* modification time of the file that `ca:` names */
	SSL_CTX *tls;              /* NULL: not created yet */
	size_t troubled;           /* number of probers of this profile that cannot probe */
	bool in_trouble;           /* the state that was last logged */
	bool wanted;
	LIST_ENTRY(profile) entry;
};

/* A backend that is probed. */
struct prober {
	struct probes *probes;
	char pool[NAME_SIZE];
	char name[NAME_SIZE];
	struct profile *profile;
	const struct probe_kind *kind;
	struct backend route;
	struct health_state state;
	sd_event_source *timer; /* the next probe, or the timeout of the current one */
	uint64_t began;         /* start of the last probe, us of CLOCK_MONOTONIC */
	uint64_t listened;      /* the same in ms of listening_clock_now() */
	const char *awaited;    /* name of the event for which the current probe waits; NULL: no probe is running */
	struct probe_message message; /* of the last probe */
	int load;                     /* in the last response that passed, per cent; -1: none */
	uint64_t load_time;           /* start of that probe, ms of listening_clock_now() */
	int fd;                       /* -1: none */
	bool by_path;                 /* the socket belongs to probe_path.h */
	uint32_t events;              /* epoll(7) events for which the probe waits */
	struct stream *stream;
	bool wanted; /* used while the list is replaced */
};

struct probes {
	sd_event *event;
	int epoll; /* holds all sockets */
	sd_event_source *incoming;
	char *pin_directory;
	struct probe_namespace *space;
	struct probe_path *path; /* NULL: not created yet */
	int path_error;          /* of the last attempt to make it, -errno */
	uint64_t path_tried;     /* time of that attempt, us of CLOCK_MONOTONIC; 0: none */
	struct prober **probers; /* sorted by pool and name */
	size_t count;
	LIST_HEAD(, profile) profiles;
	sd_event_source *report;
	uint64_t reported; /* when changed() was last called */
	uint64_t pause;    /* minimum time between two calls of changed(), us */
	bool report_all;   /* call changed() after every result */
	void (*changed)(void *data);
	void *data;
	uint8_t buffer[65536]; /* for datagrams */
};

/* A kind of probe. `start` sends it; `ready` continues it when the socket is ready. Both may end the
 * probe with probe_pass(), probe_fail() or probe_abort(). */
struct probe_kind {
	void (*start)(struct prober *prober);
	void (*ready)(struct prober *prober);
};

extern const struct probe_kind probe_datagram; /* probe_datagram.c: UDP, ICMP */
extern const struct probe_kind probe_stream;   /* probe_stream.c: TCP, TLS */

/* --- probes.c */

/* End the current probe. */
void probe_pass(struct prober *prober);
void probe_fail(struct prober *prober, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the current probe without a result, because the balancer itself was unable to probe. The health of
 * the backend does not change. */
void probe_abort(struct prober *prober, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Calls probe_fail() or probe_abort(), depending on the -errno. `what` is the failed action, such as
 * "cannot connect". */
void probe_fail_errno(struct prober *prober, const char *what, int error);

/* The text for `awaited`, such as "response to OPTIONS". */
const char *probe_response_name(const struct prober *prober);

/* Checks a SIP message, and ends the probe if it is the final response. */
void probe_take_message(struct prober *prober, const char *message, size_t length);

/* --- probe_profile.c */

/* Finds the profile of a probe, or creates it. */
struct profile *probe_profile_get(struct probes *probes, const struct config_probe *probe);

/* Frees the profiles that no prober uses. */
void probe_profiles_free_unwanted(struct probes *probes);

/* --- probe_trouble.c */

/* Was the error (-errno) caused by this machine, not by the server or the network? */
bool probe_trouble_is(int error);

/* Logs each profile whose probing has become impossible, or possible again. */
void probe_trouble_log(struct probes *probes);

/* --- probe_socket.c */

/* Creates probes->epoll and adds it to the event loop. 0 or -errno. */
int probe_sockets_new(struct probes *probes);
void probe_sockets_free(struct probes *probes);

/* Opens a socket, begins to connect it to the target, and waits for `events`. False if the probe
 * has ended. */
bool probe_socket_open(struct prober *prober, int type, int protocol, uint32_t events);
void probe_socket_close(struct prober *prober);

/* Changes the events to wait for. */
void probe_socket_wait(struct prober *prober, uint32_t events);

/* Was the last packet of this socket sent on the wire? 0 or -errno. */
int probe_socket_sent(const struct prober *prober);

/* Has an awaited event occurred? */
bool probe_socket_is_ready(const struct prober *prober);

/* --- probe_stream.c */

void probe_stream_free(struct prober *prober);

/* --- probe_tls.c: results as from read(2), 0 at the end of the stream, or -errno: -EAGAIN waits for *events, -EPROTO
 * is reported by probe_tls_fail() */

/* Starts TLS on the prober's socket. NULL if that fails: the probe has ended. */
SSL *probe_tls_new(struct prober *prober);
ssize_t probe_tls_connect(SSL *tls, uint32_t *events);
ssize_t probe_tls_read(SSL *tls, char *buffer, size_t size, uint32_t *events);
ssize_t probe_tls_write(SSL *tls, const char *buffer, size_t size, uint32_t *events);
void probe_tls_fail(struct prober *prober, SSL *tls);

/* Sends close_notify if the handshake is complete. */
void probe_tls_free(SSL *tls);
