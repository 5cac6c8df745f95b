// SPDX-License-Identifier: GPL-2.0
/* See join_listener.h. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "ctl/maps/clock.h"
#include "ctl/daemon/group/group_changes.h"
#include "ctl/daemon/guard/guard_commands.h"
#include "ctl/daemon/http/listening.h"
#include "join_private.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"

#define RECONCILE_USEC 50000  /* combines many simultaneous starts into one change */
#define REFUSALS_PAUSE 10000  /* ms between two logged refusals */
#define UNREAD_MSEC 500       /* after a stall of this duration, unread heartbeats may be waiting */
#define LONG_MSEC 2000        /* after a stall of this duration, a server may have given up sending a heartbeat */
#define OUTSIDERS_TIME 600000 /* ms that status warns about a rejected source */
#define LOST_TIME 60000       /* ms that status warns about lost requests */

struct join_listener {
	struct daemon *daemon;
	struct join *join;
	struct join_sources *sources;
	struct listening listening;
	struct join_http *http;
	struct join_udp *udp;
	sd_event_source *reconcile;
	void (*changed)(void *data);
	void *data;
	uint64_t refusal; /* when a refusal was last logged, ms */
	unsigned int unlogged;
	struct address outsider; /* the source of the last request from outside the allowed networks */
	uint64_t outsider_came;  /* time of that request, ms; 0: none */
	uint64_t outsiders;
	char outsider_text[160];
	uint64_t lost[JOIN_LOST_COUNT]; /* requests */
	bool deaf;                      /* requests were lost since the last check of the silence */
	uint64_t deaf_since, deaf_last; /* first and last such loss, ms; 0: none within LOST_TIME */
	char lost_text[256];
};

/* --- requests */

void join_listener_log_refusal(struct join_listener *listener, const struct join_answer *answer, struct endpoint peer)
{
	uint64_t now = clock_msec();
	char text[ADDRESS_TEXT_SIZE];

	if (listener->refusal && now - listener->refusal < REFUSALS_PAUSE) {
		listener->unlogged++;
		return;
	}
	address_format(&peer.address, text);
	log_event(LOG_WARNING, LOG_FIELDS({"event", "join_refused"}, {"source", text}),
		"join: refused a request from %s: %s (%u); %u more refusals were not logged", text, answer->text,
		answer->status, listener->unlogged);
	listener->refusal = now;
	listener->unlogged = 0;
}

enum join_source join_listener_classify(struct join_listener *listener, struct endpoint peer)
{
	static const struct join_answer refused = {
		.status = 403, .text = "the source is not in a network of 'from:' and is not a backend"};
	enum join_source source = join_sources_classify(listener->sources, &peer.address);

	if (source != JOIN_OUTSIDER)
		return source;
	join_listener_log_refusal(listener, &refused, peer);
	listener->outsider = peer.address;
	listener->outsider_came = clock_msec();
	listener->outsiders++;
	return source;
}

void join_listener_count_lost(struct join_listener *listener, enum join_lost what, uint64_t count)
{
	uint64_t now = clock_msec();

	listener->deaf = true;
	listener->deaf_last = now;
	listener->lost[what] += count;
	if (listener->deaf_since)
		return;
	listener->deaf_since = now;
	log_warning("join: requests are lost, because %s: the silence of servers does not count",
		what == JOIN_LOST_DATAGRAMS ? "the receive buffer is full" : "no file descriptor is free");
}

uint64_t join_listener_lost(const struct join_listener *listener, enum join_lost what)
{
	return listener->lost[what];
}

const char *join_listener_losses(struct join_listener *listener)
{
	if (!listener->deaf_since)
		return NULL;
	snprintf(listener->lost_text, sizeof(listener->lost_text),
		"for %" PRIu64 " s, requests were lost and the silence of servers did not count: so far %" PRIu64
		" datagrams (the receive buffer was full) and %" PRIu64 " connections (no file descriptor was free)",
		(listener->deaf_last - listener->deaf_since) / 1000 + 1, listener->lost[JOIN_LOST_DATAGRAMS],
		listener->lost[JOIN_LOST_CONNECTIONS]);
	return listener->lost_text;
}

