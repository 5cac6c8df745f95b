// SPDX-License-Identifier: GPL-2.0
/* Each key of the configuration file has a description of its valid values and of its meaning. */
#include <criterion/criterion.h>
#include <string.h>
#include "core/config/config_private.h"

static void check_keys(const struct key *keys, int depth)
{
	char expected[READER_EXPECTED_SIZE];

	cr_assert_lt(depth, 5, "the tables of keys contain each other");
	for (const struct key *key = keys; key->name; key++) {
		/* `methods` has a key for each method, which its own text describes. */
		if (key->keys != NULL && key->keys->help)
			check_keys(key->keys, depth + 1);
		cr_expect(key->help && key->help[0], "'%s' has no help", key->name);
		cr_expect(key->keys || key->type != VALUE_TEXT || key->expected, "'%s' does not say what it must be",
			key->name);
		if (key->keys)
			continue;
		cr_expect_lt(
			strlen(reader_expected(key, expected)), sizeof(expected) - 1, "'%s': %s", key->name, expected);
		cr_expect(key->type == VALUE_TEXT || key->type == VALUE_WORD || key->min < key->max,
			"'%s' has no range", key->name);
	}
}

Test(key_texts, every_key_is_described)
{
	check_keys(config_file_keys, 0);
}

Test(key_texts, a_value_is_described_by_its_type)
{
	static const struct word words[] = {{"one", 1}, {"two", 2}, {"three", 3}, {}};
	static const struct {
		struct key key;
		const char *expected;
	} rows[] = {
		{{.type = VALUE_TEXT, .expected = "a colour"}, "a colour"},
		{{.type = VALUE_NUMBER, .min = 1, .max = 9}, "a whole number from 1 to 9"},
		{{.type = VALUE_RANGE, .max = 9}, "a whole number from 0 to 9, or a range such as 5060-5080"},
		{{.type = VALUE_TIME, .min = 500, .max = 60000}, "a time with its unit, from 500ms to 1m"},
		{{.type = VALUE_WORD, .words = words}, "'one', 'two' or 'three'"},
	};
	char expected[READER_EXPECTED_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_str_eq(reader_expected(&rows[i].key, expected), rows[i].expected);
}
