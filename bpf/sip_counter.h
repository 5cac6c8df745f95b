/* SPDX-License-Identifier: GPL-2.0 */
/* Determines the message counter (counters.h) of a SIP message. This code handles the forms of the headers that
 * nearly all senders use. For all other forms it returns COUNTER_UNDECIDED, and count.h then reads the headers with
 * sip_headers.h. It reads a bounded number of bytes of the message, in place. It compiles for the kernel and for
 * user space. */
#pragma once

#include "sip.h"
#include "sip_dialog.h"
#include "counters.h"

#define COUNTER_UNDECIDED 0 /* equals SERVICE_COUNTER_packets, which does not count messages */

_Static_assert(SERVICE_COUNTER_COUNT <= 256, "sip_key.counter");

#define COUNTER_CSEQ 40 /* maximum length of a CSeq after the Call-ID, in bytes */

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
/* The index of each status code in the list of counters.h. A table, because the verifier would follow each branch of a
 * switch. */
static const __u8 counter_codes[] = {
	[0 ... 99] = COUNTER_CODE_OFFSET(invalid),
	[100] = COUNTER_CODE_OFFSET(100),
	[101 ... 179] = COUNTER_CODE_OFFSET(other_1xx),
	[180] = COUNTER_CODE_OFFSET(180),
	[181 ... 182] = COUNTER_CODE_OFFSET(other_1xx),
	[183] = COUNTER_CODE_OFFSET(183),
	[184 ... 199] = COUNTER_CODE_OFFSET(other_1xx),
	[200] = COUNTER_CODE_OFFSET(200),
	[201 ... 299] = COUNTER_CODE_OFFSET(other_2xx),
	[300 ... 301] = COUNTER_CODE_OFFSET(other_3xx),
	[302] = COUNTER_CODE_OFFSET(302),
	[303 ... 399] = COUNTER_CODE_OFFSET(other_3xx),
	[400] = COUNTER_CODE_OFFSET(other_4xx),
	[401] = COUNTER_CODE_OFFSET(401),
	[402] = COUNTER_CODE_OFFSET(other_4xx),
	[403] = COUNTER_CODE_OFFSET(403),
	[404] = COUNTER_CODE_OFFSET(404),
	[405 ... 406] = COUNTER_CODE_OFFSET(other_4xx),
	[407] = COUNTER_CODE_OFFSET(407),
	[408] = COUNTER_CODE_OFFSET(408),
	[409 ... 479] = COUNTER_CODE_OFFSET(other_4xx),
	[480] = COUNTER_CODE_OFFSET(480),
	[481] = COUNTER_CODE_OFFSET(481),
	[482] = COUNTER_CODE_OFFSET(other_4xx),
	[483] = COUNTER_CODE_OFFSET(483),
	[484 ... 485] = COUNTER_CODE_OFFSET(other_4xx),
	[486] = COUNTER_CODE_OFFSET(486),
	[487] = COUNTER_CODE_OFFSET(487),
	[488] = COUNTER_CODE_OFFSET(488),
	[489 ... 499] = COUNTER_CODE_OFFSET(other_4xx),
	[500] = COUNTER_CODE_OFFSET(500),
	[501 ... 502] = COUNTER_CODE_OFFSET(other_5xx),
	[503] = COUNTER_CODE_OFFSET(503),
	[504 ... 599] = COUNTER_CODE_OFFSET(other_5xx),
	[600 ... 602] = COUNTER_CODE_OFFSET(other_6xx),
	[603] = COUNTER_CODE_OFFSET(603),
	[604 ... 699] = COUNTER_CODE_OFFSET(other_6xx),
};

