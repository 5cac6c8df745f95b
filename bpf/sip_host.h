/* SPDX-License-Identifier: GPL-2.0 */
/* Hashes the hosts in a SIP message and reads their ports. A host is a name or an address, in any valid form. The
 * notes in sip_headers.h about loops and the verifier also apply here. */
#pragma once

#include "sip_value.h"

#ifndef __bpf__
#include <stdio.h>
#include <string.h>
#endif

#define SIP_HOST_WORDS 32 /* the name of a host is shorter than 256 bytes */
#define SIP_IPV6_GROUPS 8
#define HINT_PARAMETERS 8 /* parameters after a host that are compared with hints */
#define SIP_COST_NAME 5   /* one word of a name */
#define SIP_COST_IPV6 6   /* one group of an IPv6 address */

/* A host in a message. An address is hashed as 16 bytes, so that all text forms of an address have the same hash. A
 * name is hashed like a Call-ID, without a final dot. Before a name is hashed, bit 5 is set in each byte: this
 * converts letters to lower case (and changes the underscore). */
struct sip_host {
	__u64 hash_key[2]; /* set by the caller */
	__u64 hash;
	__be16 port; /* 0: the message contains no port */
};

/* The hash of an address. */
static inline __u64 sip_hash_address(const struct address *address, const __u64 hash_key[2])
{
	return hash_source(address, 0, hash_key);
}

/* Flags the bytes that are not from `first` to `last`, both below 0x80. */
static __always_inline __u64 sip_not_in(__u64 word, __u8 first, __u8 last)
{
	__u64 low = word & EVERY(0x7f);

	return (~(low + EVERY(0x80 - first)) | (low + EVERY(0x7f - last)) | word) & EVERY(0x80);
}

/* Flags the bytes that are neither letters nor digits. */
static __always_inline __u64 sip_no_letter_or_digit(__u64 word)
{
	return sip_not_in(word, '0', '9') & sip_not_in(word | EVERY(0x20), 'a', 'z');
}

/* Flags the bytes that are neither letters nor digits nor - . _ */
static __always_inline __u64 sip_no_name(__u64 word)
{
	return sip_no_letter_or_digit(word) & sip_not_in(word, '-', '.') & (~sip_equal(word, '_') & EVERY(0x80));
}

/* The state while the name of a host is read. */
struct sip_name {
	struct sip_text text;
	__u64 at;
	struct hash hash;
	__u64 result; /* enum sip_result */
};

/* Hashes the bytes of `word`, which is at `at`, before the first flag in `ends`. Returns whether the name has ended. */
static __always_inline long sip_take_word(struct sip_name *n, __u32 at, __u64 word, __u64 ends)
{
	const struct sip_text *t = &n->text;

	word |= EVERY(0x20);
	n->at = sip_forget(t, at + (ends ? sip_first(ends) : 8));
	if (ends) {
		word &= ((ends & -ends) >> 7) - 1;
		n->result = sip_forget(t, SIP_FOUND);
	}
	hash_word(&n->hash, word);
	return ends || sip_room(t, n->at) <= 0;
}

static inline long sip_name_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_name *n = state;
	const struct sip_text *t = &n->text;
	__u32 at = sip_forget(t, n->at);
	__u64 word = sip_word(t, at), ends = sip_no_name(word);

	/* Is a dot the last byte of both the word and the name? */
	if (!ends && word >> 56 == '.')
		ends = sip_no_name(sip_word(t, sip_forget(t, at + 1))) & 1ULL << 63;
	else
		ends |= ends >> 8 & sip_equal(word, '.');
	return sip_take_word(n, at, word, ends);
}

/* Hashes the name at *at, and moves *at past it. */
static __always_inline bool sip_hash_name(
	const struct sip_text *t, __u32 *at, const __u64 hash_key[2], __u64 *hash, __u16 *left)
{
	struct sip_name name = {.text = *t, .at = *at, .hash = hash_start(hash_key)};

	name.result = sip_forget(t, SIP_NOT_THERE);
	t = &name.text; /* avoids a second copy on the stack */
	sip_loop_paid(left, SIP_COST_NAME, SIP_HOST_WORDS, sip_name_step, &name);
	if (name.at == *at || name.result != SIP_FOUND)
		return false;
	*hash = hash_finish(name.hash, hash_key);
	*at = sip_forget(t, name.at);
	*at += sip_byte(t, *at) == '.';
	return true;
}

