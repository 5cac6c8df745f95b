// SPDX-License-Identifier: GPL-2.0
/* See sources.h. */
#include <stdlib.h>
#include "core/base/memory.h"
#include "rates.h"
#include "sources.h"

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* --- sums */

static void add_integers(json_t *sum, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		if (json_is_integer(value))
			json_object_set_new(sum, key,
				json_integer(
					json_integer_value(json_object_get(sum, key)) + json_integer_value(value)));
	}
}

/* The row of the same source or Call-ID; NULL if there is none. */
static json_t *find_row(const json_t *rows, const char *key, const json_t *row)
{
	const json_t *name = json_object_get(row, key);
	json_t *other;
	size_t i;

	json_array_foreach(rows, i, other)
	{
		if (json_equal(json_object_get(other, key), name))
			return other;
	}
	return NULL;
}

static void add_rows(json_t *rows, const json_t *sample, const char *key)
{
	const json_t *row;
	size_t i;

	json_array_foreach(sample, i, row)
	{
		json_t *same = find_row(rows, key, row);

		if (same)
			add_integers(same, row);
		else
			json_array_append_new(rows, json_deep_copy(row));
	}
}

json_t *sources_add(json_t *sum, const json_t *sample)
{
	if (!sum)
		return json_deep_copy(sample);
	add_integers(sum, sample);
	json_object_set_new(sum, "seconds", json_real(number_of(sum, "seconds") + number_of(sample, "seconds")));
	add_rows(json_object_get(sum, "sources"), json_object_get(sample, "sources"), "source");
	add_rows(json_object_get(sum, "call_ids"), json_object_get(sample, "call_ids"), "call_id");
	return sum;
}

/* --- rates */

static void set_share(json_t *row, const char *key, double part, double all)
{
	json_object_set_new(row, key, json_real(all ? 100 * part / all : 0));
}

static void complete_row(json_t *row, double all)
{
	double packets = number_of(row, "packets");

	json_object_set_new(row, "bits", json_real(8 * number_of(row, "bytes")));
	set_share(row, "share", packets, all);
	set_share(row, "failed_share", number_of(row, "failed"), packets);
	set_share(row, "not_sip_share", number_of(row, "not_sip"), packets);
}

static int compare(const void *left, const void *right)
{
	double a = number_of(*(json_t *const *)left, "packets"), b = number_of(*(json_t *const *)right, "packets");

	return (a < b) - (a > b);
}

static json_t *sorted(const json_t *rows)
{
	size_t count = json_array_size(rows);
	json_t **order = allocate(count, sizeof(json_t *)), *result = json_array();

	for (size_t i = 0; i < count; i++)
		order[i] = json_array_get(rows, i);
	qsort(order, count, sizeof(json_t *), compare);
	for (size_t i = 0; i < count; i++)
		json_array_append(result, order[i]);
	free(order);
	return result;
}

static void complete_rows(json_t *rates, const char *list)
{
	json_t *rows = json_object_get(rates, list), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		complete_row(row, number_of(rates, "packets"));
	}
	json_object_set_new(rates, list, sorted(rows));
}

json_t *sources_rates(const json_t *sum)
{
	json_t *rates = rates_between(NULL, sum, number_of(sum, "seconds"));

	json_object_del(rates, "interval");
	complete_rows(rates, "sources");
	complete_rows(rates, "call_ids");
	return rates;
}
