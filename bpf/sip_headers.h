/* SPDX-License-Identifier: GPL-2.0 */
/* Finds headers of a SIP message in one pass over its lines. The pass stops at the header that the caller searches
 * for. A later call continues at this position, so that no line is read twice. The code reads the packet in place,
 * within the packet's budget (sip_text.h). It never reads beyond the end of the headers or of the datagram. It
 * compiles for the kernel and for user space.
 *
 * Each loop over the message is a bpf_loop. The verifier checks one step of a bpf_loop. Kernels before 6.7 check
 * this step only with the state before the first step, and remove branches that cannot be reached from that state.
 * Therefore each member of a state is initialised with sip_forget or sip_zero. tests/prog/test_sip_reader.c tests on
 * each kernel that no branch is missing. Members that change have 64 bits. If several members shared eight bytes of
 * the stack, the verifier would see a new state after each write. */
#pragma once

#include "sip_start.h"

#define SIP_PASS_PLACES 3 /* lines, or blocks without a newline, in one step of the pass */
#define SIP_COST_PLACE 1  /* any line or block */
#define SIP_COST_LINE 1   /* added for a line */
#define SIP_COST_LETTER 2 /* added for a line that starts with the first letter of one of the headers */
#define SIP_COST_COLON 2  /* added for blanks between a name and its colon */

enum sip_header {
	SIP_VIA,
	SIP_FROM,
	SIP_TO,
	SIP_CSEQ,
	SIP_CALL_ID,
	SIP_EXPIRES,
	SIP_ROUTE,
	SIP_HEADER_COUNT, /* none of them */
};

#define SIP_HEADERS_END 0xffff

/* The current state of the pass over one message. The caller initialises `at` to the start-line, and all other
 * members to 0. */
struct sip_lines {
	union {
		struct {
			__u16 colon[SIP_HEADER_COUNT]; /* frame offset, first header of each name; 0: not found */
			__u16 at; /* offset where the pass continues; SIP_HEADERS_END: no other header follows */
		};
		__u64 words[2];
	};
};

_Static_assert(SIP_HEADER_COUNT == 7, "the words of struct sip_lines hold all headers and one offset");

struct sip_pass {
	struct sip_text text;
	__u64 at;
	__u64 low;    /* words[0] of struct sip_lines */
	__u64 high;   /* words[1], without `at` */
	__u64 wanted; /* enum sip_header */
	__u64 left;   /* remaining budget */
};

/* Returns the distance to the next newline if *found becomes true, otherwise to the start of the next block. */
static __always_inline __u32 sip_newline(const struct sip_text *t, __u32 at, bool *found)
{
	const __u8 *p = t->data + at;
	__u64 newlines;
	__u32 word = 0;

	if (p + SIP_HALF > t->data_end) {
		newlines = sip_zeroes(sip_word(t, at) ^ EVERY('\n'));
	} else {
		for (; word < SIP_HALF; word += 8) {
			newlines = sip_zeroes(load64(p + word) ^ EVERY('\n'));
			if (newlines || word == SIP_HALF - 8)
				break;
		}
	}
	*found = newlines;
	return sip_forget(t, word) + sip_first(sip_join(newlines));
}

#define SIP_LETTER(letter) (1U << ((letter)&31))

/* Returns true if the name of one of the headers may begin with this byte. */
static __always_inline bool sip_is_letter(__u8 byte)
{
	const __u32 letters = SIP_LETTER('v') | SIP_LETTER('f') | SIP_LETTER('t') | SIP_LETTER('c') | SIP_LETTER('i') |
			      SIP_LETTER('e') | SIP_LETTER('r');

	return letters >> (byte & 31) & 1;
}

/* Returns the header whose compact form is this letter (RFC 3261 section 7.3.3). */
static __always_inline enum sip_header sip_compact_header(__u8 letter)
{
	switch (letter) {
	case 'v':
		return SIP_VIA;
	case 'f':
		return SIP_FROM;
	case 't':
		return SIP_TO;
	case 'i':
		return SIP_CALL_ID;
	}
	return SIP_HEADER_COUNT;
}

/* Does a word begin with a name of `length` letters? */
static __always_inline bool sip_begins_with(__u64 word, __u64 name, __u32 length)
{
	return !((word ^ name) << (64 - 8 * length));
}

