// SPDX-License-Identifier: GPL-2.0
/* Blocked and trusted prefixes: who may change an entry, which entry applies, and when it ends. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "core/base/name.h"
#include "core/guard/blocks.h"

enum by {
	OPERATOR,
	SERVER,
};

static struct block entry(const char *prefix, const char *service, enum by by, const char *who, uint64_t expires)
{
	struct block block = {
		.value = {.expires = expires, .since = 1000, .list = GUARD_LIST_BLOCKED, .by_server = by == SERVER}};

	cr_assert_eq(prefix_parse(prefix, &block.prefix), 0, "%s", prefix);
	name_copy(block.value.who, who);
	name_copy(block.value.service, service);
	return block;
}

static int put(struct blocks *blocks, const char *prefix, const char *service, enum by by, const char *who,
	uint64_t expires, char error[BLOCKS_ERROR_SIZE])
{
	struct block block = entry(prefix, service, by, who, expires);

	return blocks_put(blocks, &block, error);
}

static int drop(struct blocks *blocks, const char *prefix, const char *service, const char *server,
	char error[BLOCKS_ERROR_SIZE])
{
	struct prefix_key key;

	cr_assert_eq(prefix_parse(prefix, &key), 0, "%s", prefix);
	return blocks_remove(blocks, &key, service, server, error);
}

/* Writes the entries as "PREFIX SERVICE WHO EXPIRES; ". */
static const char *list(const struct blocks *blocks, char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");
	char prefix[PREFIX_TEXT_SIZE];

	*text = '\0';
	for (size_t i = 0; i < blocks_count(blocks); i++) {
		const struct block *block = blocks_at(blocks, i);

		fprintf(out, "%s %s %s %llu; ", prefix_format(&block->prefix, prefix), block->value.service,
			block->value.who, (unsigned long long)block->value.expires);
	}
	fclose(out);
	return text;
}

/* Each row changes the entries that the rows before it have made. */
Test(guard_blocks, who_may_change_an_entry)
{
	static const struct {
		const char *name;
		bool remove;
		const char *prefix, *service;
		enum by by;
		const char *who;
		uint64_t expires;
		int result;
		const char *list;
	} rows[] = {
		{"an operator blocks", false, "203.0.113.0/24", "", OPERATOR, "root", 0, 0, "203.0.113.0/24  root 0; "},
		{"a server must not shorten this entry", false, "203.0.113.0/24", "", SERVER, "px1", 9000, -EPERM,
			"203.0.113.0/24  root 0; "},
		{"a server must not remove it", true, "203.0.113.0/24", "", SERVER, "px1", 0, -EPERM,
			"203.0.113.0/24  root 0; "},
		{"a server with the operator's name must not remove it", true, "203.0.113.0/24", "", SERVER, "root", 0,
			-EPERM, "203.0.113.0/24  root 0; "},
		{"a different operator replaces it", false, "203.0.113.0/24", "", OPERATOR, "anna", 5000, 0,
			"203.0.113.0/24  anna 5000; "},
		{"the same prefix for one service is a different entry", false, "203.0.113.0/24", "sip", SERVER, "px1",
			6000, 0, "203.0.113.0/24  anna 5000; 203.0.113.0/24 sip px1 6000; "},
		{"no entry for this service", true, "203.0.113.0/24", "trunk", OPERATOR, "anna", 0, -ENOENT,
			"203.0.113.0/24  anna 5000; 203.0.113.0/24 sip px1 6000; "},
		{"the server shortens its own entry", false, "203.0.113.0/24", "sip", SERVER, "px1", 4000, 0,
			"203.0.113.0/24  anna 5000; 203.0.113.0/24 sip px1 4000; "},
		{"a different server must not shorten the entry", false, "203.0.113.0/24", "sip", SERVER, "px2", 3000,
			-EPERM, "203.0.113.0/24  anna 5000; 203.0.113.0/24 sip px1 4000; "},
		{"a different server must not remove it", true, "203.0.113.0/24", "sip", SERVER, "px2", 0, -EPERM,
			"203.0.113.0/24  anna 5000; 203.0.113.0/24 sip px1 4000; "},
		{"a different server may extend the entry, and then owns it", false, "203.0.113.0/24", "sip", SERVER,
			"px2", 7000, 0, "203.0.113.0/24  anna 5000; 203.0.113.0/24 sip px2 7000; "},
		{"entries are sorted by prefix", false, "10.0.0.0/8", "", OPERATOR, "root", 0, 0,
			"10.0.0.0/8  root 0; 203.0.113.0/24  anna 5000; 203.0.113.0/24 sip px2 7000; "},
		{"the owner removes its entry", true, "203.0.113.0/24", "sip", SERVER, "px2", 0, 0,
			"10.0.0.0/8  root 0; 203.0.113.0/24  anna 5000; "},
		{"an operator removes all entries", true, "203.0.113.0/24", "", OPERATOR, "root", 0, 0,
			"10.0.0.0/8  root 0; "},
		{"a removed entry is gone", true, "203.0.113.0/24", "", OPERATOR, "root", 0, -ENOENT,
			"10.0.0.0/8  root 0; "},
	};
	struct blocks *blocks = blocks_new();
	char error[BLOCKS_ERROR_SIZE], text[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *server = rows[i].by == SERVER ? rows[i].who : NULL;
		int result = rows[i].remove ? drop(blocks, rows[i].prefix, rows[i].service, server, error)
					    : put(blocks, rows[i].prefix, rows[i].service, rows[i].by, rows[i].who,
						      rows[i].expires, error);

		cr_expect_eq(result, rows[i].result, "%s: %d", rows[i].name, result);
		cr_expect_str_eq(list(blocks, text, sizeof(text)), rows[i].list, "%s: %s", rows[i].name, text);
	}
	blocks_free(blocks);
}

