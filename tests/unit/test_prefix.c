// SPDX-License-Identifier: GPL-2.0
/* Networks: reading, writing, and which addresses they contain. */
#include <criterion/criterion.h>
#include <errno.h>
#include "core/net/prefix.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(prefix, reads_and_writes)
{
	static const struct {
		const char *name;
		const char *text;
		const char *written; /* NULL: refused */
		uint32_t bits;
	} rows[] = {
		{"an IPv4 network", "10.0.0.0/8", "10.0.0.0/8", 104},
		{"an IPv4 address", "192.0.2.1", "192.0.2.1", 128},
		{"an IPv4 address with its length", "192.0.2.1/32", "192.0.2.1", 128},
		{"a prefix that is not a multiple of 8 bits", "198.51.100.16/28", "198.51.100.16/28", 124},
		{"all of IPv4", "0.0.0.0/0", "0.0.0.0/0", 96},
		{"an IPv6 network", "2001:0DB8::/32", "2001:db8::/32", 32},
		{"an IPv6 address", "2001:db8::1", "2001:db8::1", 128},
		{"one bit of IPv6", "8000::/1", "8000::/1", 1},
		{"all addresses", "::/0", "::/0", 0},
		{"a host in its network", "10.0.0.1/8", NULL, 0},
		{"a host bit is set", "198.51.100.8/28", NULL, 0},
		{"an IPv6 host in its network", "2001:db8::1/64", NULL, 0},
		{"33 bits of IPv4", "10.0.0.0/33", NULL, 0},
		{"129 bits of IPv6", "2001:db8::/129", NULL, 0},
		{"more bits than a number holds", "10.0.0.0/4294967304", NULL, 0},
		{"no length", "10.0.0.0/", NULL, 0},
		{"a negative length", "10.0.0.0/-8", NULL, 0},
		{"a length with a leading zero", "10.0.0.0/08", NULL, 0},
		{"a mask", "10.0.0.0/255.0.0.0", NULL, 0},
		{"two lengths", "10.0.0.0/8/8", NULL, 0},
		{"a trailing space", "10.0.0.0/8 ", NULL, 0},
		{"no address", "/8", NULL, 0},
		{"nothing", "", NULL, 0},
		{"a name", "localhost", NULL, 0},
		{"longer than any address", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8", NULL, 0},
	};
	char text[PREFIX_TEXT_SIZE];
	struct prefix_key prefix;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		int error = prefix_parse(rows[i].text, &prefix);

		cr_expect_eq(error, rows[i].written ? 0 : -EINVAL, "%s: %d", rows[i].name, error);
		if (error || !rows[i].written)
			continue;
		cr_expect_str_eq(prefix_format(&prefix, text), rows[i].written, "%s", rows[i].name);
		cr_expect_eq(prefix.bits, rows[i].bits, "%s: %u bits", rows[i].name, prefix.bits);
	}
}

Test(prefix, contains)
{
	static const struct {
		const char *prefix, *address;
		bool contains;
	} rows[] = {
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"198.51.100.16/28", "198.51.100.31", true},
		{"198.51.100.16/28", "198.51.100.32", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.0", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"2001:db8::/32", "2001:db8:ffff::1", true},
		{"2001:db8::/32", "2001:db9::", false},
		{"::/0", "192.0.2.1", true},
		{"::/0", "2001:db8::1", true},
	};
	struct prefix_key prefix;
	struct address address;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		cr_assert_eq(prefix_parse(rows[i].prefix, &prefix), 0);
		cr_assert_eq(address_parse(rows[i].address, &address), 0);
		cr_expect_eq(prefix_contains(&prefix, &address), rows[i].contains, "%s in %s", rows[i].address,
			rows[i].prefix);
	}
}
