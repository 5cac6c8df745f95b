// SPDX-License-Identifier: GPL-2.0
/* The hosts and users in a message, in the host build: rows, truncated at every byte between unreadable pages. All
 * forms of a host or a user have the same hash. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "bpf/packet.h"
#include "bpf/sip_headers.h"
#include "bpf/sip_user.h"
#include "tests/prog/rng.h"
#include "sip_guard.h"

#define SPELLINGS 50000
#define TEXT 1024

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const __u64 KEY[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/* The headers that contain hosts and users. */
enum where {
	VIA,
	ROUTE,
	REQUEST_URI,
	FROM,
	TO,
};

/* The host and the user found; all zero: none. */
struct named {
	bool found;
	uint64_t hash;
	uint16_t port;
};

/* --- the expected results, computed independently */

/* Hashes the first words of a text like a Call-ID. */
static uint64_t hash_text(const char *text, size_t length, size_t most_words)
{
	struct hash hash = hash_start(KEY);

	for (size_t word = 0; word <= length / 8 && word < most_words; word++) {
		uint64_t bytes = 0;

		for (size_t i = 0; i < 8 && word * 8 + i < length; i++)
			bytes |= (uint64_t)(uint8_t)text[word * 8 + i] << 8 * i;
		hash_word(&hash, bytes);
	}
	return hash_finish(hash, KEY);
}

static uint64_t hash_of_host(const char *host)
{
	struct address address = {};
	char lower[256] = "";
	size_t length = 0;

	if (inet_pton(AF_INET6, host, &address) == 1)
		return hash_source(&address, 0, KEY);
	if (inet_pton(AF_INET, host, &address.word[3]) == 1) {
		address.word[2] = htonl(0xffff);
		return hash_source(&address, 0, KEY);
	}
	for (; host[length]; length++)
		lower[length] = tolower(host[length]);
	return hash_text(lower, length, SIP_HOST_WORDS);
}

static uint64_t hash_of_user(const char *user, size_t length)
{
	return hash_text(user, length, SIP_USER_WORDS);
}

/* --- the functions under test */

/* The budget for the headers of one message. It is larger than in the packet path, because some users of these tests
 * consist of escapes. */
static __u16 budget;

static enum sip_result find_value(struct sip_text text, enum where where, __u32 *at)
{
	static const enum sip_header names[] = {[VIA] = SIP_VIA, [ROUTE] = SIP_ROUTE, [FROM] = SIP_FROM, [TO] = SIP_TO};
	struct sip_lines lines = {};
	struct sip_start start;
	__u32 colon;
	enum sip_result result = sip_find_start(text, 0, &start);

	budget = 2 * SIP_PACKET_BUDGET;
	if (result != SIP_FOUND)
		return result;
	if (where == REQUEST_URI) {
		*at = start.uri;
		return start.uri ? SIP_FOUND : SIP_NOT_THERE;
	}
	lines.at = start.line;
	result = sip_find_header(text, &lines, names[where], &budget);
	if (result != SIP_FOUND)
		return result;
	colon = lines.colon[names[where]];
	return where == VIA ? sip_via_host(text, colon, at, &budget) : sip_uri(text, colon, at, &budget);
}

static struct named host_in(const uint8_t *message, size_t length, enum where where)
{
	struct sip_text text = sip_text(message, message + length, length, 0);
	struct sip_host host = {.hash_key = {KEY[0], KEY[1]}};
	__u32 at;

	if (find_value(text, where, &at) != SIP_FOUND)
		return (struct named){};
	if (where != VIA && sip_uri_host(text, at, &at, &budget) != SIP_FOUND)
		return (struct named){};
	if (sip_host(text, at, &host, &budget) != SIP_FOUND)
		return (struct named){};
	return (struct named){.found = true, .hash = host.hash, .port = ntohs(host.port)};
}

static struct named user_in(const uint8_t *message, size_t length, enum where where)
{
	struct sip_text text = sip_text(message, message + length, length, 0);
	struct sip_user user = {.hash_key = {KEY[0], KEY[1]}};
	__u32 at;

	if (find_value(text, where, &at) != SIP_FOUND || sip_user(text, at, &user, &budget) != SIP_FOUND)
		return (struct named){};
	return (struct named){.found = true, .hash = user.hash};
}

static bool same(struct named a, struct named b)
{
	return a.found == b.found && a.hash == b.hash && a.port == b.port;
}

/* Writes a message with a value in one of its headers. */
static int write_message(char text[TEXT], enum where where, const char *value)
{
	static const char *const formats[] = {
		[VIA] = "SIP/2.0 200 OK\r\nFrom: <sip:x@x.example>\r\nVia: %s\r\nVia: SIP/2.0/UDP y.example\r\n",
		[ROUTE] =
			"BYE sip:x@x.example SIP/2.0\r\nVia: SIP/2.0/UDP x.example\r\nRoute: %s\r\nRoute: <sip:y>\r\n",
		[REQUEST_URI] = "INVITE %s SIP/2.0\r\nRoute: <sip:x@x.example>\r\n",
		[FROM] = "INVITE sip:x@x.example SIP/2.0\r\nFrom: %s\r\n",
		[TO] = "INVITE sip:x@x.example SIP/2.0\r\nFrom: <sip:x@x.example>\r\nTo: %s\r\n",
	};
	int length = snprintf(text, TEXT, formats[where], value);

	return length + snprintf(text + length, TEXT - length, "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\nbody");
}