Test(guard_blocks, a_server_does_not_turn_trust_into_a_block)
{
	struct blocks *blocks = blocks_new();
	struct block trust = entry("198.51.100.7", "", SERVER, "px1", 1000);
	char error[BLOCKS_ERROR_SIZE];

	trust.value.list = GUARD_LIST_TRUSTED;
	cr_expect_eq(blocks_put(blocks, &trust, error), 0);
	cr_expect_eq(put(blocks, "198.51.100.7", "", SERVER, "px2", 9000, error), -EPERM);
	cr_expect_str_eq(error, "198.51.100.7 is trusted by server px1");
	cr_expect_eq(put(blocks, "198.51.100.7", "", SERVER, "px1", 500, error), 0, "its own entry");
	blocks_free(blocks);
}

Test(guard_blocks, a_block_overlaps_a_trust_entry)
{
	static const struct {
		const char *prefix, *service, *who; /* NULL: no overlap */
	} rows[] = {
		{"5.5.5.0/24", "", "net"},
		{"5.5.5.5", "", "net"},
		{"5.5.0.0/16", "", "net"},
		{"0.0.0.0/0", "", "net"},
		{"5.5.5.5", "sip", "net"},
		{"5.5.6.0/24", "", NULL},
		{"7.7.7.7", "", NULL},
		{"9.9.9.9", "trunk", "trunk"},
		{"9.9.9.9", "", "trunk"},
		{"9.9.9.9", "sip", NULL},
		{"2001:db8::/32", "", "six"},
		{"2001:db9::/32", "", NULL},
	};
	static const char *const trusted[][3] = {
		{"5.5.5.0/24", "", "net"}, {"9.9.9.0/24", "trunk", "trunk"}, {"2001:db8:1::/48", "", "six"}};
	struct blocks *blocks = blocks_new();
	char error[BLOCKS_ERROR_SIZE];

	for (size_t i = 0; i < sizeof(trusted) / sizeof(*trusted); i++) {
		struct block trust = entry(trusted[i][0], trusted[i][1], OPERATOR, trusted[i][2], 0);

		trust.value.list = GUARD_LIST_TRUSTED;
		cr_assert_eq(blocks_put(blocks, &trust, error), 0);
	}
	put(blocks, "7.7.0.0/16", "", OPERATOR, "blocked", 0, error);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct block block = entry(rows[i].prefix, rows[i].service, OPERATOR, "root", 0);
		const struct block *found = blocks_trusting(blocks, &block.prefix, rows[i].service);

		cr_expect_str_eq(found ? found->value.who : "none", rows[i].who ? rows[i].who : "none", "%s %s",
			rows[i].prefix, rows[i].service);
	}
	blocks_free(blocks);
}

