// SPDX-License-Identifier: GPL-2.0
/* Hosts in SIP messages. */
#include <criterion/criterion.h>
#include <string.h>
#include "core/sip/host.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define LABEL63 "a23456789012345678901234567890123456789012345678901234567890123"
#define NAME191 LABEL63 "." LABEL63 "." LABEL63

Test(host, is_read)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: refused */
		uint16_t port;
	} rows[] = {
		{"px1.example.net", "px1.example.net", 0},
		{"PX1.Example.NET:5062", "px1.example.net", 5062},
		{"a", "a", 0},
		{"1-2.a1", "1-2.a1", 0},
		{"10.0.0.11", "10.0.0.11", 0},
		{"10.0.0.11:65535", "10.0.0.11", 65535},
		{"[2001:DB8:0::11]", "2001:db8::11", 0},
		{"[2001:db8::11]:1", "2001:db8::11", 1},
		{LABEL63 ".a", LABEL63 ".a", 0},
		{NAME191 ".a2345678901234567890123456789012345678901234567890123456789.b",
			NAME191 ".a2345678901234567890123456789012345678901234567890123456789.b", 0},
		{NAME191 ".a234567890123456789012345678901234567890123456789012345678901.b", NULL, 0},
		{"a" LABEL63 ".a", NULL, 0},
		{"", NULL, 0},
		{":5060", NULL, 0},
		{".", NULL, 0},
		{"a.", NULL, 0},
		{".a", NULL, 0},
		{"a..b", NULL, 0},
		{"-a.b", NULL, 0},
		{"a-.b", NULL, 0},
		{"a_b.c", NULL, 0},
		{"a b", NULL, 0},
		{"caf\xc3\xa9.net", NULL, 0},
		{"10.0.0.300", NULL, 0},
		{"10.0.0", NULL, 0},
		{"5060", NULL, 0},
		{"a:", NULL, 0},
		{"a:0", NULL, 0},
		{"a:05060", NULL, 0},
		{"a:65536", NULL, 0},
		{"a:5060x", NULL, 0},
		{"a:-1", NULL, 0},
		{"a:1:2", NULL, 0},
		{"2001:db8::11", NULL, 0},
		{"[2001:db8::11", NULL, 0},
		{"[2001:db8::11]5060", NULL, 0},
		{"[2001:db8::11]:", NULL, 0},
		{"[10.0.0.11]", NULL, 0},
		{"[::ffff:10.0.0.11]", NULL, 0},
		{"[a.b]", NULL, 0},
		{"[]", NULL, 0},
		{"]", NULL, 0},
	};
	char host[HOST_SIZE], longer[1024];
	uint16_t port;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		int error = host_parse(rows[i].text, host, &port);

		cr_expect_eq(error == 0, rows[i].host != NULL, "%s", rows[i].text);
		if (error || !rows[i].host)
			continue;
		cr_expect_str_eq(host, rows[i].host);
		cr_expect_eq(port, rows[i].port, "%s: %u", rows[i].text, port);
	}
	for (i = 1; i < sizeof(longer); i++) {
		memset(longer, 'a', sizeof(longer));
		longer[i] = '\0';
		cr_expect_eq(host_parse(longer, host, &port) == 0, i <= 63, "%zu", i);
		longer[0] = '[';
		cr_expect(host_parse(longer, host, &port) != 0, "%zu", i);
	}
}
