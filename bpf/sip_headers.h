/* SPDX-License-Identifier: GPL-2.0 */
/* Finds headers of a SIP message and walks through their values: whether it opens something,
 * and, with what builds on this file, where URIs and hosts lie (sip_uri.h), which hosts
 * (sip_host.h) and which users (sip_user.h) they name. Like sip.h works on the packet as it
 * lies there, never beyond the end of the headers or of the datagram, with a bounded number
 * of steps, and builds in the kernel and on the host.
 *
 * Each public function is one step of the way, from an offset to an offset, and is to be
 * called from a global function of its own: the verifier then goes through each once.
 *
 * Steps are callbacks of bpf_loop, which the verifier goes through once for all of them.
 * Kernels before 6.7 do so with the state as it is before the first step, by whatever way
 * they come there first. What they know of it then they believe for ever, and take out the
 * branches that it rules out: so each member of a state begins through sip_forget or
 * sip_zero, and tests/prog/test_sip_reader.c shows on each kernel that nothing is missing. */
#pragma once

#include "sip.h"

#define SIP_STEPS 44     /* strides and lines with the right letter in one search */
#define SIP_TOKENS 64    /* steps through a header's value */
#define SIP_SEEK_WORDS 2 /* 16 bytes looked at in one such step */

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

/* How far it is to the next such newline (*found), or to where the next step begins. Close to
 * data_end every newline is one. */
