/* SPDX-License-Identifier: GPL-2.0 */
/* Reads what else of a SIP message says whose it is: whether it opens something. Like
 * sip.h works on the packet as it lies there, never beyond the end of the headers or of
 * the datagram, with a bounded number of steps, and builds in the kernel and on the host.
 *
 * Steps are callbacks of bpf_loop, which the verifier goes through once for all of them.
 * Kernels before 6.7 do so with the state as it is before the first step, and take
 * branches that only a later one comes to for dead: states begin through sip_forget. */
#pragma once

#include "sip.h"

#define SIP_TOKENS 64    /* steps through a header's value */
#define SIP_SEEK_WORDS 4 /* 32 bytes looked at in one such step */

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

static __always_inline __u8 sip_byte(const struct sip_text *t, __u32 at)
{
	return sip_word(t, at);
}

/* --- finding a header */

/* Names of headers, in lower case. */
#define SIP_TO SIP_NAME('t', 'o', 0, 0, 0, 0, 0, 0)
#define SIP_FROM SIP_NAME('f', 'r', 'o', 'm', 0, 0, 0, 0)
#define SIP_VIA SIP_NAME('v', 'i', 'a', 0, 0, 0, 0, 0)
#define SIP_ROUTE SIP_NAME('r', 'o', 'u', 't', 'e', 0, 0, 0)

/* Members that change are 64 bits wide: of those that share a place on the stack the
 * verifier knows something else after each write. */
struct sip_search {
	struct sip_text text;
	__u64 name;
	__u64 at;
	__u64 colon;
	__u64 result; /* enum sip_result */
};

/* A byte is zero where there is a newline and, in the word that begins a byte further on,
 * the letter, in either case. */
static __always_inline __u64 sip_letter_line(const __u8 *p, __u64 letter)
{
	return (load64(p) ^ EVERY('\n')) | ((load64(p + 1) | EVERY(0x20)) ^ letter);
}

/* The same for CR, LF, and whatever is below 0x10 with them. */
static __always_inline __u64 sip_blank_line(const __u8 *p)
{
	return (load64(p) ^ EVERY('\n')) | (load64(p + 1) & EVERY(0xf0));
}

/* Flags newlines behind which a header with this first letter, or the blank line, begins.
 * The lowest flag is true. */
static __always_inline __u64 sip_lines(const __u8 *p, __u64 letter)
{
	return sip_zeroes(sip_letter_line(p, letter)) | sip_zeroes(sip_blank_line(p));
}

/* Where the first of them is in half a stride; SIP_HALF if there is none. */
static __always_inline __u32 sip_next_line(const __u8 *p, __u64 letter)
{
	__u64 a = sip_lines(p, letter), b = sip_lines(p + 8, letter);
	__u64 c = sip_lines(p + 16, letter), d = sip_lines(p + 24, letter);

	if (!(a | b | c | d))
		return SIP_HALF;
	if (a)
		return sip_first(a);
	if (b)
		return 8 + sip_first(b);
	return c ? 16 + sip_first(c) : 24 + sip_first(d);
}

/* How far it is to the next such newline, or to where the next step begins: SIP_STRIDE and
 * 8, which say that there is none. */
static __always_inline __u32 sip_letter_step(const struct sip_text *t, __u32 at, __u64 letter, bool *found)
{
	const __u8 *p = t->data + at;
	__u32 first;

	if (p + SIP_STRIDE + 8 > t->data_end) {
		__u64 newline = sip_zeroes(sip_word(t, at) ^ EVERY('\n'));

		*found = newline;
		return newline ? sip_first(newline) : 8;
	}
	first = sip_next_line(p, letter);
	if (first == SIP_HALF)
		first += sip_next_line(p + SIP_HALF, letter);
	first = sip_forget(t, first);
	*found = first != SIP_STRIDE;
	return first;
}

/* The length of the header's name if a line begins with it, in its short form if it has
 * one (RFC 3261 section 7.3.3); else 0. */
