/* SPDX-License-Identifier: GPL-2.0 */
/* The start-line of a SIP message (RFC 3261 section 7): its position, and the method of a request. */
#pragma once

#include "sip_text.h"

#define SIP_METHOD_WORDS 8 /* 64 bytes for the name of a method */

/* Does a start-line start here, with printable characters and one space? */
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

/* Moves *start over empty lines to the start-line; false: there is none. */
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

/* Does a usual start-line start here, with a method of up to seven letters or the version of a response?
 * False: sip_start must decide. */
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

/* Finds the start-line of the message that starts at `start`, after empty lines. SIP_FOUND or SIP_NOT_SIP. */
static __always_inline enum sip_result sip_start_line(struct sip_text text, __u32 start, __u32 *line)
{
	if (!sip_begins_plainly(&text, start) && !sip_start(&text, &start))
		return SIP_NOT_SIP;
	*line = start & (SIP_OFFSET_LIMIT - 1);
	return SIP_FOUND;
}

/* Is this "SIP/2.0 ", in any case, the start of a response? */
static __always_inline bool sip_is_version(__u64 word)
{
	return (word | EVERY(' ')) == SIP_NAME('s', 'i', 'p', '/', '2', '.', '0', ' ');
}

/* Returns the method of a request whose start-line starts with these 16 bytes. RFC 3261 section 7.1 makes
 * methods case-sensitive, but Kamailio accepts "register" as REGISTER. Only letters become letters when
 * bit 5 is cleared. */
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

/* Returns the method of the message that starts at `start`; METHOD_NONE: it is not a request. */
static __always_inline enum method sip_method(struct sip_text text, __u32 start)
{
	if (!sip_start(&text, &start))
		return METHOD_NONE;
	return sip_method_of(sip_word(&text, start), sip_word(&text, start + 8));
}
