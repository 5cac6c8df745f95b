// SPDX-License-Identifier: GPL-2.0
/* See output_group.h. */
#include <stdio.h>
#include "columns.h"
#include "output_group.h"
#include "text.h"

static const struct column member_columns[] = {
	{"MEMBER", "node", CELL_TEXT},
	{"THIS", "self", CELL_YES},
	{"ID", "id", CELL_NUMBER},
	{"STATE", "state", CELL_TEXT},
	{"SINCE", "since", CELL_AGE},
	{"UP", "up", CELL_NUMBER},
	{"DOWN", "down", CELL_NUMBER},
	{"CONFIG", "config", CELL_TEXT},
	{"VERSION", "version", CELL_TEXT},
	{0},
};

static const struct column backend_columns[] = {
	{"POOL", "pool", CELL_TEXT},
	{"BACKEND", "name", CELL_TEXT},
	{"STATE", "state", CELL_TEXT},
	{"VOTES", "votes", CELL_LIST},
	{0},
};

static const struct column wait_columns[] = {
	{"POOL", "pool", CELL_TEXT},
	{"SLOTS", "slots", CELL_NUMBER},
	{"SECONDS", "seconds", CELL_NUMBER},
	{"WAIT FOR", "reason", CELL_TEXT},
	{0},
};

static void put_text(const json_t *text)
{
	text_put(stdout, json_is_string(text) ? json_string_value(text) : "", "");
}

static void put_line(const char *label, const json_t *text)
{
	printf("%-12s ", label);
	put_text(text);
	putchar('\n');
}

static void put_differences(const json_t *differences)
{
	const json_t *member, *line;
	size_t i, j;

	json_array_foreach(differences, i, member)
	{
		fputs("\nonly here, not at member ", stdout);
		put_text(json_object_get(member, "node"));
		printf(" (%lld lines; run the command there to see the opposite):\n",
			(long long)json_integer_value(json_object_get(member, "count")));
		json_array_foreach(json_object_get(member, "lines"), j, line)
		{
			fputs("  ", stdout);
			put_text(line);
			putchar('\n');
		}
	}
}

static void put_quorum(const json_t *group)
{
	long long votes = json_integer_value(json_object_get(group, "votes"));
	long long expected = json_integer_value(json_object_get(group, "votes_expected"));

	printf("%-12s %s", "quorum:", json_is_true(json_object_get(group, "quorate")) ? "yes" : "no");
	if (expected)
		printf(", %lld of %lld votes", votes, expected);
	putchar('\n');
}

static void put_nodes(const json_t *nodes)
{
	const json_t *node;
	size_t i;

	if (!json_array_size(nodes))
		return;
	printf("%-12s on these nodes of corosync: ", "no member:");
	json_array_foreach(nodes, i, node) printf("%s%lld", i ? ", " : "", (long long)json_integer_value(node));
	putchar('\n');
}

void output_group(const json_t *group)
{
	const json_t *item;
	size_t i;

	put_line("group:", json_object_get(group, "name"));
	put_line("node:", json_object_get(group, "node"));
	put_line("state:", json_object_get(group, "state"));
	put_line("agree:", json_object_get(group, "agree"));
	put_quorum(group);
	printf("%-12s %lld ms\n", "lag:", (long long)json_integer_value(json_object_get(group, "lag_ms")));
	if (json_integer_value(json_object_get(group, "invalid_messages")))
		printf("%-12s %lld invalid messages\n",
			"anomaly:", (long long)json_integer_value(json_object_get(group, "invalid_messages")));
	put_nodes(json_object_get(group, "nodes_without_member"));
	json_array_foreach(json_object_get(group, "warnings"), i, item) put_line("warning:", item);
	putchar('\n');
	columns_print(json_object_get(group, "members"), member_columns, "no members: not connected");
	putchar('\n');
	columns_print(json_object_get(group, "backends"), backend_columns, "all members see all backends up");
	if (json_array_size(json_object_get(group, "waits"))) {
		putchar('\n');
		columns_print(json_object_get(group, "waits"), wait_columns, "");
	}
	put_differences(json_object_get(group, "differences"));
}
