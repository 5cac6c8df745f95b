/* SPDX-License-Identifier: GPL-2.0 */
/* Finds the Call-ID of a SIP message (RFC 3261 sections 7 and 20.8, RFC 4475) and hashes its value. The code
 * reads the packet in place, in a bounded number of steps. It never reads beyond the end of the headers or of
 * the datagram. It compiles for the kernel and for user space.
 *
 * The search reads words of eight bytes. It combines each word with the word one byte later. One test then
 * finds, at eight positions, a newline before a letter of interest. Most headers are skipped without a branch. */
#pragma once

#include "counters.h"
#include "sip_to.h"

#define SIP_PLAIN_STEPS 10   /* strides and candidates before the loop */
#define SIP_LOOP_HALVES 4    /* halves of a stride in one step of the loop */
#define SIP_LOOP_STEPS 64    /* more steps than SIP_BUDGET allows */
#define SIP_BUDGET 136       /* units that one search may spend, about 3 ns each */
#define SIP_COST_PLAIN 4     /* one step in straight-line code */
#define SIP_COST_EXACT 3     /* the exact test of half a stride, in addition to one unit for the half */
#define SIP_COST_CANDIDATE 3 /* a candidate line, in addition to the above */
#define SIP_COST_BLANKS 6    /* blanks between a name and its colon */
#define SIP_SURE_STOPS 6     /* see sip_is_sure() */
#define SIP_SURE_BYTES 1024
#define SIP_PLAIN_VALUE 48 /* maximum Call-ID length that is read without a test for the end of the text */
#define SIP_VALUE_WORDS 32 /* words of a Call-ID that are hashed: 256 bytes */

/* What a search looks for. */
enum sip_wanted {
	SIP_WANT_CALL_ID,
	SIP_WANT_BOTH, /* the Call-ID, and on the way to it the To of a request */
	SIP_WANT_TO,   /* only the To of a request */
};

/* The hash of a Call-ID, and the position of its value in the frame. */
struct sip_key {
	__u64 hash_key[2]; /* set by the caller */
	union {
		__u64 hash;
		struct {
			__u8 wanted;  /* set by the caller: enum sip_wanted */
			__u8 letters; /* during the search: one byte of the mask of the quick test */
		};
	};
	union {
		__u16 value;
		__u16 from; /* after SIP_WANT_TO: the search for the Call-ID may begin here; 0: unknown */
	};
	__u16 value_end;
	__u16 spent;  /* budget units, if the search used the loop; else 0 */
	__u8 counter; /* enum service_counter of the message; 0: undecided or not counted (sip_counter.h) */
	__u8 stops;   /* how often the quick test failed */
};

/* Returns a word with a zero byte at each newline that precedes a byte of interest. In a byte of interest, bit
 * 4 is clear, and so is bit 2 if the byte is a letter. These bytes are A, B, C, H to K in either case, and the
 * bytes of an empty line. F and M (From, Max-Forwards) are not among them. */
static __always_inline __u64 sip_line_start(const __u8 *p)
{
	__u64 next = load64(p + 1);

	return (load64(p) ^ EVERY('\n')) | (next & EVERY(0x10)) | (next & (next << 4) & EVERY(0x40));
}

/* The letters of interest for the quick test, as a mask for each byte. SIP_LETTERS_TO are those whose lowest three bits
 * are at most 4: T, the letters of SIP_LETTERS_CALL_ID, and a few others, but neither F, M nor V (From, Max-Forwards,
 * Via). */
#define SIP_LETTERS_CALL_ID 0x54
#define SIP_LETTERS_TO 0x47

/* The quick test, sufficient for most of a message. With SIP_LETTERS_CALL_ID, bit 7 of a byte is clear where
 * sip_line_start is zero, and at a few other positions: after a byte below 0x0c or above 0x8b, digits and bytes below
 * 0x20 count as letters of interest. With the first sum a newline (0x0a) stays below 0x80 even with a carry from the
 * byte before. The second sum is below 0x80 for a letter with neither bit 4 nor bit 2, and for a byte without bit 6;
 * with SIP_LETTERS_TO, for a byte whose masked bits are below 0x45. */
static __always_inline __u64 sip_no_line(const __u8 *p, __u64 letters)
{
	return (load64(p) + EVERY(0x74)) | ((load64(p + 1) & letters) + EVERY(0x3c) - (letters & EVERY(0x01)));
}

#define SIP_LINE_OTHER 0
#define SIP_LINE_BLANK 1

