/* SPDX-License-Identifier: GPL-2.0 */
/* The start-line of a SIP message (RFC 3261 section 7): its position, and the method of a request. */
#pragma once

#include "sip_text.h"

#define SIP_METHOD_WORDS 8 /* 64 bytes for the name of a method */

/* Returns true if a start-line begins here: printable characters and one space. */
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

/* Returns true if a usual start-line begins here: a method of up to seven letters, or the version of a response. If it
 * returns false, sip_start must decide. */
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

/* Is this "SIP/2.0 ", in any case, the start of a response? */
static __always_inline bool sip_is_version(__u64 word)
{
	return (word | EVERY(' ')) == SIP_NAME('s', 'i', 'p', '/', '2', '.', '0', ' ');
}

/* Returns the method of a request whose start-line starts with these 16 bytes. RFC 3261 section 7.1 makes
 * methods case-sensitive, but Kamailio accepts "register" as REGISTER. The comparison clears bit 5 of each byte: only
 * letters then equal upper-case letters. */
static __always_inline enum method sip_method_of(__u64 word, __u64 word_after)
{
	__u64 space = sip_zeroes(word ^ EVERY(' '));
	__u64 text = space ? word & (((space & -space) >> 7) - 1) : word, name = text & ~EVERY(0x20);

	if (sip_is_version(word))
		return METHOD_NONE;
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
	return METHOD_OTHER;
}

/* The parts of a start-line. */
struct sip_start {
	__u16 line;  /* offset of the start-line; 0: not read yet, or the text is not SIP */
	__u16 uri;   /* offset of the Request-URI; 0: a response */
	__u16 code;  /* status code of a response, if it is a number; 0: a request */
	__u8 method; /* method of a request; METHOD_NONE: a response */
	__u8 not_sip;
};

/* Returns the offset after the first space at or after `at`. */
static __always_inline __u32 sip_after_space(const struct sip_text *t, __u32 at)
{
	for (int i = 0; i < SIP_METHOD_WORDS; i++) {
		__u64 space = ~sip_visible(sip_raw_word(t, at)) & EVERY(0x80);

		if (space)
			return at + sip_first(space) + 1;
		at = sip_forget(t, at + 8);
	}
	return 0;
}

/* Reads the start-line at `line`. */
static __always_inline void sip_read_start(const struct sip_text *t, __u32 line, struct sip_start *start)
{
	__u64 word, word_after;

	line = sip_forget(t, line);
	word = sip_raw_word(t, line);
	word_after = sip_word(t, line + 8);
	start->line = line;
	start->method = sip_method_of(word, word_after);
	if (start->method != METHOD_NONE) {
		start->uri = sip_after_space(t, line);
		return;
	}
	word_after -= SIP_NAME('0', '0', '0', 0, 0, 0, 0, 0);
	start->code = (__u8)word_after * 100 + (__u8)(word_after >> 8) * 10 + (__u8)(word_after >> 16);
}

/* Finds and reads the start-line of the message that starts at `at`, after empty lines. SIP_FOUND or SIP_NOT_SIP. */
static __always_inline enum sip_result sip_find_start(struct sip_text text, __u32 at, struct sip_start *start)
{
	*start = (struct sip_start){};
	if (!sip_begins_plainly(&text, at) && !sip_start(&text, &at))
		return SIP_NOT_SIP;
	sip_read_start(&text, at, start);
	return SIP_FOUND;
}