static __always_inline __u32 sip_name_length(__u64 name, __u64 word)
{
	__u64 letters = name >> 6 & EVERY(0x01), differs = (word | EVERY(0x20)) ^ name;

	if (!(differs & letters * 0xff))
		return (letters * EVERY(0x01)) >> 56;
	return !(differs & 0xff) && name != SIP_ROUTE;
}

static inline long sip_search_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_search *s = state;
	const struct sip_text *t = &s->text;
	__u32 at = s->at & (SIP_OFFSET_LIMIT - 1);
	__u32 length;
	__u64 word;
	bool found;

	at = sip_forget(t, at + sip_letter_step(t, at, EVERY((__u8)s->name), &found));
	s->at = sip_forget(t, at + found);
	if (sip_room(t, s->at) <= 0)
		return 1;
	if (!found)
		return 0;
	word = sip_word(t, s->at);
	if ((__u8)word == '\r' || (__u8)word == '\n') {
		s->result = SIP_NOT_THERE;
		return 1;
	}
	length = sip_name_length(s->name, word);
	if (!length)
		return 0;
	s->colon = sip_forget(t, sip_colon(t, sip_forget(t, s->at + length)));
	if (!s->colon)
		return 0;
	if (sip_room(t, s->colon) > 0)
		s->result = SIP_FOUND;
	return 1;
}

/* Finds the first header of a name in the message that begins at `start`. When SIP_FOUND,
 * *colon is the offset of the colon behind the name. */
static __always_inline enum sip_result sip_find_header(struct sip_text text, __u32 start, __u64 name, __u32 *colon)
{
	struct sip_search search = {.text = text, .name = name};

	if (!sip_start(&text, &start))
		return SIP_NOT_SIP;
	search.at = sip_forget(&text, start);
	search.colon = sip_forget(&text, 0);
	search.result = sip_forget(&text, SIP_TOO_FAR);
	sip_loop(SIP_STEPS, sip_search_step, &search);
	*colon = search.colon;
	return search.result;
}

/* --- the tag of a To */

/* Where we are in a name-addr or addr-spec and its parameters (RFC 3261 section 25.1). */
enum sip_place {
	SIP_OUTSIDE,  /* of quotes and brackets */
	SIP_QUOTED,   /* in a display name, or a parameter's value */
	SIP_BRACKETS, /* in <...>: parameters there are the URI's */
	SIP_PARAM,    /* behind a semicolon */
	SIP_TAG,      /* behind the name of the tag parameter */
};

struct sip_walk {
	struct sip_text text;
	__u64 at;
	__u64 place;  /* enum sip_place */
	__u64 result; /* enum sip_result */
};

/* Eight times the byte that belongs to a place; calculated, since the verifier would
 * follow each branch. */
static __always_inline __u64 sip_place_byte(__u64 bytes, __u32 place)
{
	return EVERY(bytes >> (8 * place & 63) & 0xff);
}

/* The first byte from an offset on that matters in a place, or a newline, or what is behind
 * the bytes that are looked at in one step. */
static __always_inline __u32 sip_seek(const struct sip_text *t, __u32 at, __u32 place)
{
	__u64 a = sip_place_byte(SIP_NAME('"', '"', '>', '\n', '\n', 0, 0, 0), place);
	__u64 b = sip_place_byte(SIP_NAME('<', '\\', '>', '\n', '\n', 0, 0, 0), place);
	__u64 c = sip_place_byte(SIP_NAME(';', '\\', '>', '\n', '\n', 0, 0, 0), place);
	__u64 visible = sip_place_byte(SIP_NAME(0, 0, 0, 0x80, 0x80, 0, 0, 0), place);

	for (int i = 0; i < SIP_SEEK_WORDS; i++) {
		__u64 word = sip_word(t, at);
		__u64 marks = sip_zeroes(word ^ a) | sip_zeroes(word ^ b) | sip_zeroes(word ^ c) |
			      sip_zeroes(word ^ EVERY('\n')) | (sip_visible(word) & visible);

		if (marks)
			return at + sip_first(marks);
		at = sip_forget(t, at + 8);
		if (sip_room(t, at) <= 0)
			break;
	}
	return at;
}

