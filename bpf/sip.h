/* SPDX-License-Identifier: GPL-2.0 */
/* Finds the Call-ID of a SIP message (RFC 3261 sections 7 and 20.8, RFC 4475) and
 * hashes its value. Works on the packet as it lies there: no copy, no state, nothing
 * beyond the end of the headers or of the datagram, a bounded number of steps.
 * Builds in the kernel and on the host.
 *
 * Eight bytes at a time. A word is compared with the one a byte further on, so that
 * one test says for eight places whether a newline is followed by a letter of
 * interest; most headers are passed without a branch. */
#pragma once

#include "hash.h"

#define SIP_HALF 32
#define SIP_STRIDE (2 * SIP_HALF) /* bytes looked at in one step */
#define SIP_PLAIN_STEPS 10        /* strides and candidates before the loop */
#define SIP_LOOP_HALVES 4         /* halves of a stride in a step of the loop */
#define SIP_LOOP_STEPS 64         /* more than SIP_BUDGET pays for */
#define SIP_BUDGET 136            /* what a search may spend, in halves of a stride, about 3 ns each */
#define SIP_COST_PLAIN 4          /* of a step in plain code */
#define SIP_COST_EXACT 3          /* of a half in which a line of interest may begin */
#define SIP_COST_CANDIDATE 3      /* of a line of interest, beside that */
#define SIP_COST_BLANKS 6         /* of blanks between a name and its colon */
#define SIP_MINIMUM 40            /* bytes; what is shorter is no SIP with a Call-ID */
#define SIP_METHOD_WORDS 8        /* 64 bytes for a method's name */
#define SIP_BLANK_WORDS 2         /* 16 bytes of blanks before a colon */
#define SIP_SPACE_WORDS 8         /* 64 bytes of white space before a value */
#define SIP_PLAIN_VALUE 48        /* bytes of a Call-ID that are read without looking for the text's end */
#define SIP_VALUE_WORDS 32        /* bytes of a Call-ID that count: 256 */
#define SIP_OFFSET_LIMIT 8192
#define SIP_MARGIN 64 /* no offset that we add to reaches the limit */

enum sip_result {
	SIP_FOUND,
	SIP_NOT_THERE, /* the headers end without it, or it is empty */
	SIP_TOO_FAR,   /* it is beyond what can be read or may be spent, or cut off */
	SIP_NOT_SIP,
};

/* A Call-ID's hash, and where in the frame its value lies. */
struct sip_key {
	__u64 hash_key[2]; /* asked */
	__u64 hash;
	__u32 value;
	__u32 value_end;
};

/* The message as the scanner reads it: `end` is never beyond data_end. */
struct sip_text {
	const __u8 *data;
	const __u8 *data_end;
	__u32 end;
	__u32 zero; /* is 0, and the verifier does not know it: see sip_forget */
};

#define EVERY(byte) (0x0101010101010101ULL * (byte))

/* Up to eight bytes as the scanner compares them, the first lowest. */
#define SIP_NAME(a, b, c, d, e, f, g, h)                                                                               \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | (__u64)(f) << 40 |    \
		(__u64)(g) << 48 | (__u64)(h) << 56)

/* The same offset, of which the verifier knows only that it is below SIP_OFFSET_LIMIT:
 * without this it follows every place where a candidate may be on its own. */
static __always_inline __u32 sip_forget(const struct sip_text *t, __u32 offset)
{
	return (offset + t->zero) & (SIP_OFFSET_LIMIT - 1);
}

/* Calls step(number, state) so many times, or until it returns 1. */
#ifdef __bpf__
#define sip_loop(steps, step, state) bpf_loop(steps, step, state, 0)
#else
static inline void sip_loop(__u32 steps, long (*step)(__u32, void *), void *state)
{
	for (__u32 i = 0; i < steps; i++) {
		if (step(i, state))
			break;
	}
}
#endif

static __always_inline __u64 load64(const __u8 *p)
{
#ifdef __bpf__
	return *(const __u64 *)p; /* memcpy would be eight loads */
#else
	__u64 word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
#endif
}

/* How many bytes of the text are left at an offset. The compiler must not compare the
 * two offsets instead: the verifier would learn something else about `end` each time. */
static __always_inline __s32 sip_room(const struct sip_text *t, __u32 offset)
{
	__s32 room = t->end - offset;

	asm volatile("" : "+r"(room));
	return room;
}

