/* SPDX-License-Identifier: GPL-2.0 */
/* Determines the message counter (counters.h) of a SIP message. This code handles the forms of the headers that
 * nearly all senders use. For all other forms it returns COUNTER_UNDECIDED, and count.h then reads the headers with
 * sip_headers.h. It reads a bounded number of bytes of the message, in place. It compiles for the kernel and for
 * user space. */
#pragma once

#include "sip_dialog.h"
#include "counters.h"

#define COUNTER_UNDECIDED 0 /* equals SERVICE_COUNTER_packets, which does not count messages */

#define COUNTER_TO_STEPS 16   /* half strides in which a To may begin: 512 bytes */
#define COUNTER_LINE_WORDS 16 /* words of a To: 128 bytes */
#define COUNTER_TAG_WORDS 8   /* words of a tag: 64 bytes */
#define COUNTER_CSEQ 40       /* maximum length of a CSeq after the Call-ID, in bytes */

/* Returns the counter of a request. `tag`: the result of a search for its To tag. */
static __always_inline __u32 counter_of_request(enum method method, enum sip_result tag)
{
	const __u32 block = SERVICE_COUNTER_unknown_invite - SERVICE_COUNTER_initial_invite;
	__u32 counter = SERVICE_COUNTER_initial_invite + method - METHOD_INVITE;

	_Static_assert(
		SERVICE_COUNTER_in_dialog_cancel - SERVICE_COUNTER_in_dialog_invite == METHOD_CANCEL - METHOD_INVITE,
		"order of methods");
	_Static_assert(SERVICE_COUNTER_in_dialog_invite - SERVICE_COUNTER_unknown_invite ==
			       SERVICE_COUNTER_unknown_invite - SERVICE_COUNTER_initial_invite,
		"blocks of the same size");
	if (tag == SIP_FOUND || method >= METHOD_ACK)
		return counter + 2 * block;
	return tag == SIP_NOT_THERE ? counter : counter + block;
}

#define COUNTER_CODE_OFFSET(code) (SERVICE_COUNTER_invite_##code - SERVICE_COUNTER_invite_100)
#define COUNTER_CODE_CASE(code)                                                                                        \
	case code:                                                                                                     \
		return COUNTER_CODE_OFFSET(code);

/* Returns the index of a status code in the list of counters.h. */
static __always_inline __u32 counter_of_code(__u32 code)
{
	switch (code) {
		COUNTER_CODE_CASE(100)
		COUNTER_CODE_CASE(180)
		COUNTER_CODE_CASE(183)
		COUNTER_CODE_CASE(200)
		COUNTER_CODE_CASE(302)
		COUNTER_CODE_CASE(401)
		COUNTER_CODE_CASE(403)
		COUNTER_CODE_CASE(404)
		COUNTER_CODE_CASE(407)
		COUNTER_CODE_CASE(408)
		COUNTER_CODE_CASE(480)
		COUNTER_CODE_CASE(481)
		COUNTER_CODE_CASE(483)
		COUNTER_CODE_CASE(486)
		COUNTER_CODE_CASE(487)
		COUNTER_CODE_CASE(488)
		COUNTER_CODE_CASE(500)
		COUNTER_CODE_CASE(503)
		COUNTER_CODE_CASE(603)
	}
	if (code < 100 || code > 699)
		return COUNTER_CODE_OFFSET(invalid);
	if (code < 200)
		return COUNTER_CODE_OFFSET(other_1xx);
	if (code < 300)
		return COUNTER_CODE_OFFSET(other_2xx);
	if (code < 400)
		return COUNTER_CODE_OFFSET(other_3xx);
	if (code < 500)
		return COUNTER_CODE_OFFSET(other_4xx);
	return code < 600 ? COUNTER_CODE_OFFSET(other_5xx) : COUNTER_CODE_OFFSET(other_6xx);
}

/* Returns the status code in the bytes after "SIP/2.0 "; 0: not exactly three digits. */
static __always_inline __u32 counter_code(__u64 word)
{
	__u64 digits = word ^ SIP_NAME('0', '0', '0', 0, 0, 0, 0, 0);

	if ((digits + SIP_NAME(0x76, 0x76, 0x76, 0, 0, 0, 0, 0)) & 0x808080 || digits & 0x808080 ||
		(__u8)(word >> 24) > ' ')
		return 0;
	return (__u8)digits * 100 + (__u8)(digits >> 8) * 10 + (__u8)(digits >> 16);
}

/* Returns the counter of a response; METHOD_NONE: the method in its CSeq is unknown. */
static __always_inline __u32 counter_of_response(__u32 code, enum method cseq)
{
	__u32 first = SERVICE_COUNTER_other_100;

	if (cseq == METHOD_INVITE)
		first = SERVICE_COUNTER_invite_100;
	if (cseq == METHOD_REGISTER)
		first = SERVICE_COUNTER_register_100;
	if (cseq == METHOD_NONE)
		first = SERVICE_COUNTER_unknown_100;
	return first + counter_of_code(code);
}

