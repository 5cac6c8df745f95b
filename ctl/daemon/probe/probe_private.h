/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of probes.h share: probes.c and probe_*.c, but not probe_path.c. Only
 * these include it. */
#pragma once

#include <openssl/ssl.h>
#include <sys/queue.h>
#include "core/health/probe_message.h"
#include "probes.h"

#define MILLISECOND UINT64_C(1000)

/* How to probe: what pools with equal `probe:` share. */
struct profile {
	struct config_probe probe; /* its texts are ours */
	struct timespec ca_time;   /* when the file of `ca:` was changed last */
	SSL_CTX *tls;              /* NULL: not made yet */
	size_t troubled;           /* of its probers, those that cannot probe */
	bool in_trouble;           /* as it was logged last */
	bool wanted;
	LIST_ENTRY(profile) entry;
};

/* One backend that is probed. */
struct prober {
	struct probes *probes;
	char pool[NAME_SIZE];
	char name[NAME_SIZE];
	struct profile *profile;
	const struct probe_kind *kind;
	struct probe_route route;
	struct health_state state;
	sd_event_source *timer;       /* the next probe, or the end of the one under way */
	uint64_t began;               /* us of CLOCK_MONOTONIC */
	uint64_t listened;            /* likewise, ms of listening_clock_now() */
	const char *awaited;          /* of the probe under way, for people; NULL: none is */
	struct probe_message message; /* of the last probe */
	int fd;                       /* -1: none */
	bool by_path;                 /* it is probe_path.h's */
	uint32_t events;              /* that are waited for on it, as epoll(7) has them */
	struct stream *stream;
	bool wanted; /* while others take its place */
};

struct probes {
	sd_event *event;
	int epoll; /* of all sockets */
	sd_event_source *incoming;
	char *pin_directory;
	struct probe_path *path; /* NULL: not made yet */
	int path_error;          /* why it could not be made */
	uint64_t path_tried;     /* us of CLOCK_MONOTONIC; 0: never */
	struct prober **probers; /* sorted by pool and name */
	size_t count;
	LIST_HEAD(, profile) profiles;
	sd_event_source *report;
	uint64_t reported; /* when changed() was last called */
	uint64_t pause;    /* us until it may be called again */
	bool watched;      /* it is called after every result */
	void (*changed)(void *data);
	void *data;
	uint8_t buffer[65536]; /* for datagrams */
};

/* A way to probe. `start` sends, `ready` goes on when the socket is; both may end the probe
 * by probe_pass(), probe_fail() or probe_abort(). */
struct probe_kind {
	void (*start)(struct prober *prober);
	void (*ready)(struct prober *prober);
};

extern const struct probe_kind probe_datagram; /* probe_datagram.c: UDP, ICMP */
extern const struct probe_kind probe_stream;   /* probe_stream.c: TCP, TLS */

/* --- probes.c */

/* End the probe that is under way. */
void probe_pass(struct prober *prober);
void probe_fail(struct prober *prober, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The probe could not be made, for a reason that is the balancer's own and says nothing about the
 * server: its health is left as it is. */
void probe_abort(struct prober *prober, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One of the two, because of a -errno while doing `what`: "cannot connect". */
void probe_fail_errno(struct prober *prober, const char *what, int error);

/* "answer to OPTIONS", for `awaited`. */
const char *probe_answer_name(const struct prober *prober);

/* Judges a SIP message, and ends the probe if it is the final answer to it. */
void probe_take_message(struct prober *prober, const char *message, size_t length);

/* --- probe_profile.c */

/* The profile of a probe, made if there is none yet. */
struct profile *probe_profile_get(struct probes *probes, const struct config_probe *probe);

/* Frees the profiles that no prober uses. */
void probe_profiles_free_unwanted(struct probes *probes);

/* --- probe_trouble.c */

/* Is an error (-errno) one that this machine makes by itself? */
bool probe_trouble_is(int error);

/* Logs for which profiles the balancer has become unable to probe, or able again. */
void probe_trouble_log(struct probes *probes);

/* --- probe_socket.c */

/* Makes probes->epoll and joins the loop. 0 or -errno. */
int probe_sockets_new(struct probes *probes);
void probe_sockets_free(struct probes *probes);

/* A socket that is, or is about to be, connected to the target; waits for `events`. False
 * if the probe has failed. */
bool probe_socket_open(struct prober *prober, int type, int protocol, uint32_t events);
void probe_socket_close(struct prober *prober);

/* Waits for other events from now on. */
void probe_socket_wait(struct prober *prober, uint32_t events);

/* Did the last packet of this socket reach the wire? 0, or -errno. */
int probe_socket_sent(const struct prober *prober);

/* Has what is waited for happened? */
bool probe_socket_is_ready(const struct prober *prober);

/* --- probe_stream.c */

void probe_stream_free(struct prober *prober);

/* --- probe_tls.c: results as those of read(2), 0 at the end of the stream, or -errno:
 * -EAGAIN when *events must come first, -EPROTO when probe_tls_fail() says why. */

/* TLS on the prober's socket, or NULL if that is not possible: the probe has ended. */
SSL *probe_tls_new(struct prober *prober);
ssize_t probe_tls_connect(SSL *tls, uint32_t *events);
ssize_t probe_tls_read(SSL *tls, char *buffer, size_t size, uint32_t *events);
ssize_t probe_tls_write(SSL *tls, const char *buffer, size_t size, uint32_t *events);
void probe_tls_fail(struct prober *prober, SSL *tls);

/* Says farewell, if there is a connection to be ended. */
void probe_tls_free(SSL *tls);
