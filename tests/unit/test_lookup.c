// SPDX-License-Identifier: GPL-2.0
/* Keys that an operator enters for a Call-ID or a user equal the keys of the packet path. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/farm/lookup.h"

static const uint64_t hash_key[2] = {1, 2};

/* `same` is the equivalent user part; NULL: invalid. */
static const struct {
	const char *text, *same;
} users[] = {
	{"u1", "u1"},
	{"u1@example.com", "u1"},
	{"sip:u1@example.com", "u1"},
	{"SIP:u1@example.com", "u1"},
	{"sips:u1@example.com:5061;transport=tls", "u1"},
	{"Sips:u1:secret@[2001:db8::1]:5061", "u1"},
	{"sip:%751@example.com", "u1"},
	{"u1@[2001:db8::1]:5061", "u1"},
	{"sip", "sip"},
	{"sip@example.com", "sip"},
	{"sip:sip@example.com", "sip"},
	{"tel:+1-201-555-0123", "+12015550123"},
	{"TEL:+1(201)555.0123;ext=5", "+12015550123"},
	{"Tel:+12015550123", "+12015550123"},
	{"", NULL},
	{"@example.com", NULL},
	{"sip:", NULL},
	{"sip:example.com", NULL},
	{"sip:example.com:5060", NULL},
	{"SIPS:@example.com", NULL},
	{"tel:", NULL},
	{"TEL:;ext=5", NULL},
	{"urn:service:sos", NULL},
	{"sipx:u1@example.com", NULL},
	{"<sip:u1@example.com>", NULL},
	{"From: <sip:u1@example.com>;tag=1", NULL},
	{"From:sip:u1@example.com", NULL},
	{"\"u1\"<sip:u2@example.com>", NULL},
	{"u 1", NULL},
	{"sip:u 1@example.com", NULL},
	{"tel:+1 201 555 0123", NULL},
	{"u1\n", NULL},
};

Test(lookup, users)
{
	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++) {
		uint64_t hash = 0, same = 0;
		int error = lookup_user(users[i].text, hash_key, &hash);

		cr_expect_eq(error, users[i].same ? 0 : -EINVAL, "'%s': %d", users[i].text, error);
		if (!users[i].same)
			continue;
		cr_expect_eq(lookup_user(users[i].same, hash_key, &same), 0);
		cr_expect_eq(hash, same, "'%s' is not '%s'", users[i].text, users[i].same);
	}
}

Test(lookup, different_users_have_different_keys)
{
	static const char *const others[] = {"u1", "u2", "sip", "tel", "sips", "+12015550123", "example.com"};
	uint64_t hashes[7];

	for (size_t i = 0; i < 7; i++) {
		cr_expect_eq(lookup_user(others[i], hash_key, &hashes[i]), 0);
		for (size_t j = 0; j < i; j++)
			cr_expect_neq(hashes[i], hashes[j], "'%s' and '%s'", others[i], others[j]);
	}
}

/* Each user is followed by the longest host of a URI. */
Test(lookup, long_users)
{
	char user[201], text[70000];
	uint64_t hash, same;

	memset(user, 'u', sizeof(user) - 1);
	user[sizeof(user) - 1] = '\0';
	snprintf(text, sizeof(text), "sip:%s@%060000d", user, 0);
	cr_expect_eq(lookup_user(user, hash_key, &same), 0);
	cr_expect_eq(lookup_user(text, hash_key, &hash), 0);
	cr_expect_eq(hash, same);
	snprintf(text, sizeof(text), "%060000d", 0);
	cr_expect_eq(lookup_user(text, hash_key, &hash), -EINVAL, "is beyond reach in a packet, too");
	memcpy(text, "tel:", 4);
	cr_expect_eq(lookup_user(text, hash_key, &hash), -EINVAL);
}

Test(lookup, call_ids)
{
	static const char *const good[] = {"q1", "Call-ID:q1", "a84b4c76e66710@pc33.example.com", "\xc3\xa9", "-"};
	static const char *const bad[] = {"", " ", "Call-ID: q1", "q1 ", " q1", "q\t1", "q1\r\n", "i : q1"};
	uint64_t hashes[5], hash;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		cr_expect_eq(lookup_call_id(good[i], hash_key, &hashes[i]), 0, "'%s'", good[i]);
		for (size_t j = 0; j < i; j++)
			cr_expect_neq(hashes[i], hashes[j], "'%s' and '%s'", good[i], good[j]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_eq(lookup_call_id(bad[i], hash_key, &hash), -EINVAL, "'%s'", bad[i]);
}