Test(guard_blocks, a_prefix_is_within_a_block_of_an_operator)
{
	static const struct {
		const char *prefix, *service, *who; /* NULL: not within a block */
	} rows[] = {
		{"5.5.5.0/24", "", "net"}, {"5.5.5.5", "", "net"}, {"5.5.5.5", "sip", "net"},
		{"5.5.0.0/16", "", NULL}, /* the block is longer, and still applies */
		{"9.9.9.9", "trunk", "trunk"}, {"9.9.9.9", "", "trunk"}, {"9.9.9.9", "sip", NULL},
		{"7.7.7.7", "", NULL}, /* a block by a server */
		{"8.8.8.8", "", NULL}, /* trusted */
	};
	struct block trust = entry("8.8.8.0/24", "", OPERATOR, "trust", 0);
	struct blocks *blocks = blocks_new();
	char error[BLOCKS_ERROR_SIZE];

	put(blocks, "5.5.5.0/24", "", OPERATOR, "net", 0, error);
	put(blocks, "9.9.9.0/24", "trunk", OPERATOR, "trunk", 0, error);
	put(blocks, "7.7.7.0/24", "", SERVER, "px1", 0, error);
	trust.value.list = GUARD_LIST_TRUSTED;
	blocks_put(blocks, &trust, error);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct block server = entry(rows[i].prefix, rows[i].service, SERVER, "px2", 1000);
		const struct block *found = blocks_blocking(blocks, &server.prefix, rows[i].service);

		cr_expect_str_eq(found ? found->value.who : "none", rows[i].who ? rows[i].who : "none", "%s %s",
			rows[i].prefix, rows[i].service);
	}
	blocks_free(blocks);
}

Test(guard_blocks, the_longest_entry_around_a_prefix)
{
	static const struct {
		const char *prefix, *service, *who; /* NULL: no entry */
	} rows[] = {
		{"10.0.0.131", "", "pair"},
		{"10.0.0.130/31", "", "pair"},
		{"10.0.0.132", "", "net"},
		{"10.0.0.0/23", "", NULL},
		{"10.0.0.7", "", "trunk"},
		{"10.0.0.7", "trunk", "trunk"},
		{"10.0.0.7", "sip", "net"},
		{"10.0.1.1", "", NULL},
	};
	struct blocks *blocks = blocks_new();
	char error[BLOCKS_ERROR_SIZE];

	put(blocks, "10.0.0.0/24", "", OPERATOR, "net", 0, error);
	put(blocks, "10.0.0.130/31", "", SERVER, "pair", 0, error);
	put(blocks, "10.0.0.7", "trunk", OPERATOR, "trunk", 0, error);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct block removed = entry(rows[i].prefix, rows[i].service, OPERATOR, "root", 0);
		const struct block *found = blocks_around(blocks, &removed.prefix, rows[i].service);

		cr_expect_str_eq(found ? found->value.who : "none", rows[i].who ? rows[i].who : "none", "%s %s",
			rows[i].prefix, rows[i].service);
	}
	blocks_free(blocks);
}