typedef struct named reader(const uint8_t *message, size_t length, enum where where);

/* A truncated value is never read as a different one, and adjacent bytes do not change the result. */
static void check_cuts(const char *sentence, reader *read, const char *text, int length, enum where where)
{
	struct named whole = read(sip_guard_end(text, length), length, where);

	for (int cut = 0; cut <= length; cut++) {
		struct named end = read(sip_guard_end(text, cut), cut, where);
		struct named start = read(sip_guard_start(text, cut), cut, where);

		cr_assert(same(end, start), "%s: %d bytes", sentence, cut);
		cr_assert(!end.found || same(end, whole), "%s: a different value in %d bytes", sentence, cut);
	}
}

/* --- hosts */

static const struct host_row {
	const char *sentence;
	enum where where;
	const char *value;
	const char *host; /* NULL: no valid host */
	uint16_t port;
} host_rows[] = {
	/* Via. */
	{"a name", VIA, "SIP/2.0/UDP px1.example.net;branch=z9hG4bK1", "px1.example.net", 0},
	{"a name and a port", VIA, "SIP/2.0/UDP px1.example.net:5070;branch=z9hG4bK1", "px1.example.net", 5070},
	{"nothing after the host", VIA, "SIP/2.0/UDP px1.example.net", "px1.example.net", 0},
	{"nothing after the port", VIA, "SIP/2.0/UDP px1.example.net:5060", "px1.example.net", 5060},
	{"a second value after a comma", VIA, "SIP/2.0/UDP px1.example.net, SIP/2.0/UDP y", "px1.example.net", 0},
	{"a second value after a comma and a port", VIA, "SIP/2.0/UDP px1:1,SIP/2.0/UDP y", "px1", 1},
	{"a transport of three letters", VIA, "SIP/2.0/TLS px1:65535", "px1", 65535},
	{"a transport of four letters", VIA, "SIP/2.0/SCTP px1", "px1", 0},
	{"a transport of seven letters", VIA, "SIP/2.0/TLS-XYZ px1", "px1", 0},
	{"a transport of eight letters", VIA, "SIP/2.0/TLS-SCTP px1", "px1", 0},
	{"a transport of nine letters", VIA, "SIP/2.0/TLS-SCTPX px1", "px1", 0},
	{"in lower case", VIA, "sip/2.0/udp px1", "px1", 0},
	{"white space around slashes", VIA, "SIP / 2.0 /\t UDP \t px1", "px1", 0},
	{"folds around slashes", VIA, "SIP\r\n /\r\n 2.0\r\n\t/ UDP\r\n  px1", "px1", 0},
	{"much white space after the transport", VIA, "SIP/2.0/UDP           px1:5060", "px1", 5060},
	{"white space around the port's colon", VIA, "SIP/2.0/UDP px1 \t:  5060 ;branch=1", "px1", 5060},
	{"folds around the port's colon", VIA, "SIP/2.0/UDP px1\r\n :\r\n 5060\r\n ;branch=1", "px1", 5060},
	{"white space before a parameter", VIA, "SIP/2.0/UDP px1 ;branch=1", "px1", 0},
	{"the spelling of RFC 4475", VIA, "SIP  / 2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw", "192.0.2.2", 0},
	{"the same with a name", VIA, "SIP  / 2.0  / TCP     spindle.example.com   ;\r\n branch  =   1;x",
		"spindle.example.com", 0},
	{"IPv4", VIA, "SIP/2.0/UDP 192.0.2.201:5060;branch=1", "192.0.2.201", 5060},
	{"the longest IPv4 address", VIA, "SIP/2.0/UDP 255.255.255.255:65535;branch=1", "255.255.255.255", 65535},
	{"the shortest IPv4 address", VIA, "SIP/2.0/UDP 1.2.3.4", "1.2.3.4", 0},
	{"IPv4 with leading zeros", VIA, "SIP/2.0/UDP 192.000.002.001", "192.0.2.1", 0},
	{"nearly IPv4: too few numbers", VIA, "SIP/2.0/UDP 192.0.2", "192.0.2", 0},
	{"nearly IPv4: too many numbers", VIA, "SIP/2.0/UDP 192.0.2.1.1", "192.0.2.1.1", 0},
	{"nearly IPv4: a number that is too big", VIA, "SIP/2.0/UDP 192.0.2.256", "192.0.2.256", 0},
	{"nearly IPv4: a number that is too long", VIA, "SIP/2.0/UDP 192.0.2.0001", "192.0.2.0001", 0},
	{"a name that begins with an address", VIA, "SIP/2.0/UDP 192.0.2.1.example.net", "192.0.2.1.example.net", 0},
	{"a name that begins with a digit", VIA, "SIP/2.0/UDP 3com.example.net", "3com.example.net", 0},
	{"a name in capitals", VIA, "SIP/2.0/UDP PX1.Example.NET", "px1.example.net", 0},
	{"a dot at the end", VIA, "SIP/2.0/UDP px1.example.net.", "px1.example.net", 0},
	{"a dot at the end, and a port", VIA, "SIP/2.0/UDP px1.example.net.:5060", "px1.example.net", 5060},
	{"a dot at the end of the first word", VIA, "SIP/2.0/UDP px1.net.", "px1.net", 0},
	{"a dot at the end of the second word", VIA, "SIP/2.0/UDP px1.example.net1.;x", "px1.example.net1", 0},
	{"a dot at the beginning of the second word", VIA, "SIP/2.0/UDP px12.net.;x", "px12.net", 0},
	{"a name of eight letters", VIA, "SIP/2.0/UDP px12.net", "px12.net", 0},
	{"a name of nine letters", VIA, "SIP/2.0/UDP px123.net:1", "px123.net", 1},
	{"a name of one letter", VIA, "SIP/2.0/UDP a", "a", 0},
	{"hyphens", VIA, "SIP/2.0/UDP px-1--a.example.net", "px-1--a.example.net", 0},
	{"an invalid name", VIA, "SIP/2.0/UDP px1%2eexample.net", NULL, 0},
	{"a name with a byte above 0x7f", VIA, "SIP/2.0/UDP px\xc3\xbc.example.net", NULL, 0},
	{"only a dot", VIA, "SIP/2.0/UDP .;x", NULL, 0},
	{"an empty port", VIA, "SIP/2.0/UDP px1:;branch=1", NULL, 0},
	{"port 0", VIA, "SIP/2.0/UDP px1:0;branch=1", NULL, 0},
	{"a port that is too big", VIA, "SIP/2.0/UDP px1:65536;branch=1", NULL, 0},
	{"a port that is too long", VIA, "SIP/2.0/UDP px1:005060;branch=1", NULL, 0},
	{"a port of eight digits and more", VIA, "SIP/2.0/UDP px1:50605060506050605060;branch=1", NULL, 0},
	{"a port with a letter", VIA, "SIP/2.0/UDP px1:506O;branch=1", NULL, 0},
	{"no host", VIA, "SIP/2.0/UDP ;branch=1", NULL, 0},
	{"no host", VIA, "SIP/2.0/UDP", NULL, 0},
	{"no slashes", VIA, "px1.example.net", NULL, 0},
	{"one slash", VIA, "SIP/2.0 px1.example.net", NULL, 0},
	{"nothing", VIA, "", NULL, 0},
	/* RFC 5118 sections 4.1 to 4.10, in other words. */
	{"IPv6", VIA, "SIP/2.0/UDP [2001:db8::9:1];branch=1", "2001:db8::9:1", 0},
	{"IPv6 and a port", VIA, "SIP/2.0/UDP [2001:db8::9:1]:5070;branch=1", "2001:db8::9:1", 5070},
	{"a number that looks like a port in the brackets", VIA, "SIP/2.0/UDP [2001:db8::9:1:5070];branch=1",
		"2001:db8::9:1:5070", 0},
	{"IPv6, received in brackets", VIA, "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=1",
		"2001:db8::9:1", 0},
	{"IPv6, received without brackets", VIA, "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=1",
		"2001:db8::9:1", 0},
	{"IPv6 without brackets", VIA, "SIP/2.0/UDP 2001:db8::9:1;branch=1", NULL, 0},
	{"IPv6 without brackets that looks like a port", VIA, "SIP/2.0/UDP 2001:470::9:1;branch=1", NULL, 0},
	{"IPv6 of eight groups", VIA, "SIP/2.0/UDP [2001:0DB8:0:0:0:0:9:1]", "2001:db8::9:1", 0},
	{"IPv6 that ends in a gap", VIA, "SIP/2.0/UDP [2001:db8::]:1", "2001:db8::", 1},
	{"IPv6 that is a gap", VIA, "SIP/2.0/UDP [::]", "::", 0},
	{"IPv6 that begins with a gap", VIA, "SIP/2.0/UDP [::1]", "::1", 0},
	{"IPv6 whose gap is one group", VIA, "SIP/2.0/UDP [1:2:3::5:6:7:8]", "1:2:3:0:5:6:7:8", 0},
	{"IPv6 with five groups before the gap", VIA, "SIP/2.0/UDP [1:2:3:4:5::8]", "1:2:3:4:5:0:0:8", 0},
	{"IPv6 with four groups before the gap", VIA, "SIP/2.0/UDP [1:2:3:4::8]", "1:2:3:4:0:0:0:8", 0},
	{"IPv6 with three groups before the gap", VIA, "SIP/2.0/UDP [1:2:3::8]", "1:2:3:0:0:0:0:8", 0},
	{"IPv6 that ends in IPv4", VIA, "SIP/2.0/UDP [64:ff9b::192.0.2.33]", "64:ff9b::c000:221", 0},
	{"IPv6 of six groups and IPv4", VIA, "SIP/2.0/UDP [1:2:3:4:5:6:1.2.3.4]:5060", "1:2:3:4:5:6:102:304", 5060},
	{"mapped IPv4 is IPv4", VIA, "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=1", "192.0.2.10", 19823},
	{"mapped IPv4 in other digits", VIA, "SIP/2.0/UDP [0:0:0:0:0:FFFF:c000:020a]", "192.0.2.10", 0},
	{"IPv6 of three colons", VIA, "SIP/2.0/UDP [2001:db8:::192.0.2.1]", NULL, 0},
	{"IPv6 with two gaps", VIA, "SIP/2.0/UDP [1::2::3]", NULL, 0},
	{"IPv6 of nine groups", VIA, "SIP/2.0/UDP [1:2:3:4:5:6:7:8:9]", NULL, 0},
	{"IPv6 of eight groups and a gap", VIA, "SIP/2.0/UDP [1:2:3:4::5:6:7:8]", NULL, 0},
	{"IPv6 of seven groups", VIA, "SIP/2.0/UDP [1:2:3:4:5:6:7]", NULL, 0},
	{"IPv6 of seven groups and IPv4", VIA, "SIP/2.0/UDP [1:2:3:4:5:6:7:1.2.3.4]", NULL, 0},
	{"IPv6 with a group of five digits", VIA, "SIP/2.0/UDP [2001:0db80::1]", NULL, 0},
	{"IPv6 with a letter that is not a hex digit", VIA, "SIP/2.0/UDP [2001:dg8::1]", NULL, 0},
	{"IPv6 that begins with a colon", VIA, "SIP/2.0/UDP [:2001:db8::1]", NULL, 0},
	{"IPv6 that ends in a colon", VIA, "SIP/2.0/UDP [2001:db8::1:]", NULL, 0},
	{"IPv6 with a zone", VIA, "SIP/2.0/UDP [fe80::1%eth0]", NULL, 0},
	{"IPv6 with an invalid IPv4 part", VIA, "SIP/2.0/UDP [::ffff:192.0.2.300]", NULL, 0},
	{"IPv6 with IPv4 and more", VIA, "SIP/2.0/UDP [::192.0.2.3:1]", NULL, 0},
	{"IPv4 in brackets", VIA, "SIP/2.0/UDP [192.0.2.1]", NULL, 0},
	{"empty brackets", VIA, "SIP/2.0/UDP []", NULL, 0},
	{"an unclosed bracket", VIA, "SIP/2.0/UDP [2001:db8::1;branch=1", NULL, 0},
	{"letters after the bracket", VIA, "SIP/2.0/UDP [2001:db8::1]x;branch=1", NULL, 0},
	/* Route. */
	{"a Route", ROUTE, "<sip:px1.example.net;lr>", "px1.example.net", 0},
	{"a Route with a user", ROUTE, "<sip:a@px1.example.net:5062;lr>", "px1.example.net", 5062},
	{"sips", ROUTE, "<sips:px1.example.net;lr>", "px1.example.net", 0},
	{"SIP", ROUTE, "<SIP:PX1.example.net;lr>", "px1.example.net", 0},
	{"SiPs", ROUTE, "<SiPs:PX1.example.net:1>", "px1.example.net", 1},
	{"no space before it", ROUTE, "\t<sip:px1>", "px1", 0},
	{"a fold before it", ROUTE, "\r\n <sip:px1>", "px1", 0},
	{"a display name", ROUTE, "Proxy One <sip:px1>", "px1", 0},
	{"a display name in quotes", ROUTE, "\"P <sip:b>, \\\" ; \\\\\" <sip:px1:5>;x=1", "px1", 5},
	{"an empty display name", ROUTE, "\"\"<sip:px1>", "px1", 0},
	{"without brackets", ROUTE, "sip:px1.example.net", "px1.example.net", 0},
	{"without brackets, with parameters", ROUTE, "sip:a@px1.example.net:5060;lr", "px1.example.net", 5060},
	{"two in one header", ROUTE, "<sip:px1;lr>, <sip:px2;lr>", "px1", 0},
	{"two in one header, tight", ROUTE, "<sip:px1;lr>,<sip:a@px2;lr>", "px1", 0},
	{"IPv6 in a Route", ROUTE, "<sip:[2001:db8::10]:5070;lr>", "2001:db8::10", 5070},
	{"IPv6 and a user in a Route", ROUTE, "<sip:a@[2001:db8::10];lr>", "2001:db8::10", 0},
	{"IPv4 in a Route", ROUTE, "<sip:192.0.2.1;lr>", "192.0.2.1", 0},
	{"a question mark after the host", ROUTE, "<sip:px1?Subject=x>", "px1", 0},
	{"a URI parameter with a host", ROUTE, "<sip:px1;maddr=px2;lr>", "px1", 0},
	{"a different scheme", ROUTE, "<tel:+15550100>", NULL, 0},
	{"a different scheme with an at sign", ROUTE, "<mailto:a@px1>", NULL, 0},
	{"no URI", ROUTE, "px1", NULL, 0},
	{"no host in a Route", ROUTE, "<sip:>", NULL, 0},
	{"a user and no host", ROUTE, "<sip:a@>", NULL, 0},
	{"an empty Route", ROUTE, "", NULL, 0},
	/* The Request-URI, and users that look like hosts (RFC 4475 section 3.1.1). */
	{"a Request-URI", REQUEST_URI, "sip:px1.example.net", "px1.example.net", 0},
	{"a Request-URI with a user", REQUEST_URI, "sip:bob@px1.example.net", "px1.example.net", 0},
	{"a password", REQUEST_URI, "sip:bob:5060@px1.example.net:5061", "px1.example.net", 5061},
	{"semicolons in the user", REQUEST_URI, "sip:bob;x=y.example;z=5@px1", "px1", 0},
	{"a question mark in the user", REQUEST_URI, "sip:bob?x=y.example@px1", "px1", 0},
	{"slashes, commas and more in the user", REQUEST_URI, "sip:a&b=c+d$e,f/g-_.!~*'()@px1:5060;x", "px1", 5060},
	{"escapes in the user", REQUEST_URI, "sip:bob%40y.example%3a5060@px1", "px1", 0},
	{"an escaped at sign alone", REQUEST_URI, "sip:bob%40px1", NULL, 0},
	{"unusual characters, RFC 4475 3.1.1.2", REQUEST_URI,
		"sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/"
		";;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@px1.example.com",
		"px1.example.com", 0},
	{"a long user", REQUEST_URI,
		"sip:a-very-long-user-of-many-letters-a-very-long-user-of-many-letters-a-very-long-user-of-many-"
		"letters@px1",
		"px1", 0},
	{"IPv6 and a port in a Request-URI", REQUEST_URI, "sip:bob@[2001:db8::10]:5070", "2001:db8::10", 5070},
	{"IPv6 without brackets in a Request-URI", REQUEST_URI, "sip:2001:db8::10", NULL, 0},
	{"a Request-URI in brackets", REQUEST_URI, "<sip:px1>", NULL, 0},
	{"a tel URI", REQUEST_URI, "tel:+1-555-0100", NULL, 0},
	{"no scheme", REQUEST_URI, "px1.example.net", NULL, 0},
};