/* Returns the counter of the response whose start-line is at `line`. */
static __always_inline __u32 sip_response_counter(struct sip_text text, __u32 line, enum method cseq)
{
	if (text.end < SIP_MINIMUM)
		return COUNTER_UNDECIDED;
	return counter_of_response(counter_code(sip_word(&text, sip_forget(&text, line + 8))), cseq);
}

/* --- To */

/* Bit 7 of a byte is clear only if the byte is below 0x0c or above 0x8b and the next one is "T", "t", or a control
 * character like CR and LF. */
static __always_inline __u64 counter_no_to(const __u8 *p)
{
	__u64 next = load64(p + 1);

	return (load64(p) + EVERY(0x74)) | ((((next & EVERY(0x5f)) ^ EVERY('T')) + EVERY(0x7f)) &
						   (((next & EVERY(0x78)) ^ EVERY(0x08)) + EVERY(0x7f)));
}

/* Flags newlines, in four words, that are followed by "T", "t" or the end of a line. */
static __always_inline bool counter_has_to(const __u8 *p)
{
	return (counter_no_to(p) & counter_no_to(p + 8) & counter_no_to(p + 16) & counter_no_to(p + 24) &
		       EVERY(0x80)) != EVERY(0x80);
}

/* Returns the distance to the first newline that is followed by "T", "t" or a byte from 0x08 to 0x0f, among them CR and
 * LF; SIP_HALF: there is none. */
static __always_inline __u32 counter_first_to(const struct sip_text *t, const __u8 *p)
{
	__u64 lines = 0;
	__u32 at;

	for (at = 0; at < SIP_HALF; at += 8) {
		__u64 newline = load64(p + at) ^ EVERY('\n'), next = load64(p + at + 1);

		lines = sip_zeroes(newline | ((next & EVERY(0x5f)) ^ EVERY('T'))) |
			sip_zeroes(newline | ((next & EVERY(0xf8)) ^ EVERY(0x08)));
		if (lines || at == SIP_HALF - 8)
			break;
	}
	return sip_forget(t, at) + sip_first(sip_join(lines));
}

/* Is this the start of "To:" or "t:"? */
static __always_inline bool counter_is_to(__u64 word)
{
	word |= 0x2020;
	return (word & 0xffffff) == ('t' | 'o' << 8 | ':' << 16) || (word & 0xffff) == ('t' | ':' << 8);
}

/* Returns the first byte of the first To; 0: undecided. A different header that begins with "T" may come first, or the
 * empty line that ends the headers. */
static __always_inline __u32 counter_find_to(const struct sip_text *t, __u32 at)
{
	const __u8 *p = NULL;
	__u32 first;

	for (int i = 0; i < COUNTER_TO_STEPS; i++) {
		p = t->data + at;
		if (at + SIP_HALF + 8 > t->end || p + SIP_HALF + 8 > t->data_end)
			return 0;
		if (counter_has_to(p))
			break;
		at = (at + SIP_HALF) & (SIP_OFFSET_LIMIT - 1);
	}
	at = sip_forget(t, at);
	p = t->data + at;
	if (p + SIP_HALF + 8 > t->data_end)
		return 0;
	first = counter_first_to(t, p);
	if (first == SIP_HALF)
		return 0; /* counter_has_to() was wrong, or the To is too far away */
	at = sip_forget(t, at + first + 1);
	return counter_is_to(sip_raw_word(t, at)) ? at : 0;
}

/* Returns the newline that ends the line at `at`; 0: the line is long, or close to the end of the text. */
static __always_inline __u32 counter_line_end(const struct sip_text *t, __u32 at)
{
	for (int i = 0; i < COUNTER_LINE_WORDS; i++) {
		const __u8 *p = t->data + at;
		__u64 newline;

		if (at + 16 > t->end || p + 16 > t->data_end)
			return 0;
		newline = sip_zeroes(load64(p) ^ EVERY('\n'));
		if (newline)
			return at + sip_first(newline);
		at = (at + 8) & (SIP_OFFSET_LIMIT - 1);
	}
	return 0;
}

/* Returns the number, 0 to 7, of the byte with the highest flag. */
static __always_inline __u32 counter_last(__u64 flags)
{
	__u32 last = 0;

	if (flags >> 32) {
		flags >>= 32;
		last = 4;
	}
	if (flags >> 16) {
		flags >>= 16;
		last += 2;
	}
	return last + (flags >> 8 ? 1 : 0);
}

/* Is this the start of ";tag="? */
static __always_inline bool counter_is_tag(__u64 word)
{
	return ((word | SIP_NAME(0, ' ', ' ', ' ', 0, 0, 0, 0)) << 24) == SIP_NAME(0, 0, 0, ';', 't', 'a', 'g', '=');
}

