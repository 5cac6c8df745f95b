// SPDX-License-Identifier: GPL-2.0
/* The files of lists, and the lists that they make. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/guard/list_file.h"
#include "core/guard/prefix_lists.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Parses a copy without further bytes, so that ASan reports any read beyond the text. */
static int parse(const char *text, size_t length, struct prefix_key **list, size_t *count, struct list_fault *fault)
{
	char *copy = malloc(length ? length : 1);
	int error;

	memcpy(copy, text, length);
	error = list_file_parse(copy, length, list, count, fault);
	free(copy);
	return error;
}

static const char *write_prefixes(const struct prefix_key *list, size_t count, char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");
	char prefix[PREFIX_TEXT_SIZE];

	*text = '\0';
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i ? " " : "", prefix_format(&list[i], prefix));
	fclose(out);
	return text;
}

Test(guard_lists, files_are_read)
{
	static const struct {
		const char *name, *text;
		const char *prefixes; /* NULL: refused */
		size_t line;          /* of the fault */
	} rows[] = {
		{"an empty file", "", "", 0},
		{"only comments and empty lines", "# none\n\n  ; none\n\t\n", "", 0},
		{"addresses and networks", "192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n",
			"192.0.2.1 198.51.100.0/24 2001:db8::/32", 0},
		{"spaces and comments after a prefix", "  192.0.2.1 # a\n\t10.0.0.0/8; SBL1\n", "192.0.2.1 10.0.0.0/8",
			0},
		{"lines that end with CR LF", "192.0.2.1\r\n\r\n192.0.2.2\r\n", "192.0.2.1 192.0.2.2", 0},
		{"all addresses", "0.0.0.0/0\n::/0\n", "0.0.0.0/0 ::/0", 0},
		{"a file that is truncated in a prefix", "192.0.2.1\n10.0.0.0/1", NULL, 2},
		{"a file that is truncated in a comment", "192.0.2.1\n# until", NULL, 2},
		{"a host in its network", "192.0.2.1\n\n192.0.2.1/24\n", NULL, 3},
		{"a name", "example.com\n", NULL, 1},
		{"two prefixes on a line", "192.0.2.1 192.0.2.2\n", NULL, 1},
		{"a prefix and a word", "# x\n192.0.2.1 DROP\n", NULL, 2},
		{"a line of binary data", "192.0.2.1\n\x01\xff\n", NULL, 2},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct list_fault fault = {0};
		struct prefix_key *list = NULL;
		size_t count = 0;
		char text[512];
		int error = parse(rows[i].text, strlen(rows[i].text), &list, &count, &fault);

		cr_expect_eq(error, rows[i].prefixes ? 0 : -EINVAL, "%s: %d", rows[i].name, error);
		cr_expect_eq(fault.line, rows[i].line, "%s: line %zu", rows[i].name, fault.line);
		if (rows[i].prefixes)
			cr_expect_str_eq(write_prefixes(list, count, text, sizeof(text)), rows[i].prefixes, "%s: %s",
				rows[i].name, text);
		free(list);
	}
}

Test(guard_lists, a_nul_byte_is_a_fault)
{
	static const char text[] = "192.0.2.1\n192.0.2.2\0\n";
	struct list_fault fault;
	struct prefix_key *list;
	size_t count;

	cr_expect_eq(parse(text, sizeof(text) - 1, &list, &count, &fault), -EINVAL);
	cr_expect_eq(fault.line, 2);
	cr_expect_eq(parse("\0\n", 2, &list, &count, &fault), -EINVAL);
}

