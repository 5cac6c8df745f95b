// SPDX-License-Identifier: GPL-2.0
/* See targets.h. The list omits targets whose rows were not timed. */

#include <stdio.h>
#include <string.h>
#include "rows.h"
#include "targets.h"

struct target_line {
	const char *id;
	const char *text;
	double limit; /* met when the value is at most this */
	double value;
	bool timed;
};

static bool was_timed(struct result *results, const char *id)
{
	int row = row_find(id);

	return row != NO_ROW && results[row].samples.count;
}

/* The time of one row divided by that of the row `of`. */
static struct target_line ratio(
	struct result *results, const char *id, const char *text, double limit, const char *row, const char *of)
{
	struct target_line line = {id, text, limit, .timed = was_timed(results, row) && was_timed(results, of)};

	if (line.timed)
		line.value = report_median(results, row) / report_median(results, of);
	return line;
}

/* ns for each byte before the Call-ID, by least squares over messages that differ only in its position. */
static struct target_line slope(struct result *results)
{
	static const struct {
		const char *row;
		double at;
	} points[] = {{"dsr-128", 128}, {"dsr-typical", 357}, {"dsr-512", 512}, {"dsr-776", 776}, {"dsr-937", 937},
		{"dsr-1288", 1288}};
	struct target_line line = {"slope", "ns for each byte before the Call-ID", 0.09, .timed = true};
	const int count = sizeof(points) / sizeof(*points);
	double x = 0, y = 0, xx = 0, xy = 0;

	for (int i = 0; i < count; i++) {
		double time = report_median(results, points[i].row);

		line.timed &= time > 0;
		x += points[i].at;
		y += time;
		xx += points[i].at * points[i].at;
		xy += points[i].at * time;
	}
	line.value = (count * xy - x * y) / (count * xx - x * x);
	return line;
}

static struct target_line corpus(struct result *results)
{
	struct target_line line = {"corpus", "corpus: ns above floor, single message being (1.15 x + 30)", 0,
		.timed = was_timed(results, "corpus") && was_timed(results, "single")};

	if (line.timed) {
		line.limit = 1.15 * report_net(results, "single") + 30;
		line.value = report_net(results, "corpus");
	}
	return line;
}

/* The most expensive of the rows with all features, without rows that were not timed. */
static struct target_line worst(struct result *results)
{
	struct target_line line = {
		"all-worst", "everything on, the worst message: times the typical message", 18, .timed = false};
	double typical = report_median(results, "dsr-typical");

	for (int i = 0; i < row_count; i++) {
		double time;

		if (strncmp(rows[i].id, "all-", 4) != 0 || !results[i].samples.count || !typical)
			continue;
		time = report_median(results, rows[i].id) / typical;
		line.timed = true;
		line.value = time > line.value ? time : line.value;
	}
	return line;
}

static struct target_line verified(struct result *results)
{
	int row = row_find("dsr-typical");

	return (struct target_line){"verified", "instructions that the verifier processes", 120000,
		results[row].verified, was_timed(results, "dsr-typical")};
}

#define TARGETS 18

static int collect(struct result *results, struct target_line lines[TARGETS])
{
	int count = 0;

	lines[count++] = ratio(results, "flow", "IP-in-IP, Call-ID at 357: times the flow-hashing path", 2.0,
		"ipip-typical", "ipip-flow");
	lines[count++] = ratio(results, "flow-table-1", "... as a part of the time with a flow table, one flow", 0.8,
		"ipip-typical", "flow-table-1");
	lines[count++] = ratio(results, "flow-table-1k", "... as a part of the time with a flow table, 1,024 flows",
		0.8, "ipip-1k", "flow-table-1k");
	lines[count++] = ratio(results, "flow-table-64k", "... as a part of the time with a flow table, 65,536 flows",
		0.8, "ipip-64k", "flow-table-64k");
	lines[count++] = corpus(results);
	lines[count++] = slope(results);
	lines[count++] =
		ratio(results, "none", "no Call-ID: times the typical message", 2.3, "dsr-none", "dsr-typical");
	lines[count++] = ratio(
		results, "newline-c", "hostile \"\\nC\": times the typical message", 4, "dsr-newline-c", "dsr-typical");
	lines[count++] = ratio(results, "header-like", "hostile header-like lines: times the typical message", 4,
		"dsr-header-like", "dsr-typical");
	lines[count++] = ratio(results, "hint-routes", "hints, hostile Routes: times the typical message", 20,
		"hint-routes", "dsr-typical");
	lines[count++] = worst(results);
	lines[count++] = ratio(results, "all-bye", "everything on, BYE with two Routes: times the typical message", 12,
		"all-bye", "dsr-typical");
	lines[count++] = ratio(results, "counters-invite", "message_counters, INVITE: times the same without", 1.075,
		"counters-invite", "dsr-typical");
	lines[count++] = ratio(results, "counters-response", "message_counters, 200: times the same without", 1.075,
		"counters-response", "dsr-response");
	lines[count++] = ratio(results, "backends", "10,000 backends: times one", 1.25, "backends-10000", "backends-1");
	lines[count++] =
		ratio(results, "services", "512 services on one pool: times one", 1.25, "services-512", "services-1");
	lines[count++] = ratio(
		results, "observe-off", "trace off: times the typical message", 1.02, "observe-off", "dsr-typical");
	lines[count++] = verified(results);
	return count;
}

void targets_print(struct result *results)
{
	struct target_line lines[TARGETS];
	int count = collect(results, lines);

	printf("\nTargets\n");
	for (int i = 0; i < count; i++) {
		if (lines[i].timed)
			printf("  %-6s %-60s %10.3f, at most %.3f\n",
				lines[i].value <= lines[i].limit ? "met" : "MISSED", lines[i].text, lines[i].value,
				lines[i].limit);
	}
}

void targets_print_json(struct result *results)
{
	struct target_line lines[TARGETS];
	int count = collect(results, lines);
	const char *comma = "";

	for (int i = 0; i < count; i++) {
		if (!lines[i].timed)
			continue;
		printf("%s\n  {\"id\": \"%s\", \"value\": %.4f, \"limit\": %.4f, \"met\": %s}", comma, lines[i].id,
			lines[i].value, lines[i].limit, lines[i].value <= lines[i].limit ? "true" : "false");
		comma = ",";
	}
}
