// SPDX-License-Identifier: GPL-2.0
/* See rates.h. */
#include <stdbool.h>
#include <string.h>
#include "rates.h"
#include "setup_rows.h"

static bool is_text(const json_t *value, const char *text)
{
	const char *own = json_string_value(value);

	return own && text ? !strcmp(own, text) : own == text;
}

json_t *rates_find(const json_t *list, const char *pool, const char *name, size_t from)
{
	size_t count = json_array_size(list);

	for (size_t i = 0; i < count; i++) {
		json_t *item = json_array_get(list, (from + i) % count);

		if (is_text(json_object_get(item, "name"), name) && is_text(json_object_get(item, "pool"), pool))
			return item;
	}
	return NULL;
}

/* Are all texts (names and labels) of `item` equal to those of `other`? */
static bool has_same_texts(const json_t *item, const json_t *other)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)item, key, value)
	{
		if (json_is_string(value) && !json_equal(value, json_object_get(other, key)))
			return false;
	}
	return true;
}

static json_t *list_rates(const json_t *before, const json_t *after, double seconds)
{
	size_t count = json_array_size(before), at = 0, i;
	json_t *rates = json_array();
	const json_t *item;

	json_array_foreach(after, i, item)
	{
		size_t tried = 0;

		/* Two samples have nearly the same order, so each search continues where the previous one ended. */
		while (tried < count && !has_same_texts(item, json_array_get(before, (at + tried) % count)))
			tried++;
		json_array_append_new(
			rates, rates_between(tried < count ? json_array_get(before, (at + tried) % count) : NULL, item,
				       seconds));
		if (tried < count)
			at = (at + tried + 1) % count;
	}
	return rates;
}

static json_t *object_rates(const json_t *before, const json_t *after, double seconds)
{
	json_t *rates = json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)after, key, value)
	{
		json_object_set_new(rates, key, rates_between(json_object_get(before, key), value, seconds));
	}
	if (setup_row_is(after))
		setup_row_between(rates, before, after);
	return rates;
}

json_t *rates_between(const json_t *before, const json_t *after, double seconds)
{
	json_int_t start;

	if (json_is_array(after))
		return list_rates(before, after, seconds);
	if (json_is_object(after))
		return object_rates(before, after, seconds);
	if (!json_is_integer(after))
		return json_deep_copy(after);
	start = json_integer_value(before);
	if (start > json_integer_value(after))
		start = 0;
	return json_real((double)(json_integer_value(after) - start) / seconds);
}