/* 0, of which the verifier knows nothing at all, and from which it learns nothing about
 * t->zero when it is compared. */
static __always_inline __u64 sip_zero(const struct sip_text *t)
{
	return t->zero * EVERY(0x01);
}

/* The eight bytes at an offset that is at most seven beyond the end of the text; those
 * beyond it are zero. */
static __always_inline __u64 sip_word(const struct sip_text *t, __u32 offset)
{
	__s64 missing = 8 - (__s64)sip_room(t, offset);
	const __u8 *p;

	if (missing > 0) {
		p = t->data + sip_forget(t, offset - missing);
		if (p + 8 > t->data_end)
			return sip_zero(t);
		return load64(p) >> (missing * 4) >> (missing * 4);
	}
	p = t->data + sip_forget(t, offset);
	if (p + 8 > t->data_end)
		return sip_zero(t);
	return load64(p);
}

/* Which byte has the lowest of the flags (bit 7 of a byte each)? 0 to 7. */
static __always_inline __u32 sip_first(__u64 flags)
{
	flags >>= 7;
	return (((flags - 1) & ~flags & EVERY(0x01)) * EVERY(0x01)) >> 56;
}

/* Flags the bytes above 0x20: all that is neither white space nor a line's end. */
static __always_inline __u64 sip_visible(__u64 word)
{
	return (((word & EVERY(0x7f)) + EVERY(0x5f)) | word) & EVERY(0x80);
}

/* A byte is zero where there is a newline and, in the word that begins a byte further on,
 * a byte with bit 4 clear that is no letter with bit 2: A, B, C, H to K in either case, and
 * what makes a blank line. Leaves out From and Max-Forwards, too. */
static __always_inline __u64 sip_line_start(const __u8 *p)
{
	__u64 next = load64(p + 1);

	return (load64(p) ^ EVERY('\n')) | (next & EVERY(0x10)) | (next & (next << 4) & EVERY(0x40));
}

/* Flags the zero bytes of a word. Above the lowest there may be false ones. */
static __always_inline __u64 sip_zeroes(__u64 word)
{
	return (word - EVERY(0x01)) & ~word & EVERY(0x80);
}

/* Bit 7 is clear in a byte where sip_line_start is zero, and in a few others: behind a byte
 * below 0x0c or above 0x8b, digits and what is below 0x20 count as letters of interest. What
 * is added to the first word lets a newline (0x0a) stay below 0x80 even with a carry from the
 * byte before; the second sum is below 0x80 for a letter with neither bit 4 nor bit 2, and for
 * what has no bit 6. This is what most of a message is passed with. */
static __always_inline __u64 sip_no_line(const __u8 *p)
{
	return (load64(p) + EVERY(0x74)) | ((load64(p + 1) & EVERY(0x54)) + EVERY(0x3c));
}

#define SIP_LINE_OTHER 0
#define SIP_LINE_BLANK 1

/* Is this "Call-ID:" in any case, as nearly everybody writes it? */
static __always_inline bool sip_is_call_id(__u64 word)
{
	return (word | SIP_NAME(' ', ' ', ' ', ' ', 0, ' ', ' ', 0)) ==
	       SIP_NAME('c', 'a', 'l', 'l', '-', 'i', 'd', ':');
}

/* What does a line begin with, of which this is the first word? Another header, the blank
 * line that ends the headers, or what may be a Call-ID: the length of its name and of the
 * newline before it. */
static __always_inline __u32 sip_classify(__u64 word)
{
	/* "call-id" with bit 5 set in the letters and in nothing else. */
	const __u64 letters = 0x0020200020202020ULL, name = 0x0064692d6c6c6163ULL;
	__u8 first = word, second = word >> 8;

	if (!(((word | letters) ^ name) << 8))
		return 1 + sizeof("Call-ID") - 1;
	if ((first | 0x20) == 'i' && (second == ':' || second <= ' '))
		return 1 + sizeof("i") - 1;
	return first == '\r' || first == '\n' ? SIP_LINE_BLANK : SIP_LINE_OTHER;
}

/* Flags the bytes that are equal to one. Unlike sip_zeroes, all flags are true. */
static __always_inline __u64 sip_equal(__u64 word, __u8 byte)
{
	word ^= EVERY(byte);
	return ~(((word & EVERY(0x7f)) + EVERY(0x7f)) | word) & EVERY(0x80);
}