static struct named should_be(const struct host_row *row)
{
	if (!row->host)
		return (struct named){};
	return (struct named){.found = true, .hash = hash_of_host(row->host), .port = row->port};
}

Test(sip_hosts, rows)
{
	for (size_t i = 0; i < COUNT(host_rows); i++) {
		const struct host_row *row = &host_rows[i];
		char text[TEXT];
		int length = write_message(text, row->where, row->value);
		struct named is = host_in(sip_guard_end(text, length), length, row->where), should = should_be(row);

		cr_expect_eq(is.found, should.found, "%s: %s", row->sentence, is.found ? "found" : "not found");
		cr_expect_eq(is.port, should.port, "%s: port %u", row->sentence, is.port);
		cr_expect_eq(is.hash, should.hash, "%s: another host", row->sentence);
		check_cuts(row->sentence, host_in, text, length, row->where);
	}
}

Test(sip_hosts, a_response_has_no_request_uri)
{
	static const char text[] = "SIP/2.0 200 sip:px1 SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n";

	cr_expect(!host_in((const uint8_t *)text, strlen(text), REQUEST_URI).found);
}

Test(sip_hosts, hosts_of_the_configuration)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: refused */
	} rows[] = {
		{"px1.example.net", "px1.example.net"},
		{"PX1.example.NET.", "px1.example.net"},
		{"a", "a"},
		{"192.0.2.1", "192.0.2.1"},
		{"2001:db8::9", "2001:db8::9"},
		{"[2001:DB8:0::9]", "2001:db8::9"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"", NULL},
		{".", NULL},
		{"px1:5060", NULL},
		{"px1 ", NULL},
		{"px1;x", NULL},
		{"px/1", NULL},
		{"2001:db8::9::", NULL},
		{"[2001:db8::9", NULL},
		{"[2001:db8::9]:5060", NULL},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		__u64 hash = 0;
		bool is = sip_host_hash(rows[i].text, KEY, &hash);

		cr_expect_eq(is, rows[i].host != NULL, "%s", rows[i].text);
		cr_expect_eq(hash, rows[i].host ? hash_of_host(rows[i].host) : 0, "%s", rows[i].text);
	}
}