/* Returns whether the line before `end` ends with the parameter ";tag=...". If no quote or angle bracket
 * follows this text, it is not in a quoted string or in a URI in brackets (RFC 3261 section 25.1). */
static __always_inline bool counter_ends_with_tag(const struct sip_text *t, __u32 end)
{
	__u64 marks = 0;

	for (int i = 0; i < COUNTER_TAG_WORDS && !marks; i++) {
		const __u8 *p;

		end = sip_forget(t, end - 8);
		p = t->data + end;
		if (p + 8 > t->data_end)
			return false;
		marks = sip_equal(load64(p), ';') | sip_equal(load64(p), '"') | sip_equal(load64(p), '>') |
			sip_equal(load64(p), '\n');
	}
	return counter_is_tag(sip_raw_word(t, sip_forget(t, end + counter_last(marks))));
}

/* Decides whether the To that starts at `at` has a tag: SIP_FOUND, SIP_NOT_THERE, or SIP_TOO_FAR: undecided. By
 * the grammar of RFC 3261 section 25.1 no parameter ends with ">". */
static __always_inline enum sip_result counter_tag(const struct sip_text *t, __u32 at)
{
	__u32 end = counter_line_end(t, at);
	const __u8 *p;

	if (!end)
		return SIP_TOO_FAR;
	p = t->data + sip_forget(t, end - 2);
	if (p + 4 > t->data_end || p[3] == ' ' || p[3] == '\t' || p[1] != '\r')
		return SIP_TOO_FAR; /* folded, or not in a common form */
	if (p[0] == '>')
		return SIP_NOT_THERE;
	return counter_ends_with_tag(t, sip_forget(t, end - 1)) ? SIP_FOUND : SIP_TOO_FAR;
}

/* --- CSeq */

/* Returns the method in "CSeq: NUMBER METHOD", which directly follows the value of the Call-ID; METHOD_NONE:
 * undecided. */
static __always_inline enum method counter_cseq(const struct sip_text *t, __u32 at)
{
	const __u8 *p = t->data + (at & (SIP_OFFSET_LIMIT - 1));
	__u64 word, space, before;

	if (at + COUNTER_CSEQ > t->end || p + COUNTER_CSEQ > t->data_end)
		return METHOD_NONE;
	word = load64(p) | SIP_NAME(0, 0, ' ', ' ', ' ', ' ', 0, 0);
	if (word != SIP_NAME('\r', '\n', 'c', 's', 'e', 'q', ':', ' '))
		return METHOD_NONE;
	word = load64(p + 8);
	space = sip_equal(word, ' ');
	if (!space || space & 0x80)
		return METHOD_NONE;
	before = (space & -space) - 1;
	word ^= EVERY('0');
	if ((((word & EVERY(0x7f)) + EVERY(0x76)) | word) & EVERY(0x80) & before)
		return METHOD_NONE;
	p = t->data + sip_forget(t, at + 9 + sip_first(space));
	if (p + 16 > t->data_end || p[0] <= ' ')
		return METHOD_NONE;
	word = load64(p);
	if (((word & ~EVERY(0x20)) << 16) == SIP_NAME(0, 0, 'I', 'N', 'V', 'I', 'T', 'E') && (__u8)(word >> 48) <= ' ')
		return METHOD_INVITE;
	return sip_method_of(sip_spaces(word), sip_spaces(load64(p + 8)));
}

/* --- the message */

/* Returns the counter of the message that starts at `start`, or COUNTER_UNDECIDED. `after`: the end of its
 * Call-ID value; 0: unknown. In that case the packet may not be SIP. */
static __always_inline __u32 sip_counter(const struct sip_text *t, __u32 start, __u32 after)
{
	const __u8 *p = t->data + (start & (SIP_OFFSET_LIMIT - 1));
	enum sip_result tag;
	enum method method;
	__u32 to;

	if (start + SIP_MINIMUM > t->end || p + SIP_MINIMUM > t->data_end)
		return COUNTER_UNDECIDED;
	if (after ? p[0] <= ' ' : !sip_begins_plainly(t, start))
		return COUNTER_UNDECIDED;
	method = sip_forget(t, sip_method_of(load64(p), load64(p + 8)));
	if (method == METHOD_NONE) {
		method = after ? sip_forget(t, counter_cseq(t, after)) : METHOD_NONE;
		return method ? counter_of_response(sip_forget(t, counter_code(load64(p + 8))), method)
			      : COUNTER_UNDECIDED;
	}
	if (method >= METHOD_ACK)
		return counter_of_request(method, SIP_FOUND);
	to = counter_find_to(t, start & (SIP_OFFSET_LIMIT - 1));
	if (!to)
		return COUNTER_UNDECIDED;
	tag = counter_tag(t, sip_forget(t, to));
	return tag == SIP_TOO_FAR ? COUNTER_UNDECIDED : counter_of_request(method, tag);
}