/* Returns whether this is "Call-ID:" in upper or lower case, the form used in nearly all messages. */
static __always_inline bool sip_is_call_id(__u64 word)
{
	return (word | SIP_NAME(' ', ' ', ' ', ' ', 0, ' ', ' ', 0)) ==
	       SIP_NAME('c', 'a', 'l', 'l', '-', 'i', 'd', ':');
}

/* Returns the kind of a line, by its first word: SIP_LINE_OTHER, SIP_LINE_BLANK (the end of the headers), or a possible
 * Call-ID. For a possible Call-ID, it returns the length of the name plus one for the newline before it. */
static __always_inline __u32 sip_classify(__u64 word)
{
	/* "call-id": only the letters have bit 5 set. */
	const __u64 letters = 0x0020200020202020ULL, name = 0x0064692d6c6c6163ULL;
	__u8 first = word, second = word >> 8;

	if (!(((word | letters) ^ name) << 8))
		return 1 + sizeof("Call-ID") - 1;
	if ((first | 0x20) == 'i' && (second == ':' || second <= ' '))
		return 1 + sizeof("i") - 1;
	return first == '\r' || first == '\n' ? SIP_LINE_BLANK : SIP_LINE_OTHER;
}

/* Returns the position of the value after a colon and white space. The line may be folded there (the next line starts
 * with a blank). 0: the value is empty; t->end: the text ends before the value. */
static __always_inline __u32 sip_value(const struct sip_text *t, __u32 colon)
{
	__u32 at = colon + 1;

	for (int i = 0; i < SIP_SPACE_WORDS; i++) {
		__u64 word = sip_word(t, at), word_after = sip_word(t, at + 1);
		__u64 visible = sip_visible(word), before = (visible & -visible) - 1;
		__u64 folded = sip_equal(word_after, ' ') | sip_equal(word_after, '\t');
		__u64 over = sip_equal(word_after, '\0'); /* the end of the text */

		if (sip_equal(word, '\n') & before & ~folded & ~over)
			return 0;
		if (visible)
			return at + sip_first(visible);
		at = sip_forget(t, at + 8);
		if (sip_room(t, at) <= 0)
			break;
	}
	return t->end;
}

/* Hashes the value up to the next white space, at most SIP_VALUE_WORDS words. Returns the end of the value. If
 * the result is t->end or more, the value is truncated and the hash is invalid. */
static __always_inline __u32 sip_hash_value(const struct sip_text *t, __u32 at, struct hash *hash)
{
	__u64 space = 0;

	for (int i = 0; i < SIP_VALUE_WORDS; i++) {
		__u64 word = sip_raw_word(t, at);

		space = ~sip_visible(word) & EVERY(0x80);
		if (space)
			word &= ((space & -space) >> 7) - 1;
		hash_word(hash, sip_join(word));
		if (space)
			break;
		at = (at + 8) & (SIP_OFFSET_LIMIT - 1);
		if (sip_room(t, at) <= 0)
			return at;
	}
	return at + (space ? sip_first(space) : 0);
}

/* Returns the position of the first line of interest in half a stride; SIP_HALF: there is none. */
static __always_inline __u32 sip_first_line(const struct sip_text *t, const __u8 *p)
{
	__u64 lines = 0;
	__u32 at;

	for (at = 0; at < SIP_HALF; at += 8) {
		lines = sip_zeroes(sip_line_start(p + at));
		if (lines || at == SIP_HALF - 8)
			break;
	}
	return sip_forget(t, at) + sip_first(sip_join(lines));
}

/* Returns whether a line of interest may start in this half of a stride. */
static __always_inline bool sip_has_line(const __u8 *p, __u64 letters)
{
	return (sip_no_line(p, letters) & sip_no_line(p + 8, letters) & sip_no_line(p + 16, letters) &
		       sip_no_line(p + 24, letters) & EVERY(0x80)) != EVERY(0x80);
}

/* Returns the position of the first newline in half a stride; SIP_HALF: there is none. */
static __always_inline __u32 sip_first_newline(const __u8 *p, struct sip_key *key)
{
	__u64 newline = 0;
	__u32 at;

	for (at = 0; at < SIP_HALF; at += 8) {
		newline = sip_zeroes(load64(p + at) ^ EVERY('\n'));
		if (newline || at == SIP_HALF - 8)
			break;
	}
	return sip_forget_source(&key->spent, at) + sip_first(sip_join(newline));
}

/* The state of a search. Members that change have 64 bits. If several members shared eight bytes of the stack,
 * the verifier would see a new state after each write. */
struct sip_call_id_search {
	struct sip_text text;
	__u64 at;
	__u64 colon;
	__u64 result; /* enum sip_result */
	__u64 spent;  /* at most SIP_BUDGET plus the cost of one step */
};