/* Host names must not contain underscores, but real messages do. */
Test(sip_hosts, underscores)
{
	char text[TEXT];
	int length = write_message(text, VIA, "SIP/2.0/UDP PX_1.example.net");
	struct named named = host_in(sip_guard_end(text, length), length, VIA);
	__u64 same_host, other;

	cr_assert(named.found && sip_host_hash("px_1.example.net", KEY, &same_host));
	cr_assert(sip_host_hash("px-1.example.net", KEY, &other));
	cr_expect(named.hash == same_host && named.hash != other);
}

Test(sip_hosts, the_longest_name)
{
	for (int size = 1; size < 8 * SIP_HOST_WORDS + 20; size++) {
		char name[512] = "", value[600], text[TEXT];
		struct named named;
		__u64 hash;
		int length;

		memset(name, 'a', size);
		snprintf(value, sizeof(value), "SIP/2.0/UDP %s;x", name);
		length = write_message(text, VIA, value);
		named = host_in(sip_guard_end(text, length), length, VIA);
		cr_expect_eq(named.found, size < 8 * SIP_HOST_WORDS, "%d bytes", size);
		cr_expect_eq(sip_host_hash(name, KEY, &hash), named.found, "%d bytes", size);
		if (named.found)
			cr_expect(named.hash == hash_of_host(name) && named.hash == hash, "%d bytes", size);
	}
}