static void end_losses(struct join_listener *listener)
{
	if (!listener->deaf_since || clock_msec() - listener->deaf_last < LOST_TIME)
		return;
	listener->deaf_since = 0;
	log_info("join: no request was lost for %d s", LOST_TIME / 1000);
}

static void reconcile_soon(struct join_listener *listener)
{
	if (sd_event_source_get_enabled(listener->reconcile, NULL) > 0)
		return;
	sd_event_source_set_time_relative(listener->reconcile, RECONCILE_USEC);
	sd_event_source_set_enabled(listener->reconcile, SD_EVENT_ONESHOT);
}

static int on_reconcile(sd_event_source *source, uint64_t now, void *data)
{
	struct join_listener *listener = data;

	(void)source, (void)now;
	listener->changed(listener->data);
	return 0;
}

struct join_answer join_listener_handle(
	struct join_listener *listener, const struct join_request *request, struct endpoint peer)
{
	const char *secret = listener->daemon->farm->config->join.secret;
	struct join_clocks clocks = {.seconds = time(NULL), .ms = listening_clock_now()};
	uint8_t signature[JOIN_SIGNATURE_SIZE];
	char text[JOIN_SIGNED_MAX];
	struct join_answer answer = {.status = 503, .text = "joining is disabled"};
	size_t length = join_signed(request, text);

	if (secret && HMAC(EVP_sha256(), secret, strlen(secret), (uint8_t *)text, length, signature, NULL))
		answer = join_handle_request(
			listener->join, listener->daemon->farm, listener->daemon->running, request, signature, clocks);
	if (answer.authentic)
		join_sources_add_known(listener->sources, &peer.address);
	if (answer.shared)
		group_changes_share(listener->daemon->group_changes, request, answer.ban.action);
	if (answer.alive)
		group_changes_share_heartbeat(
			listener->daemon->group_changes, answer.alive, strtoull(request->time.at, NULL, 10));
	if (answer.ban.action)
		return guard_handle_ban(listener->daemon, &answer.ban, &peer.address);
	if (answer.status != 200)
		join_listener_log_refusal(listener, &answer, peer);
	if (answer.changed) {
		atomic_store(&listener->daemon->changed, true);
		reconcile_soon(listener);
	}
	return answer;
}

void join_listener_apply(
	struct join_listener *listener, const struct join_request *request, uint64_t signed_at, const char *node)
{
	struct daemon *daemon = listener->daemon;
	struct join_clocks clocks = {.seconds = time(NULL), .ms = listening_clock_now()};
	struct join_answer answer =
		join_handle_shared(listener->join, daemon->farm, daemon->running, request, signed_at, clocks);

	if (answer.ban.action && node)
		guard_handle_shared_ban(daemon, &answer.ban, node);
	if (!answer.changed)
		return;
	atomic_store(&daemon->changed, true);
	reconcile_soon(listener);
}

/* --- listening */

static void end_listening(void *data)
{
	struct join_listener *listener = data;

	join_http_free(listener->http);
	join_udp_free(listener->udp);
	listener->http = NULL;
	listener->udp = NULL;
}

static int begin_listening(void *data, struct endpoint where)
{
	struct join_listener *listener = data;
	int error = join_http_new(&listener->http, listener->daemon->event, where, listener);

	return error ? error : join_udp_new(&listener->udp, listener->daemon->event, where, listener);
}

static void listen_where_told(struct join_listener *listener)
{
	listening_update(&listener->listening, listener->daemon->farm->config->join.listen);
}

const char *join_listener_outsiders(struct join_listener *listener)
{
	char text[ADDRESS_TEXT_SIZE];

	if (!listener->outsider_came || clock_msec() - listener->outsider_came > OUTSIDERS_TIME)
		return NULL;
	snprintf(listener->outsider_text, sizeof(listener->outsider_text),
		"%" PRIu64 " requests from outside the networks of 'from:' were rejected, the last one from %s",
		listener->outsiders, address_format(&listener->outsider, text));
	return listener->outsider_text;
}