/* Flags the bytes that end a host with its port, or a parameter of a URI or a Via. */
static __always_inline __u64 sip_ends_part(__u64 word)
{
	return sip_equal(word, ';') | sip_equal(word, ',') | sip_equal(word, '>') | sip_equal(word, '?') |
	       (~sip_visible(word) & EVERY(0x80));
}

/* A text that sip_part hashes. */
enum sip_part_kind {
	SIP_HOST_OR_PARAMETER,
	SIP_TAG_PREFIX, /* letters and digits, and the byte after them */
};

struct sip_part {
	struct sip_name name;
	__u64 tag; /* SIP_TAG_PREFIX: ~0, otherwise 0 */
};

static inline long sip_part_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_part *p = state;
	__u32 at = sip_forget(&p->name.text, p->name.at);
	__u64 word = sip_word(&p->name.text, at);
	__u64 ends = sip_ends_part(word) | (sip_no_letter_or_digit(word) & p->tag);

	return sip_take_word(&p->name, at, word, ends);
}

/* Hashes a host with its port, a parameter, or the prefix of a tag, at *at, like the name of a host. Moves *at past the
 * byte that ends it, and returns this byte: a semicolon is followed by a parameter. 0: the text ends before, and *hash
 * is not valid. The hash of a prefix also covers this byte and the word "tag": no host or parameter has the same hash.
 */
static __always_inline __u8 sip_part(
	struct sip_text text, __u32 *at, enum sip_part_kind kind, const __u64 hash_key[2], __u64 *hash, __u16 *left)
{
	struct sip_part part = {.name = {.text = text, .at = *at, .hash = hash_start(hash_key)}, .tag = -(__u64)kind};
	const struct sip_text *t = &part.name.text; /* avoids a second copy on the stack */
	__u8 last;

	if (t->end < SIP_MINIMUM)
		return 0;
	part.name.result = sip_forget(t, SIP_TOO_FAR);
	sip_loop_paid(left, SIP_COST_NAME, SIP_HOST_WORDS, sip_part_step, &part);
	*at = sip_forget(t, part.name.at + 1);
	if (part.name.result != SIP_FOUND || sip_room(t, *at) <= 0)
		return 0;
	last = sip_byte(t, part.name.at);
	if (part.tag)
		hash_word(&part.name.hash, SIP_NAME(last, 't', 'a', 'g', 0, 0, 0, 0));
	*hash = hash_finish(part.name.hash, hash_key);
	return last;
}

/* Reads the IPv4 address at *at, in host order: four numbers of one to three digits. The code has no branches: an
 * error sets the sign of `wrong`. */
static __always_inline bool sip_ipv4(const struct sip_text *t, __u32 *at, __u64 *ipv4)
{
	__u64 word = sip_word(t, *at), rest = sip_word(t, sip_forget(t, *at + 8)), address = 0, wrong = 0;

	for (int i = 0; i < 4; i++) {
		__u64 length = sip_first(sip_no_digits(word)), bits = 8 * length;
		__u64 digits = word << ((24 - bits) & 63); /* leading zeros */

		digits = (digits & 0xf) * 100 + (digits >> 8 & 0xf) * 10 + (digits >> 16 & 0xf);
		address = address << 8 | digits;
		wrong |= (length - 1) | (3 - length) | (255 - digits);
		*at += length;
		if (i == 3)
			break;
		wrong |= -((word >> (bits & 63) & 0xff) ^ '.');
		bits = (bits + 8) & 63;
		word = word >> bits | rest << ((64 - bits) & 63);
		rest >>= bits;
		*at += 1;
	}
	*at = sip_forget(t, *at);
	*ipv4 = address;
	return (__s64)wrong >= 0;
}