/* --- hosts in every spelling */

static void append(char *text, const char *part)
{
	strcat(text, part);
}

static void append_space(struct rng *rng, char *text)
{
	static const char *const spaces[] = {" ", "\t", "  ", "\r\n ", "\n\t", " \r\n  "};

	if (rng_percent(rng, 30))
		append(text, spaces[rng_below(rng, COUNT(spaces))]);
}

static void random_name(struct rng *rng, char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	int length = 1 + rng_below(rng, 40), i;

	name[0] = 'a' + rng_below(rng, 26);
	for (i = 1; i < length; i++)
		name[i] = i % 9 == 8 ? '.' : letters[rng_below(rng, sizeof(letters) - 1)];
	name[i - (name[i - 1] == '.')] = 0;
}

static void spell_name(struct rng *rng, const char *name, char *text)
{
	int i;

	for (i = 0; name[i]; i++)
		text[i] = rng_percent(rng, 50) ? toupper(name[i]) : name[i];
	strcpy(text + i, rng_percent(rng, 30) ? "." : "");
}

static void spell_ipv4(struct rng *rng, const uint8_t byte[4], char *text)
{
	static const char *const formats[] = {"%u", "%02u", "%03u"};

	*text = 0;
	for (int i = 0; i < 4; i++) {
		text += sprintf(text, rng_percent(rng, 80) ? "%u" : formats[rng_below(rng, 3)], byte[i]);
		if (i < 3)
			text += sprintf(text, ".");
	}
}

