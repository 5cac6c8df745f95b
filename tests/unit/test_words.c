// SPDX-License-Identifier: GPL-2.0
/* Lists of sentences. */

#include <criterion/criterion.h>
#include "core/base/words.h"

Test(words, are_cut_with_a_word_on_what_is_left_out)
{
	struct words words = {0};

	for (int count = 0; count <= 100; count++) {
		for (int i = 0; i < count; i++)
			words_add(&words, "sentence %d", i);
		words_cut(&words, WORDS_SHOWN);
		if (count <= WORDS_SHOWN)
			cr_assert_eq(words.count, count);
		else
			cr_assert_eq(words.count, WORDS_SHOWN + 1);
		if (count == 100) {
			cr_expect_str_eq(words.list[WORDS_SHOWN - 1], "sentence 9");
			cr_expect_str_eq(words.list[WORDS_SHOWN], "... and 90 more");
		}
		words_free(&words);
	}
}

Test(words, move_from_one_list_to_another)
{
	struct words words = {0}, more = {0};

	words_add(&words, "a");
	words_add(&more, "b");
	words_add(&more, "c");
	words_take(&words, &more);
	cr_assert_eq(words.count, 3);
	cr_expect_str_eq(words.list[2], "c");
	cr_expect_eq(more.count, 0);
	words_free(&words);
}