/* The first visible byte from an offset on; t->end if there is none in reach. */
static __always_inline __u32 sip_skip_space(const struct sip_text *t, __u32 at)
{
	for (int i = 0; i < SIP_SPACE_WORDS; i++) {
		__u64 visible = sip_visible(sip_word(t, at));

		if (visible)
			return at + sip_first(visible);
		at = sip_forget(t, at + 8);
		if (sip_room(t, at) <= 0)
			break;
	}
	return t->end;
}

/* The colon of the header whose name ends at `at`: RFC 3261 section 25.1 has HCOLON begin
 * with blanks on the same line. 0 if something else is there, t->end if it is not in reach. */
static __always_inline __u32 sip_colon(const struct sip_text *t, __u32 at)
{
	for (int i = 0; i < SIP_BLANK_WORDS; i++) {
		__u64 word = sip_word(t, at);
		__u64 other = ~(sip_equal(word, ' ') | sip_equal(word, '\t')) & EVERY(0x80);
		__u32 first = sip_first(other);

		if (other)
			return (__u8)(word >> (first * 8)) == ':' ? at + first : 0;
		at = sip_forget(t, at + 8);
		if (sip_room(t, at) <= 0)
			break;
	}
	return t->end;
}

/* The value behind a colon: after white space, in which a line may be folded (its end is
 * followed by a blank). 0 if it is empty, t->end where the text is over before that is known. */
static __always_inline __u32 sip_value(const struct sip_text *t, __u32 colon)
{
	__u32 at = colon + 1;

	for (int i = 0; i < SIP_SPACE_WORDS; i++) {
		__u64 word = sip_word(t, at), word_after = sip_word(t, at + 1);
		__u64 visible = sip_visible(word), before = (visible & -visible) - 1;
		__u64 folded = sip_equal(word_after, ' ') | sip_equal(word_after, '\t');
		__u64 over = sip_equal(word_after, '\0'); /* the text ends there */

		if (sip_equal(word, '\n') & before & ~folded & ~over)
			return 0;
		if (visible)
			return at + sip_first(visible);
		at = sip_forget(t, at + 8);
		if (sip_room(t, at) <= 0)
			break;
	}
	return t->end;
}

/* Eight bytes of which those beyond the text's end may be anything. */
static __always_inline __u64 sip_raw_word(const struct sip_text *t, __u32 offset)
{
	const __u8 *p = t->data + (offset & (SIP_OFFSET_LIMIT - 1));

	return p + 8 <= t->data_end ? load64(p) : sip_word(t, offset);
}

/* Hashes the value: all up to the next white space, of which SIP_VALUE_WORDS words
 * count. Returns its end; t->end or more means that it is cut off, and the hash void. */
static __always_inline __u32 sip_hash_value(const struct sip_text *t, __u32 at, struct hash *hash)
{
	for (int i = 0; i < SIP_VALUE_WORDS; i++) {
		__u64 word = sip_raw_word(t, at);
		__u64 space = ~sip_visible(word) & EVERY(0x80);

		if (space) {
			hash_word(hash, word & (((space & -space) >> 7) - 1));
			return at + sip_first(space);
		}
		hash_word(hash, word);
		at = (at + 8) & (SIP_OFFSET_LIMIT - 1);
		if (sip_room(t, at) <= 0)
			break;
	}
	return at;
}

/* Where the first line of interest begins in half a stride; SIP_HALF if none does. */
static __always_inline __u32 sip_first_line(const __u8 *p)
{
	for (__u32 at = 0; at < SIP_HALF; at += 8) {
		__u64 lines = sip_zeroes(sip_line_start(p + at));

		if (lines)
			return at + sip_first(lines);
	}
	return SIP_HALF;
}

/* May a line of interest begin in this half of a stride? */
static __always_inline bool sip_has_line(const __u8 *p)
{
	return (sip_no_line(p) & sip_no_line(p + 8) & sip_no_line(p + 16) & sip_no_line(p + 24) & EVERY(0x80)) !=
	       EVERY(0x80);
}

/* The state of a search. Members that change are 64 bits wide: of those that share a place on
 * the stack the verifier knows something else after each write. */
struct sip_call_id_search {
	struct sip_text text;
	__u64 at;
	__u64 colon;
	__u64 result; /* enum sip_result */
	__u64 spent;  /* at most SIP_BUDGET, and what one step costs */
};