Test(guard_blocks, the_longest_prefix_applies)
{
	static const struct {
		const char *address, *service, *who; /* NULL: no entry */
	} rows[] = {
		{"203.0.113.5", "sip", "host"},
		{"203.0.113.6", "sip", "network"},
		{"203.0.113.5", "trunk", "host"},
		{"203.0.113.6", "trunk", "trunk"},
		{"203.0.113.200", "trunk", "own"},
		{"203.0.113.200", "sip", "all"},
		{"203.0.114.1", "trunk", NULL},
		{"2001:db8::1", "sip", "six"},
		{"2001:db9::1", "sip", NULL},
	};
	struct blocks *blocks = blocks_new();
	char error[BLOCKS_ERROR_SIZE];

	put(blocks, "203.0.113.0/24", "", OPERATOR, "network", 0, error);
	put(blocks, "203.0.113.5", "", OPERATOR, "host", 0, error);
	put(blocks, "203.0.0.0/17", "trunk", OPERATOR, "wide", 0, error);
	put(blocks, "203.0.113.0/25", "trunk", OPERATOR, "trunk", 0, error);
	drop(blocks, "203.0.0.0/17", "trunk", NULL, error);
	put(blocks, "203.0.113.200", "", OPERATOR, "all", 0, error);
	put(blocks, "203.0.113.200", "trunk", OPERATOR, "own", 0, error);
	put(blocks, "2001:db8::/32", "", OPERATOR, "six", 0, error);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct block *found;
		struct address address;

		address_parse(rows[i].address, &address);
		found = blocks_match(blocks, &address, rows[i].service);
		cr_expect(rows[i].who ? found && !strcmp(found->value.who, rows[i].who) : !found, "%s %s: %s",
			rows[i].address, rows[i].service, found ? found->value.who : "none");
	}
	blocks_free(blocks);
}

Test(guard_blocks, a_walk_survives_changes)
{
	struct blocks *blocks = blocks_new();
	char error[BLOCKS_ERROR_SIZE], text[PREFIX_TEXT_SIZE];
	struct block at;

	cr_expect_null(blocks_after(blocks, NULL));
	put(blocks, "10.0.0.1", "", OPERATOR, "a", 0, error);
	put(blocks, "10.0.0.2", "", OPERATOR, "b", 0, error);
	put(blocks, "10.0.0.4", "", OPERATOR, "d", 0, error);
	at = *blocks_after(blocks, NULL);
	at = *blocks_after(blocks, &at);
	drop(blocks, "10.0.0.2", "", NULL, error);
	put(blocks, "10.0.0.3", "", OPERATOR, "c", 0, error);
	at = *blocks_after(blocks, &at);
	cr_expect_str_eq(prefix_format(&at.prefix, text), "10.0.0.3");
	at = *blocks_after(blocks, &at);
	cr_expect_str_eq(prefix_format(&at.prefix, text), "10.0.0.4");
	cr_expect_null(blocks_after(blocks, &at));
	blocks_free(blocks);
}

Test(guard_blocks, entries_expire)
{
	static const struct {
		uint64_t now;
		size_t expired;
		const char *list;
	} rows[] = {
		{999, 0, "10.0.0.1  a 1000; 10.0.0.2  b 0; 10.0.0.3  c 1000; 10.0.0.4  d 3000; "},
		{1000, 2, "10.0.0.2  b 0; 10.0.0.4  d 3000; "},
		{2999, 0, "10.0.0.2  b 0; 10.0.0.4  d 3000; "},
		{1u << 30, 1, "10.0.0.2  b 0; "},
		{UINT64_MAX - 1, 0, "10.0.0.2  b 0; "},
	};
	struct blocks *blocks = blocks_new();
	char error[BLOCKS_ERROR_SIZE], text[512];

	put(blocks, "10.0.0.1", "", OPERATOR, "a", 1000, error);
	put(blocks, "10.0.0.2", "", OPERATOR, "b", 0, error);
	put(blocks, "10.0.0.3", "", OPERATOR, "c", 1000, error);
	put(blocks, "10.0.0.4", "", OPERATOR, "d", 3000, error);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct block *expired;
		size_t count = blocks_expire(blocks, rows[i].now, &expired);

		cr_expect_eq(count, rows[i].expired, "at %llu: %zu", (unsigned long long)rows[i].now, count);
		for (size_t j = 0; j < count; j++)
			cr_expect_leq(expired[j].value.expires, rows[i].now);
		cr_expect_str_eq(list(blocks, text, sizeof(text)), rows[i].list, "%s", text);
		free(expired);
	}
	blocks_free(blocks);
}