/* Writes the address with or without "::" for any run of zeros, and with the last two groups in hexadecimal or as
 * IPv4. */
static void spell_ipv6(struct rng *rng, const uint8_t byte[16], char *text)
{
	static const char *const formats[] = {"%x", "%X", "%04x", "%03X"};
	uint32_t groups = rng_percent(rng, 30) ? 6 : 8, begin = rng_below(rng, groups + 1), end = begin;

	while (end < groups && !byte[2 * end] && !byte[2 * end + 1])
		end++;
	*text = 0;
	for (uint32_t i = 0; i < groups; i++) {
		if (i == begin && end > begin) {
			text += sprintf(text, i ? ":" : "::");
			i = end - 1;
			continue;
		}
		text += sprintf(text, formats[rng_below(rng, 4)], byte[2 * i] << 8 | byte[2 * i + 1]);
		if (i < 7)
			text += sprintf(text, ":");
	}
	if (groups == 6)
		spell_ipv4(rng, byte + 12, text);
}

/* A host and its expected hash. */
struct host {
	enum {
		NAME,
		IPV4,
		IPV6
	} kind;
	char name[64];
	uint8_t byte[16];
	uint64_t hash;
};

static struct host random_host(struct rng *rng)
{
	struct host host = {.kind = rng_below(rng, 3)};
	struct address address = {};

	random_name(rng, host.name);
	for (int i = 0; i < 16; i++)
		host.byte[i] = rng_bits(rng);
	for (int i = 0; i < 16; i += 2) {
		if (rng_percent(rng, 50))
			host.byte[i] = 0;
		if (rng_percent(rng, 50))
			host.byte[i] = host.byte[i + 1] = 0;
	}
	if (host.kind == NAME) {
		host.hash = hash_of_host(host.name);
		return host;
	}
	memcpy(&address, host.byte, sizeof(address));
	if (host.kind == IPV4)
		address = (struct address){.word = {0, 0, htonl(0xffff), address.word[0]}};
	host.hash = hash_source(&address, 0, KEY);
	return host;
}

static void spell_host(struct rng *rng, const struct host *host, char *text)
{
	char ipv6[64];

	switch (host->kind) {
	case NAME:
		spell_name(rng, host->name, text);
		break;
	case IPV4:
		spell_ipv4(rng, host->byte, text);
		break;
	case IPV6:
		spell_ipv6(rng, host->byte, ipv6);
		sprintf(text, "[%s]", ipv6);
	}
}

static void spell_via(struct rng *rng, const char *host, uint16_t port, char *text)
{
	static const char *const transports[] = {"UDP", "TCP", "TLS", "SCTP", "TLS-SCTP", "WS", "udp"};
	char number[8];

	*text = 0;
	append(text, rng_percent(rng, 80) ? "SIP" : "sip");
	append_space(rng, text);
	append(text, "/");
	append_space(rng, text);
	append(text, "2.0");
	append_space(rng, text);
	append(text, "/");
	append_space(rng, text);
	append(text, transports[rng_below(rng, COUNT(transports))]);
	append(text, " ");
	append_space(rng, text);
	append(text, host);
	if (port) {
		append_space(rng, text);
		append(text, ":");
		append_space(rng, text);
		sprintf(number, "%u", port);
		append(text, number);
	}
	append_space(rng, text);
	append(text, rng_percent(rng, 80) ? ";branch=z9hG4bK:1@x;received=[2001:db8::1]" : "");
}

