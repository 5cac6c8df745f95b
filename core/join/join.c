// SPDX-License-Identifier: GPL-2.0
/* See join.h. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "join_command.h"
#include "core/base/memory.h"
#include "core/base/name.h"

#define SIGNATURE_DIGITS ((ptrdiff_t)(2 * JOIN_SIGNATURE_SIZE))

/* An accepted signature: its request must not have an effect again. */
struct accepted {
	char signature[SIGNATURE_DIGITS];
	bool elsewhere; /* by a different member of the group */
};

/* The accepted signatures of one second. */
struct second {
	uint64_t time;
	struct accepted *accepted;
	size_t count;
};

/* The last heartbeat of a server. */
struct heartbeat {
	uint64_t ms;        /* time of arrival; 0: none has arrived */
	uint64_t here;      /* arrival of the last one at this member of the group; 0: none has arrived */
	uint64_t shared;    /* arrival of the last heartbeat that the other members of a group know; 0: none */
	uint64_t signed_at; /* by the server's clock; 0: no heartbeat since the daemon started, and `ms` is the time of
			       this start */
	uint64_t left_at;   /* the same of the last `shutdown`; 0: none since the daemon started */
	uint64_t refused;   /* arrival of the last one, after `ms`, that did not count because of its time; 0: none */
	bool has_load;
	uint8_t load;     /* per cent */
	uint64_t excused; /* last time at which the balancer could not receive heartbeats; 0: it always could */
	uint64_t expired; /* last time at which join_find_expired() returned the server; 0: never */
};

/* Each second of the window has its own entry. */
#define SECONDS 64

#define SHARED_HEARTBEATS 4 /* heartbeats in node_timeout that the other members of a group need */

_Static_assert(SECONDS > 2 * JOIN_WINDOW, "window");

struct join {
	struct second seconds[SECONDS];
	uint64_t bans;           /* ms: when the rate limit for changes of the guard allows a full burst again (GCRA) */
	struct heartbeat *heard; /* by backend id */
	size_t limit;            /* size of `heard` */
};

struct join *join_new(void)
{
	return allocate(1, sizeof(struct join));
}

void join_free(struct join *join)
{
	if (!join)
		return;
	for (size_t i = 0; i < SECONDS; i++)
		free(join->seconds[i].accepted);
	free(join->heard);
	free(join);
}

