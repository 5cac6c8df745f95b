// SPDX-License-Identifier: GPL-2.0
/* See join.h. */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include "join.h"
#include "memory.h"
#include "name.h"

/* Signatures that were taken, of one second: none is taken twice (see is_replay). */
struct second {
	uint64_t time;
	uint8_t (*signatures)[JOIN_SIGNATURE_SIZE];
	size_t count;
};

/* A second of the window has one of these to itself. */
#define SECONDS 64
_Static_assert(SECONDS > 2 * JOIN_WINDOW, "window");

struct join {
	struct second seconds[SECONDS];
	uint64_t *heard; /* by backend id: when it was last heard of, ms; 0: never */
	size_t limit;    /* ids there is room for */
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
		free(join->seconds[i].signatures);
	free(join->heard);
	free(join);
}

static struct join_answer answer(unsigned int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

static struct join_answer answer(unsigned int status, const char *format, ...)
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

/* --- who says so */

#define TIME_DIGITS_MAX 11

/* What is longer is refused: see authenticate(). */
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

/* Takes as long whatever is wrong with it. */
static bool is_signed(struct span hex, const uint8_t right[JOIN_SIGNATURE_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned int difference = 0;

	if (hex.end - hex.at != 2 * JOIN_SIGNATURE_SIZE)
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

/* Has this signature been taken before? It is noted. The time is within the window. */
static bool is_replay(struct join *join, uint64_t time, const uint8_t signature[JOIN_SIGNATURE_SIZE])
{
	struct second *second = &join->seconds[time % SECONDS];

	if (second->time != time) {
		second->time = time;
		second->count = 0;
	}
	for (size_t i = 0; i < second->count; i++)
		if (!memcmp(second->signatures[i], signature, JOIN_SIGNATURE_SIZE))
			return true;
	second->signatures = reallocate(second->signatures, second->count + 1, JOIN_SIGNATURE_SIZE);
	memcpy(second->signatures[second->count++], signature, JOIN_SIGNATURE_SIZE);
	return false;
}

static struct join_answer authenticate(struct join *join, const struct join_request *request,
	const uint8_t signature[JOIN_SIGNATURE_SIZE], uint64_t now)
{
	uint64_t time;

	if (request->time.at == request->time.end || request->signature.at == request->signature.end)
		return answer(401, "time or signature is missing");
	if (request->text.end - request->text.at > JOIN_REQUEST_MAX || !read_time(request->time, &time) ||
		!is_signed(request->signature, signature))
		return answer(401, "the signature is wrong");
	if (time > now + JOIN_WINDOW || now > time + JOIN_WINDOW)
		return answer(401, "the time is %lu s %s: are both clocks right?", time > now ? time - now : now - time,
			time > now ? "ahead" : "old");
	if (is_replay(join, time, signature))
		return answer(401, "this request has been taken already");
	return answer(200, "%s", "");
}

/* --- what is wanted */

enum action {
	ACTION_NONE,
	ACTION_START,
	ACTION_HEARTBEAT,
	ACTION_SHUTDOWN,
	ACTION_STOP,
};

#define NOT_GIVEN (-1)

struct wish {
	enum action action;
	char pool[NAME_SIZE]; /* "": not said, as all that follows */
	char name[NAME_SIZE];
	struct address address; /* all zero */
	int weight;             /* NOT_GIVEN */
	unsigned int seen;      /* a bit for each member */
	struct join_answer fault;
};

static bool set_action(struct wish *wish, const char *value)
{
	static const char *const names[] = {
		[ACTION_START] = "start",
		[ACTION_HEARTBEAT] = "heartbeat",
		[ACTION_SHUTDOWN] = "shutdown",
		[ACTION_STOP] = "stop",
	};

	for (size_t i = ACTION_START; i <= ACTION_STOP; i++)
		if (!strcmp(names[i], value))
			wish->action = i;
	return wish->action != ACTION_NONE;
}

static bool set_pool(struct wish *wish, const char *value)
{
	name_copy(wish->pool, value);
	return config_name_is_valid(value);
}

static bool set_name(struct wish *wish, const char *value)
{
	name_copy(wish->name, value);
	return config_name_is_valid(value);
}

static bool set_address(struct wish *wish, const char *value)
{
	return !address_parse(value, &wish->address) && address_is_host(&wish->address);
}

static bool set_weight(struct wish *wish, const char *value)
{
	struct span digits = {value, value + strlen(value)};

	wish->weight = span_number(digits);
	return wish->weight >= 0 && wish->weight <= MAX_WEIGHT;
}

static const struct member {
	const char *name;
	bool (*set)(struct wish *wish, const char *value);
	const char *wanted;
} members[] = {
	{"action", set_action, "start, heartbeat, shutdown or stop"},
	{"pool", set_pool, "the name of a pool"},
	{"name", set_name, "1 to 63 of A-Z a-z 0-9 . _ -"},
	{"address", set_address, "the address of a host"},
	{"weight", set_weight, "a number from 0 to 1000"},
};

_Static_assert(MAX_WEIGHT == 1000, "members");

/* False, with the fault, when this cannot be. */
static bool set_member(struct wish *wish, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (strcmp(members[i].name, name))
			continue;
		if (wish->seen & 1u << i)
			wish->fault = answer(400, "%s is there twice", name);
		else if (!members[i].set(wish, value))
			wish->fault = answer(400, "%s must be %s", name, members[i].wanted);
		wish->seen |= 1u << i;
		return !wish->fault.status;
	}
	wish->fault = answer(400, "'%.40s' is not known: action, pool, name, address, weight are", name);
	return false;
}

static void read_json(struct span text, struct wish *wish)
{
	json_error_t error;
	json_t *json = json_loadb(text.at, text.end - text.at, JSON_REJECT_DUPLICATES, &error), *value;
	const char *name;
	char number[24];

	if (!json_is_object(json))
		wish->fault = json ? answer(400, "not a JSON object") : answer(400, "not JSON: %s", error.text);
	for (void *i = json_object_iter(json); i && !wish->fault.status; i = json_object_iter_next(json, i)) {
		name = json_object_iter_key(i);
		value = json_object_iter_value(i);
		snprintf(number, sizeof(number), "%lld", json_integer_value(value));
		if (json_is_string(value) && strcmp(name, "weight"))
			set_member(wish, name, json_string_value(value));
		else
			set_member(wish, name, json_is_integer(value) && !strcmp(name, "weight") ? number : "");
	}
	json_decref(json);
}

#define VALUE_SIZE 128 /* more than any value has */

/* False when it is too long. */
static bool copy_span(struct span span, char text[VALUE_SIZE])
{
	size_t length = span.end - span.at;

	if (length >= VALUE_SIZE || memchr(span.at, '\0', length))
		return false;
	memcpy(text, span.at, length);
	text[length] = '\0';
	return true;
}

static void read_parameters(struct span text, struct wish *wish)
{
	while (text.at < text.end && !wish->fault.status) {
		struct span value = span_take(&text, ';'), name = span_trim(span_take(&value, '='));
		char name_text[VALUE_SIZE], value_text[VALUE_SIZE];

		if (copy_span(name, name_text) && copy_span(span_trim(value), value_text))
			set_member(wish, name_text, value_text);
		else
			wish->fault = answer(400, "a parameter is too long");
	}
}

static void read_wish(const struct join_request *request, struct wish *wish)
{
	static const struct address none;

	*wish = (struct wish){.weight = NOT_GIVEN};
	(request->is_json ? read_json : read_parameters)(request->text, wish);
	if (wish->fault.status)
		return;
	if (!wish->action)
		wish->fault = answer(400, "action is missing");
	else if (!*wish->pool)
		wish->fault = answer(400, "pool is missing");
	else if (!*wish->name)
		wish->fault = answer(400, "name is missing");
	else if (wish->action == ACTION_START && address_equal(&wish->address, &none))
		wish->fault = answer(400, "address is missing");
}

/* --- who was heard of */

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

static bool set_silent(struct farm_backend *backend, bool silent)
{
	bool changed = backend->silent != silent;

	backend->silent = silent;
	return changed;
}

static bool hear(struct join *join, struct farm_backend *backend, uint64_t ms)
{
	make_room(join, backend->id);
	join->heard[backend->id] = ms;
	return set_silent(backend, false);
}

/* 0 for those who were not heard of yet. */
static uint64_t silence(const struct join *join, const struct farm_backend *backend, uint64_t ms)
{
	uint64_t heard = backend->id < join->limit ? join->heard[backend->id] : 0;

	return heard && ms > heard ? ms - heard : 0;
}

/* Of those who have left nothing is kept: somebody else may get their ids. */
bool join_look(struct join *join, struct farm *farm, uint64_t ms)
{
	uint64_t *before = join->heard;
	size_t limit = join->limit;
	bool changed = false;

	join->heard = NULL;
	join->limit = 0;
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			struct farm_backend *backend = &farm->pools[i].backends[j];
			bool joined = has_joined(backend);
			uint64_t heard = backend->id < limit ? before[backend->id] : 0;

			make_room(join, backend->id);
			if (joined)
				join->heard[backend->id] = heard ? heard : ms;
			backend->silence = joined ? silence(join, backend, ms) : 0;
			changed |= set_silent(
				backend, joined && silence(join, backend, ms) >= farm->config->join.node_timeout);
		}
	free(before);
	return changed;
}

void join_forgive(struct join *join, const struct farm *farm, uint64_t ms)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];

			if (!backend->silent && backend->id < join->limit && join->heard[backend->id])
				join->heard[backend->id] = ms;
		}
}