Test(guard_lists, a_fault_names_its_text)
{
	char text[4096];
	struct list_fault fault;
	struct prefix_key *list;
	size_t count;

	cr_expect_eq(parse("10.0.0.1/\x1b[2J\n", 14, &list, &count, &fault), -EINVAL);
	cr_expect(strstr(fault.text, "'10.0.0.1/?[2J' is not a network"), "%s", fault.text);
	memset(text, '1', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	cr_expect_eq(parse(text, sizeof(text), &list, &count, &fault), -EINVAL);
	cr_expect_lt(strlen(fault.text), sizeof(fault.text));
}

/* --- merged lists */

static void add(struct prefix_lists *lists, uint32_t list, const char *text)
{
	struct list_fault fault;
	struct prefix_key *prefixes;
	size_t count;

	cr_assert_eq(parse(text, strlen(text), &prefixes, &count, &fault), 0, "%s", text);
	prefix_lists_add(lists, list, prefixes, count, (struct source_bits){32, 64});
	free(prefixes);
}

Test(guard_lists, are_merged)
{
	struct prefix_lists lists = {0};
	char prefix[PREFIX_TEXT_SIZE], text[512] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	add(&lists, 0, "203.0.113.0/24\n203.0.113.0/25\n203.0.113.0/24\n");
	add(&lists, 1, "");
	add(&lists, 2, "2001:db8::/32\n203.0.113.0/24\n10.0.0.0/8\n");
	prefix_lists_sort(&lists);
	for (size_t i = 0; i < lists.count; i++)
		fprintf(out, "%s %u; ", prefix_format(&lists.entries[i].prefix, prefix), lists.entries[i].list);
	fclose(out);
	cr_expect_str_eq(text, "10.0.0.0/8 2; 203.0.113.0/24 0; 203.0.113.0/25 0; 2001:db8::/32 2; ");
	prefix_lists_free(&lists);
	prefix_lists_sort(&lists);
	cr_expect_eq(lists.count, 0, "no entries");
}

Test(guard_lists, an_entry_is_at_least_one_source)
{
	static const struct {
		const char *prefix;
		struct source_bits source;
		const char *becomes;
	} rows[] = {
		{"192.0.2.1", {32, 64}, "192.0.2.1"},
		{"192.0.2.1", {24, 64}, "192.0.2.0/24"},
		{"192.0.0.0/16", {24, 64}, "192.0.0.0/16"},
		{"2001:db8:1:2:3::4", {32, 64}, "2001:db8:1:2::/64"},
		{"2001:db8:1:2:3::4", {32, 128}, "2001:db8:1:2:3::4"},
		{"2001:db8::/32", {32, 64}, "2001:db8::/32"},
		{"::/0", {32, 64}, "::/0"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prefix_key prefix;
		char text[PREFIX_TEXT_SIZE];

		cr_assert_eq(prefix_parse(rows[i].prefix, &prefix), 0, "%s", rows[i].prefix);
		prefix = prefix_of_source(&prefix, rows[i].source);
		cr_expect_str_eq(prefix_format(&prefix, text), rows[i].becomes, "%s: %s", rows[i].prefix, text);
	}
}

Test(guard_lists, the_longest_prefix_wins)
{
	static const struct {
		const char *address;
		int list; /* -1: none */
	} rows[] = {
		{"203.0.113.1", 1},
		{"203.0.113.7", 0},
		{"203.0.112.1", 2},
		{"203.1.0.1", -1},
		{"2001:db8::1", 1},
		{"2001:db9::1", -1},
		{"64:ff9b::1", 3},
	};
	struct prefix_lists lists = {0};

	add(&lists, 0, "203.0.113.7\n");
	add(&lists, 1, "203.0.113.0/24\n2001:db8::/32\n");
	add(&lists, 2, "203.0.0.0/16\n");
	add(&lists, 3, "::/3\n"); /* no IPv4 address */
	prefix_lists_sort(&lists);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct list_entry *found;
		struct address address;

		address_parse(rows[i].address, &address);
		found = prefix_lists_match(&lists, &address);
		cr_expect_eq(found ? (int)found->list : -1, rows[i].list, "%s", rows[i].address);
	}
	prefix_lists_free(&lists);
}

Test(guard_lists, overlaps_are_found)
{
	static const struct {
		const char *name, *prefix;
		const char *found; /* NULL: none */
	} rows[] = {
		{"the same prefix", "203.0.113.0/24", "203.0.113.0/24"},
		{"inside", "203.0.113.7", "203.0.113.0/24"},
		{"around", "203.0.0.0/16", "203.0.113.0/24"},
		{"beside", "203.0.112.0/24", NULL},
		{"all IPv6 addresses", "::/0", "::/8"},
		{"around the form of all IPv4 addresses", "::/16", "::/8"},
		{"all IPv4 addresses", "0.0.0.0/0", "15.0.0.1"},
		{"inside of a list that is not wanted", "10.1.2.3", NULL},
		{"around a list that is not wanted", "10.0.0.0/7", NULL},
		{"behind entries that are not wanted", "8.0.0.0/5", "15.0.0.1"},
		{"IPv6", "2001:db8:1::/48", "2001:db8::/32"},
	};
	static const bool wanted[] = {true, false};
	struct prefix_lists lists = {0};

	add(&lists, 0, "203.0.113.0/24\n15.0.0.1\n2001:db8::/32\n::/8\n");
	add(&lists, 1, "10.0.0.0/8\n10.0.0.0/9\n11.0.0.0/8\n203.0.113.7\n");
	prefix_lists_sort(&lists);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct list_entry *found;
		struct prefix_key prefix;
		char text[PREFIX_TEXT_SIZE];

		cr_assert_eq(prefix_parse(rows[i].prefix, &prefix), 0, "%s", rows[i].prefix);
		found = prefix_lists_overlap(&lists, &prefix, wanted);
		if (!rows[i].found || !found)
			cr_expect(!rows[i].found && !found, "%s: %s", rows[i].name, found ? "found" : "not found");
		else
			cr_expect_str_eq(prefix_format(&found->prefix, text), rows[i].found, "%s", rows[i].name);
	}
	prefix_lists_free(&lists);
}
