/* SPDX-License-Identifier: GPL-2.0 */
/* Reads a SIP message as text in a frame: bounded reads of eight bytes, tests on all eight bytes of a word, and
 * the budget for one packet. The code reads the packet in place and never beyond the end of the text. It
 * compiles for the kernel and for user space. */
#pragma once

#include "hash.h"

#define SIP_HALF 32               /* bytes; half a stride */
#define SIP_STRIDE (2 * SIP_HALF) /* bytes that one step of a search tests */
#define SIP_MINIMUM 40            /* bytes; a shorter text is not SIP with a Call-ID */
#define SIP_BLANK_WORDS 2         /* 16 bytes of blanks before a colon */
#define SIP_SPACE_WORDS 8         /* 64 bytes of white space before a value */
#define SIP_OFFSET_LIMIT 8192
#define SIP_MARGIN 64 /* bytes; with this margin, the sum of an offset and a small number stays below the limit */

/* The budget for reading the message of one packet, in units of about 3 ns. Each step of a loop over the text costs
 * units. When no units are left, the loop stops, and the result of the search is SIP_TOO_FAR. */
#define SIP_PACKET_BUDGET 300
#define SIP_USER_BUDGET 200 /* maximum for the search for the user; the remainder is for hint and migration */

enum sip_result {
	SIP_FOUND,
	SIP_NOT_THERE, /* the headers do not contain it, or it is empty */
	SIP_TOO_FAR,   /* it is truncated or beyond the readable text, or the budget ran out */
	SIP_NOT_SIP,
	SIP_AGAIN,    /* only a search for the Call-ID alone, from the start of the message, is certain */
	SIP_CONTINUE, /* the straight-line steps of a search are not sufficient */
	SIP_UNHASHED, /* the Call-ID is found, but its value is not in the common form */
};

/* The message as the scanner reads it: `end` is never beyond data_end. */
struct sip_text {
	const __u8 *data;
	const __u8 *data_end;
	__u32 end;
	__u32 zero; /* is 0, but unknown to the verifier: see sip_forget */
};

#define EVERY(byte) (0x0101010101010101ULL * (byte))

/* A word of up to eight characters. The first character is in the lowest byte. */
#define SIP_NAME(a, b, c, d, e, f, g, h)                                                                               \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | (__u64)(f) << 40 |    \
		(__u64)(g) << 48 | (__u64)(h) << 56)

/* Returns the same offset, but the verifier knows only that it is below SIP_OFFSET_LIMIT. Without this function the
 * verifier would check the code separately for each possible position of a candidate. */
static __always_inline __u32 sip_forget(const struct sip_text *t, __u32 offset)
{
	return (offset + t->zero) & (SIP_OFFSET_LIMIT - 1);
}

/* Returns the same offset, through `memory`, which must not be on the stack. The verifier then knows nothing about it,
 * and does not follow it back to the word from which it comes, as it does after sip_forget(). */
static __always_inline __u32 sip_forget_source(__u16 *memory, __u32 offset)
{
	*(volatile __u16 *)memory = offset;
	return *(volatile __u16 *)memory;
}

/* Calls step(number, state) at most `steps` times, until it returns 1. Returns the number of calls. */
#ifdef __bpf__
#define sip_loop(steps, step, state) bpf_loop(steps, step, state, 0)
#else
static inline __u32 sip_loop(__u32 steps, long (*step)(__u32, void *), void *state)
{
	__u32 done = 0;

	while (done < steps && !step(done++, state))
		;
	return done;
}
#endif

/* Like sip_loop, with at most `most` calls, each of which costs `cost` units of the budget *left. If the budget runs
 * out, the loop stops and *left becomes 0. */
static __always_inline void sip_loop_paid(__u16 *left, __u32 cost, __u32 most, long (*step)(__u32, void *), void *state)
{
	__u32 steps = *left / cost;

	if (steps > most)
		steps = most;
	steps = sip_loop(steps, step, state);
	/* *left is read again instead of kept in a register, because few registers are free. */
	*left = steps * cost + cost > *left ? 0 : *left - steps * cost;
}

static __always_inline __u64 load64(const __u8 *p)
{
#ifdef __bpf__
	return *(const __u64 *)p; /* memcpy would be eight loads */
#else
	__u64 word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
#endif
}

/* Returns how many bytes of the text follow an offset. The inline assembly keeps the compiler from comparing the two
 * offsets directly. After each such comparison the verifier would see a new state of `end`. */
static __always_inline __s32 sip_room(const struct sip_text *t, __u32 offset)
{
	__s32 room = t->end - offset;

	asm volatile("" : "+r"(room));
	return room;
}

/* Returns 0, but the verifier does not know the value. A comparison of the result does not reveal t->zero to the
 * verifier. */
static __always_inline __u64 sip_zero(const struct sip_text *t)
{
	return t->zero * EVERY(0x01);
}

/* Returns the eight bytes at an offset. The last `missing` bytes are beyond the end of the text, and become zero. */
static __always_inline __u64 sip_last_word(const struct sip_text *t, __u32 offset, __s64 missing)
{
	const __u8 *p = t->data + sip_forget(t, offset - missing);

	return p + 8 <= t->data_end ? load64(p) >> (missing * 4) >> (missing * 4) : sip_zero(t);
}

/* Returns the eight bytes at an offset. Up to seven of them may be beyond the end of the text; these are zero in the
 * result. There is no branch for a whole word: the verifier would follow it. */
static __always_inline __u64 sip_word(const struct sip_text *t, __u32 offset)
{
	__s64 missing = 8 - (__s64)sip_room(t, offset);

	return sip_last_word(t, offset, missing & ~(missing >> 63));
}