/* Moves s->at to the next newline of interest, if one is in reach of a step, and adds the costs.
 * Bytes between the text's end and data_end may be read, too. Near data_end every newline is one
 * of interest. */
static __always_inline bool sip_next_candidate(struct sip_call_id_search *s)
{
	const struct sip_text *t = &s->text;
	__u32 at = sip_forget(t, s->at), cost = 0, length;
	bool found = false;

	for (int i = 0; i < SIP_LOOP_HALVES && !found && sip_room(t, at) > 0; i++) {
		const __u8 *p = t->data + at;

		cost++;
		if (p + SIP_HALF + 8 > t->data_end) {
			__u64 newline = sip_zeroes(sip_word(t, at) ^ EVERY('\n'));

			found = newline;
			length = found ? sip_first(newline) : 8;
		} else if (!sip_has_line(p)) {
			length = SIP_HALF;
		} else {
			/* Reads again what was read so far, rather than keep it on the stack. */
			asm volatile("" : "+r"(p));
			cost += SIP_COST_EXACT;
			length = sip_first_line(p);
			found = length != SIP_HALF;
		}
		at = sip_forget(t, at + length);
	}
	s->at = at;
	s->spent = sip_forget(t, s->spent + cost);
	return found;
}

/* Ends the search when it returns 1. */
static inline long sip_call_id_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_call_id_search *s = state;
	const struct sip_text *t = &s->text;
	bool found = sip_next_candidate(s);
	__u32 line, at = s->at;
	__u64 word;

	s->at = sip_forget(t, at + found);
	if (sip_room(t, s->at) <= 0)
		return 1;
	if (!found)
		return s->spent >= SIP_BUDGET;
	word = sip_raw_word(t, s->at);
	line = sip_classify(word);
	if (line == SIP_LINE_BLANK) {
		s->result = sip_forget(t, SIP_NOT_THERE);
		return 1;
	}
	s->spent = sip_forget(t, s->spent + SIP_COST_CANDIDATE);
	if (line == SIP_LINE_OTHER)
		return s->spent >= SIP_BUDGET;
	s->colon = sip_forget(t, at + line);
	if ((__u8)(word >> (line * 8 - 8)) != ':') {
		s->spent = sip_forget(t, s->spent + SIP_COST_BLANKS);
		s->colon = sip_forget(t, sip_colon(t, s->colon));
	}
	if (!s->colon)
		return s->spent >= SIP_BUDGET;
	s->result = sip_forget(t, SIP_FOUND);
	return 1;
}

/* Finds the line of the first Call-ID; `colon` becomes the offset of its colon. `spent`: what the
 * steps before have cost. */
static __always_inline enum sip_result sip_find_from(const struct sip_text *t, __u32 at, __u32 spent, __u32 *colon)
{
	struct sip_call_id_search search = {.text = *t};

	search.at = sip_forget(t, at);
	search.colon = sip_forget(t, 0);
	search.result = sip_forget(t, SIP_TOO_FAR);
	search.spent = sip_forget(t, spent);
	if (sip_room(t, search.at) <= 0)
		return SIP_TOO_FAR;
	sip_loop(SIP_LOOP_STEPS, sip_call_id_step, &search);
	*colon = search.colon;
	return search.result;
}

/* The same, the first steps in plain code as long as nothing is anomaly: most messages need
 * no others. Whatever these steps cannot decide is left to the loop. */
static __always_inline enum sip_result sip_find_call_id(const struct sip_text *t, __u32 at, __u32 *colon)
{
	__u32 step;

	for (step = 0; step < SIP_PLAIN_STEPS; step++) {
		const __u8 *p = t->data + at;
		__u32 first;
		__u64 word;

		if (p + SIP_STRIDE + 8 > t->data_end)
			break;
		if (!sip_has_line(p)) {
			at += SIP_HALF;
			p += SIP_HALF;
			if (!sip_has_line(p)) {
				at = (at + SIP_HALF) & (SIP_OFFSET_LIMIT - 1);
				continue;
			}
		}
		asm volatile("" : "+r"(p)); /* as in sip_next_candidate */
		first = sip_first_line(p);
		at = (at + first) & (SIP_OFFSET_LIMIT - 1);
		if (first == SIP_HALF)
			continue;
		word = sip_raw_word(t, at + 1);
		if (sip_is_call_id(word) && sip_room(t, at + 1) > 0) {
			*colon = at + sizeof("Call-ID");
			return SIP_FOUND;
		}
		if (sip_classify(word) != SIP_LINE_OTHER)
			break;
		at++;
	}
	return sip_find_from(t, at, step * SIP_COST_PLAIN, colon);
}

