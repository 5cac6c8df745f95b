/* SPDX-License-Identifier: GPL-2.0 */
/* Searches the value of a header for a URI or a parameter. This general parser handles quotes, brackets and folded
 * lines. The notes in sip_headers.h about loops and the verifier also apply here.
 *
 * Each public function starts at one offset and returns the next offset. text.h calls each of them from a separate
 * global function, so that the verifier checks it once.
 *
 * In this file a walk is a run of the parser over a value, and a place is a state of the parser. */
#pragma once

#include "sip_text.h"

#define SIP_SEEK_WORDS 2 /* words tested in one step of a walk: 16 bytes */
#define SIP_COST_WALK 6  /* one step of a walk */
#define SIP_COST_SKIP 4  /* one step over white space */

/* The state of the parser in a name-addr or addr-spec and its parameters (RFC 3261 section 25.1). */
enum sip_place {
	SIP_OUTSIDE,  /* outside quotes and brackets */
	SIP_QUOTED,   /* in quotes: a display name, or the value of a parameter */
	SIP_BRACKETS, /* in <...>: parameters belong to the URI */
	SIP_PARAM,    /* after a semicolon */
	SIP_TAG,      /* after the name of the wanted parameter: tag, branch */
	SIP_DISPLAY,  /* before a URI */
	SIP_DISPLAY_QUOTED,
	SIP_USERINFO, /* in a URI, after its scheme */
};

struct sip_walk {
	struct sip_text text;
	__u64 name; /* name of the wanted parameter */
	__u64 at;
	__u64 place;  /* enum sip_place */
	__u64 result; /* enum sip_result */
};

/* Returns byte number `place` of `bytes`, repeated eight times. The code has no branches, because the verifier would
 * follow each branch. */
static __always_inline __u64 sip_place_byte(__u64 bytes, __u32 place)
{
	return EVERY(bytes >> (8 * place & 63) & 0xff);
}

/* Returns the offset of the first byte at or after `at` that changes the state `place` or ends the walk, or of the next
 * newline. If there is no such byte, returns the end of the bytes that one step tests. */
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

/* Returns the state after the name of a parameter. `word` contains the first bytes of this name. If it equals `name`,
 * the function adds its length to *length. */
static __always_inline __u32 sip_behind_name(__u64 word, __u64 name, __u32 *length)
{
	__u64 letters = name >> 6 & EVERY(0x01), differs = (word | EVERY(0x20)) ^ name;

	if (differs & letters * 0xff)
		return SIP_OUTSIDE;
	*length += (letters * EVERY(0x01)) >> 56;
	return SIP_TAG;
}

/* Returns the state that follows `place` after the first byte of `word`. *length becomes the number of bytes to skip;
 * 0 if the next state must read the same byte again. */
static __always_inline __u32 sip_next_place(__u32 place, __u64 word, __u64 name, __u32 *length)
{
	__u8 byte = word, second = word >> 8;

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
	if (byte == ';' && place == SIP_OUTSIDE) /* without a blank before the name, one step is saved */
		return second > ' ' ? sip_behind_name(word >> 8, name, length) : SIP_PARAM;
	*length = 0;
	if (byte == '\\' && (place == SIP_QUOTED || place == SIP_DISPLAY_QUOTED))
		*length = second == '\n' ? 1 : 2; /* a quoted pair */
	if ((place != SIP_PARAM && place != SIP_TAG) || byte <= ' ')
		return place;
	return place == SIP_TAG ? SIP_OUTSIDE : sip_behind_name(word, name, length);
}

/* Returns the result of the walk if it ends at this byte. SIP_TOO_FAR: the walk continues. */
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

/* Returns SIP_FOUND if the header continues after this newline, otherwise SIP_NOT_THERE. SIP_TOO_FAR: the text ends. */
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
	enum sip_result result;
	__u32 length, at;
	__u64 word;

	w->at = sip_forget(t, sip_seek(t, sip_forget(t, w->at), w->place));
	asm volatile("" ::: "memory"); /* forces the compiler to read the members again, because registers are scarce */
	at = w->at;
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
	w->at = sip_forget(t, w->at + length);
	return 0;
}

/* Names of parameters, in lower case. */
#define SIP_TAG_NAME SIP_NAME('t', 'a', 'g', 0, 0, 0, 0, 0)
#define SIP_BRANCH_NAME SIP_NAME('b', 'r', 'a', 'n', 'c', 'h', 0, 0)

/* Walks through a header or a start-line from *at. The first state defines the end of the walk:
 *   SIP_OUTSIDE   the '=' of the parameter `name`
 *   SIP_DISPLAY   the '<' before the URI, or the ':' in the URI
 *   SIP_USERINFO  the '@' in the URI
 * *at becomes the offset of this end. */
static __always_inline enum sip_result sip_walk(
	const struct sip_text *t, __u32 *at, enum sip_place place, __u64 name, __u16 *left)
{
	struct sip_walk walk = {.text = *t, .name = name};

	if (t->end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	walk.at = sip_forget(t, *at);
	walk.place = sip_forget(t, place);
	walk.result = sip_forget(t, SIP_TOO_FAR);
	sip_loop_paid(left, SIP_COST_WALK, SIP_PACKET_BUDGET, sip_walk_step, &walk);
	*at = walk.at;
	return walk.result;
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

/* Moves *at past white space, which may contain a line fold. SIP_NOT_THERE: the header ends in the white space. */
static __always_inline enum sip_result sip_skip(const struct sip_text *t, __u32 *at, __u16 *left)
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
		*at += 1; /* the common form */
		return SIP_FOUND;
	}
	walk.at = *at;
	walk.result = sip_forget(t, SIP_TOO_FAR);
	sip_loop_paid(left, SIP_COST_SKIP, SIP_PACKET_BUDGET, sip_skip_step, &walk);
	*at = walk.at;
	return walk.result;
}
