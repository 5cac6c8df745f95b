// SPDX-License-Identifier: GPL-2.0
/* Port ranges as prefixes: each port of the range is in exactly one prefix, and no other port is in any. */
#include <criterion/criterion.h>
#include "core/net/port_range.h"

static void expect_covers(uint16_t first, uint16_t last)
{
	struct range_prefix cut[PORT_RANGE_PREFIXES];
	size_t count = port_range_prefixes(first, last, cut);
	uint32_t next = first;

	cr_assert_leq(count, PORT_RANGE_PREFIXES);
	for (size_t i = 0; i < count; i++) {
		uint32_t size = 1U << (16 - cut[i].bits);

		cr_assert_leq(cut[i].bits, 16);
		cr_assert_eq(cut[i].port, next, "%u to %u: prefix %zu begins at %u, not %u", first, last, i,
			cut[i].port, next);
		cr_assert_eq(cut[i].port % size, 0, "%u to %u: %u/%u is not a prefix", first, last, cut[i].port,
			cut[i].bits);
		next += size;
	}
	cr_assert_eq(next, last + 1U, "%u to %u ends at %u", first, last, next);
}

Test(port_range, every_range_of_some_ports)
{
	for (uint32_t first = 0; first < 300; first++)
		for (uint32_t last = first; last < 300; last++)
			expect_covers(first, last);
}

Test(port_range, ranges_at_both_ends_of_the_port_space)
{
	static const uint16_t ports[] = {0, 1, 2, 5060, 9999, 10000, 16384, 19999, 20000, 32767, 32768, 65534, 65535};
	size_t count = sizeof(ports) / sizeof(ports[0]);

	for (size_t i = 0; i < count; i++)
		for (size_t j = i; j < count; j++)
			expect_covers(ports[i], ports[j]);
}

Test(port_range, the_number_of_prefixes_is_minimal)
{
	static const struct {
		uint16_t first, last;
		size_t count;
	} rows[] = {
		{5060, 5060, 1},
		{0, 65535, 1},
		{16384, 32767, 1},
		{10000, 10009, 2},
		{10000, 20000, 11},
		{1, 65534, 30},
	};
	struct range_prefix cut[PORT_RANGE_PREFIXES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(port_range_prefixes(rows[i].first, rows[i].last, cut), rows[i].count, "%u to %u: %zu",
			rows[i].first, rows[i].last, port_range_prefixes(rows[i].first, rows[i].last, cut));
}

Test(port_range, a_range_that_ends_before_it_begins_has_no_prefix)
{
	struct range_prefix cut[PORT_RANGE_PREFIXES];

	cr_expect_eq(port_range_prefixes(5061, 5060, cut), 0);
}