/* Moves s->at to the next newline of interest, if a step can reach one, and adds the cost. May read bytes between the
 * end of the text and data_end. Near data_end each newline counts as a newline of interest. */
static __always_inline bool sip_next_candidate(struct sip_call_id_search *s)
{
	const struct sip_text *t = &s->text;
	__u32 at = sip_forget(t, s->at), cost = 0, length;
	bool found = false;

	for (int i = 0; i < SIP_LOOP_HALVES && !found && sip_room(t, at) > 0; i++) {
		const __u8 *p = t->data + at;

		cost++;
		if (p + SIP_HALF + 8 > t->data_end) {
			__u64 newline = sip_zeroes(sip_word(t, at) ^ EVERY('\n'));

			found = newline;
			length = found ? sip_first(newline) : 8;
		} else if (!sip_has_line(p, EVERY(SIP_LETTERS_CALL_ID))) {
			length = SIP_HALF;
		} else {
			/* Reads the same bytes again instead of keeping them on the stack. */
			asm volatile("" : "+r"(p));
			cost += SIP_COST_EXACT;
			length = sip_first_line(t, p);
			found = length != SIP_HALF;
		}
		at = sip_forget(t, at + length);
	}
	s->at = at;
	s->spent = sip_forget(t, s->spent + cost);
	return found;
}

/* Returns 1 to end the search. */
static inline long sip_call_id_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_call_id_search *s = state;
	const struct sip_text *t = &s->text;
	bool found = sip_next_candidate(s);
	__u32 line, at = s->at;
	__u64 word;

	s->at = sip_forget(t, at + found);
	if (sip_room(t, s->at) <= 0)
		return 1;
	if (!found)
		return s->spent >= SIP_BUDGET;
	word = sip_raw_word(t, s->at);
	line = sip_classify(word);
	if (line == SIP_LINE_BLANK) {
		s->result = sip_forget(t, SIP_NOT_THERE);
		return 1;
	}
	s->spent = sip_forget(t, s->spent + SIP_COST_CANDIDATE);
	if (line == SIP_LINE_OTHER)
		return s->spent >= SIP_BUDGET;
	s->colon = sip_forget(t, at + line);
	if ((__u8)(word >> (line * 8 - 8)) != ':') {
		s->spent = sip_forget(t, s->spent + SIP_COST_BLANKS);
		s->colon = sip_forget(t, sip_colon(t, s->colon));
	}
	if (!s->colon)
		return s->spent >= SIP_BUDGET;
	s->result = sip_forget(t, SIP_FOUND);
	return 1;
}

/* Finds the line of the first Call-ID; *colon becomes the offset of its colon. On entry, *spent is the cost of
 * the previous steps; on return, the cost of all steps. */
static __always_inline enum sip_result sip_find_from(const struct sip_text *t, __u32 at, __u32 *spent, __u32 *colon)
{
	struct sip_call_id_search search = {.text = *t};

	search.at = sip_forget(t, at);
	search.colon = sip_forget(t, 0);
	search.result = sip_forget(t, SIP_TOO_FAR);
	search.spent = sip_forget(t, *spent);
	if (sip_room(t, search.at) <= 0)
		return SIP_TOO_FAR;
	sip_loop(SIP_LOOP_STEPS, sip_call_id_step, &search);
	*colon = search.colon;
	*spent = search.spent;
	return search.result;
}

/* Reads a member that the verifier must not know: it would check the search for each value. */
#define sip_unknown(member) (*(const volatile __typeof__(member) *)&(member))

/* The first steps of a search for key->wanted, in straight-line code without bpf_loop. They are sufficient for most
 * messages. SIP_FOUND: *place is the colon of the Call-ID; SIP_CONTINUE: if the search is for the Call-ID alone,
 * sip_find_from() must continue it at *place with the cost key->spent. *to becomes the newline before the first line
 * that begins with T; 0: there is none. */