/* Returns the index of a status code in the list of counters.h. */
static __always_inline __u32 counter_of_code(__u64 code)
{
	asm volatile("" : "+r"(code)); /* comparison and index must use the same register */
	return code < sizeof(counter_codes) ? counter_codes[code] : COUNTER_CODE_OFFSET(invalid);
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

/* Is this "INVITE "? This is the most frequent method; for other methods, the test adds little to sip_method_of(). */
static __always_inline bool counter_is_invite(__u64 word)
{
	return ((word & ~SIP_NAME(' ', ' ', ' ', ' ', ' ', ' ', 0, 0)) << 8) ==
	       SIP_NAME(0, 'I', 'N', 'V', 'I', 'T', 'E', ' ');
}

/* Sets key->counter to the counter of the request whose start-line is at `start`, if it has no To tag, and key->letters
 * for the search for its To. COUNTER_UNDECIDED: it is not a request. */
static __always_inline void counter_begin(const struct sip_text *t, __u32 start, struct sip_key *key)
{
	const __u8 *p = t->data + (start & (SIP_OFFSET_LIMIT - 1));
	enum method method = METHOD_INVITE;

	key->counter = COUNTER_UNDECIDED;
	if (p + 16 > t->data_end)
		return;
	if (!counter_is_invite(load64(p)))
		method = sip_forget(t, sip_method_of(load64(p), load64(p + 8)));
	if (method == METHOD_NONE)
		return;
	key->counter = counter_of_request(method, SIP_NOT_THERE);
	if (method < METHOD_ACK)
		key->letters = SIP_LETTERS_TO;
}

/* Completes key->counter after the search. `to`: the newline before the To; 0: not found. */
static __always_inline void counter_end(const struct sip_text *t, __u32 to, struct sip_key *key)
{
	enum sip_result tag = to ? sip_to_tag(t, to, &key->spent) : SIP_NOT_THERE;

	if (tag == SIP_TOO_FAR || sip_unknown(key->letters) == SIP_LETTERS_TO)
		key->counter = COUNTER_UNDECIDED;
	else if (tag == SIP_FOUND)
		key->counter += SERVICE_COUNTER_in_dialog_invite - SERVICE_COUNTER_initial_invite;
}

/* The straight-line steps of a search for key->wanted in the message at `start`. They begin at `at`: its start-line, or
 * key->from. Sets key->counter, which was COUNTER_UNDECIDED, as far as key->wanted requires it; it remains undecided
 * for a message that begins with empty lines. SIP_FOUND: *place is the colon of the Call-ID, except with SIP_WANT_TO;
 * SIP_CONTINUE: sip_find_from() must continue at *place; SIP_AGAIN. */
static __always_inline enum sip_result sip_search(
	const struct sip_text *t, __u32 start, __u32 at, struct sip_key *key, __u32 *place)
{
	enum sip_result result;
	__u32 to;

	key->letters = SIP_LETTERS_CALL_ID;
	*place = at & (SIP_OFFSET_LIMIT - 1);
	if (sip_unknown(key->wanted) && at == start)
		counter_begin(t, *place, key);
	if (sip_unknown(key->wanted) == SIP_WANT_TO && sip_unknown(key->letters) != SIP_LETTERS_TO)
		return SIP_FOUND;
	result = sip_find_plainly(t, place, key, &to);
	if (sip_unknown(key->wanted))
		counter_end(t, to, key);
	if (sip_unknown(key->wanted) == SIP_WANT_TO) {
		if (!key->from)
			key->from = to;
		return SIP_FOUND;
	}
	if (sip_unknown(key->wanted) || key->from) {
		if (result != SIP_FOUND || !sip_is_sure(key, start, *place))
			return SIP_AGAIN;
	}
	if (result == SIP_FOUND)
		key->spent = 0;
	return result;
}

/* Returns the counter of the response at `start`, or COUNTER_UNDECIDED. `after`: the end of its Call-ID value. */
static __always_inline __u32 sip_usual_response(const struct sip_text *t, __u32 start, __u32 after)
{
	const __u8 *p = t->data + (start & (SIP_OFFSET_LIMIT - 1));
	enum method method;

	if (!after || start + SIP_MINIMUM > t->end || p + SIP_MINIMUM > t->data_end || !sip_is_version(load64(p)))
		return COUNTER_UNDECIDED;
	method = sip_forget(t, counter_cseq(t, after));
	return method ? counter_of_response(sip_forget(t, counter_code(load64(p + 8))), method) : COUNTER_UNDECIDED;
}