/* Returns the header whose line begins with `word`, and the length of its name. */
static __always_inline enum sip_header sip_header_of(__u64 word, __u32 *length)
{
	__u8 second = word >> 8;

	word |= EVERY(0x20);
	*length = 1;
	if (second == ':' || second <= ' ')
		return sip_compact_header(word);
	*length = 2;
	if (sip_begins_with(word, SIP_NAME('t', 'o', 0, 0, 0, 0, 0, 0), 2))
		return SIP_TO;
	*length = 3;
	if (sip_begins_with(word, SIP_NAME('v', 'i', 'a', 0, 0, 0, 0, 0), 3))
		return SIP_VIA;
	*length = 4;
	if (sip_begins_with(word, SIP_NAME('f', 'r', 'o', 'm', 0, 0, 0, 0), 4))
		return SIP_FROM;
	if (sip_begins_with(word, SIP_NAME('c', 's', 'e', 'q', 0, 0, 0, 0), 4))
		return SIP_CSEQ;
	*length = 5;
	if (sip_begins_with(word, SIP_NAME('r', 'o', 'u', 't', 'e', 0, 0, 0), 5))
		return SIP_ROUTE;
	*length = 7;
	if (sip_begins_with(word, SIP_NAME('c', 'a', 'l', 'l', '-', 'i', 'd', 0), 7))
		return SIP_CALL_ID;
	if (sip_begins_with(word, SIP_NAME('e', 'x', 'p', 'i', 'r', 'e', 's', 0), 7))
		return SIP_EXPIRES;
	return SIP_HEADER_COUNT;
}

/* Records the colon of a header, if it is the first of its name. */
static __always_inline void sip_take_colon(struct sip_pass *s, __u32 header, __u64 colon)
{
	__u32 shift = header % 4 * 16;
	__u64 taken = header < 4 ? s->low : s->high;

	if (!(taken >> shift & 0xffff))
		taken |= colon << shift;
	if (header < 4)
		s->low = taken;
	else
		s->high = taken;
}

/* Reads the line whose first letter is at s->at. Returns true if it is the wanted header. */
static __always_inline bool sip_pass_header(struct sip_pass *s, __u64 word)
{
	const struct sip_text *t = &s->text;
	__u32 length, at = s->at, header = sip_forget(t, sip_header_of(word, &length)), colon;

	if (header >= SIP_HEADER_COUNT)
		return false;
	length = sip_forget(t, length);
	colon = at + length;
	if ((__u8)(word >> (8 * length)) != ':') {
		s->left = sip_forget(t, s->left - SIP_COST_COLON);
		colon = sip_colon(t, sip_forget(t, colon));
	}
	if (sip_room(t, colon) <= 0) {
		s->at = sip_forget(t, t->end);
		return true;
	}
	if (colon)
		sip_take_colon(s, header, sip_forget(t, colon));
	return colon && header == s->wanted;
}

/* Moves to the next line or block, and charges the budget. Returns true at the end of the pass. */
static __always_inline bool sip_pass_place(struct sip_pass *s)
{
	const struct sip_text *t = &s->text;
	__u32 at = s->at & (SIP_OFFSET_LIMIT - 1);
	__u64 word;
	bool found;

	if (s->left <= SIP_COST_PLACE + SIP_COST_LINE + SIP_COST_LETTER + SIP_COST_COLON) {
		s->left = sip_forget(t, 0);
		return true;
	}
	s->left = sip_forget(t, s->left - SIP_COST_PLACE);
	at = sip_forget(t, at + sip_newline(t, at, &found));
	s->at = sip_forget(t, at + found);
	if (sip_room(t, s->at) <= 0)
		return true;
	if (!found)
		return false;
	s->left = sip_forget(t, s->left - SIP_COST_LINE);
	word = sip_raw_word(t, s->at);
	if ((__u8)word == '\r' || (__u8)word == '\n') {
		s->at = SIP_HEADERS_END + (__u64)t->zero;
		return true;
	}
	if (!sip_is_letter(word))
		return false;
	s->left = sip_forget(t, s->left - SIP_COST_LETTER);
	return sip_pass_header(s, word);
}

static inline long sip_pass_step(__u32 step __attribute__((unused)), void *state)
{
	for (int i = 0; i < SIP_PASS_PLACES; i++) {
		if (sip_pass_place(state))
			return 1;
	}
	return 0;
}

/* Finds the first header `wanted`; SIP_HEADER_COUNT: reads all headers. Returns SIP_FOUND, SIP_NOT_THERE, or
 * SIP_TOO_FAR at the end of the text or of the budget. */
static __always_inline enum sip_result sip_find_header(
	struct sip_text text, struct sip_lines *lines, __u32 wanted, __u16 *left)
{
	struct sip_pass pass = {.text = text};

	if (wanted < SIP_HEADER_COUNT && lines->colon[wanted])
		return SIP_FOUND;
	if (sip_room(&text, lines->at) > 0 && text.end >= SIP_MINIMUM) {
		pass.at = sip_forget(&text, lines->at);
		pass.low = lines->words[0] + sip_zero(&text);
		pass.high = (lines->words[1] & 0xffffffffffffULL) + sip_zero(&text);
		pass.wanted = sip_forget(&text, wanted);
		pass.left = sip_forget(&text, *left);
		sip_loop(SIP_PACKET_BUDGET / SIP_PASS_PLACES + 1, sip_pass_step, &pass);
		lines->words[0] = pass.low;
		lines->words[1] = pass.high | pass.at << 48;
		*left = pass.left;
	}
	if (wanted < SIP_HEADER_COUNT && lines->colon[wanted])
		return SIP_FOUND;
	return lines->at == SIP_HEADERS_END ? SIP_NOT_THERE : SIP_TOO_FAR;
}