struct join_answer join_answer(unsigned int status, const char *format, ...)
{
	struct join_answer answer = {.status = status};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(answer.text, sizeof(answer.text), format, arguments);
	va_end(arguments);
	for (char *c = answer.text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return answer;
}

/* --- Authentication */

#define TIME_DIGITS_MAX 11

/* Truncates longer times and texts; authenticate() refuses such requests. */
size_t join_signed(const struct join_request *request, char out[JOIN_SIGNED_MAX])
{
	size_t time = request->time.end - request->time.at, text = request->text.end - request->text.at;

	time = time < TIME_DIGITS_MAX ? time : TIME_DIGITS_MAX;
	text = text < JOIN_REQUEST_MAX ? text : JOIN_REQUEST_MAX;
	if (time)
		memcpy(out, request->time.at, time);
	out[time] = '\n';
	if (text)
		memcpy(out + time + 1, request->text.at, text);
	return time + 1 + text;
}

/* Takes the same time for every wrong signature, so that the time does not reveal which digits are right. */
static bool is_signed(struct span hex, const uint8_t right[JOIN_SIGNATURE_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned int difference = 0;

	if (hex.end - hex.at != SIGNATURE_DIGITS)
		return false;
	for (size_t i = 0; i < JOIN_SIGNATURE_SIZE; i++) {
		difference |= hex.at[2 * i] ^ digits[right[i] >> 4];
		difference |= hex.at[2 * i + 1] ^ digits[right[i] & 0xf];
	}
	return difference == 0;
}

static bool read_time(struct span digits, uint64_t *time)
{
	*time = 0;
	if (digits.at == digits.end || digits.end - digits.at > TIME_DIGITS_MAX)
		return false;
	for (; digits.at < digits.end; digits.at++) {
		if (*digits.at < '0' || *digits.at > '9')
			return false;
		*time = *time * 10 + (*digits.at - '0');
	}
	return true;
}

static bool is_in_window(uint64_t time, uint64_t now)
{
	return time <= now + JOIN_WINDOW && now <= time + JOIN_WINDOW;
}

/* Returns NULL if this signature was not accepted before, and then records it. The time is within the window. */
static const struct accepted *accept_once(struct join *join, uint64_t time, struct span signature, bool elsewhere)
{
	struct second *second = &join->seconds[time % SECONDS];
	struct accepted *added;

	if (second->time != time) {
		second->time = time;
		second->count = 0;
	}
	for (size_t i = 0; i < second->count; i++)
		if (!memcmp(second->accepted[i].signature, signature.at, SIGNATURE_DIGITS))
			return &second->accepted[i];
	second->accepted = reallocate(second->accepted, second->count + 1, sizeof(*second->accepted));
	added = &second->accepted[second->count++];
	memcpy(added->signature, signature.at, SIGNATURE_DIGITS);
	added->elsewhere = elsewhere;
	return NULL;
}

/* A server may send the same request to several members. */
static struct join_answer repetition(const struct accepted *before)
{
	struct join_answer answer = join_answer(200, "accepted by a different member of the group");

	if (!before->elsewhere)
		return join_answer(401, "this request was accepted before");
	answer.repeated = true;
	return answer;
}

/* Sets `*signed_at` to the time of the signature, or to 0 if the signature is wrong. */
static struct join_answer authenticate(struct join *join, const struct join_request *request,
	const uint8_t signature[JOIN_SIGNATURE_SIZE], uint64_t now, uint64_t *signed_at)
{
	const struct accepted *before;
	uint64_t time;

	*signed_at = 0;
	if (request->time.at == request->time.end || request->signature.at == request->signature.end)
		return join_answer(401, "time or signature is missing");
	if (request->text.end - request->text.at > JOIN_REQUEST_MAX || !read_time(request->time, &time) ||
		!is_signed(request->signature, signature))
		return join_answer(401, "the signature is wrong");
	*signed_at = time;
	if (!is_in_window(time, now))
		return join_answer(401, "the time is %lu s %s: are both clocks right?",
			time > now ? time - now : now - time, time > now ? "ahead" : "old");
	before = accept_once(join, time, request->signature, false);
	return before ? repetition(before) : join_answer(200, "%s", "");
}

/* --- Heartbeats */

static void make_room(struct join *join, size_t id)
{
	if (id < join->limit)
		return;
	join->heard = reallocate(join->heard, id + 1, sizeof(*join->heard));
	memset(join->heard + join->limit, 0, (id + 1 - join->limit) * sizeof(*join->heard));
	join->limit = id + 1;
}

static bool has_joined(const struct farm_backend *backend)
{
	return backend->record.overrides & OVERRIDE_JOINED;
}

/* Do its heartbeats arrive, and not count because of their time? */
static bool is_refused(
	const struct join *join, const struct farm *farm, const struct farm_backend *backend, uint64_t ms)
{
	uint64_t refused = backend->id < join->limit ? join->heard[backend->id].refused : 0;

	return refused && ms - refused < farm->config->join.node_timeout;
}

static bool is_heard_here(
	const struct join *join, const struct farm *farm, const struct farm_backend *backend, uint64_t ms)
{
	uint64_t here = backend->id < join->limit ? join->heard[backend->id].here : 0;

	return here && ms < here + farm->config->join.node_timeout;
}

static bool set_silent(struct farm_backend *backend, bool silent)
{
	bool changed = backend->silent != silent;

	backend->silent = silent;
	return changed;
}

static bool record_heartbeat(
	struct join *join, struct farm_backend *backend, const struct join_command *command, bool shared, uint64_t ms)
{
	make_room(join, backend->id);
	backend->joined_here |= !command->is_shared;
	join->heard[backend->id] = (struct heartbeat){.ms = ms,
		.here = command->is_shared ? join->heard[backend->id].here : ms,
		.shared = shared ? ms : join->heard[backend->id].shared,
		.signed_at = command->signed_at,
		.left_at = command->action == JOIN_SHUTDOWN ? command->signed_at : join->heard[backend->id].left_at,
		.has_load = command->load >= 0,
		.load = command->load};
	return set_silent(backend, false);
}

/* 0 before the first heartbeat. */
static uint64_t silence(const struct join *join, const struct farm_backend *backend, uint64_t ms)
{
	uint64_t heard = backend->id < join->limit ? join->heard[backend->id].ms : 0;

	return heard && ms > heard ? ms - heard : 0;
}

/* Must other balancers hear of this server again? */
static bool is_due(const struct join *join, const struct farm *farm, const struct farm_backend *backend, uint64_t ms)
{
	uint64_t shared = backend->id < join->limit ? join->heard[backend->id].shared : 0;

	return !shared || ms - shared >= farm->config->join.node_timeout / SHARED_HEARTBEATS;
}

/* Need other balancers know of this heartbeat? */
static bool is_news(const struct join *join, const struct farm *farm, const struct farm_backend *backend,
	const struct join_command *command, uint64_t ms)
{
	const struct heartbeat *heard = backend->id < join->limit ? &join->heard[backend->id] : NULL;
	int load = heard && heard->has_load ? heard->load : JOIN_NOT_GIVEN;

	return load != command->load || is_due(join, farm, backend, ms);
}

int join_load(const struct join *join, const struct farm *farm, const struct farm_backend *backend, uint64_t ms)
{
	const struct heartbeat *heard = backend->id < join->limit ? &join->heard[backend->id] : NULL;

	if (!heard || !heard->has_load || !has_joined(backend) ||
		silence(join, backend, ms) >= farm->config->join.node_timeout)
		return JOIN_NO_LOAD;
	return heard->load;
}

/* The part of the backend's silence in which the balancer could have received heartbeats. */
static uint64_t audible_silence(const struct join *join, const struct farm_backend *backend, uint64_t ms)
{
	uint64_t all = silence(join, backend, ms);
	uint64_t excused = backend->id < join->limit ? join->heard[backend->id].excused : 0;
	uint64_t since = ms > excused ? ms - excused : 0;

	return since < all ? since : all;
}

/* If no backend of a pool answers its probes, the balancer cannot receive heartbeats either: the silence of a
 * backend counts only from the end of this outage. A pool without probes gives no such indication. */
static bool is_blind(const struct farm_pool *pool)
{
	return pool->outage.view == OUTAGE_BLIND && pool->config->probe.type != PROBE_NONE;
}

/* Deletes the heartbeats of removed backends, because new backends may get their ids. */
bool join_update_silence(struct join *join, struct farm *farm, uint64_t ms)
{
	struct heartbeat *before = join->heard;
	size_t limit = join->limit;
	bool changed = false;

	join->heard = NULL;
	join->limit = 0;
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			struct farm_backend *backend = &farm->pools[i].backends[j];
			bool joined = has_joined(backend);
			struct heartbeat heard = backend->id < limit ? before[backend->id] : (struct heartbeat){0};

			make_room(join, backend->id);
			if (!heard.ms)
				heard.ms = ms;
			if (is_blind(&farm->pools[i]) && !backend->outage.down)
				heard.excused = ms;
			if (joined)
				join->heard[backend->id] = heard;
			backend->silent_ms = joined ? silence(join, backend, ms) : 0;
			backend->joined_here = joined && is_heard_here(join, farm, backend, ms);
			backend->refused = joined && is_refused(join, farm, backend, ms);
			changed |= set_silent(backend,
				joined && audible_silence(join, backend, ms) >= farm->config->join.node_timeout);
		}
	free(before);
	return changed;
}

/* NULL if the backend is marked as silent or has not joined. */
static struct heartbeat *heartbeat_of_audible(struct join *join, const struct farm_backend *backend)
{
	struct heartbeat *heard = backend->id < join->limit ? &join->heard[backend->id] : NULL;

