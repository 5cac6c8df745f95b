/* SPDX-License-Identifier: GPL-2.0 */
/* Reads a To header in the form that nearly all senders use, and finds out whether it has a tag. It reads a bounded
 * number of bytes, in place. For all other forms the result is SIP_TOO_FAR, and the caller must use the general parser
 * (sip_value.h). It compiles for the kernel and for user space. */
#pragma once

#include "sip_start.h"

#define SIP_TO_HALVES 4    /* halves of a stride in the line of a To: 128 bytes */
#define SIP_TO_ROOM 2      /* bytes after the newline that ends a To */
#define SIP_TO_TAG_WORDS 8 /* words of a tag: 64 bytes */

/* Is this the start of "To:" or "t:"? */
static __always_inline bool sip_is_to(__u64 word)
{
	word |= SIP_NAME(' ', ' ', 0, 0, 0, 0, 0, 0);
	return (word & 0xffffff) == ('t' | 'o' << 8 | ':' << 16) || (word & 0xffff) == ('t' | ':' << 8);
}

/* Returns the newline that ends the line at `at`; 0: the line is long, or close to the end of the frame. */
static __always_inline __u32 sip_to_end(const struct sip_text *t, __u32 at, __u16 *memory)
{
	for (int i = 0; i < SIP_TO_HALVES; i++) {
		const __u8 *p = t->data + at;

		if (p + SIP_HALF > t->data_end)
			return 0;
		for (int word = 0; word < SIP_HALF; word += 8) {
			__u64 newline = sip_zeroes(load64(p + word) ^ EVERY('\n'));

			if (newline)
				return sip_forget_source(memory, at + word + sip_first(newline));
		}
		at = (at + SIP_HALF) & (SIP_OFFSET_LIMIT - 1);
	}
	return 0;
}

/* Returns the number, 0 to 7, of the byte with the highest flag. */
static __always_inline __u32 sip_to_last(__u64 flags)
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
static __always_inline bool sip_to_starts_tag(__u64 word)
{
	return ((word | SIP_NAME(0, ' ', ' ', ' ', 0, 0, 0, 0)) << 24) == SIP_NAME(0, 0, 0, ';', 't', 'a', 'g', '=');
}

/* Returns whether the line before `end` ends with the parameter ";tag=...". If no quote or angle bracket
 * follows this text, it is not in a quoted string or in a URI in brackets (RFC 3261 section 25.1). */
static __always_inline bool sip_to_ends_with_tag(const struct sip_text *t, __u32 end)
{
	__u64 marks = 0;

	for (int i = 0; i < SIP_TO_TAG_WORDS && !marks; i++) {
		const __u8 *p;

		end = sip_forget(t, end - 8);
		p = t->data + end;
		if (p + 8 > t->data_end)
			return false;
		marks = sip_equal(load64(p), ';') | sip_equal(load64(p), '"') | sip_equal(load64(p), '>') |
			sip_equal(load64(p), '\n');
	}
	return sip_to_starts_tag(sip_raw_word(t, sip_forget(t, end + sip_to_last(marks))));
}

/* Decides whether the line after the newline at `at` is a To with a tag: SIP_FOUND, SIP_NOT_THERE, or SIP_TOO_FAR:
 * undecided. By the grammar of RFC 3261 section 25.1 no parameter ends with ">". `memory` is for sip_forget_source().
 */
static __always_inline enum sip_result sip_to_tag(const struct sip_text *t, __u32 at, __u16 *memory)
{
	__u32 end = sip_to_end(t, at + 1, memory);
	const __u8 *p = t->data + sip_forget(t, end - 2);

	if (!end || sip_room(t, end) <= SIP_TO_ROOM || p + 4 > t->data_end || !sip_is_to(sip_raw_word(t, at + 1)))
		return SIP_TOO_FAR;
	if (p[3] == ' ' || p[3] == '\t' || p[1] != '\r')
		return SIP_TOO_FAR; /* folded, or not in a common form */
	if (p[0] == '>')
		return SIP_NOT_THERE;
	return sip_to_ends_with_tag(t, sip_forget(t, end - 1)) ? SIP_FOUND : SIP_TOO_FAR;
}
