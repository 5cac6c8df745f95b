// SPDX-License-Identifier: GPL-2.0
/* Durations: reading and writing. */
#include <criterion/criterion.h>
#include "core/base/duration.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(duration, is_read_and_written)
{
	static const struct {
		const char *text;
		uint32_t duration;
		const char *written;
	} rows[] = {
		{"0s", 0, "0s"},
		{"0ms", 0, "0s"},
		{"1ms", 1, "1ms"},
		{"500ms", 500, "500ms"},
		{"1000ms", SECOND, "1s"},
		{"1500ms", 1500, "1500ms"},
		{"32s", 32 * SECOND, "32s"},
		{"90s", 90 * SECOND, "90s"},
		{"120s", 2 * MINUTE, "2m"},
		{"5m", 5 * MINUTE, "5m"},
		{"1h", HOUR, "1h"},
		{"24h", DAY, "1d"},
		{"7d", 7 * DAY, "7d"},
		{"49d", 49 * DAY, "49d"},
		{"999999999ms", 999999999, "999999999ms"},
	};
	char text[DURATION_TEXT_SIZE];
	uint32_t duration;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		cr_assert_eq(duration_parse(rows[i].text, &duration), 0, "%s", rows[i].text);
		cr_expect_eq(duration, rows[i].duration, "%s: %u", rows[i].text, duration);
		cr_expect_str_eq(duration_format(duration, text), rows[i].written);
	}
	cr_expect_str_eq(duration_format(UINT32_MAX, text), "4294967295ms");
}

Test(duration, a_text_without_unit_or_number_is_refused)
{
	static const char *const rows[] = {"", "5", "s", "ms", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1S", "1sec",
		"1w", "01s", "00s", "0x1s", "1e3s", "1m30s", "50d", "1000000000ms", "99999999999s", "999999999d"};
	uint32_t duration;
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		cr_expect(duration_parse(rows[i], &duration) != 0, "%s", rows[i]);
}