const char *join_listener_fault(const struct join_listener *listener)
{
	return listening_fault(&listener->listening);
}

/* --- silence */

/* In a group, all members remove the server together. True if this balancer has removed it. */
static bool forget(struct join_listener *listener, const struct farm_backend *backend)
{
	struct farm *farm = listener->daemon->farm;
	struct backend_record record = backend->record;
	char error[FARM_ERROR_SIZE];

	log_event(LOG_INFO, LOG_FIELDS({"event", "forgotten"}, {"pool", record.pool}, {"backend", record.name}),
		"backend %s/%s is forgotten: %s for %u s", record.pool, record.name,
		backend->refused ? "its heartbeats are refused, because the clocks differ," : "no heartbeats",
		2 * farm->config->join.node_timeout / 1000);
	if (group_changes_remove(listener->daemon->group_changes, backend))
		return false;
	farm_remove_backend(farm, record.pool, record.name, error);
	return true;
}

/* True if a mark changed. While the daemon cannot listen, or loses requests, a missing heartbeat proves nothing. */
static bool mark_silent(struct join_listener *listener)
{
	struct farm *farm = listener->daemon->farm;
	uint64_t now = listening_clock_now();

	if (listener->deaf || join_listener_fault(listener))
		join_excuse_silence(listener->join, farm, now);
	listener->deaf = false;
	return join_update_silence(listener->join, farm, now);
}

/* True if the farm has changed. */
static bool update_silence(struct join_listener *listener)
{
	struct farm *farm = listener->daemon->farm;
	const struct farm_backend *backend;
	bool changed = mark_silent(listener);
	uint64_t known = group_changes_heard_until(listener->daemon->group_changes, farm->config->join.node_timeout);

	while (known && (backend = join_find_expired(listener->join, farm, known)))
		changed |= forget(listener, backend);
	return changed;
}

void join_listener_reconfigure(struct join_listener *listener)
{
	join_sources_set_farm(listener->sources, listener->daemon->farm);
	listen_where_told(listener);
	mark_silent(listener);
}

bool join_listener_check_silence(struct join_listener *listener)
{
	uint64_t stall = listening_clock_stall();

	listen_where_told(listener);
	end_losses(listener);
	if (stall < UNREAD_MSEC)
		return update_silence(listener);
	if (stall < LONG_MSEC)
		return false;
	log_warning("the daemon did not run for %.1f s (stopped or busy): this time does not count as silence",
		stall / 1000.0);
	join_restart_silence(listener->join, listener->daemon->farm, listening_clock_now());
	return false;
}

void join_listener_mark_silent(const struct join_listener *listener, struct farm *farm)
{
	join_copy_silence(listener->join, farm, listening_clock_now());
}

int join_listener_load(const struct join_listener *listener, const struct farm_backend *backend)
{
	return join_load(listener->join, listener->daemon->farm, backend, listening_clock_now());
}

/* --- setup and cleanup */

int join_listener_new(struct join_listener **out, struct daemon *daemon, void (*changed)(void *data), void *data)
{
	struct join_listener *listener = allocate(1, sizeof(*listener));
	int error;

	*listener = (struct join_listener){.daemon = daemon, .join = join_new(), .changed = changed, .data = data};
	listener->listening =
		(struct listening){.key = "join", .open = begin_listening, .close = end_listening, .data = listener};
	error = join_sources_new(&listener->sources);
	if (!error)
		error = sd_event_add_time_relative(
			daemon->event, &listener->reconcile, CLOCK_MONOTONIC, 0, 0, on_reconcile, listener);
	if (error >= 0)
		error = sd_event_source_set_enabled(listener->reconcile, SD_EVENT_OFF);
	if (error < 0) {
		join_listener_free(listener);
		return error;
	}
	*out = listener;
	return 0;
}

void join_listener_free(struct join_listener *listener)
{
	if (!listener)
		return;
	listening_end(&listener->listening);
	sd_event_source_disable_unref(listener->reconcile);
	join_free(listener->join);
	join_sources_free(listener->sources);
	free(listener);
}
