/* SPDX-License-Identifier: GPL-2.0 */
/* What a SIP message says about its dialog (RFC 3261 section 12): the headers that matter, found
 * in one pass, and what is read from each: tags, the branch of the topmost Via, the method in
 * CSeq, a status code, and whether Expires is 0. Part of sip_headers.h; what that file says about
 * steps and the verifier holds here, too. */
#pragma once

#include "sip_uri.h"

#define SIP_PASS_STEPS 64 /* of the pass: a call of bpf_loop's function costs more than a line does */
#define SIP_PASS_PLACES 2 /* header lines, and strides of 32 bytes without one, in a step */
#define SIP_TOKEN_WORDS 8 /* bytes of a tag or branch that count: 64 */

/* Offsets of the colons of the first Via, From, To, CSeq, Call-ID and Expires; 0: not seen.
 * `complete`: the blank line that ends the headers was reached, so that what was not seen is
 * not there. */
struct sip_lines {
	__u16 via;
	__u16 from;
	__u16 to;
	__u16 cseq;
	__u16 call_id;
	__u16 expires;
	__u16 complete;
	__u16 pad;
};

enum sip_line {
	SIP_LINE_VIA,
	SIP_LINE_FROM,
	SIP_LINE_TO,
	SIP_LINE_CSEQ,
	SIP_LINE_CALL_ID,
	SIP_LINE_EXPIRES,
	SIP_LINE_NONE,
};

struct sip_pass {
	struct sip_text text;
	__u64 at;
	__u64 colons_low;  /* four of 16 bits, by enum sip_line */
	__u64 colons_high; /* those that follow */
	__u64 complete;
};

/* The distance to the next newline (*found), or to where the next step begins. */
static __always_inline __u32 sip_newline(const struct sip_text *t, __u32 at, bool *found)
{
	const __u8 *p = t->data + at;
	__u64 a, b, c, d;

	if (p + SIP_HALF > t->data_end) {
		a = sip_zeroes(sip_word(t, at) ^ EVERY('\n'));
		*found = a;
		return a ? sip_first(a) : 8;
	}
	a = sip_zeroes(load64(p) ^ EVERY('\n'));
	b = sip_zeroes(load64(p + 8) ^ EVERY('\n'));
	c = sip_zeroes(load64(p + 16) ^ EVERY('\n'));
	d = sip_zeroes(load64(p + 24) ^ EVERY('\n'));
	*found = a | b | c | d;
	if (a)
		return sip_first(a);
	if (b)
		return 8 + sip_first(b);
	if (c)
		return 16 + sip_first(c);
	return d ? 24 + sip_first(d) : SIP_HALF;
}

/* Does a line that begins with `word` begin with a header's name? *length becomes its length, in its
 * compact form if it has one. */
static __always_inline bool sip_is_name(__u64 word, __u64 name, bool has_compact_form, __u32 *length)
{
	__u64 letters = name >> 5 & EVERY(0x01), differs = (word | EVERY(0x20)) ^ name;
	__u8 second = word >> 8;

	*length = 1;
	if (has_compact_form && !(differs & 0xff) && (second == ':' || second <= ' '))
		return true;
	*length = (letters * EVERY(0x01)) >> 56;
	return !(differs & letters * 0xff);
}

/* Which header a line is that begins with `word`, and how long its name is. */
static __always_inline enum sip_line sip_which_line(__u64 word, __u32 *length)
{
	if (sip_is_name(word, SIP_VIA, true, length))
		return SIP_LINE_VIA;
	if (sip_is_name(word, SIP_FROM, true, length))
		return SIP_LINE_FROM;
	if (sip_is_name(word, SIP_TO, true, length))
		return SIP_LINE_TO;
	if (sip_is_name(word, SIP_NAME('c', 's', 'e', 'q', 0, 0, 0, 0), false, length))
		return SIP_LINE_CSEQ;
	if (sip_is_name(word, SIP_NAME('c', 'a', 'l', 'l', '-', 'i', 'd', 0), false, length) ||
		sip_is_name(word, SIP_NAME('i', 0, 0, 0, 0, 0, 0, 0), true, length))
		return SIP_LINE_CALL_ID;
	if (sip_is_name(word, SIP_NAME('e', 'x', 'p', 'i', 'r', 'e', 's', 0), false, length))
		return SIP_LINE_EXPIRES;
	return SIP_LINE_NONE;
}

/* Takes the colon of a header that is the first of its name. */
static __always_inline void sip_take_colon(struct sip_pass *s, __u32 line, __u64 colon)
{
	__u32 shift = line % 4 * 16;
	__u64 taken = line < 4 ? s->colons_low : s->colons_high;

	if (!(taken >> shift & 0xffff))
		taken |= colon << shift;
	if (line < 4)
		s->colons_low = taken;
	else
		s->colons_high = taken;
}

/* Goes on to the next line, and takes its colon if it is one of the headers. Ends the pass when it
 * returns true. */
static __always_inline bool sip_pass_line(struct sip_pass *s)
{
	const struct sip_text *t = &s->text;
	__u32 at = s->at & (SIP_OFFSET_LIMIT - 1), line, length;
	__u64 word;
	bool found;

	at = sip_forget(t, at + sip_newline(t, at, &found));
	s->at = sip_forget(t, at + found);
	if (sip_room(t, s->at) <= 0)
		return true;
	if (!found)
		return false;
	word = sip_word(t, s->at);
	if ((__u8)word == '\r' || (__u8)word == '\n') {
		s->complete = sip_forget(t, 1);
		return true;
	}
	line = sip_forget(t, sip_which_line(word, &length));
	if (line < SIP_LINE_NONE)
		sip_take_colon(s, line, sip_forget(t, sip_colon(t, sip_forget(t, s->at + length))));
	return false;
}