/* The place behind a byte, where it is another one. *length becomes the number of bytes
 * that are passed: 0 for a byte of no meaning, or one that counts in the next place, too. */
static __always_inline __u32 sip_next_place(__u32 place, __u64 word, __u32 *length)
{
	__u8 byte = word;

	*length = 1;
	if (place == SIP_OUTSIDE && byte == '"')
		return SIP_QUOTED;
	if (place == SIP_OUTSIDE && byte == '<')
		return SIP_BRACKETS;
	if (place == SIP_OUTSIDE && byte == ';')
		return SIP_PARAM;
	if (place == SIP_QUOTED && byte == '"')
		return SIP_OUTSIDE;
	if (place == SIP_BRACKETS && byte == '>')
		return SIP_OUTSIDE;
	*length = 0;
	if (place == SIP_QUOTED && byte == '\\')
		*length = (__u8)(word >> 8) == '\n' ? 1 : 2; /* a quoted pair */
	if (place < SIP_PARAM || byte <= ' ')
		return place;
	if (place == SIP_TAG || ((word | EVERY(0x20)) ^ SIP_NAME('t', 'a', 'g', 0, 0, 0, 0, 0)) << 40)
		return SIP_OUTSIDE;
	*length = 3;
	return SIP_TAG;
}

/* Does the header go on behind the newline at an offset? SIP_TOO_FAR if the text ends there. */
static __always_inline enum sip_result sip_folds(const struct sip_text *t, __u32 newline)
{
	__u8 next = sip_byte(t, newline + 1);

	if (sip_room(t, newline + 1) <= 0)
		return SIP_TOO_FAR;
	return next == ' ' || next == '\t' ? SIP_FOUND : SIP_NOT_THERE;
}

static inline long sip_walk_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_walk *w = state;
	const struct sip_text *t = &w->text;
	__u32 length, at = sip_forget(t, w->at);
	__u64 word;

	at = sip_forget(t, sip_seek(t, at, w->place));
	if (sip_room(t, at) <= 0)
		return 1;
	word = sip_word(t, at);
	if ((__u8)word == '\n') {
		enum sip_result folds = sip_folds(t, at);

		w->at = sip_forget(t, at + 1);
		if (folds == SIP_FOUND)
			return 0;
		w->result = folds;
		return 1;
	}
	if (w->place == SIP_TAG && (__u8)word == '=') {
		w->result = SIP_FOUND;
		return 1;
	}
	w->place = sip_forget(t, sip_next_place(w->place, word, &length));
	w->at = sip_forget(t, at + length);
	return 0;
}

/* Has the header whose colon is at `colon` a tag parameter (RFC 3261 sections 19.3 and
 * 20.39)? Parameters of the URI do not count. SIP_FOUND or SIP_NOT_THERE. */
static __always_inline enum sip_result sip_has_tag(struct sip_text text, __u32 colon)
{
	struct sip_walk walk = {.text = text, .at = sip_forget(&text, colon + 1)};

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	walk.place = sip_forget(&text, SIP_OUTSIDE);
	walk.result = sip_forget(&text, SIP_TOO_FAR);
	sip_loop(SIP_TOKENS, sip_walk_step, &walk);
	return walk.result;
}

/* May a message start something? A request that is neither CANCEL nor ACK, and whose To
 * has no tag, does; and what is no SIP. What cannot be told continues something. `tag`:
 * what sip_has_tag said of its To, or sip_find_header, if that has found none. */
static __always_inline bool sip_is_opening(enum method method, enum sip_result tag)
{
	if (tag == SIP_NOT_SIP)
		return true;
	return method != METHOD_NONE && method != METHOD_CANCEL && method != METHOD_ACK && tag == SIP_NOT_THERE;
}