	return heard && heard->ms && !backend->silent ? heard : NULL;
}

void join_restart_silence(struct join *join, const struct farm *farm, uint64_t ms)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			struct heartbeat *heard = heartbeat_of_audible(join, &farm->pools[i].backends[j]);

			if (heard)
				heard->ms = ms;
		}
}

void join_excuse_silence(struct join *join, const struct farm *farm, uint64_t ms)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			struct heartbeat *heard = heartbeat_of_audible(join, &farm->pools[i].backends[j]);

			if (heard)
				heard->excused = ms;
		}
}

void join_copy_silence(const struct join *join, struct farm *farm, uint64_t ms)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			struct farm_backend *backend = &farm->pools[i].backends[j];

			backend->silent_ms = has_joined(backend) ? silence(join, backend, ms) : 0;
			backend->joined_here = has_joined(backend) && is_heard_here(join, farm, backend, ms);
			backend->silent = has_joined(backend) &&
					  audible_silence(join, backend, ms) >= farm->config->join.node_timeout;
		}
}

static bool has_backend_up(const struct farm_pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_exists(&pool->backends[i]) && pool->backends[i].record.state == STATE_UP)
			return true;
	return false;
}

/* Returns a server only once in node_timeout: its removal by the group takes a moment. */
static bool has_expired(struct join *join, const struct farm *farm, const struct farm_backend *backend, uint64_t ms)
{
	uint64_t timeout = farm->config->join.node_timeout;
	struct heartbeat *heard;

	if (!has_joined(backend) || backend->outage.held || audible_silence(join, backend, ms) < 2 * timeout)
		return false;
	heard = &join->heard[backend->id];
	if (heard->expired && ms - heard->expired < timeout)
		return false;
	heard->expired = ms;
	return true;
}

