// SPDX-License-Identifier: GPL-2.0
/* Rates from two samples, and plots of one line. */
#include <criterion/criterion.h>
#include "core/view/rates.h"
#include "core/view/sources.h"
#include "core/view/sparkline.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct {
	const char *before, *after;
	double seconds;
	const char *rates;
} rows[] = {
	{"{}", "{}", 1, "{}"},
	{"{'a': 10}", "{'a': 25}", 1, "{'a': 15.0}"},
	{"{'a': 10}", "{'a': 25}", 2, "{'a': 7.5}"},
	/* A counter that is new, or smaller than before, has started at 0. */
	{"{}", "{'a': 8}", 4, "{'a': 2.0}"},
	{"{'a': 100}", "{'a': 8}", 4, "{'a': 2.0}"},
	/* Setup times are those of the calls between the samples: here two of 10 ms after one of 1 ms, then none. */
	{"[{'service': 's', 'sampled_calls': 1, 'usec': 1000, 'buckets': [1, 0, 0, 0, 0], 'mean': 1000, 'median': "
	 "1000, "
	 "'p95': 1000}]",
		"[{'service': 's', 'sampled_calls': 3, 'usec': 21000, 'buckets': [1, 0, 0, 0, 2], 'mean': 7000, "
		"'median': 16000, 'p95': 16000}]",
		2,
		"[{'service': 's', 'sampled_calls': 1.0, 'usec': 10000.0, 'buckets': [0.0, 0.0, 0.0, 0.0, 1.0], "
		"'mean': "
		"10000, 'median': 16000, 'p95': 16000}]"},
	{"{'sampled_calls': 3, 'usec': 21000, 'buckets': [3], 'mean': 7000, 'median': 1000, 'p95': 1000}",
		"{'sampled_calls': 3, 'usec': 21000, 'buckets': [3], 'mean': 7000, 'median': 1000, 'p95': 1000}", 1,
		"{'sampled_calls': 0.0, 'usec': 0.0, 'buckets': [0.0], 'mean': null, 'median': null, 'p95': null}"},
	/* ... a new row, and a row of new counters */
	{"[]", "[{'sampled_calls': 1, 'usec': 900, 'buckets': [1], 'mean': 900, 'median': 1000, 'p95': 1000}]", 1,
		"[{'sampled_calls': 1.0, 'usec': 900.0, 'buckets': [1.0], 'mean': 900, 'median': 1000, 'p95': 1000}]"},
	{"{'sampled_calls': 9, 'usec': 800, 'buckets': [9], 'mean': 88, 'median': 1000, 'p95': 1000}",
		"{'sampled_calls': 1, 'usec': 900, 'buckets': [1], 'mean': 900, 'median': 1000, 'p95': 1000}", 1,
		"{'sampled_calls': 1.0, 'usec': 100.0, 'buckets': [1.0], 'mean': 900, 'median': 1000, 'p95': 1000}"},
	/* ... and the counters of an earlier release, without the sum */
	{"{}", "{'sampled_calls': 1, 'buckets': [1], 'mean': 900, 'median': 1000, 'p95': 1000}", 1,
		"{'sampled_calls': 1.0, 'buckets': [1.0], 'mean': null, 'median': 1000, 'p95': 1000}"},
	/* Values other than numbers are copied from the second sample. */
	{"{'a': 'x', 'b': true}", "{'a': 'y', 'b': false, 'c': null}", 1, "{'a': 'y', 'b': false, 'c': null}"},
	{"{'a': {'b': 1}}", "{'a': {'b': 2}}", 1, "{'a': {'b': 1.0}}"},
	/* Texts identify the objects of a list. */
	{"[{'method': 'BYE', 'dialog': 'unknown', 'n': 1}]",
		"[{'method': 'BYE', 'dialog': 'initial', 'n': 4}, "
		"{'method': 'BYE', 'dialog': 'unknown', 'n': 2}]",
		1,
		"[{'method': 'BYE', 'dialog': 'initial', 'n': 4.0}, "
		"{'method': 'BYE', 'dialog': 'unknown', 'n': 1.0}]"},
	{"[{'name': 'x', 'n': 1}, {'name': 'y', 'n': 10}]", "[{'name': 'y', 'n': 12}, {'name': 'x', 'n': 4}]", 1,
		"[{'name': 'y', 'n': 2.0}, {'name': 'x', 'n': 3.0}]"},
	{"[{'pool': 'p', 'name': 'x', 'n': 1}, {'pool': 'q', 'name': 'x', 'n': 10}]",
		"[{'pool': 'q', 'name': 'x', 'n': 12}]", 1, "[{'pool': 'q', 'name': 'x', 'n': 2.0}]"},
	{"[{'name': 'x', 'n': 1}]", "[{'name': 'z', 'n': 5}, {'name': 'x', 'n': 1}]", 1,
		"[{'name': 'z', 'n': 5.0}, {'name': 'x', 'n': 0.0}]"},
};