void join_mark(const struct join *join, struct farm *farm, uint64_t ms)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			struct farm_backend *backend = &farm->pools[i].backends[j];

			backend->silence = has_joined(backend) ? silence(join, backend, ms) : 0;
			backend->silent = has_joined(backend) && backend->silence >= farm->config->join.node_timeout;
		}
}

static bool somebody_is_up(const struct farm_pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_exists(&pool->backends[i]) && pool->backends[i].record.state == STATE_UP)
			return true;
	return false;
}

const struct farm_backend *join_forgotten(const struct join *join, const struct farm *farm, uint64_t ms)
{
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];

		if (pool->open && !somebody_is_up(pool))
			continue;
		for (size_t j = 0; j < pool->count; j++)
			if (has_joined(&pool->backends[j]) && !pool->backends[j].judged.held &&
				silence(join, &pool->backends[j], ms) >= 2 * (uint64_t)farm->config->join.node_timeout)
				return &pool->backends[j];
	}
	return NULL;
}

/* --- doing it */

static struct join_answer refusal(int error, const char *text)
{
	return answer(error == -ENOENT ? 404 : error == -ENOSPC ? 503 : 409, "%s", text);
}

static struct join_answer add(
	struct join *join, struct farm *farm, const struct image *running, const struct wish *wish, uint64_t ms)
{
	int weight = wish->weight == NOT_GIVEN ? 1 : wish->weight, error;
	struct join_answer done = answer(200, "joined");
	struct farm_backend *backend;
	char text[FARM_ERROR_SIZE];