static __always_inline __u32 sip_letter_step(const struct sip_text *t, __u32 at, __u64 letter, bool *found)
{
	const __u8 *p = t->data + at;
	__u32 first;

	if (p + SIP_HALF + 8 > t->data_end) {
		__u64 newline = sip_zeroes(sip_word(t, at) ^ EVERY('\n'));

		*found = newline;
		return newline ? sip_first(newline) : 8;
	}
	first = sip_next_line(p, letter);
	*found = first != SIP_HALF;
	if (*found || p + SIP_STRIDE + 8 > t->data_end)
		return first;
	first += sip_next_line(p + SIP_HALF, letter);
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

/* Finds the start-line of the message that begins at `start`, behind empty lines. SIP_FOUND
 * or SIP_NOT_SIP. */
static __always_inline enum sip_result sip_start_line(struct sip_text text, __u32 start, __u32 *line)
{
	if (!sip_start(&text, &start))
		return SIP_NOT_SIP;
	*line = start;
	return SIP_FOUND;
}

/* Finds the first header of a name in the message whose start-line is at `line`. When
 * SIP_FOUND, *colon is the offset of the colon behind the name. */
static __always_inline enum sip_result sip_find_header(struct sip_text text, __u32 line, __u64 name, __u32 *colon)
{
	struct sip_search search = {.text = text, .name = name};

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	search.at = sip_forget(&text, line);
	search.colon = sip_forget(&text, 0);
	search.result = sip_forget(&text, SIP_TOO_FAR);
	sip_loop(SIP_STEPS, sip_search_step, &search);
	*colon = search.colon;
	return search.result;
}

/* --- walking through a header's value */

/* Where we are in a name-addr or addr-spec and its parameters (RFC 3261 section 25.1). */
enum sip_place {
	SIP_OUTSIDE,  /* of quotes and brackets */
	SIP_QUOTED,   /* in a display name, or a parameter's value */
	SIP_BRACKETS, /* in <...>: parameters there are the URI's */
	SIP_PARAM,    /* behind a semicolon */
	SIP_TAG,      /* behind the name of the parameter that is sought: tag, branch */
	SIP_DISPLAY,  /* before a URI */
	SIP_DISPLAY_QUOTED,
	SIP_USERINFO, /* in a URI, behind its scheme */
};

struct sip_walk {
	struct sip_text text;
	__u64 name; /* of the parameter that is sought */
	__u64 at;
	__u64 place;  /* enum sip_place */
	__u64 result; /* enum sip_result */
};

/* A word of the byte that belongs to a place; calculated, since the verifier would follow
 * each branch. */
static __always_inline __u64 sip_place_byte(__u64 bytes, __u32 place)
{
	return EVERY(bytes >> (8 * place & 63) & 0xff);
}

/* The first byte from an offset on that matters in a place, or a newline, or what is behind
 * the bytes that are looked at in one step. */
static __always_inline __u32 sip_seek(const struct sip_text *t, __u32 at, __u32 place)
{
	__u64 a = sip_place_byte(SIP_NAME('"', '"', '>', '\n', '\n', '"', '"', '@'), place);
	__u64 b = sip_place_byte(SIP_NAME('<', '\\', '>', '\n', '\n', '<', '\\', '>'), place);
	__u64 c = sip_place_byte(SIP_NAME(';', '\\', '>', '\n', '\n', ':', '\\', ' '), place);
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

/* What a byte in a place makes of it. *length becomes the number of bytes that are passed:
 * 0 for a byte of no meaning, or one that counts in the next place, too. */
static __always_inline __u32 sip_next_place(__u32 place, __u64 word, __u64 name, __u32 *length)
{
	__u64 letters = name >> 6 & EVERY(0x01), differs = (word | EVERY(0x20)) ^ name;
	__u8 byte = word;

	*length = 1;
	if (byte == '"' && place == SIP_OUTSIDE)
		return SIP_QUOTED;
	if (byte == '"' && place == SIP_DISPLAY)
		return SIP_DISPLAY_QUOTED;
	if (byte == '"' && place == SIP_DISPLAY_QUOTED)
		return SIP_DISPLAY;
	if (byte == '"' && place == SIP_QUOTED)
		return SIP_OUTSIDE;
	if (byte == '<' && place == SIP_OUTSIDE)
		return SIP_BRACKETS;
	if (byte == '>' && place == SIP_BRACKETS)
		return SIP_OUTSIDE;
	if (byte == ';' && place == SIP_OUTSIDE)
		return SIP_PARAM;
	*length = 0;
	if (byte == '\\' && (place == SIP_QUOTED || place == SIP_DISPLAY_QUOTED))
		*length = (__u8)(word >> 8) == '\n' ? 1 : 2; /* a quoted pair */
	if ((place != SIP_PARAM && place != SIP_TAG) || byte <= ' ')
		return place;
	if (place == SIP_TAG || (differs & letters * 0xff))
		return SIP_OUTSIDE;
	*length = (letters * EVERY(0x01)) >> 56;
	return SIP_TAG;
}

/* Is this byte, in this place, what somebody walks for? SIP_TOO_FAR if that is not known yet. */
static __always_inline enum sip_result sip_arrives(__u32 place, __u8 byte)
{
	if (place == SIP_TAG && byte == '=')
		return SIP_FOUND;
	if (place == SIP_DISPLAY && (byte == '<' || byte == ':'))
		return SIP_FOUND;
	if (place == SIP_USERINFO && byte == '@')
		return SIP_FOUND;
	if (place == SIP_USERINFO && (byte == ' ' || byte == '>'))
		return SIP_NOT_THERE;
	return SIP_TOO_FAR;
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
	enum sip_result result;
	__u64 word;

	at = sip_forget(t, sip_seek(t, at, w->place));
	w->at = at;
	if (sip_room(t, at) <= 0)
		return 1;
	word = sip_word(t, at);
	if ((__u8)word == '\n') {
		result = sip_folds(t, at);
		w->at = sip_forget(t, at + 1);
		if (result == SIP_FOUND)
			return 0;
		w->result = result;
		return 1;
	}
	result = sip_arrives(w->place, word);
	if (result != SIP_TOO_FAR) {
		w->result = result;
		return 1;
	}
	w->place = sip_forget(t, sip_next_place(w->place, word, w->name, &length));
	w->at = sip_forget(t, at + length);
	return 0;
}

/* Names of parameters, in lower case. */
#define SIP_TAG_NAME SIP_NAME('t', 'a', 'g', 0, 0, 0, 0, 0)
#define SIP_BRANCH_NAME SIP_NAME('b', 'r', 'a', 'n', 'c', 'h', 0, 0)

/* Walks through a header or a start-line from *at to what belongs to the place where it
 * begins: SIP_OUTSIDE the equals sign of the parameter `name`, SIP_DISPLAY the bracket before a URI or the
 * colon in it, SIP_USERINFO the at sign. *at becomes its offset. */
static __always_inline enum sip_result sip_walk(const struct sip_text *t, __u32 *at, enum sip_place place, __u64 name)
{
	struct sip_walk walk = {.text = *t, .name = name};

	if (t->end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	walk.at = sip_forget(t, *at);
	walk.place = sip_forget(t, place);
	walk.result = sip_forget(t, SIP_TOO_FAR);
	sip_loop(SIP_TOKENS, sip_walk_step, &walk);
	*at = walk.at;
	return walk.result;
}

/* Has the header whose colon is at `colon` a tag parameter (RFC 3261 sections 19.3 and
 * 20.39)? Parameters of the URI do not count. SIP_FOUND or SIP_NOT_THERE. */
static __always_inline enum sip_result sip_has_tag(struct sip_text text, __u32 colon)
{
	__u32 at = colon + 1;

	return sip_walk(&text, &at, SIP_OUTSIDE, SIP_TAG_NAME);
}

/* May a message start something? A request that is neither CANCEL nor ACK, and whose To
 * has no tag, does; and what is no SIP. What cannot be told continues something. `tag`:
 * what sip_has_tag said of its To, or sip_find_header, if that has found none. */
static __always_inline bool sip_is_initial(enum method method, enum sip_result tag)
{
	if (tag == SIP_NOT_SIP)
		return true;
	return method != METHOD_NONE && method != METHOD_CANCEL && method != METHOD_ACK && tag == SIP_NOT_THERE;
}

static inline long sip_skip_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_walk *w = state;
	const struct sip_text *t = &w->text;
	__u32 at = sip_forget(t, w->at);
	__u64 word = sip_word(t, at), marks = sip_visible(word) | sip_equal(word, '\n');
	enum sip_result folds;

	at = sip_forget(t, at + (marks ? sip_first(marks) : 8));
	w->at = at;
	if (sip_room(t, at) <= 0)
		return 1;
	if (!marks)
		return 0;
	w->result = SIP_FOUND;
	if (sip_byte(t, at) != '\n')
		return 1;
	folds = sip_folds(t, at);
	w->at = sip_forget(t, at + 1);
	w->result = folds == SIP_FOUND ? SIP_TOO_FAR : folds;
	return folds != SIP_FOUND;
}

/* Moves *at over white space, in which a line may be folded. SIP_NOT_THERE if the header
 * ends with it. */
static __always_inline enum sip_result sip_skip(const struct sip_text *t, __u32 *at)
{
	struct sip_walk walk = {.text = *t};
	__u64 word;

	*at = sip_forget(t, *at);
	if (t->end < SIP_MINIMUM || sip_room(t, *at) <= 0)
		return SIP_TOO_FAR;
	word = sip_word(t, *at);
	if ((__u8)word > ' ')
		return SIP_FOUND;
	if ((__u8)word == ' ' && (__u8)(word >> 8) > ' ') {
		*at += 1; /* as nearly everybody writes it */
		return SIP_FOUND;
	}
	walk.at = *at;
	walk.result = sip_forget(t, SIP_TOO_FAR);
	sip_loop(SIP_TOKENS, sip_skip_step, &walk);
	*at = walk.at;
	return walk.result;
}