static void spell_uri(struct rng *rng, const char *host, uint16_t port, char *text)
{
	static const char *const schemes[] = {"sip:", "sips:", "SIP:", "Sips:"};
	static const char *const users[] = {
		"", "", "bob@", "a.example:5060@", "x;y=z?a=b@", "%40%5b@", "+49(30)1:p;w@"};
	static const char *const tails[] = {"", ";lr", ";transport=udp;lr", "?Subject=x", ";maddr=192.0.2.9"};
	char number[8];

	*text = 0;
	append(text, schemes[rng_below(rng, COUNT(schemes))]);
	append(text, users[rng_below(rng, COUNT(users))]);
	append(text, host);
	if (port) {
		sprintf(number, ":%u", port);
		append(text, number);
	}
	append(text, tails[rng_below(rng, COUNT(tails))]);
}

static void spell_address(struct rng *rng, const char *uri, char *text)
{
	static const char *const names[] = {
		"", "", "Bob ", "Bob The. Builder ", "\"\"", "\"<sip:x@y>\\\", \\\\\" ", "\"B:b\"\r\n "};

	*text = 0;
	append_space(rng, text);
	append(text, names[rng_below(rng, COUNT(names))]);
	append(text, "<");
	append(text, uri);
	append(text, ">");
	append(text, rng_percent(rng, 50) ? ";x=\"<sip:y>\"" : "");
}

Test(sip_hosts, the_spelling_makes_no_difference)
{
	uint64_t seed = rng_seed();

	for (uint32_t n = 0; n < SPELLINGS; n++) {
		struct rng rng = rng_start(seed, n);
		struct host host = random_host(&rng);
		uint16_t port = rng_percent(&rng, 50) ? 1 + rng_below(&rng, 65535) : 0;
		enum where where = rng_below(&rng, REQUEST_URI + 1);
		char name[128], uri[256], value[512], text[TEXT];
		struct named named;
		int length;

		spell_host(&rng, &host, name);
		spell_uri(&rng, name, port, uri);
		if (where == VIA)
			spell_via(&rng, name, port, value);
		else if (where == ROUTE)
			spell_address(&rng, uri, value);
		else
			strcpy(value, uri);
		length = write_message(text, where, value);
		named = host_in(sip_guard_end(text, length), length, where);
		cr_assert(named.found && named.port == port && named.hash == host.hash,
			"SIPXDP_SEED=%lu, host %u: %s\n%s", seed, n, named.found ? "another one" : "not found", text);
	}
}

/* --- users */

static const struct user_row {
	const char *sentence;
	enum where where;
	const char *value;
	const char *user; /* NULL: none */
} user_rows[] = {
	{"a user", FROM, "<sip:alice@example.net>;tag=1", "alice"},
	{"a user in To", TO, "<sip:alice@example.net>", "alice"},
	{"a user in the Request-URI", REQUEST_URI, "sip:alice@example.net", "alice"},
	{"sips", FROM, "<SIPS:alice@example.net>", "alice"},
	{"case matters", FROM, "<sip:Alice@example.net>", "Alice"},
	{"a display name", FROM, "\"bob@x\" <sip:alice@example.net>", "alice"},
	{"without brackets", FROM, "sip:alice@example.net;tag=1", "alice"},
	{"a password", FROM, "<sip:alice:secret@example.net>", "alice"},
	{"an empty password", FROM, "<sip:alice:@example.net>", "alice"},
	{"parameters in the user", FROM, "<sip:alice;x=1?y@example.net>", "alice;x=1?y"},
	{"escapes", FROM, "<sip:%61lic%65@example.net>", "alice"},
	{"escapes in either case", FROM, "<sip:a%2Fb%2fc@example.net>", "a/b/c"},
	{"an escaped at sign, colon and percent sign", FROM, "<sip:a%40b%3Ac%25d@example.net>", "a@b:c%d"},
	{"a percent sign that escapes nothing", FROM, "<sip:a%zz%4@example.net>", "a%zz%4"},
	{"a user of eight letters", FROM, "<sip:abcdefgh@example.net>", "abcdefgh"},
	{"a user of nine letters", FROM, "<sip:abcdefghi@example.net>", "abcdefghi"},
	{"escapes across words", FROM, "<sip:abcdefg%68%69jklmnopq%72s@example.net>", "abcdefghijklmnopqrs"},
	{"a number", FROM, "<sip:+4930123@example.net;user=phone>", "+4930123"},
	{"tel", FROM, "<tel:+49-30-123>;tag=1", "+4930123"},
	{"tel with all separators", TO, "<tel:+49(30)1.2-3>", "+4930123"},
	{"tel with parameters", TO, "<tel:7042;phone-context=example.com>", "7042"},
	{"tel in the Request-URI", REQUEST_URI, "tel:+49-30-123", "+4930123"},
	{"tel without brackets", FROM, "tel:+4930-123;tag=1", "+4930123"},
	{"TEL", REQUEST_URI, "TEL:7042", "7042"},
	{"separators of a sip user count", FROM, "<sip:+49-30-123@example.net>", "+49-30-123"},
	{"the escaped user of RFC 4475 3.1.1.3", TO, "sip:%75se%72@example.com", "user"},
	{"the escaped user of RFC 4475 3.1.1.3, again", REQUEST_URI, "sip:sips%3Auser%40example.com@example.net",
		"sips:user@example.com"},
	{"no user", FROM, "<sip:example.net>", NULL},
	{"no user and a port", FROM, "<sip:example.net:5060>", NULL},
	{"no user and an IPv6 address", FROM, "<sip:[2001:db8::1]>", NULL},
	{"an empty user", FROM, "<sip:@example.net>", NULL},
	{"an empty user and a password", FROM, "<sip::secret@example.net>", NULL},
	{"no number", FROM, "<tel:>", NULL},
	{"an at sign in a header's parameter", FROM, "<sip:example.net>;x=a@b", NULL},
	{"a different scheme", FROM, "<mailto:alice@example.net>", NULL},
	{"no URI", FROM, "alice", NULL},
	{"nothing", FROM, "", NULL},
};

