// SPDX-License-Identifier: GPL-2.0
/* See metrics_lines.h. Uses a buffer and number formatting of its own instead of stdio, for speed: a scrape of 1,000
 * backends has 40,000 lines. */
#include <stdio.h>
#include <string.h>
#include "core/base/memory.h"
#include "core/view/setup_summary.h"
#include "metrics_lines.h"

#define PREFIX "sipxdp_"
#define SUFFIX_GAUGE ""
#define SUFFIX_COUNTER "_total"
#define SUFFIX_INFO "_info"
#define SUFFIX_HISTOGRAM ""
#define METRIC_TEXT(name, type, labels, help) {PREFIX #name SUFFIX_##type, METRIC_##type, labels, help},
const struct metric_text metric_texts[METRIC_COUNT] = {METRICS(METRIC_TEXT)};
#undef METRIC_TEXT

/* --- text */

static void put_bytes(struct text *text, const char *bytes, size_t length)
{
	if (length > text->room - text->length) {
		text->room = 2 * (text->room + length);
		text->bytes = reallocate(text->bytes, text->room, 1);
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

void metrics_put(struct text *text, const char *string)
{
	put_bytes(text, string, strlen(string));
}

static void put_number(struct text *text, uint64_t number)
{
	char digits[20], *at = digits + sizeof(digits);

	do
		*--at = '0' + number % 10;
	while (number /= 10);
	put_bytes(text, at, digits + sizeof(digits) - at);
}

static void put_escaped(struct text *text, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			metrics_put(text, "\\n");
		else if (*value == '"' || *value == '\\')
			put_bytes(text, (char[]){'\\', *value}, 2);
		else
			put_bytes(text, value, 1);
	}
}

/* --- lines */

/* In OpenMetrics the name of a family does not include the suffix of its samples. The format 0.0.4 of Prometheus has no
 * type `info`. */
void metrics_put_family(struct text *text, const struct metric_text *metric)
{
	static const char *const types[] = {[METRIC_GAUGE] = "gauge",
		[METRIC_COUNTER] = "counter",
		[METRIC_INFO] = "info",
		[METRIC_HISTOGRAM] = "histogram"};
	static const size_t suffixes[] = {[METRIC_GAUGE] = 0,
		[METRIC_COUNTER] = strlen(SUFFIX_COUNTER),
		[METRIC_INFO] = strlen(SUFFIX_INFO),
		[METRIC_HISTOGRAM] = 0};
	size_t length = strlen(metric->name) - (text->openmetrics ? suffixes[metric->type] : 0);
	bool is_plain_info = metric->type == METRIC_INFO && !text->openmetrics;

	metrics_put(text, "# HELP ");
	put_bytes(text, metric->name, length);
	metrics_put(text, " ");
	metrics_put(text, metric->help);
	metrics_put(text, "\n# TYPE ");
	put_bytes(text, metric->name, length);
	metrics_put(text, " ");
	metrics_put(text, is_plain_info ? "gauge" : types[metric->type]);
	metrics_put(text, "\n");
}

/* Writes a line without its value. `suffix` follows the name. */
static void put_name(struct text *text, enum metric metric, const char *suffix, const struct labels *labels)
{
	const char *before = "{";

	metrics_put(text, metric_texts[metric].name);
	metrics_put(text, suffix);
	for (const struct label *label = labels->list; label->name; label++) {
		metrics_put(text, before);
		metrics_put(text, label->name);
		metrics_put(text, "=\"");
		put_escaped(text, label->value);
		metrics_put(text, "\"");
		before = ",";
	}
	metrics_put(text, labels->list[0].name ? "} " : " ");
}

static void put_part(
	struct text *text, enum metric metric, const char *suffix, const struct labels *labels, uint64_t value)
{
	put_name(text, metric, suffix, labels);
	put_number(text, value);
	metrics_put(text, "\n");
}

void metrics_put_sample(struct text *text, enum metric metric, struct labels labels, uint64_t value)
{
	put_part(text, metric, "", &labels, value);
}

void metrics_put_real(struct text *text, enum metric metric, struct labels labels, double value)
{
	char number[32];

	snprintf(number, sizeof(number), "%.9g\n", value);
	put_name(text, metric, "", &labels);
	metrics_put(text, number);
}

/* Writes the times of one event, unless there are none. `labels` has room for one more label. */
void metrics_put_histogram(
	struct text *text, enum metric metric, struct labels labels, const struct setup_times *times, int event)
{
	struct label *le = labels.list;
	char limit[16], sum[32];
	uint64_t calls = 0;

	if (!setup_summary(times, event).calls)
		return;
	while (le->name)
		le++;
	for (int i = 0; i <= SETUP_LIMITS; i++) {
		calls += times->of[event].bucket[i];
		snprintf(limit, sizeof(limit), "%.3f", SETUP_LIMIT(i) / 1e6);
		*le = (struct label){"le", i < SETUP_LIMITS ? limit : "+Inf"};
		put_part(text, metric, "_bucket", &labels, calls);
	}
	*le = (struct label){};
	snprintf(sum, sizeof(sum), "%.9g\n", times->of[event].usec / 1e6);
	put_name(text, metric, "_sum", &labels);
	metrics_put(text, sum);
	put_part(text, metric, "_count", &labels, calls);
}