/* Does the text begin as a start-line does: printable characters and one space? */
static __always_inline bool sip_begins(const struct sip_text *t, __u32 at)
{
	for (int i = 0; i < SIP_METHOD_WORDS; i++) {
		__u64 word = sip_word(t, at);
		__u64 space = ~sip_visible(word) & EVERY(0x80);
		__u64 before = (space & -space) - 1;

		if (space)
			return !(word & before & EVERY(0x80)) && (i || space != 0x80) &&
			       (__u8)(word >> (sip_first(space) * 8)) == ' ';
		if (word & EVERY(0x80))
			return false;
		at = sip_forget(t, at + 8);
	}
	return false;
}

/* The part of the frame that may be read as text. */
static __always_inline struct sip_text sip_text(const __u8 *data, const __u8 *data_end, __u32 end, __u32 zero)
{
	struct sip_text text = {.data = data, .data_end = data_end, .end = end, .zero = zero};

	if (text.end > data_end - data)
		text.end = data_end - data;
	if (text.end > SIP_OFFSET_LIMIT - SIP_MARGIN)
		text.end = SIP_OFFSET_LIMIT - SIP_MARGIN;
	text.end = sip_forget(&text, text.end);
	return text;
}

/* Moves `start` over empty lines to the start-line; false if there is none. */
static __always_inline bool sip_start(const struct sip_text *t, __u32 *start)
{
	if (*start >= SIP_OFFSET_LIMIT - SIP_MARGIN)
		return false;
	*start = sip_forget(t, *start);
	if (*start + SIP_MINIMUM > t->end)
		return false;
	*start = sip_skip_space(t, *start);
	return sip_begins(t, *start);
}

/* Does a start-line begin here, with a method of up to seven letters or the version of a
 * response? What this denies may be one all the same: sip_start knows. */
static __always_inline bool sip_begins_plainly(const struct sip_text *t, __u32 start)
{
	const __u8 *p = t->data + (start & (SIP_OFFSET_LIMIT - 1));
	__u64 word, space;

	if (start + SIP_MINIMUM > t->end || p + 8 > t->data_end)
		return false;
	word = load64(p);
	space = ~sip_visible(word) & EVERY(0x80);
	space &= -space;
	return space > 0x80 && !(word & EVERY(0x80) & (space - 1)) &&
	       (word & (space >> 7) * 0xff) == (space >> 7) * ' ';
}

/* Finds the Call-ID of the message that begins at `start`. When SIP_FOUND, *colon is the
 * offset of the colon behind the header's name: what sip_hash wants. */
static __always_inline enum sip_result sip_find(struct sip_text text, __u32 start, __u32 *colon)
{
	if (!sip_begins_plainly(&text, start) && !sip_start(&text, &start))
		return SIP_NOT_SIP;
	return sip_find_call_id(&text, start & (SIP_OFFSET_LIMIT - 1), colon);
}

/* Hashes the value of the header whose colon is at `colon`. */
static __always_inline enum sip_result sip_hash(struct sip_text text, __u32 colon, struct sip_key *key)
{
	struct hash hash = hash_start(key->hash_key);

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	key->value = sip_value(&text, sip_forget(&text, colon));
	if (!key->value)
		return SIP_NOT_THERE;
	key->value_end = sip_hash_value(&text, sip_forget(&text, key->value), &hash);
	if (key->value_end >= text.end)
		return SIP_TOO_FAR;
	key->hash = hash_finish(hash, key->hash_key);
	return SIP_FOUND;
}

/* The same for a value as nearly everybody writes it: behind one space, shorter than
 * SIP_PLAIN_VALUE bytes, and not close to the end of the text. False: it may be something
 * else, ask sip_hash. */