	error = farm_add_backend(farm, running, wish->pool, wish->name, &wish->address, weight, text);
	if (error)
		return refusal(error, text);
	backend = farm_find_backend(farm_find_pool(farm, wish->pool), wish->name);
	backend->record.overrides |= OVERRIDE_JOINED;
	hear(join, backend, ms);
	done.changed = true;
	return done;
}

/* It is alive, and perhaps of another weight. Who starts does not leave any more. */
static struct join_answer keep(struct join *join, struct farm_backend *backend, const struct wish *wish, uint64_t ms)
{
	struct backend_record *record = &backend->record;
	bool returns = wish->action == ACTION_START && (record->overrides & OVERRIDE_LEAVING);
	struct join_answer done = answer(200, returns ? "joined" : "heard");

	done.changed = hear(join, backend, ms) || returns;
	if (returns)
		record->overrides &= ~OVERRIDE_LEAVING;
	if (wish->weight != NOT_GIVEN && wish->weight != record->weight) {
		record->weight = wish->weight;
		done.changed = true;
	}
	return done;
}

static struct join_answer leave(
	struct join *join, struct farm *farm, struct farm_backend *backend, const struct wish *wish, uint64_t ms)
{
	bool at_once = wish->action == ACTION_STOP;
	struct join_answer done = answer(200, at_once ? "removed" : "leaving");
	char text[FARM_ERROR_SIZE];
	int error;

	hear(join, backend, ms);
	error = (at_once ? farm_remove_backend : farm_leave_backend)(farm, wish->pool, wish->name, text);
	if (error)
		return refusal(error, text);
	done.changed = true;
	return done;
}

/* What speaks against doing something to one that is there; status 0 if nothing does. */
static struct join_answer objection(
	const struct farm_pool *pool, const struct farm_backend *backend, const struct wish *wish)
{
	static const struct address none;
	char text[ADDRESS_TEXT_SIZE];

	if (config_find_backend(pool->config, wish->name))
		return answer(409, "backend '%s' of pool '%s' is in the file: its servers do not come and go",
			wish->name, wish->pool);
	if (!has_joined(backend))
		return answer(409, "backend '%s' of pool '%s' was added by hand", wish->name, wish->pool);
	if (!address_equal(&wish->address, &none) && !address_equal(&wish->address, &backend->record.address))
		return answer(409, "backend '%s' of pool '%s' is at %s", wish->name, wish->pool,
			address_format(&backend->record.address, text));
	return (struct join_answer){0};
}

static struct join_answer act(
	struct join *join, struct farm *farm, const struct image *running, const struct wish *wish, uint64_t ms)
{
	struct farm_pool *pool = farm_find_pool(farm, wish->pool);
	struct farm_backend *backend = pool ? farm_find_noted(pool, wish->name) : NULL;
	struct join_answer against = backend ? objection(pool, backend, wish) : (struct join_answer){0};

	if (!pool)
		return answer(404, "no pool '%s'", wish->pool);
	if (against.status)
		return against;
	if (!backend && wish->action == ACTION_START)
		return add(join, farm, running, wish, ms);
	if (!backend)
		return answer(404, "no backend '%s' in pool '%s': it has not started, or is forgotten", wish->name,
			wish->pool);
	if (wish->action == ACTION_START || wish->action == ACTION_HEARTBEAT)
		return keep(join, backend, wish, ms);
	return leave(join, farm, backend, wish, ms);
}

struct join_answer join_take(struct join *join, struct farm *farm, const struct image *running,
	const struct join_request *request, const uint8_t signature[JOIN_SIGNATURE_SIZE], struct join_clocks clocks)
{
	struct join_answer done = authenticate(join, request, signature, clocks.seconds);
	struct wish wish;

	if (done.status != 200)
		return done;
	read_wish(request, &wish);
	done = wish.fault.status ? wish.fault : act(join, farm, running, &wish, clocks.ms);
	done.authentic = true;
	return done;
}