static __always_inline enum sip_result sip_find_plainly(
	const struct sip_text *t, __u32 *place, struct sip_key *key, __u32 *to)
{
	__u64 letters = EVERY(sip_unknown(key->letters));
	__u32 step, at = *place;

	*to = sip_forget(t, 0);
	for (step = 0; step < SIP_PLAIN_STEPS; step++) {
		const __u8 *p = t->data + at;
		__u32 first;
		__u64 word;

		if (p + SIP_STRIDE + 8 > t->data_end)
			break;
		if (!sip_has_line(p, letters)) {
			at = (at + SIP_HALF) & (SIP_OFFSET_LIMIT - 1);
			p += SIP_HALF;
			if (!sip_has_line(p, letters)) {
				at = (at + SIP_HALF) & (SIP_OFFSET_LIMIT - 1);
				continue;
			}
		}
		asm volatile("" : "+r"(p)); /* as in sip_next_candidate */
		key->stops++;
		first = sip_first_newline(p, key);
		at = (at + first) & (SIP_OFFSET_LIMIT - 1);
		if (first == SIP_HALF)
			continue;
		word = sip_raw_word(t, at + 1);
		if (sip_is_call_id(word)) {
			if (sip_unknown(key->wanted) != SIP_WANT_TO) {
				if (sip_room(t, at + 1) <= 0)
					break;
				*place = at + sizeof("Call-ID");
				return SIP_FOUND;
			}
			if (!key->from)
				key->from = at;
		} else if (letters & 1 && (word | 0x20) << 56 == (__u64)'t' << 56) {
			*to = at;
			key->letters = SIP_LETTERS_CALL_ID;
			if (sip_unknown(key->wanted) == SIP_WANT_TO)
				break;
			letters = EVERY(sip_unknown(key->letters));
		} else if (sip_classify(word) != SIP_LINE_OTHER) {
			break;
		}
		at = (at + 1) & (SIP_OFFSET_LIMIT - 1);
	}
	*place = at;
	key->spent = step * SIP_COST_PLAIN;
	return SIP_CONTINUE;
}

/* Returns whether a search for the Call-ID alone, from the start of the message, finds the same line. It may run out of
 * its budget: its straight-line steps cost 40 units, and the halves in its loop 32. Each failure of the quick test in
 * this search costs at most 7 units there: a candidate, or the exact test of two halves. */
static __always_inline bool sip_is_sure(const struct sip_key *key, __u32 start, __u32 colon)
{
	return key->stops <= SIP_SURE_STOPS && colon - start <= SIP_SURE_BYTES;
}

/* Finds the Call-ID of the message that starts at `start`. With SIP_FOUND, *colon is the offset of the colon
 * after the name of the header, as sip_hash expects it. *spent becomes the cost in units if the search
 * used the loop. */
static __always_inline enum sip_result sip_find(struct sip_text text, __u32 start, __u32 *colon, __u32 *spent)
{
	struct sip_key key = {.letters = SIP_LETTERS_CALL_ID};
	__u32 to;

	*spent = 0;
	if (!sip_begins_plainly(&text, start) && !sip_start(&text, &start))
		return SIP_NOT_SIP;
	*colon = start & (SIP_OFFSET_LIMIT - 1);
	if (sip_find_plainly(&text, colon, &key, &to) == SIP_FOUND)
		return SIP_FOUND;
	*spent = key.spent;
	return sip_find_from(&text, *colon, spent, colon);
}

/* Hashes the value of the header whose colon is at `colon`. */
static __always_inline enum sip_result sip_hash(struct sip_text text, __u32 colon, struct sip_key *key)
{
	struct hash hash = hash_start(key->hash_key);
	__u32 value;

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	value = sip_forget_source(&key->value, sip_value(&text, sip_forget(&text, colon)));
	if (!value)
		return SIP_NOT_THERE;
	key->value_end = sip_hash_value(&text, sip_forget(&text, value), &hash);
	if (key->value_end >= text.end)
		return SIP_TOO_FAR;
	key->hash = hash_finish(hash, key->hash_key);
	return SIP_FOUND;
}

/* Like sip_hash, but only for the common form: one space, and a value shorter than SIP_PLAIN_VALUE bytes that is not
 * close to the end of the text. Returns false if sip_hash must be used instead. */
static __always_inline bool sip_hash_plainly(const struct sip_text *t, __u32 colon, struct sip_key *key)
{
	__u32 at = (colon + 1) & (SIP_OFFSET_LIMIT - 1);
	struct hash hash = hash_start(key->hash_key);
	const __u8 *p = t->data + at;

	if (at + 1 + SIP_PLAIN_VALUE > t->end || p + 1 + SIP_PLAIN_VALUE > t->data_end)
		return false;
	if (p[0] != ' ' || p[1] <= ' ')
		return false;
	for (__u32 i = 0; i < SIP_PLAIN_VALUE; i += 8) {
		__u64 word = load64(p + 1 + i), space = ~sip_visible(word) & EVERY(0x80);

		if (space) {
			hash_word(&hash, word & (((space & -space) >> 7) - 1));
			key->hash = hash_finish(hash, key->hash_key);
			key->value = at + 1;
			key->value_end = at + 1 + i + sip_first(space);
			return true;
		}
		hash_word(&hash, word);
	}
	return false;
}