/* Parses JSON text in which ' stands for ". */
static json_t *json(const char *text)
{
	char quoted[2048];
	json_t *value;
	size_t i;

	for (i = 0; text[i]; i++)
		quoted[i] = text[i] == '\'' ? '"' : text[i];
	value = json_loadb(quoted, i, 0, NULL);
	cr_assert(value, "%s", text);
	return value;
}

Test(rates, follow_from_two_samples)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *before = json(rows[i].before), *after = json(rows[i].after), *wanted = json(rows[i].rates);
		json_t *rates = rates_between(before, after, rows[i].seconds);

		cr_expect(json_equal(rates, wanted), "%s: %s", rows[i].after, json_dumps(rates, 0));
		json_decref(rates);
		json_decref(wanted);
		json_decref(after);
		json_decref(before);
	}
}

Test(rates, an_object_is_found_wherever_the_search_begins)
{
	json_t *list = json("[{'name': 'a'}, {'name': 'b'}, {'name': 'c', 'pool': 'p'}]");

	for (size_t from = 0; from < 5; from++) {
		cr_expect_eq(rates_find(list, NULL, "a", from), json_array_get(list, 0));
		cr_expect_eq(rates_find(list, "p", "c", from), json_array_get(list, 2));
		cr_expect_null(rates_find(list, NULL, "c", from), "a different pool");
		cr_expect_null(rates_find(list, NULL, "d", from));
	}
	json_decref(list);
	cr_expect_null(rates_find(NULL, NULL, "a", 0));
}

Test(sparkline, has_one_character_for_each_value)
{
	static const struct {
		double values[8];
		size_t count;
		const char *ascii, *utf8;
	} plots[] = {
		{{0}, 0, "", ""},
		{{0, 0, 0}, 3, "___", "▁▁▁"},
		{{5}, 1, "#", "█"},
		{{0, 1, 1000, 500}, 4, "_.#=", "▁▂█▅"},
		{{0, 1, 2, 3, 4, 5, 6}, 7, "_:-=+*#", "▁▃▄▅▆▇█"},
	};
	char out[8 * SPARKLINE_BYTES + 1];

	for (size_t i = 0; i < COUNT(plots); i++) {
		cr_expect_str_eq(sparkline(plots[i].values, plots[i].count, false, out), plots[i].ascii);
		cr_expect_str_eq(sparkline(plots[i].values, plots[i].count, true, out), plots[i].utf8);
	}
}

/* --- sources */

Test(sources, samples_add_up)
{
	json_t *first = json("{'interval': 1, 'seconds': 1.0, 'packets': 100, 'error': 1, 'call_ids': [], "
			     "'sources': [{'source': 'x', 'packets': 60, 'bytes': 600, 'initial': 6, 'failed': 0, "
			     "'not_sip': 0}, {'source': 'y', 'packets': 10, 'bytes': 100, 'initial': 0, 'failed': 5, "
			     "'not_sip': 0}]}"),
	       *second = json("{'interval': 2, 'seconds': 3.0, 'packets': 300, 'error': 3, "
			      "'call_ids': [{'call_id': 'a', 'packets': 4, 'bytes': 40, 'initial': 0, 'failed': 0, "
			      "'not_sip': 0}], 'sources': [{'source': 'y', 'packets': 190, 'bytes': 100, 'initial': 0, "
			      "'failed': 5, 'not_sip': 20}, {'source': 'z', 'packets': 0, 'bytes': 0, 'initial': 0, "
			      "'failed': 0, 'not_sip': 0}]}"),
	       *sum = sources_add(NULL, first), *rates, *expected;

	sum = sources_add(sum, second);
	rates = sources_rates(sum);
	expected = json("{'seconds': 4.0, 'packets': 100.0, 'error': 1.0, "
			"'sources': [{'source': 'y', 'packets': 50.0, 'bytes': 50.0, 'initial': 0.0, 'failed': 2.5, "
			"'not_sip': 5.0, 'bits': 400.0, 'share': 50.0, 'failed_share': 5.0, 'not_sip_share': 10.0}, "
			"{'source': 'x', 'packets': 15.0, 'bytes': 150.0, 'initial': 1.5, 'failed': 0.0, "
			"'not_sip': 0.0, 'bits': 1200.0, 'share': 15.0, 'failed_share': 0.0, 'not_sip_share': 0.0}, "
			"{'source': 'z', 'packets': 0.0, 'bytes': 0.0, 'initial': 0.0, 'failed': 0.0, "
			"'not_sip': 0.0, 'bits': 0.0, 'share': 0.0, 'failed_share': 0.0, 'not_sip_share': 0.0}], "
			"'call_ids': [{'call_id': 'a', 'packets': 1.0, 'bytes': 10.0, 'initial': 0.0, 'failed': 0.0, "
			"'not_sip': 0.0, 'bits': 80.0, 'share': 1.0, 'failed_share': 0.0, 'not_sip_share': 0.0}]}");
	cr_expect(json_equal(rates, expected), "%s", json_dumps(rates, 0));
	json_decref(first);
	json_decref(second);
	json_decref(sum);
	json_decref(rates);
	json_decref(expected);
}