const struct farm_backend *join_find_expired(struct join *join, const struct farm *farm, uint64_t ms)
{
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];

		if (pool->fail_open && !has_backend_up(pool))
			continue;
		for (size_t j = 0; j < pool->count; j++)
			if (has_expired(join, farm, &pool->backends[j], ms))
				return &pool->backends[j];
	}
	return NULL;
}

/* --- Changes */

static struct join_answer refusal(int error, const char *text)
{
	return join_answer(error == -ENOENT ? 404 : error == -ENOSPC ? 503 : 409, "%s", text);
}

static struct join_answer add(struct join *join, struct farm *farm, const struct image *running,
	const struct join_command *command, uint64_t ms)
{
	int weight = command->weight == JOIN_NOT_GIVEN ? 1 : command->weight, error;
	struct join_answer done = join_answer(200, "joined");
	struct farm_backend *backend;
	char text[FARM_ERROR_SIZE];

	error = farm_add_backend(farm, running, command->pool, command->name, &command->address, weight, text);
	if (error)
		return refusal(error, text);
	backend = farm_find_backend(farm_find_pool(farm, command->pool), command->name);
	backend->record.overrides |= OVERRIDE_JOINED;
	record_heartbeat(join, backend, command, true, ms);
	done.changed = done.shared = true;
	return done;
}

/* Does a `start` cancel the pending removal of the backend? One that was sent before the `shutdown` may arrive later.
 */
static bool does_return(const struct join *join, const struct farm_backend *backend, const struct join_command *command)
{
	return command->action == JOIN_START && (backend->record.overrides & OVERRIDE_LEAVING) &&
	       (backend->id >= join->limit || command->signed_at > join->heard[backend->id].left_at);
}

/* Handles a heartbeat, which may have a new weight. */
static struct join_answer keep(struct join *join, const struct farm *farm, struct farm_backend *backend,
	const struct join_command *command, uint64_t ms)
{
	struct backend_record *record = &backend->record;
	bool returns = does_return(join, backend, command);
	struct join_answer done = join_answer(200, returns ? "joined" : "heartbeat received");

	done.shared = is_news(join, farm, backend, command, ms);
	done.changed = record_heartbeat(join, backend, command, done.shared || command->is_shared, ms) || returns;
	if (returns)
		record->overrides &= ~OVERRIDE_LEAVING;
	if (command->weight != JOIN_NOT_GIVEN && command->weight != record->weight) {
		record->weight = command->weight;
		done.changed = true;
	}
	done.shared |= done.changed;
	return done;
}

static struct join_answer leave(struct join *join, struct farm *farm, struct farm_backend *backend,
	const struct join_command *command, uint64_t ms)
{
	bool at_once = command->action == JOIN_STOP;
	struct join_answer done = join_answer(200, at_once ? "removed" : "leaving");
	char text[FARM_ERROR_SIZE];
	int error;

	record_heartbeat(join, backend, command, true, ms);
	error = (at_once ? farm_remove_backend : farm_remove_when_drained)(farm, command->pool, command->name, text);
	if (error)
		return refusal(error, text);
	done.changed = done.shared = true;
	return done;
}

/* The reason why the request must not change this backend; its status is 0 if the request may change it. */
static struct join_answer objection(
	const struct farm_pool *pool, const struct farm_backend *backend, const struct join_command *command)
{
	static const struct address none;
	char text[ADDRESS_TEXT_SIZE];

	if (config_find_backend(pool->config, command->name))
		return join_answer(409,
			"backend '%s' of pool '%s' is in the file: only backends outside the file can join and leave",
			command->name, command->pool);
	if (!has_joined(backend))
		return join_answer(
			409, "backend '%s' of pool '%s' was added by an operator", command->name, command->pool);
	if (!address_equal(&command->address, &none) && !address_equal(&command->address, &backend->record.address))
		return join_answer(409, "backend '%s' of pool '%s' has the address %s", command->name, command->pool,
			address_format(&backend->record.address, text));
	return (struct join_answer){0};
}

/* Each change makes the kernel look up the lists of all sources again, so the rate is bounded. */
#define BAN_INTERVAL 20  /* ms: 50 changes per second */
#define BAN_WINDOW 10000 /* ms: a burst of 500 */

static struct join_answer accept_ban(const struct farm *farm, const struct join_command *command)
{
	struct join_answer answer = join_answer(200, "accepted");

