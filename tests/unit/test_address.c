// SPDX-License-Identifier: GPL-2.0
/* IP and MAC addresses: parsing, formatting, and which addresses a host can have. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include "core/net/address.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(address, reads_and_writes)
{
	static const struct {
		const char *name;
		const char *text;
		const char *written; /* NULL: refused */
	} rows[] = {
		{"IPv4", "192.0.2.1", "192.0.2.1"},
		{"the highest IPv4", "255.255.255.255", "255.255.255.255"},
		{"IPv6", "2001:db8::1", "2001:db8::1"},
		{"IPv6 in capitals and without ::", "2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
		{"the longest run of zeros becomes ::", "2001:db8:0:0:1:0:0:0", "2001:db8:0:0:1::"},
		{"the first of two equal runs becomes ::", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"a single zero stays", "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"an IPv4-mapped IPv6 address is the IPv4 address", "::ffff:192.0.2.1", "192.0.2.1"},
		{"a leading zero could be octal", "192.0.2.01", NULL},
		{"a part above 255", "192.0.2.256", NULL},
		{"three parts", "192.0.2", NULL},
		{"five parts", "192.0.2.1.1", NULL},
		{"hexadecimal", "0xc0000201", NULL},
		{"a prefix length", "192.0.2.1/32", NULL},
		{"a port", "192.0.2.1:5060", NULL},
		{"space before", " 192.0.2.1", NULL},
		{"space after", "192.0.2.1 ", NULL},
		{"a name", "localhost", NULL},
		{"nothing", "", NULL},
		{"two gaps", "2001::db8::1", NULL},
		{"nine groups", "1:2:3:4:5:6:7:8:9", NULL},
		{"brackets", "[2001:db8::1]", NULL},
		{"a zone", "fe80::1%eth0", NULL},
	};
	char text[ADDRESS_TEXT_SIZE];
	struct address address, again;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		int error = address_parse(rows[i].text, &address);

		cr_expect_eq(
			error, rows[i].written ? 0 : -EINVAL, "%s: %s gives %d", rows[i].name, rows[i].text, error);
		if (error || !rows[i].written)
			continue;
		cr_expect_str_eq(address_format(&address, text), rows[i].written, "%s", rows[i].name);
		cr_expect_eq(address_parse(text, &again), 0, "%s", rows[i].name);
		cr_expect(address_equal(&address, &again), "%s", rows[i].name);
	}
}

Test(address, a_refused_text_does_not_change_the_value)
{
	struct address address, before;
	struct mac mac, mac_before;

	address_parse("192.0.2.1", &before);
	address = before;
	cr_expect_eq(address_parse("192.0.2.300", &address), -EINVAL);
	cr_expect_eq(address_parse("2001:db8::1::", &address), -EINVAL);
	cr_expect(address_equal(&address, &before));
	mac_parse("02:00:00:00:00:01", &mac_before);
	mac = mac_before;
	cr_expect_eq(mac_parse("06:00:00:00:00:0x", &mac), -EINVAL);
	cr_expect_arr_eq(&mac, &mac_before, sizeof(mac));
}

Test(address, families_and_hosts)
{
	static const struct {
		const char *text;
		bool ipv4;
		bool host;
	} rows[] = {
		{"192.0.2.1", true, true},
		{"10.0.0.0", true, true},
		{"1.0.0.0", true, true},
		{"223.255.255.255", true, true},
		{"240.0.0.1", true, true}, /* reserved, and used inside some networks */
		{"169.253.255.255", true, true},
		{"0.0.0.0", true, false},
		{"0.255.255.255", true, false},
		{"127.0.0.1", true, false},
		{"127.255.255.255", true, false},
		{"169.254.0.1", true, false},
		{"224.0.0.1", true, false},
		{"239.255.255.255", true, false},
		{"255.255.255.255", true, false},
		{"2001:db8::1", false, true},
		{"fd00::1", false, true},
		{"fec0::1", false, true},
		{"::", false, false},
		{"::1", false, false},
		{"fe80::1", false, false},
		{"febf::1", false, false},
		{"ff02::1", false, false},
		{"::ffff:127.0.0.1", true, false},
		{"::ffff:10.0.0.1", true, true},
	};
	struct address address;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		cr_assert_eq(address_parse(rows[i].text, &address), 0, "%s", rows[i].text);
		cr_expect_eq(address_is_ipv4(&address), rows[i].ipv4, "%s", rows[i].text);
		cr_expect_eq(address_is_host(&address), rows[i].host, "%s", rows[i].text);
	}
}

Test(address, equality_compares_every_bit)
{
	struct address a, b;
	size_t i;

	address_parse("2001:db8::1", &a);
	for (i = 0; i < 8 * sizeof(a); i++) {
		b = a;
		cr_expect(address_equal(&a, &b));
		((unsigned char *)&b)[i / 8] ^= 1 << i % 8;
		cr_expect_not(address_equal(&a, &b), "bit %zu", i);
	}
}

Test(mac, reads_and_writes)
{
	static const struct {
		const char *name;
		const char *text;
		const char *written; /* NULL: refused */
	} rows[] = {
		{"lower case", "02:00:5e:10:00:01", "02:00:5e:10:00:01"},
		{"upper case", "AC:DE:48:FF:00:9A", "ac:de:48:ff:00:9a"},
		{"multicast", "01:00:5e:00:00:01", NULL},
		{"broadcast", "ff:ff:ff:ff:ff:ff", NULL},
		{"all zero", "00:00:00:00:00:00", NULL},
		{"dashes", "02-00-5e-10-00-01", NULL},
		{"no colons", "02005e100001", NULL},
		{"one digit for a byte", "2:0:5e:10:0:1", NULL},
		{"five bytes", "02:00:5e:10:00", NULL},
		{"five bytes and a colon", "02:00:5e:10:00:", NULL},
		{"half a byte at the end", "02:00:5e:10:00:0", NULL},
		{"seven bytes", "02:00:5e:10:00:01:02", NULL},
		{"not a hex digit", "02:00:5e:10:00:0g", NULL},
		{"a sign", "02:00:5e:10:00:+1", NULL},
		{"@ is one below A", "02:00:5e:10:00:0@", NULL},
		{"space before", " 02:00:5e:10:00:01", NULL},
		{"space after", "02:00:5e:10:00:01 ", NULL},
		{"nothing", "", NULL},
	};
	char text[MAC_TEXT_SIZE];
	struct mac mac;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		int error = mac_parse(rows[i].text, &mac);

		cr_expect_eq(
			error, rows[i].written ? 0 : -EINVAL, "%s: %s gives %d", rows[i].name, rows[i].text, error);
		if (!error && rows[i].written)
			cr_expect_str_eq(mac_format(&mac, text), rows[i].written, "%s", rows[i].name);
	}
}

Test(mac, zero_compares_every_byte)
{
	struct mac mac = {};
	size_t i;

	cr_expect(mac_is_zero(&mac));
	for (i = 0; i < 6; i++) {
		mac = (struct mac){};
		mac.byte[i] = 1;
		cr_expect_not(mac_is_zero(&mac), "byte %zu", i);
	}
}
