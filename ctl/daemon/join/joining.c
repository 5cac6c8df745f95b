// SPDX-License-Identifier: GPL-2.0
/* See joining.h. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "ctl/daemon/clock.h"
#include "join_private.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"

#define RECONCILE_USEC 50000  /* so that many servers that start at once are one change */
#define REFUSALS_PAUSE 10000  /* ms */
#define UNREAD_MSEC 500       /* after such a stall heartbeats may still have to be read */
#define LONG_MSEC 2000        /* ms without an answer after which a server may have given a heartbeat up */
#define OUTSIDERS_TIME 600000 /* ms that one is worth a warning in status */

struct joining {
	struct daemon *daemon;
	struct join *join;
	struct join_sources *sources;
	struct join_peer where; /* listens there; port 0: nowhere */
	struct join_http *http;
	struct join_udp *udp;
	int error; /* why not, -errno */
	char fault[128];
	sd_event_source *reconcile;
	void (*changed)(void *data);
	void *data;
	uint64_t refusal; /* when one was logged, ms */
	unsigned int unlogged;
	struct address outsider; /* the last that was turned away */
	uint64_t outsider_came;  /* when, ms; 0: none was */
	uint64_t outsiders;
	char outsider_text[160];
};

/* --- addresses and sockets */

socklen_t join_name_of(struct join_peer peer, union join_name *name)
{
	memset(name, 0, sizeof(*name));
	if (address_is_ipv4(&peer.address)) {
		name->ipv4.sin_family = AF_INET;
		name->ipv4.sin_port = htons(peer.port);
		name->ipv4.sin_addr.s_addr = peer.address.word[3];
		return sizeof(name->ipv4);
	}
	name->ipv6.sin6_family = AF_INET6;
	name->ipv6.sin6_port = htons(peer.port);
	memcpy(&name->ipv6.sin6_addr, &peer.address, sizeof(peer.address));
	return sizeof(name->ipv6);
}

struct join_peer join_peer_of(const struct sockaddr *name)
{
	const union join_name *known = (const union join_name *)name;
	struct join_peer peer = {.address.word[2] = htonl(0xffff)};

	if (name->sa_family == AF_INET) {
		peer.address.word[3] = known->ipv4.sin_addr.s_addr;
		peer.port = ntohs(known->ipv4.sin_port);
	} else {
		memcpy(&peer.address, &known->ipv6.sin6_addr, sizeof(peer.address));
		peer.port = ntohs(known->ipv6.sin6_port);
	}
	return peer;
}

int join_socket(struct join_peer where, int type)
{
	int fd, error, yes = 1;
	union join_name name;
	socklen_t size = join_name_of(where, &name);

	fd = socket(name.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* For TCP: connections of a daemon before this one do not stand in the way. */
	if ((type != SOCK_STREAM || !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes))) &&
		!bind(fd, &name.any, size))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static const char *spell(struct join_peer peer, char text[ADDRESS_TEXT_SIZE + 16])
{
	char address[ADDRESS_TEXT_SIZE];

	address_format(&peer.address, address);
	snprintf(
		text, ADDRESS_TEXT_SIZE + 16, address_is_ipv4(&peer.address) ? "%s:%u" : "[%s]:%u", address, peer.port);
	return text;
}

/* --- what is said */

void joining_refused(struct joining *joining, const struct join_answer *answer, struct join_peer peer)
{
	uint64_t now = clock_msec();
	char text[ADDRESS_TEXT_SIZE];

	if (joining->refusal && now - joining->refusal < REFUSALS_PAUSE) {
		joining->unlogged++;
		return;
	}
	log_warning("join: refused what %s says: %s (%u), and %u more that were not logged",
		address_format(&peer.address, text), answer->text, answer->status, joining->unlogged);
	joining->refusal = now;
	joining->unlogged = 0;
}

enum join_source joining_judge(struct joining *joining, struct join_peer peer)
{
	static const struct join_answer refused = {
		.status = 403, .text = "its network is not among those of 'from:', and it is no backend"};
	enum join_source source = join_sources_judge(joining->sources, &peer.address);

	if (source != JOIN_OUTSIDER)
		return source;
	joining_refused(joining, &refused, peer);
	joining->outsider = peer.address;
	joining->outsider_came = clock_msec();
	joining->outsiders++;
	return source;
}

static void reconcile_soon(struct joining *joining)
{
	if (sd_event_source_get_enabled(joining->reconcile, NULL) > 0)
		return;
	sd_event_source_set_time_relative(joining->reconcile, RECONCILE_USEC);
	sd_event_source_set_enabled(joining->reconcile, SD_EVENT_ONESHOT);
}

static int on_reconcile(sd_event_source *source, uint64_t now, void *data)
{
	struct joining *joining = data;

	(void)source, (void)now;
	joining->changed(joining->data);
	return 0;
}

struct join_answer joining_take(struct joining *joining, const struct join_request *request, struct join_peer peer)
{
	const char *secret = joining->daemon->farm->config->join.secret;
	struct join_clocks clocks = {.seconds = time(NULL), .ms = listening_clock_now()};
	uint8_t signature[JOIN_SIGNATURE_SIZE];
	char text[JOIN_SIGNED_MAX];
	struct join_answer answer = {.status = 503, .text = "nobody may join"};
	size_t length = join_signed(request, text);