	if (!farm->config->join.guard)
		return join_answer(409, "servers may not change the guard (`join: guard: true` permits it)");
	answer.ban = command->ban;
	answer.shared = true;
	return answer;
}

static struct join_answer ban(
	struct join *join, const struct farm *farm, const struct join_command *command, uint64_t ms)
{
	if (join->bans > ms + BAN_WINDOW)
		return join_answer(503, "too many changes of the guard: try again in a second");
	join->bans = (join->bans > ms ? join->bans : ms) + BAN_INTERVAL;
	return accept_ban(farm, command);
}

static struct join_answer act(struct join *join, struct farm *farm, const struct image *running,
	const struct join_command *command, uint64_t ms)
{
	struct farm_pool *pool = farm_find_pool(farm, command->pool);
	struct farm_backend *backend = pool ? farm_find_backend_or_tombstone(pool, command->name) : NULL;
	struct join_answer against = backend ? objection(pool, backend, command) : (struct join_answer){0};

	if (command->ban.action)
		return ban(join, farm, command, ms);
	if (!pool)
		return join_answer(404, "no pool '%s'", command->pool);
	if (against.status)
		return against;
	if (!backend && command->action == JOIN_START)
		return add(join, farm, running, command, ms);
	if (!backend)
		return join_answer(404,
			"no backend '%s' in pool '%s': it has not joined, or its heartbeats were missing",
			command->name, command->pool);
	if (command->action == JOIN_START || command->action == JOIN_HEARTBEAT)
		return keep(join, farm, backend, command, ms);
	return leave(join, farm, backend, command, ms);
}

/* Handles a heartbeat with a valid signature whose time is outside the window. If its time is later than the times of
 * all earlier heartbeats of this server, it is not a replay: one of the two clocks was changed, and the server is
 * alive. The heartbeat then counts as received. It has no other effect, and a silent server stays silent. After a
 * restart the daemon knows no earlier time: the first heartbeat only gives it one. Returns a server of which the other
 * members of a group must hear, or NULL. */
static const struct farm_backend *accept_newer_clock(
	struct join *join, const struct farm *farm, const struct join_command *command, uint64_t ms)
{
	const struct farm_pool *pool = farm_find_pool(farm, command->pool);
	const struct farm_backend *backend = pool ? farm_find_backend_or_tombstone(pool, command->name) : NULL;
	struct heartbeat *sign = backend && backend->id < join->limit ? &join->heard[backend->id] : NULL;
	bool due;

	if (!sign || (command->action != JOIN_START && command->action != JOIN_HEARTBEAT) ||
		objection(pool, backend, command).status)
		return NULL;
	if (backend->silent || !sign->signed_at || command->signed_at <= sign->signed_at) {
		sign->refused = ms;
		if (!sign->signed_at)
			sign->signed_at = command->signed_at;
		return NULL;
	}
	due = is_due(join, farm, backend, ms);
	*sign = (struct heartbeat){
		.ms = ms,
		.here = ms,
		.shared = due ? ms : sign->shared,
		.signed_at = command->signed_at,
		.left_at = sign->left_at,
	};
	return due ? backend : NULL;
}

struct join_answer join_handle_request(struct join *join, struct farm *farm, const struct image *running,
	const struct join_request *request, const uint8_t signature[JOIN_SIGNATURE_SIZE], struct join_clocks clocks)
{
	uint64_t signed_at;
	struct join_answer done = authenticate(join, request, signature, clocks.seconds, &signed_at);
	struct join_command command = {0};

	if (signed_at)
		join_command_read(request, signed_at, &command);
	if (done.repeated)
		return done;
	if (done.status == 200) {
		done = command.fault.status ? command.fault : act(join, farm, running, &command, clocks.ms);
		done.authentic = true;
	} else if (signed_at && !is_in_window(signed_at, clocks.seconds) && !command.fault.status) {
		done.alive = accept_newer_clock(join, farm, &command, clocks.ms);
	}
	return done;
}

struct join_answer join_handle_shared(struct join *join, struct farm *farm, const struct image *running,
	const struct join_request *request, uint64_t signed_at, struct join_clocks clocks)
{
	struct join_command command = {0};
	struct join_answer done;

	join_command_read(request, signed_at, &command);
	command.is_shared = true;
	if (command.fault.status)
		return command.fault;
	done = command.ban.action ? accept_ban(farm, &command) : act(join, farm, running, &command, clocks.ms);
	if (done.status == 200 && request->signature.end - request->signature.at == SIGNATURE_DIGITS &&
		is_in_window(signed_at, clocks.seconds))
		accept_once(join, signed_at, request->signature, true);
	return done;
}