Test(guard_blocks, entries_become_larger_sources)
{
	struct blocks *blocks = blocks_new();
	char error[BLOCKS_ERROR_SIZE], text[512];
	struct block late = entry("10.0.1.2", "", SERVER, "late", 1000), *expired;

	late.value.since++;
	blocks_put(blocks, &late, error);
	put(blocks, "10.0.0.1", "", OPERATOR, "operator", 0, error);
	put(blocks, "10.0.0.2", "", SERVER, "px1", 1000, error);
	put(blocks, "10.0.0.2", "sip", SERVER, "px1", 1000, error);
	put(blocks, "10.0.1.3", "", SERVER, "early", 2000, error);
	put(blocks, "10.2.0.0/16", "", OPERATOR, "wide", 0, error);
	put(blocks, "2001:db8::1", "", OPERATOR, "six", 0, error);
	cr_expect(blocks_widen(blocks, (struct source_bits){24, 64}));
	cr_expect_str_eq(list(blocks, text, sizeof(text)),
		"10.0.0.0/24  operator 0; 10.0.0.0/24 sip px1 1000; 10.0.1.0/24  late 1000; 10.2.0.0/16  wide 0; "
		"2001:db8::/64  six 0; ",
		"%s", text);
	cr_expect_not(blocks_widen(blocks, (struct source_bits){24, 64}), "no further change");
	cr_expect_not(blocks_widen(blocks, (struct source_bits){32, 128}), "the old sizes are not known");
	cr_expect_eq(blocks_expire(blocks, 1000, &expired), 2);
	free(expired);
	blocks_free(blocks);
}

Test(guard_blocks, their_number_is_limited)
{
	struct blocks *blocks = blocks_new();
	char error[BLOCKS_ERROR_SIZE], prefix[32];

	for (int i = 0; i < GUARD_BLOCKS; i++) {
		snprintf(prefix, sizeof(prefix), "10.1.%d.%d", i >> 8, i & 255);
		cr_assert_eq(put(blocks, prefix, "", OPERATOR, "root", 1 + i, error), 0, "%s: %s", prefix, error);
	}
	cr_expect_eq(put(blocks, "10.2.0.0", "", OPERATOR, "root", 0, error), -ENOSPC);
	cr_expect(strstr(error, "65536"), "%s", error);
	cr_expect_eq(put(blocks, "10.1.0.0", "", OPERATOR, "root", 0, error), 0, "a known prefix needs no room");
	cr_expect_eq(drop(blocks, "10.1.0.0", "", NULL, error), 0);
	cr_expect_eq(put(blocks, "10.2.0.0", "", OPERATOR, "root", 0, error), 0, "%s", error);
	blocks_free(blocks);
}

Test(guard_blocks, servers_leave_room_for_operators)
{
	struct blocks *blocks = blocks_new();
	char error[BLOCKS_ERROR_SIZE], prefix[32];

	cr_assert_eq(put(blocks, "10.2.0.1", "", OPERATOR, "root", 0, error), 0);
	for (int i = 0; i < BLOCKS_OF_SERVERS; i++) {
		snprintf(prefix, sizeof(prefix), "10.1.%d.%d", i >> 8, i & 255);
		cr_assert_eq(put(blocks, prefix, "", SERVER, "px1", 1 + i, error), 0, "%s: %s", prefix, error);
	}
	cr_expect_eq(put(blocks, "10.2.0.2", "", SERVER, "px1", 1, error), -ENOSPC);
	cr_expect(strstr(error, "64512"), "%s", error);
	cr_expect_eq(put(blocks, "10.1.0.0", "", SERVER, "px1", 9, error), 0, "a known prefix needs no room");
	for (int i = 1; i < GUARD_BLOCKS - BLOCKS_OF_SERVERS; i++) {
		snprintf(prefix, sizeof(prefix), "10.3.%d.%d", i >> 8, i & 255);
		cr_assert_eq(put(blocks, prefix, "", OPERATOR, "root", 0, error), 0, "%s: %s", prefix, error);
	}
	cr_expect_eq(put(blocks, "10.4.0.0", "", OPERATOR, "root", 0, error), -ENOSPC);
	blocks_free(blocks);
}