/* The state while an IPv6 address is read: groups are shifted in from the right. */
struct sip_ipv6 {
	struct sip_text text;
	__u64 at;
	__u64 groups; /* read so far */
	__u64 high, low;
	__u64 gap;    /* groups before "::", or SIP_NO_GAP */
	__u64 gap_at; /* the offset after "::"; without a gap, the offset of the address */
	__u64 result; /* enum sip_result */
};

#define SIP_NO_GAP 15

/* Adds a group, or the two groups of an IPv4 address. */
static __always_inline void sip_shift_in(struct sip_ipv6 *a, __u64 bits, __u32 groups)
{
	for (__u32 i = 0; i < groups; i++) {
		a->high = a->high << 16 | a->low >> 48;
		a->low = a->low << 16;
	}
	a->low |= bits;
	a->groups = sip_forget(&a->text, a->groups + groups);
}

/* Returns the value of up to four hexadecimal digits. */
static __always_inline __u64 sip_hex(__u64 word, __u32 length)
{
	__u64 digits = (word & EVERY(0x0f)) + (word >> 6 & EVERY(0x01)) * 9;

	digits = (digits << (8 * (4 - length))) & 0xffffffff; /* leading zeros */
	digits = (digits & 0x000f000f) << 4 | (digits >> 8 & 0x000f000f);
	return (digits << 8 | digits >> 16) & 0xffff;
}

/* Flags the bytes that are not hexadecimal digits. */
static __always_inline __u64 sip_no_hex(__u64 word)
{
	return sip_not_in(word, '0', '9') & sip_not_in(word | EVERY(0x20), 'a', 'f');
}

/* Records "::", whose second colon is at `colon`. False: it is the second "::". */
static __always_inline bool sip_begin_gap(struct sip_ipv6 *a, __u32 colon)
{
	if (sip_forget(&a->text, a->gap) != SIP_NO_GAP)
		return false;
	a->gap = sip_forget(&a->text, a->groups);
	a->at = a->gap_at = sip_forget(&a->text, colon + 1);
	return true;
}

/* Moves the groups before the gap to the left end of the address. */
static __always_inline void sip_end_gap(struct sip_ipv6 *a)
{
	__u32 behind = 16 * (a->groups - a->gap) & 127, wide = 16 * (SIP_IPV6_GROUPS - a->groups) & 127;
	__u64 high = a->high, low = a->low, keep_high, keep_low; /* the bits after the gap */

	keep_high = behind > 64 ? (1ULL << (behind & 63)) - 1 : 0;
	keep_low = behind >= 64 ? ~0ULL : (1ULL << (behind & 63)) - 1;
	a->high = high & keep_high;
	a->low = low & keep_low;
	high &= ~keep_high;
	low &= ~keep_low;
	if (wide >= 64) {
		a->high |= low << (wide & 63);
	} else {
		a->high |= high << wide | low >> 1 >> (63 - wide);
		a->low |= low << wide;
	}
}

/* Reads a group and the colons after it. SIP_FOUND: the closing bracket or an IPv4 address follows. */
static inline long sip_ipv6_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_ipv6 *a = state;
	const struct sip_text *t = &a->text;
	__u32 at = sip_forget(t, a->at);
	__u64 word = sip_word(t, at);
	__u32 length = sip_first(sip_no_hex(word));
	__u8 behind = word >> (8 * length & 63);

	if (sip_room(t, at) <= 0 || length > 4)
		return 1;
	if (behind == '.') {
		a->result = sip_forget(t, SIP_FOUND);
		return 1;
	}
	if (length)
		sip_shift_in(a, sip_hex(word, length), 1);
	else if (at != a->gap_at)
		return 1;
	a->at = at = sip_forget(t, at + length);
	if (behind == ']')
		a->result = sip_forget(t, SIP_FOUND);
	if (behind != ':')
		return 1;
	a->at = at = sip_forget(t, at + 1);
	return sip_byte(t, at) == ':' ? !sip_begin_gap(a, at) : !length;
}

