// SPDX-License-Identifier: GPL-2.0
/* The list of errors in an input. */
#include <criterion/criterion.h>
#include <string.h>
#include "core/config/faults.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(faults, are_printed_with_file_and_position)
{
	const struct fault here = {{3, 7}, "it is bad"}, nowhere = {{0, 0}, "it is too big"};
	char text[FAULT_TEXT_SIZE], file[2 * FAULT_TEXT_SIZE];

	cr_expect_str_eq(fault_format(&here, "a.yaml", text), "a.yaml:3:7: it is bad");
	cr_expect_str_eq(fault_format(&nowhere, "a.yaml", text), "a.yaml: it is too big");
	memset(file, 'a', sizeof(file) - 1);
	file[sizeof(file) - 1] = '\0';
	cr_expect_eq(strlen(fault_format(&here, file, text)), FAULT_TEXT_SIZE - 1);
}

Test(faults, are_sorted_by_position_and_keep_their_order_at_one_position)
{
	static const struct {
		struct position position;
		const char *sorted;
	} rows[] = {
		{{3, 1}, "0"},
		{{1, 9}, "6"},
		{{3, 1}, "1"},
		{{0, 0}, "2"},
		{{1, 2}, "5"},
		{{3, 1}, "4"},
		{{0, 0}, "3"},
	};
	static const char *const order[] = {"2", "3", "5", "6", "0", "1", "4"};
	struct faults faults = {};
	size_t i;

	faults_sort(&faults);
	cr_expect_eq(faults.count, 0);
	for (i = 0; i < COUNT(rows); i++)
		faults_add(&faults, rows[i].position, "%s", rows[i].sorted);
	faults_sort(&faults);
	cr_assert_eq(faults.count, COUNT(rows));
	for (i = 0; i < COUNT(order); i++)
		cr_expect_str_eq(faults.list[i].message, order[i]);
	faults_free(&faults);
	cr_expect(faults.count == 0 && faults.list == NULL);
}

Test(faults, of_very_many_the_first_are_listed_and_the_others_counted)
{
	const size_t count = 3 * FAULTS_MAX;
	struct faults faults = {};

	for (size_t i = 0; i < count; i++)
		faults_add(&faults, (struct position){.line = count - i, .column = 1}, "%zu", i);
	faults_sort(&faults);
	cr_expect_eq(faults.count, count);
	cr_assert_eq(faults.listed, FAULTS_MAX + 1);
	cr_expect_str_eq(faults.list[0].message, "999");
	cr_expect_str_eq(faults.list[FAULTS_MAX - 1].message, "0");
	cr_expect_str_eq(faults.list[FAULTS_MAX].message, "and 2000 more faults");
	cr_expect_eq(faults.list[FAULTS_MAX].position.line, 0);
	faults_free(&faults);
}
