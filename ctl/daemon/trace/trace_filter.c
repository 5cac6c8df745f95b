// SPDX-License-Identifier: GPL-2.0
/* See trace_filter.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "core/farm/lookup.h"
#include "core/net/prefix.h"
#include "trace_filter.h"

static const uint64_t hash_key[2] = OBSERVER_HASH_KEY;

/* Finds the value of one option. Returns 0, or -EINVAL. */
typedef int find_value(const struct daemon *daemon, const char *text, uint64_t *value);

__attribute__((format(printf, 2, 3))) static int refuse(char error[PROTOCOL_ERROR_SIZE], const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(error, PROTOCOL_ERROR_SIZE, format, values);
	va_end(values);
	return -EINVAL;
}

static int find_call_id(const struct daemon *daemon, const char *text, uint64_t *value)
{
	(void)daemon;
	return lookup_call_id(text, hash_key, value);
}

static int find_user(const struct daemon *daemon, const char *text, uint64_t *value)
{
	(void)daemon;
	return lookup_user(text, hash_key, value);
}

static int find_service(const struct daemon *daemon, const char *text, uint64_t *value)
{
	for (uint32_t i = 0; i < daemon->running->contract.services; i++)
		if (*text && !strcmp(daemon->running->service_names[i].name, text)) {
			*value = i + 1;
			return 0;
		}
	return -EINVAL;
}

/* Finds a backend by NAME or POOL/NAME. If backends of different pools have the same name, NAME alone is ambiguous. */
static int find_backend(const struct daemon *daemon, const char *text, uint64_t *value)
{
	const struct backend_record *records = daemon->running->records;
	const char *slash = strchr(text, '/');
	int found = 0;

	for (uint32_t i = 1; i <= daemon->running->contract.backends; i++) {
		if (strcmp(records[i].name, slash ? slash + 1 : text) || !*records[i].name ||
			records[i].overrides & OVERRIDE_REMOVED)
			continue;
		if (slash && (strlen(records[i].pool) != (size_t)(slash - text) ||
				     strncmp(records[i].pool, text, slash - text)))
			continue;
		*value = i;
		found++;
	}
	return found == 1 ? 0 : -EINVAL;
}

static int take_values(const struct daemon *daemon, const struct text_list *list, uint64_t values[OBSERVER_VALUES],
	find_value *find, const char *fault, char error[PROTOCOL_ERROR_SIZE])
{
	if (list->count > OBSERVER_VALUES)
		return refuse(error, "an option can be given %d times, not %zu times", OBSERVER_VALUES, list->count);
	for (size_t i = 0; i < list->count; i++)
		if (find(daemon, list->items[i], &values[i]))
			return refuse(error, fault, list->items[i]);
	return 0;
}

static int take_sources(const struct text_list *list, struct observer *out, char error[PROTOCOL_ERROR_SIZE])
{
	struct prefix_key prefix;

	if (list->count > OBSERVER_VALUES)
		return refuse(error, "an option can be given %d times, not %zu times", OBSERVER_VALUES, list->count);
	for (size_t i = 0; i < list->count; i++) {
		if (prefix_parse(list->items[i], &prefix))
			return refuse(error, "'%.80s' is not a network or an address (10.0.0.0/8)", list->items[i]);
		out->sources[i].address = prefix.address;
		for (uint32_t bit = 0; bit < prefix.bits; bit++)
			((__u8 *)&out->sources[i].mask)[bit / 8] |= 0x80 >> bit % 8;
	}
	return 0;
}

static int take_methods(const struct text_list *list, struct observer *out, char error[PROTOCOL_ERROR_SIZE])
{
	static const char *const names[METHOD_COUNT] = {[METHOD_INVITE] = "INVITE",
		[METHOD_BYE] = "BYE",
		[METHOD_OPTIONS] = "OPTIONS",
		[METHOD_REGISTER] = "REGISTER",
		[METHOD_PRACK] = "PRACK",
		[METHOD_SUBSCRIBE] = "SUBSCRIBE",
		[METHOD_NOTIFY] = "NOTIFY",
		[METHOD_PUBLISH] = "PUBLISH",
		[METHOD_INFO] = "INFO",
		[METHOD_REFER] = "REFER",
		[METHOD_MESSAGE] = "MESSAGE",
		[METHOD_UPDATE] = "UPDATE",
		[METHOD_OTHER] = "other",
		[METHOD_ACK] = "ACK",
		[METHOD_CANCEL] = "CANCEL"};

	for (size_t i = 0; i < list->count; i++) {
		int method = METHOD_NONE + 1;

		while (method < METHOD_COUNT && strcasecmp(names[method], list->items[i]))
			method++;
		if (method == METHOD_COUNT)
			return refuse(error, "no method '%.80s' (use 'other' for methods that are not in the list)",
				list->items[i]);
		out->methods |= 1U << method;
	}
	return 0;
}

static int take_verdicts(const struct text_list *list, struct observer *out, char error[PROTOCOL_ERROR_SIZE])
{
#define VERDICT_NAME(name, action, normal, text) [VERDICT_##name] = #name,
	static const char *const names[VERDICT_COUNT] = {BALANCER_VERDICTS(VERDICT_NAME)};
#undef VERDICT_NAME

	for (size_t i = 0; i < list->count; i++) {
		int verdict = 0;

		while (verdict < VERDICT_COUNT && strcmp(names[verdict], list->items[i]))
			verdict++;
		if (verdict == VERDICT_COUNT)
			return refuse(
				error, "no verdict '%.80s' ('sipxdp-ctl stats' lists all verdicts)", list->items[i]);
		out->verdicts |= 1ULL << verdict;
	}
	if (!list->count)
		out->verdicts = ((1ULL << VERDICT_COUNT) - 1) & ~(1ULL << VERDICT_not_service) &
				~(1ULL << VERDICT_other_host) & ~(1ULL << VERDICT_not_ip);
	return 0;
}

int trace_filter(const struct daemon *daemon, const struct request *request, struct observer *out,
	char error[PROTOCOL_ERROR_SIZE])
{
	const struct {
		const struct text_list *list;
		enum observer_kind kind;
		find_value *find;
		const char *fault;
	} rows[] = {
		{&request->trace.call_ids, OBSERVER_CALL_ID, find_call_id, "'%.80s' is not a Call-ID"},
		{&request->trace.from, OBSERVER_FROM_USER, find_user, "'%.80s' is not a user or a URI with a user"},
		{&request->trace.to, OBSERVER_TO_USER, find_user, "'%.80s' is not a user or a URI with a user"},
		{&request->trace.services, OBSERVER_SERVICE, find_service,
			"no service '%.80s' ('sipxdp-ctl service list' lists all services)"},
		{&request->trace.backends, OBSERVER_BACKEND, find_backend,
			"no backend '%.80s', or several pools have one: POOL/NAME ('sipxdp-ctl backend list')"},
	};
	int err = 0;

	*out = (struct observer){0};
	for (size_t i = 0; !err && i < sizeof(rows) / sizeof(*rows); i++)
		err = take_values(daemon, rows[i].list, (uint64_t *)out->values[rows[i].kind], rows[i].find,
			rows[i].fault, error);
	if (!err)
		err = take_sources(&request->trace.sources, out, error);
	if (!err)
		err = take_methods(&request->trace.methods, out, error);
	return err ? err : take_verdicts(&request->trace.verdicts, out, error);
}