Test(sip_users, rows)
{
	for (size_t i = 0; i < COUNT(user_rows); i++) {
		const struct user_row *row = &user_rows[i];
		char text[TEXT];
		int length = write_message(text, row->where, row->value);
		struct named is = user_in(sip_guard_end(text, length), length, row->where);

		cr_expect_eq(is.found, row->user != NULL, "%s: %s", row->sentence, is.found ? "found" : "not found");
		if (is.found && row->user)
			cr_expect_eq(
				is.hash, hash_of_user(row->user, strlen(row->user)), "%s: another user", row->sentence);
		check_cuts(row->sentence, user_in, text, length, row->where);
	}
}

Test(sip_users, the_longest_user)
{
	for (int size = 1; size < 8 * SIP_USER_WORDS + 40; size++) {
		char user[128] = "", value[256], text[TEXT];
		struct named named;
		int length;

		memset(user, 'a', size);
		user[size - 1] = 'b';
		snprintf(value, sizeof(value), "<sip:%s@x>", user);
		length = write_message(text, FROM, value);
		named = user_in(sip_guard_end(text, length), length, FROM);
		cr_expect(named.found && named.hash == hash_of_user(user, size), "%d bytes", size);
	}
}

/* --- users in every spelling */

static size_t random_user(struct rng *rng, char *user)
{
	size_t length = 1 + rng_below(rng, rng_percent(rng, 80) ? 20 : 100);

	for (size_t i = 0; i < length; i++)
		user[i] = rng_percent(rng, 90) ? 'a' + rng_below(rng, 26) : 1 + rng_below(rng, 255);
	return length;
}

/* Writes the user with the required escapes, and with additional escapes anywhere. */
static void spell_user(struct rng *rng, const char *user, size_t length, char *text)
{
	for (size_t i = 0; i < length; i++) {
		if (isalnum((uint8_t)user[i]) && (uint8_t)user[i] < 0x80 && rng_percent(rng, 80))
			text += sprintf(text, "%c", user[i]);
		else
			text += sprintf(text, rng_percent(rng, 50) ? "%%%02x" : "%%%02X", (uint8_t)user[i]);
	}
	*text = 0;
}

static void spell_number(struct rng *rng, const char *number, char *text)
{
	static const char separators[] = "-.()";

	for (; *number; number++) {
		while (rng_percent(rng, 20))
			*text++ = separators[rng_below(rng, 4)];
		*text++ = *number;
	}
	*text = 0;
}

static void check_user(const char *name, enum where where, const char *uri, uint64_t hash)
{
	char value[TEXT], text[TEXT];
	struct named named;
	int length;

	snprintf(value, sizeof(value), where == REQUEST_URI ? "%s" : "<%s>", uri);
	length = write_message(text, where, value);
	named = user_in(sip_guard_end(text, length), length, where);
	cr_assert(
		named.found && named.hash == hash, "%s: %s\n%s", name, named.found ? "another one" : "not found", text);
}

Test(sip_users, the_spelling_makes_no_difference)
{
	uint64_t seed = rng_seed();

	for (uint32_t n = 0; n < SPELLINGS; n++) {
		struct rng rng = rng_start(seed, n);
		char user[128], number[32], spelt[400], uri[512], name[64];
		enum where where = REQUEST_URI + rng_below(&rng, 3);
		size_t length = random_user(&rng, user);

		snprintf(name, sizeof(name), "SIPXDP_SEED=%lu, user %u", seed, n);
		spell_user(&rng, user, length, spelt);
		snprintf(uri, sizeof(uri), "%s%s%s@example.net", rng_percent(&rng, 80) ? "sip:" : "SIPs:", spelt,
			rng_percent(&rng, 20) ? ":pass:%40" : "");
		check_user(name, where, uri, hash_of_user(user, length));

		snprintf(number, sizeof(number), "%s%lu", rng_percent(&rng, 50) ? "+" : "", rng_bits(&rng));
		spell_number(&rng, number, spelt);
		snprintf(uri, sizeof(uri), "tel:%s%s", spelt, rng_percent(&rng, 30) ? ";phone-context=+1-2" : "");
		check_user(name, where, uri, hash_of_user(number, strlen(number)));
	}
}