static inline long sip_pass_step(__u32 step __attribute__((unused)), void *state)
{
	for (int i = 0; i < SIP_PASS_PLACES; i++) {
		if (sip_pass_line(state))
			return 1;
	}
	return 0;
}

/* Finds the headers of the message whose start-line is at `line`. */
static __always_inline void sip_find_lines(struct sip_text text, __u32 line, struct sip_lines *lines)
{
	struct sip_pass pass = {.text = text};

	*lines = (struct sip_lines){};
	if (text.end < SIP_MINIMUM)
		return;
	pass.at = sip_forget(&text, line);
	pass.colons_low = sip_zero(&text);
	pass.colons_high = sip_zero(&text);
	pass.complete = sip_forget(&text, 0);
	sip_loop(SIP_PASS_STEPS, sip_pass_step, &pass);
	*lines = (struct sip_lines){
		.via = pass.colons_low,
		.from = pass.colons_low >> 16,
		.to = pass.colons_low >> 32,
		.cseq = pass.colons_low >> 48,
		.call_id = pass.colons_high,
		.expires = pass.colons_high >> 16,
		.complete = pass.complete,
	};
}

/* --- what they say */

/* Moves *value from a header's colon, or a parameter's equals sign, to the value behind it. */
static __always_inline enum sip_result sip_value_at(struct sip_text text, __u32 before, __u32 *value)
{
	*value = before + 1;
	return sip_skip(&text, value);
}

/* Finds a parameter of a header, `name` as sip_walk takes it: SIP_FOUND with the offset of its
 * equals sign, SIP_NOT_THERE, or SIP_TOO_FAR where that cannot be said. Parameters of a URI in
 * angle brackets do not count. */
static __always_inline enum sip_result sip_parameter(struct sip_text text, __u32 colon, __u64 name, __u32 *at)
{
	*at = colon + 1;
	return sip_walk(&text, at, SIP_OUTSIDE, name);
}

/* Flags the bytes that end a token in a parameter's value (RFC 3261 section 25.1). */
static __always_inline __u64 sip_token_ends(__u64 word)
{
	return (~sip_visible(word) & EVERY(0x80)) | sip_equal(word, ';') | sip_equal(word, ',');
}

/* Hashes the token at `at`, of which SIP_TOKEN_WORDS words count; 0 if it is empty or cut off. */
static __always_inline __u32 sip_token(struct sip_text text, __u32 at, const __u64 hash_key[2])
{
	struct hash hash = hash_start(hash_key);
	__u32 begin, result;

	if (text.end < SIP_MINIMUM)
		return 0;
	begin = at = sip_forget(&text, at);
	for (int i = 0; i < SIP_TOKEN_WORDS; i++) {
		__u64 word = sip_raw_word(&text, at), ends = sip_token_ends(word);

		hash_word(&hash, ends ? word & (((ends & -ends) >> 7) - 1) : word);
		at = (at + (ends ? sip_first(ends) : 8)) & (SIP_OFFSET_LIMIT - 1);
		if (ends)
			break;
	}
	if (sip_room(&text, at) <= 0 || at == begin)
		return 0;
	result = hash_finish(hash, hash_key);
	return result > 1 ? result : 2; /* 0 and 1 have meanings of their own */
}

/* The same word with a space for each byte that is white space or a line's end. */
static __always_inline __u64 sip_spaces(__u64 word)
{
	__u64 spaces = (~sip_visible(word) & EVERY(0x80)) >> 7;

	return (word & ~(spaces * 0xff)) | spaces * ' ';
}

#define SIP_DIGITS 10 /* of a CSeq number, which is below 2^31 (RFC 3261 section 8.1.1.5) */

/* Reads the number at *at, which becomes the offset behind it; 0 where there is none. */
static __always_inline __u32 sip_number(struct sip_text text, __u32 *at)
{
	__u32 number = 0, begin, length = 0;

	if (text.end < SIP_MINIMUM)
		return 0;
	begin = sip_forget(&text, *at);
	for (int i = 0; i < SIP_DIGITS; i++) {
		__u8 digit = sip_byte(&text, sip_forget(&text, begin + i)) - '0';

		if (digit > 9)
			break;
		number = number * 10 + digit;
		length = i + 1;
	}
	*at = begin + length;
	return number;
}

/* The method that is named at `at`, in a CSeq; METHOD_NONE if it is cut off. */
static __always_inline enum method sip_named_method(struct sip_text text, __u32 at)
{
	if (text.end < SIP_MINIMUM)
		return METHOD_NONE;
	at = sip_forget(&text, at);
	if (sip_room(&text, at) <= 0)
		return METHOD_NONE;
	return sip_method_of(sip_spaces(sip_word(&text, at)), sip_spaces(sip_word(&text, at + 8)));
}

/* The status code of the response whose start-line is at `line`; 0 for a request. */
static __always_inline __u32 sip_status_code(struct sip_text text, __u32 line)
{
	__u64 digits;

	if (text.end < SIP_MINIMUM)
		return 0;
	line = sip_forget(&text, line);
	if (!sip_is_version(sip_word(&text, line)))
		return 0;
	digits = sip_word(&text, sip_forget(&text, line + 8)) - SIP_NAME('0', '0', '0', 0, 0, 0, 0, 0);
	return (__u8)digits * 100 + (__u8)(digits >> 8) * 10 + (__u8)(digits >> 16);
}

/* Is the number at `at` 0? */
static __always_inline bool sip_is_zero(struct sip_text text, __u32 at)
{
	if (text.end < SIP_MINIMUM)
		return false;
	return (sip_spaces(sip_word(&text, sip_forget(&text, at))) & 0xffff) == ('0' | ' ' << 8);
}