/* Like sip_word, but bytes beyond the end of the text may have any value. */
static __always_inline __u64 sip_raw_word(const struct sip_text *t, __u32 offset)
{
	const __u8 *p = t->data + (offset & (SIP_OFFSET_LIMIT - 1));

	return p + 8 <= t->data_end ? load64(p) : sip_last_word(t, offset, 8 - (__s64)sip_room(t, offset));
}

static __always_inline __u8 sip_byte(const struct sip_text *t, __u32 at)
{
	return sip_word(t, at);
}

/* Returns the same word. The compiler does not know that, and therefore does not copy the code that follows into each
 * branch before it: the verifier would check each copy. */
static __always_inline __u64 sip_join(__u64 word)
{
	asm volatile("" : "+r"(word));
	return word;
}

/* Returns the number, 0 to 7, of the byte with the lowest flag; 8: no flag is set. A flag is bit 7 of a byte. */
static __always_inline __u32 sip_first(__u64 flags)
{
	flags >>= 7;
	return (((flags - 1) & ~flags & EVERY(0x01)) * EVERY(0x01)) >> 56;
}

/* Flags the bytes above 0x20: neither white space nor the end of a line. */
static __always_inline __u64 sip_visible(__u64 word)
{
	return (((word & EVERY(0x7f)) + EVERY(0x5f)) | word) & EVERY(0x80);
}

/* Flags the bytes that are not digits. */
static __always_inline __u64 sip_no_digits(__u64 word)
{
	word ^= EVERY('0');
	return (((word & EVERY(0x7f)) + EVERY(0x80 - 10)) | word) & EVERY(0x80);
}

/* Flags the zero bytes of a word. The lowest flag is correct; higher flags may be false. */
static __always_inline __u64 sip_zeroes(__u64 word)
{
	return (word - EVERY(0x01)) & ~word & EVERY(0x80);
}

/* Flags the bytes that are equal to `byte`. Unlike those of sip_zeroes, all flags are correct. */
static __always_inline __u64 sip_equal(__u64 word, __u8 byte)
{
	word ^= EVERY(byte);
	return ~(((word & EVERY(0x7f)) + EVERY(0x7f)) | word) & EVERY(0x80);
}

#define SIP_SCAN_WORDS 8 /* 64 bytes */
#define SIP_COST_SCAN 4

/* Returns the offset of the first `a`, `b`, `c` or newline, for values in the common form (sip_usual.h). 0: none of
 * them is within 64 bytes, or the frame ends too soon; the caller must then call the general parser (sip_value.h).
 * This is straight-line code, and takes less time than one step of the general parser. */
static __always_inline __u32 sip_scan(const struct sip_text *t, __u32 at, __u8 a, __u8 b, __u8 c, __u16 *left)
{
	if (*left < SIP_COST_SCAN)
		return 0;
	*left -= SIP_COST_SCAN;
	at = sip_forget(t, at);
	for (int i = 0; i < SIP_SCAN_WORDS; i++) {
		const __u8 *p = t->data + at;
		__u64 word, marks;

		if (p + 8 > t->data_end)
			return 0;
		word = load64(p);
		marks = sip_zeroes(word ^ EVERY(a)) | sip_zeroes(word ^ EVERY(b)) | sip_zeroes(word ^ EVERY(c)) |
			sip_zeroes(word ^ EVERY('\n'));
		if (marks) {
			at = sip_forget(t, at + sip_first(marks));
			return sip_room(t, at) > 0 ? at : 0;
		}
		at = (at + 8) & (SIP_OFFSET_LIMIT - 1);
	}
	return 0;
}

/* Returns the offset of the first visible byte at or after an offset; t->end if there is none within 64 bytes. */
static __always_inline __u32 sip_skip_space(const struct sip_text *t, __u32 at)
{
	for (int i = 0; i < SIP_SPACE_WORDS; i++) {
		__u64 visible = sip_visible(sip_word(t, at));

		if (visible)
			return at + sip_first(visible);
		at = sip_forget(t, at + 8);
		if (sip_room(t, at) <= 0)
			break;
	}
	return t->end;
}

/* Returns the colon of the header whose name ends at `at`. Blanks on the same line may precede the colon (HCOLON,
 * RFC 3261 section 25.1). 0: something else follows; t->end: the colon is too far away, or the text ends before it. */
static __always_inline __u32 sip_colon(const struct sip_text *t, __u32 at)
{
	for (int i = 0; i < SIP_BLANK_WORDS; i++) {
		__u64 word = sip_word(t, at);
		__u64 other = ~(sip_equal(word, ' ') | sip_equal(word, '\t')) & EVERY(0x80);
		__u32 first = sip_first(other);

		if (other)
			return (__u8)(word >> (first * 8)) == ':' ? at + first : 0;
		at = sip_forget(t, at + 8);
		if (sip_room(t, at) <= 0)
			break;
	}
	return t->end;
}

/* Returns the part of the frame that may be read as text. */
static __always_inline struct sip_text sip_text(const __u8 *data, const __u8 *data_end, __u32 end, __u32 zero)
{
	struct sip_text text = {.data = data, .data_end = data_end, .end = end, .zero = zero};

	if (text.end > data_end - data)
		text.end = data_end - data;
	if (text.end > SIP_OFFSET_LIMIT - SIP_MARGIN)
		text.end = SIP_OFFSET_LIMIT - SIP_MARGIN;
	text.end = sip_forget(&text, text.end);
	return text;
}
