// SPDX-License-Identifier: GPL-2.0

#include <stdio.h>
#include <string.h>
#include "report.h"
#include "rows.h"
#include "targets.h"

static double median(struct result *result)
{
	return samples_quantile(&result->samples, 0.5);
}

double report_median(struct result *results, const char *id)
{
	int row = id && *id ? row_find(id) : NO_ROW;

	return row == NO_ROW ? 0 : median(&results[row]);
}

double report_net(struct result *results, const char *id)
{
	return report_median(results, id) - report_median(results, rows[row_find(id)].floor);
}

static const char *text_of(const struct row *row)
{
	return row->text ? row->text : message_text(row->message);
}

static void print_ratio(double value, double to)
{
	if (to > 0)
		printf(" %7.2f", value / to);
	else
		printf(" %7s", "");
}

static void print_row(struct result *results, int i)
{
	const struct row *row = &rows[i];
	double middle = median(&results[i]), other = samples_quantile(&results[i].against, 0.5);

	printf("  %-20s %-52s %7.1f %7.1f %7.1f", row->id, text_of(row), middle,
		samples_quantile(&results[i].samples, 0), samples_quantile(&results[i].samples, 0.9));
	print_ratio(middle, report_median(results, row->floor));
	print_ratio(middle, report_median(results, row->flow));
	if (results[i].against.count)
		printf("  %7.1f %7.1f %6.3f", other, samples_quantile(&results[i].against, 0), other / middle);
	putchar('\n');
}

static void print_steps(struct result *results)
{
	double before = 0;

	printf("\nTime of the typical message by stage, ns\n");
	for (int i = 0; i < row_count; i++) {
		if (!results[i].wanted || strncmp(rows[i].id, "stage-", 6) != 0)
			continue;
		printf("  %-52s %7.1f\n", text_of(&rows[i]), median(&results[i]) - before);
		before = median(&results[i]);
	}
}

void report_table(struct result *results)
{
	const char *group = "";
	bool steps = false;

	printf("  %-73s %7s %7s %7s %7s %7s\n", "ns a packet", "median", "min", "p90", "/floor", "/flow");
	for (int i = 0; i < row_count; i++) {
		if (!results[i].wanted)
			continue;
		if (strcmp(group, rows[i].group) != 0)
			printf("%s\n", rows[i].group);
		group = rows[i].group;
		print_row(results, i);
		steps |= !strncmp(rows[i].id, "stage-", 6);
	}
	if (steps)
		print_steps(results);
	targets_print(results);
}

static void print_json_row(struct result *results, int i)
{
	const struct row *row = &rows[i];
	double middle = median(&results[i]), floor = report_median(results, row->floor),
	       flow = report_median(results, row->flow);

	printf("{\"id\": \"%s\", \"samples\": %zu, \"median_ns\": %.2f, \"min_ns\": %.2f, \"p90_ns\": %.2f", row->id,
		results[i].samples.count, middle, samples_quantile(&results[i].samples, 0),
		samples_quantile(&results[i].samples, 0.9));
	if (floor > 0)
		printf(", \"floor\": \"%s\", \"to_floor\": %.3f", row->floor, middle / floor);
	if (flow > 0)
		printf(", \"to_flow\": %.3f", middle / flow);
	if (results[i].against.count)
		printf(", \"against_median_ns\": %.2f", samples_quantile(&results[i].against, 0.5));
	printf(", \"verified_instructions\": %u}", results[i].verified);
}

void report_json(struct result *results)
{
	const char *comma = "";

	printf("{\"rows\": [");
	for (int i = 0; i < row_count; i++) {
		if (!results[i].wanted)
			continue;
		printf("%s\n  ", comma);
		print_json_row(results, i);
		comma = ",";
	}
	printf("\n], \"targets\": [");
	targets_print_json(results);
	printf("\n]}\n");
}