/* Reads the IPv6 address after the bracket at *at, in any form (RFC 4291 section 2.2). */
static __always_inline bool sip_ipv6(const struct sip_text *t, __u32 *at, struct address *address, __u16 *left)
{
	struct sip_ipv6 a = {.text = *t};
	__u64 ipv4;

	a.at = sip_forget(t, *at + 1);
	a.groups = sip_forget(t, 0);
	a.gap = sip_forget(t, SIP_NO_GAP);
	a.gap_at = sip_forget(t, a.at);
	a.high = a.low = sip_zero(t);
	a.result = sip_forget(t, SIP_NOT_THERE);
	t = &a.text; /* avoids a second copy on the stack */
	sip_loop_paid(left, SIP_COST_IPV6, SIP_IPV6_GROUPS + 1, sip_ipv6_step, &a);
	*at = sip_forget(t, a.at);
	if (a.result != SIP_FOUND)
		return false;
	if (sip_byte(t, *at) != ']') {
		if (!sip_ipv4(t, at, &ipv4) || sip_byte(t, *at) != ']')
			return false;
		sip_shift_in(&a, ipv4, 2);
	}
	*at += 1;
	if (a.gap == SIP_NO_GAP ? a.groups != SIP_IPV6_GROUPS : a.groups >= SIP_IPV6_GROUPS)
		return false;
	if (a.gap != SIP_NO_GAP)
		sip_end_gap(&a);
	address->word[0] = __builtin_bswap32(a.high >> 32);
	address->word[1] = __builtin_bswap32(a.high);
	address->word[2] = __builtin_bswap32(a.low >> 32);
	address->word[3] = __builtin_bswap32(a.low);
	return true;
}

/* Can this byte follow a host or a port? */
static __always_inline bool sip_ends_host(__u8 byte)
{
	return byte <= ' ' || byte == ';' || byte == ',' || byte == '>' || byte == '?';
}

/* Reads the port after a host that ends at `at`. White space around the colon is allowed (RFC 3261 section
 * 25.1). False: the text there is invalid. */
static __always_inline bool sip_port(const struct sip_text *t, __u32 at, __be16 *port, __u16 *left)
{
	__u32 number = 0, colon = at, digits;
	__u64 word;
	__u8 behind;

	*port = 0;
	if (sip_byte(t, at) <= ' ' && sip_skip(t, &colon, left) == SIP_TOO_FAR)
		return false;
	colon = sip_forget(t, colon);
	if (sip_byte(t, colon) != ':')
		return sip_ends_host(sip_byte(t, at));
	at = colon + 1;
	if (sip_skip(t, &at, left) != SIP_FOUND)
		return false;
	at = sip_forget(t, at);
	word = sip_word(t, at);
	digits = sip_first(sip_no_digits(word));
	behind = word >> (8 * digits & 63);
	word = word << ((64 - 8 * digits) & 63); /* leading zeros */
	for (int i = 3; i < 8; i++)
		number = number * 10 + (word >> (8 * i) & 0xf);
	*port = __builtin_bswap16(number);
	if (!digits || digits > 5 || !number || number > 0xffff)
		return false;
	return sip_ends_host(behind) && sip_room(t, sip_forget(t, at + digits)) > 0;
}

/* Reads the host at *at if it is an IPv4 address, and moves *at past it. */
static __always_inline bool sip_ipv4_host(const struct sip_text *t, __u32 *at, struct address *address)
{
	__u32 end = *at;
	__u64 ipv4;

	if (sip_byte(t, end) > '9' || !sip_ipv4(t, &end, &ipv4) || !(sip_no_name(sip_word(t, end)) & 0x80))
		return false;
	*address = (struct address){.word = {0, 0, __builtin_bswap32(0xffff), __builtin_bswap32(ipv4)}};
	*at = end;
	return true;
}

/* Hashes the IPv6 address in brackets at *at, and moves *at past it. */
static __always_inline bool sip_hash_bracketed(const struct sip_text *t, __u32 *at, struct sip_host *host, __u16 *left)
{
	struct address address;

	if (!sip_ipv6(t, at, &address, left))
		return false;
	host->hash = sip_hash_address(&address, host->hash_key);
	return true;
}

