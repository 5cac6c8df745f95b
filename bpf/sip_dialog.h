/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the dialog of a SIP message (RFC 3261 section 12): tags, the branch of the topmost Via, the method in
 * CSeq, the status code, and whether Expires is 0. The notes in sip_headers.h about loops and the verifier also
 * apply here. */
#pragma once

#include "sip_headers.h"
#include "sip_uri.h"

#define SIP_TOKEN_WORDS 8 /* maximum number of hashed words of a tag or branch: 64 bytes */

/* Returns whether the header whose colon is at `colon` has a tag parameter (RFC 3261 sections 19.3 and 20.39).
 * Parameters of the URI do not count. */
static __always_inline enum sip_result sip_has_tag(struct sip_text text, __u32 colon, __u16 *left)
{
	__u32 at = colon + 1;

	return sip_walk(&text, &at, SIP_OUTSIDE, SIP_TAG_NAME, left);
}

/* Returns whether a message is initial. Initial messages are requests without a To tag, except CANCEL and ACK,
 * and payloads that are not SIP. A message whose To is beyond the limits is not initial. `tag`: the result of
 * sip_has_tag for its To, or of sip_find_header if that found no To. */
static __always_inline bool sip_is_initial(enum method method, enum sip_result tag)
{
	if (tag == SIP_NOT_SIP)
		return true;
	return method != METHOD_NONE && method != METHOD_CANCEL && method != METHOD_ACK && tag == SIP_NOT_THERE;
}

/* Moves *value from the colon of a header, or the equals sign of a parameter, to the value after it. */
static __always_inline enum sip_result sip_value_at(struct sip_text text, __u32 before, __u32 *value, __u16 *left)
{
	*value = before + 1;
	return sip_skip(&text, value, left);
}

/* Finds the parameter `name` of a header: SIP_FOUND with the offset of its equals sign, SIP_NOT_THERE, or
 * SIP_TOO_FAR. Parameters of a URI in angle brackets do not count. */
static __always_inline enum sip_result sip_parameter(
	struct sip_text text, __u32 colon, __u64 name, __u32 *at, __u16 *left)
{
	*at = colon + 1;
	return sip_walk(&text, at, SIP_OUTSIDE, name, left);
}

/* Flags the bytes that end a token in the value of a parameter (RFC 3261 section 25.1). */
static __always_inline __u64 sip_token_ends(__u64 word)
{
	return (~sip_visible(word) & EVERY(0x80)) | sip_equal(word, ';') | sip_equal(word, ',');
}

/* Hashes the first SIP_TOKEN_WORDS words of the token at `at`. 0: the token is empty or truncated. */
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
	return result > 1 ? result : 2; /* 0 and 1 have other meanings */
}

/* Returns the word with a space for each byte that is white space or the end of a line. */
static __always_inline __u64 sip_spaces(__u64 word)
{
	__u64 spaces = (~sip_visible(word) & EVERY(0x80)) >> 7;

	return (word & ~(spaces * 0xff)) | spaces * ' ';
}

#define SIP_DIGITS 10 /* digits of a CSeq number, which is below 2^31 (RFC 3261 section 8.1.1.5) */

/* Reads the number at *at, and moves *at past it; 0: there is none. */
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

/* Returns the method at `at`, in a CSeq; METHOD_NONE: it is truncated. */
static __always_inline enum method sip_named_method(struct sip_text text, __u32 at)
{
	if (text.end < SIP_MINIMUM)
		return METHOD_NONE;
	at = sip_forget(&text, at);
	if (sip_room(&text, at) <= 0)
		return METHOD_NONE;
	return sip_method_of(sip_spaces(sip_word(&text, at)), sip_spaces(sip_word(&text, at + 8)));
}

/* Is the number at `at` 0? */
static __always_inline bool sip_is_zero(struct sip_text text, __u32 at)
{
	if (text.end < SIP_MINIMUM)
		return false;
	return (sip_spaces(sip_word(&text, sip_forget(&text, at))) & 0xffff) == ('0' | ' ' << 8);
}
