// SPDX-License-Identifier: GPL-2.0
/* Lists of messages. */

#include <criterion/criterion.h>
#include "core/base/messages.h"

Test(messages, a_shortened_list_ends_with_the_number_of_omitted_messages)
{
	struct messages messages = {0};

	for (int count = 0; count <= 100; count++) {
		for (int i = 0; i < count; i++)
			messages_add(&messages, "sentence %d", i);
		messages_cut(&messages, MESSAGES_SHOWN);
		if (count <= MESSAGES_SHOWN)
			cr_assert_eq(messages.count, count);
		else
			cr_assert_eq(messages.count, MESSAGES_SHOWN + 1);
		if (count == 100) {
			cr_expect_str_eq(messages.list[MESSAGES_SHOWN - 1], "sentence 9");
			cr_expect_str_eq(messages.list[MESSAGES_SHOWN], "... and 90 more");
		}
		messages_free(&messages);
	}
}

Test(messages, move_from_one_list_to_another)
{
	struct messages messages = {0}, more = {0};

	messages_add(&messages, "a");
	messages_add(&more, "b");
	messages_add(&more, "c");
	messages_take(&messages, &more);
	cr_assert_eq(messages.count, 3);
	cr_expect_str_eq(messages.list[2], "c");
	cr_expect_eq(more.count, 0);
	messages_free(&messages);
}