	if (secret && HMAC(EVP_sha256(), secret, strlen(secret), (uint8_t *)text, length, signature, NULL))
		answer = join_take(
			joining->join, joining->daemon->farm, joining->daemon->running, request, signature, clocks);
	if (answer.status != 200)
		joining_refused(joining, &answer, peer);
	if (answer.authentic)
		join_sources_know(joining->sources, &peer.address);
	if (answer.changed) {
		atomic_store(&joining->daemon->changed, true);
		reconcile_soon(joining);
	}
	return answer;
}

/* --- listening */

static bool listens(const struct joining *joining)
{
	return joining->http && joining->udp;
}

static void end_listening(struct joining *joining)
{
	join_http_free(joining->http);
	join_udp_free(joining->udp);
	joining->http = NULL;
	joining->udp = NULL;
}

static void begin_listening(struct joining *joining)
{
	char text[ADDRESS_TEXT_SIZE + 16];
	int error = join_http_new(&joining->http, joining->daemon->event, joining->where, joining);

	if (!error)
		error = join_udp_new(&joining->udp, joining->daemon->event, joining->where, joining);
	if (!error) {
		log_info("join: servers may join at %s", spell(joining->where, text));
		*joining->fault = '\0';
	} else {
		end_listening(joining);
		snprintf(joining->fault, sizeof(joining->fault), "cannot listen on %s: %s", spell(joining->where, text),
			strerror(-error));
	}
	if (error && error != joining->error)
		log_error("join: %s; trying again every second", joining->fault);
	joining->error = error;
}

static void listen_where_told(struct joining *joining)
{
	const struct config_join *config = &joining->daemon->farm->config->join;
	struct join_peer where = {.address = config->address, .port = config->port};

	if (where.port != joining->where.port || !address_equal(&where.address, &joining->where.address)) {
		end_listening(joining);
		if (!where.port)
			log_info("join: nobody may join any more");
		joining->where = where;
		joining->error = 0;
		*joining->fault = '\0';
	}
	if (where.port && !listens(joining))
		begin_listening(joining);
}

const char *joining_outsiders(struct joining *joining)
{
	char text[ADDRESS_TEXT_SIZE];

	if (!joining->outsider_came || clock_msec() - joining->outsider_came > OUTSIDERS_TIME)
		return NULL;
	snprintf(joining->outsider_text, sizeof(joining->outsider_text),
		"%" PRIu64 " requests from outside of the networks of 'from:' were not taken, the last from %s",
		joining->outsiders, address_format(&joining->outsider, text));
	return joining->outsider_text;
}

const char *joining_fault(const struct joining *joining)
{
	return *joining->fault ? joining->fault : NULL;
}

/* --- silence */

static void forget(struct joining *joining, const struct farm_backend *backend)
{
	struct farm *farm = joining->daemon->farm;
	struct backend_record record = backend->record;
	char error[FARM_ERROR_SIZE];

	log_info("backend %s/%s is forgotten: it has sent no heartbeats for %u s", record.pool, record.name,
		2 * farm->config->join.node_timeout / 1000);
	farm_remove_backend(farm, record.pool, record.name, error);
}

/* True if the farm has changed. */
static bool judge_silence(struct joining *joining)
{
	struct farm *farm = joining->daemon->farm;
	const struct farm_backend *backend;
	bool changed = join_look(joining->join, farm, listening_clock_now());

	while ((backend = join_forgotten(joining->join, farm, listening_clock_now()))) {
		forget(joining, backend);
		changed = true;
	}
	return changed;
}

void joining_follow(struct joining *joining)
{
	join_sources_follow(joining->sources, joining->daemon->farm);
	listen_where_told(joining);
	join_look(joining->join, joining->daemon->farm, listening_clock_now());
}

bool joining_look(struct joining *joining)
{
	uint64_t stall = listening_clock_stall();

	listen_where_told(joining);
	if (stall < UNREAD_MSEC)
		return judge_silence(joining);
	if (stall < LONG_MSEC)
		return false;
	log_warning("the daemon did not run for %.1f s (stopped, or busy): no server is taken for silent because of it",
		stall / 1000.0);
	join_forgive(joining->join, joining->daemon->farm, listening_clock_now());
	return false;
}

void joining_mark(const struct joining *joining, struct farm *farm)
{
	join_mark(joining->join, farm, listening_clock_now());
}

/* --- life */

int joining_new(struct joining **out, struct daemon *daemon, void (*changed)(void *data), void *data)
{
	struct joining *joining = allocate(1, sizeof(*joining));
	int error;

	*joining = (struct joining){.daemon = daemon, .join = join_new(), .changed = changed, .data = data};
	error = join_sources_new(&joining->sources);
	if (!error)
		error = sd_event_add_time_relative(
			daemon->event, &joining->reconcile, CLOCK_MONOTONIC, 0, 0, on_reconcile, joining);
	if (error >= 0)
		error = sd_event_source_set_enabled(joining->reconcile, SD_EVENT_OFF);
	if (error < 0) {
		joining_free(joining);
		return error;
	}
	*out = joining;
	return 0;
}

void joining_free(struct joining *joining)
{
	if (!joining)
		return;
	end_listening(joining);
	sd_event_source_disable_unref(joining->reconcile);
	join_free(joining->join);
	join_sources_free(joining->sources);
	free(joining);
}
