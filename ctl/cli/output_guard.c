// SPDX-License-Identifier: GPL-2.0
/* See output_guard.h. */
#include <stdio.h>
#include "columns.h"
#include "output.h"
#include "output_guard.h"

static const struct column rule_columns[] = {
	{"GUARD", "guard", CELL_TEXT},
	{"RULE", "rule", CELL_TEXT},
	{"DROPPED", "dropped", CELL_NUMBER},
	{"FOR 503", "refused", CELL_NUMBER},
	{"WOULD DROP", "observed", CELL_NUMBER},
	{"BYTES", "bytes", CELL_NUMBER},
	{"LAST", "last", CELL_AGE},
	{"LAST SOURCES", "sources", CELL_LIST},
	{0},
};

static const struct column exempt_columns[] = {
	{"GUARD", "guard", CELL_TEXT},
	{"TRUSTED", "trusted", CELL_NUMBER},
	{"DIALOG", "dialog", CELL_NUMBER},
	{"EMERGENCY", "emergency", CELL_NUMBER},
	{"SERVICES", "services", CELL_LIST},
	{0},
};

static const struct column top_columns[] = {
	{"SOURCE", "source", CELL_TEXT},
	{"PACKETS/S", "packets", CELL_NUMBER},
	{"SHARE", "share", CELL_PERCENT},
	{"RULE", "rule", CELL_TEXT},
	{"MODE", "mode", CELL_TEXT},
	{"GUARD", "guard", CELL_TEXT},
	{0},
};

static const struct column list_columns[] = {
	{"LIST", "name", CELL_TEXT},
	{"ACTION", "action", CELL_TEXT},
	{"LIMITS", "limits", CELL_TEXT},
	{"PREFIXES", "prefixes", CELL_NUMBER},
	{"FROM", "from", CELL_TEXT},
	{0},
};

static const struct column block_columns[] = {
	{"PREFIX", "prefix", CELL_TEXT},
	{"STATE", "state", CELL_TEXT},
	{"SERVICE", "service", CELL_TEXT},
	{"TIME LEFT", "seconds_left", CELL_SECONDS},
	{"SINCE", "since", CELL_AGE},
	{"BY", "by", CELL_TEXT},
	{"WHO", "who", CELL_TEXT},
	{"REASON", "reason", CELL_TEXT},
	{0},
};

void output_guard_list(const json_t *list)
{
	columns_print(json_object_get(list, "lists"), list_columns, "no lists");
	putchar('\n');
	columns_print(json_object_get(list, "blocks"), block_columns, "no prefix is blocked or trusted at run time");
}

static const struct column limit_columns[] = {
	{"LIMIT", "limit", CELL_TEXT},
	{"MODE", "mode", CELL_TEXT},
	{"ACTION", "action", CELL_TEXT},
	{"PER SECOND", "rate", CELL_NUMBER},
	{"BURST", "burst", CELL_NUMBER},
	{"USED", "used", CELL_NUMBER},
	{"OVER", "over", CELL_YES},
	{0},
};

static const struct column test_columns[] = {
	{"PACKET", "packet", CELL_NUMBER},
	{"SOURCE", "source", CELL_TEXT},
	{"MESSAGE", "message", CELL_TEXT},
	{"RESULT", "guard_result", CELL_TEXT},
	{"RULE", "guard_rule", CELL_TEXT},
	{"GUARD", "guard_text", CELL_TEXT},
	{0},
};

static const char no_guard[] = "no service has a guard (key `guard:` of the configuration)";

void output_guard_stats(const json_t *stats)
{
	const json_t *exempt = json_object_get(stats, "exempt");

	if (!json_array_size(exempt)) {
		puts(no_guard);
		return;
	}
	columns_print(json_object_get(stats, "rules"), rule_columns,
		"no rule has dropped packets, or would have dropped packets");
	printf("\npackets that are exempt from limits:\n");
	columns_print(exempt, exempt_columns, "none");
}

void output_guard_top(const json_t *top)
{
	long long limited = json_integer_value(json_object_get(top, "limited"));

	printf("sources over a limit in the last seconds: %lld\n", limited);
	columns_print(json_object_get(top, "sources"), top_columns, "no rule drops packets, or would drop them");
}

void output_guard_test(const json_t *packets)
{
	columns_print(packets, test_columns, "no packets");
}

void output_guard_why(const json_t *guards)
{
	const json_t *guard;
	size_t i;

	if (!json_array_size(guards))
		puts(no_guard);
	json_array_foreach(guards, i, guard)
	{
		if (i)
			putchar('\n');
		output_steps(guard);
		if (json_array_size(json_object_get(guard, "limits")))
			columns_print(json_object_get(guard, "limits"), limit_columns, "");
	}
}
