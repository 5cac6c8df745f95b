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

#include "sip_start.h"

#define SIP_PLAIN_STEPS 10   /* strides and candidates before the loop */
#define SIP_LOOP_HALVES 4    /* halves of a stride in one step of the loop */
#define SIP_LOOP_STEPS 64    /* more than SIP_BUDGET pays for */
#define SIP_BUDGET 136       /* units that one search may spend, about 3 ns each */
#define SIP_COST_PLAIN 4     /* a step in plain code */
#define SIP_COST_EXACT 3     /* the exact test of half a stride, besides the unit for the half */
#define SIP_COST_CANDIDATE 3 /* a candidate line, besides that */
#define SIP_COST_BLANKS 6    /* blanks between a name and its colon */
#define SIP_PLAIN_VALUE 48   /* bytes of a Call-ID that are read without a test for the end of the text */
#define SIP_VALUE_WORDS 32   /* words of a Call-ID that count: 256 bytes */

/* A Call-ID's hash, and where in the frame its value lies. */
struct sip_key {
	__u64 hash_key[2]; /* asked */
	__u64 hash;
	__u16 value;
	__u16 value_end;
	__u16 spent; /* units, of a search beyond the plain steps; else 0 */
};

/* A byte is zero where there is a newline and, in the word that begins a byte further on,
 * a byte with bit 4 clear that is no letter with bit 2: A, B, C, H to K in either case, and
 * what makes a blank line. Leaves out From and Max-Forwards, too. */
static __always_inline __u64 sip_line_start(const __u8 *p)
{
	__u64 next = load64(p + 1);

	return (load64(p) ^ EVERY('\n')) | (next & EVERY(0x10)) | (next & (next << 4) & EVERY(0x40));
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
static __always_inline enum sip_result sip_find_from(const struct sip_text *t, __u32 at, __u32 *spent, __u32 *colon)
{
	struct sip_call_id_search search = {.text = *t};

	search.at = sip_forget(t, at);
	search.colon = sip_forget(t, 0);
	search.result = sip_forget(t, SIP_TOO_FAR);
	search.spent = sip_forget(t, *spent);
	if (sip_room(t, search.at) <= 0)
		return SIP_TOO_FAR;
	sip_loop(SIP_LOOP_STEPS, sip_call_id_step, &search);
	*colon = search.colon;
	*spent = search.spent;
	return search.result;
}

/* The same, the first steps in plain code as long as nothing is anomaly: most messages need
 * no others. Whatever these steps cannot decide is left to the loop. */
static __always_inline enum sip_result sip_find_call_id(const struct sip_text *t, __u32 at, __u32 *colon, __u32 *spent)
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
	*spent = step * SIP_COST_PLAIN;
	return sip_find_from(t, at, spent, colon);
}

/* Finds the Call-ID of the message that begins at `start`. When SIP_FOUND, *colon is the
 * offset of the colon behind the header's name: what sip_hash wants. */
static __always_inline enum sip_result sip_find(struct sip_text text, __u32 start, __u32 *colon, __u32 *spent)
{
	if (!sip_begins_plainly(&text, start) && !sip_start(&text, &start))
		return SIP_NOT_SIP;
	return sip_find_call_id(&text, start & (SIP_OFFSET_LIMIT - 1), colon, spent);
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