/* Hashes any other host at *at, and moves *at past it. */
static __always_inline bool sip_hash_plain(const struct sip_text *t, __u32 *at, struct sip_host *host, __u16 *left)
{
	struct address address;

	if (!sip_ipv4_host(t, at, &address))
		return sip_hash_name(t, at, host->hash_key, &host->hash, left);
	host->hash = sip_hash_address(&address, host->hash_key);
	return true;
}

#ifndef __bpf__
/* Hashes a hint in text form: a name or an address, IPv6 with or without brackets; a parameter, such as ";node=px1"; or
 * the prefix of a tag, such as "tag=px1-". False: the text is none of them, or too long. */
static inline bool sip_host_hash(const char *text, const __u64 hash_key[2], __u64 *hash)
{
	struct sip_host host = {.hash_key = {hash_key[0], hash_key[1]}};
	char line[8 * SIP_HOST_WORDS + SIP_MINIMUM];
	int length = snprintf(line, sizeof(line), strchr(text, ':') && *text != '[' ? "[%s]" : "%s", text);
	struct sip_text line_text = sip_text((__u8 *)line, (__u8 *)line + sizeof(line), sizeof(line), 0);
	__u16 left = SIP_PACKET_BUDGET;
	__u32 end = 0;
	bool found;

	if (length >= 8 * SIP_HOST_WORDS)
		return false;
	memset(line + length, ' ', sizeof(line) - length);
	if (!strncmp(line, "tag=", 4))
		return sip_part(line_text, &(__u32){4}, SIP_TAG_PREFIX, hash_key, hash, &left);
	if (*line == ';')
		return sip_part(line_text, &(__u32){1}, SIP_HOST_OR_PARAMETER, hash_key, hash, &left);
	found = *line == '[' ? sip_hash_bracketed(&line_text, &end, &host, &left)
			     : sip_hash_plain(&line_text, &end, &host, &left);
	if (!found || end != (__u32)length)
		return false;
	*hash = host.hash;
	return true;
}
#endif

/* A host is read in three steps, because the stack of one function is too small. Each step returns SIP_FOUND or
 * SIP_NOT_THERE; SIP_NOT_THERE also means that the text is truncated. The first step reads an IPv6 address in
 * brackets at *at, and moves *at past it. It returns SIP_NOT_SIP if there is no bracket. */
static __always_inline enum sip_result sip_bracketed_host(
	struct sip_text text, __u32 *at, struct sip_host *host, __u16 *left)
{
	if (text.end < SIP_MINIMUM)
		return SIP_NOT_THERE;
	*at = sip_forget(&text, *at);
	if (sip_room(&text, *at) <= 0)
		return SIP_NOT_THERE;
	if (sip_byte(&text, *at) != '[')
		return SIP_NOT_SIP;
	return sip_hash_bracketed(&text, at, host, left) ? SIP_FOUND : SIP_NOT_THERE;
}

/* Reads a name or an IPv4 address. */
static __always_inline enum sip_result sip_plain_host(
	struct sip_text text, __u32 *at, struct sip_host *host, __u16 *left)
{
	if (text.end < SIP_MINIMUM)
		return SIP_NOT_THERE;
	*at = sip_forget(&text, *at);
	return sip_room(&text, *at) > 0 && sip_hash_plain(&text, at, host, left) ? SIP_FOUND : SIP_NOT_THERE;
}

/* Reads the port after a host that ends at `at`. */
static __always_inline enum sip_result sip_host_port(struct sip_text text, __u32 at, struct sip_host *host, __u16 *left)
{
	if (text.end < SIP_MINIMUM)
		return SIP_NOT_THERE;
	at = sip_forget(&text, at);
	return sip_room(&text, at) > 0 && sip_port(&text, at, &host->port, left) ? SIP_FOUND : SIP_NOT_THERE;
}

/* Reads the host at `at` and its port, in the three steps. */
static __always_inline enum sip_result sip_host(struct sip_text text, __u32 at, struct sip_host *host, __u16 *left)
{
	enum sip_result result = sip_bracketed_host(text, &at, host, left);

	if (result == SIP_NOT_SIP)
		result = sip_plain_host(text, &at, host, left);
	return result == SIP_FOUND ? sip_host_port(text, at, host, left) : result;
}