static __always_inline bool sip_hash_plainly(const struct sip_text *t, __u32 colon, struct sip_key *key)
{
	__u32 at = (colon + 1) & (SIP_OFFSET_LIMIT - 1);
	struct hash hash = hash_start(key->hash_key);
	const __u8 *p = t->data + at;

	if (at + 1 + SIP_PLAIN_VALUE > t->end || p + 1 + SIP_PLAIN_VALUE > t->data_end)
		return false;
	if (p[0] != ' ' || p[1] <= ' ')
		return false;
	for (__u32 i = 0; i < SIP_PLAIN_VALUE; i += 8) {
		__u64 word = load64(p + 1 + i), space = ~sip_visible(word) & EVERY(0x80);

		if (space) {
			hash_word(&hash, word & (((space & -space) >> 7) - 1));
			key->hash = hash_finish(hash, key->hash_key);
			key->value = at + 1;
			key->value_end = at + 1 + i + sip_first(space);
			return true;
		}
		hash_word(&hash, word);
	}
	return false;
}

/* The hash of the Call-ID of the message that begins at `start`. */
static __always_inline enum sip_result sip_call_id(struct sip_text text, __u32 start, struct sip_key *key)
{
	__u32 colon = 0;
	enum sip_result result = sip_find(text, start, &colon);

	if (result != SIP_FOUND || sip_hash_plainly(&text, colon, key))
		return result;
	return sip_hash(text, colon, key);
}

/* Does a response begin so, with "SIP/2.0 " in any case? */
static __always_inline bool sip_is_version(__u64 word)
{
	return (word | EVERY(' ')) == SIP_NAME('s', 'i', 'p', '/', '2', '.', '0', ' ');
}

/* The method of a request whose start-line begins with these 16 bytes. Methods are case-sensitive
 * (RFC 3261 section 7.1), but servers are not: Kamailio takes "register" for REGISTER. No character
 * but a letter becomes a letter without bit 5. */
static __always_inline enum method sip_method_of(__u64 word, __u64 word_after)
{
	__u64 space = sip_zeroes(word ^ EVERY(' '));
	__u64 text = space ? word & (((space & -space) >> 7) - 1) : word, name = text & ~EVERY(0x20);

	if (name == SIP_NAME('R', 'E', 'G', 'I', 'S', 'T', 'E', 'R'))
		return (__u8)word_after == ' ' ? METHOD_REGISTER : METHOD_OTHER;
	if (name == SIP_NAME('S', 'U', 'B', 'S', 'C', 'R', 'I', 'B'))
		return ((word_after & ~0x20) & 0xffff) == ('E' | ' ' << 8) ? METHOD_SUBSCRIBE : METHOD_OTHER;
	switch (name) {
	case SIP_NAME('I', 'N', 'V', 'I', 'T', 'E', 0, 0):
		return METHOD_INVITE;
	case SIP_NAME('A', 'C', 'K', 0, 0, 0, 0, 0):
		return METHOD_ACK;
	case SIP_NAME('B', 'Y', 'E', 0, 0, 0, 0, 0):
		return METHOD_BYE;
	case SIP_NAME('C', 'A', 'N', 'C', 'E', 'L', 0, 0):
		return METHOD_CANCEL;
	case SIP_NAME('O', 'P', 'T', 'I', 'O', 'N', 'S', 0):
		return METHOD_OPTIONS;
	case SIP_NAME('P', 'R', 'A', 'C', 'K', 0, 0, 0):
		return METHOD_PRACK;
	case SIP_NAME('N', 'O', 'T', 'I', 'F', 'Y', 0, 0):
		return METHOD_NOTIFY;
	case SIP_NAME('P', 'U', 'B', 'L', 'I', 'S', 'H', 0):
		return METHOD_PUBLISH;
	case SIP_NAME('I', 'N', 'F', 'O', 0, 0, 0, 0):
		return METHOD_INFO;
	case SIP_NAME('R', 'E', 'F', 'E', 'R', 0, 0, 0):
		return METHOD_REFER;
	case SIP_NAME('M', 'E', 'S', 'S', 'A', 'G', 'E', 0):
		return METHOD_MESSAGE;
	case SIP_NAME('U', 'P', 'D', 'A', 'T', 'E', 0, 0):
		return METHOD_UPDATE;
	}
	return sip_is_version(text) ? METHOD_NONE : METHOD_OTHER;
}

/* The method of the message that begins at `start`; METHOD_NONE for what is no request. */
static __always_inline enum method sip_method(struct sip_text text, __u32 start)
{
	if (!sip_start(&text, &start))
		return METHOD_NONE;
	return sip_method_of(sip_word(&text, start), sip_word(&text, start + 8));
}
