/* SPDX-License-Identifier: GPL-2.0 */
/* Reads header values in their common form with straight-line code instead of bpf_loop. This takes a fraction of the
 * time of the general parser (sip_value.h). If a value is not in the common form, the functions return SIP_TOO_FAR
 * or METHOD_NONE, and the caller must call the general parser. In all other cases both parsers return the same
 * result; tests/unit/test_sip_usual.c compares the results. */
#pragma once

#include "sip_dialog.h"
#include "sip_user.h"

/* Returns a byte of the text at an offset that sip_scan has returned, or a few bytes after it. */
static __always_inline __u8 sip_byte_at(const struct sip_text *t, __u32 at)
{
	const __u8 *p = t->data + (at & (SIP_OFFSET_LIMIT - 1));

	return p + 1 <= t->data_end ? *p : 0;
}

/* Returns the offset of the '<' before the URI of a header, or the offset of the byte `other` if that byte comes
 * first. The display name may be in quotes. If the result is 0, or another byte is at that offset, the value is not
 * in the common form. */
static __always_inline __u32 sip_usual_bracket(const struct sip_text *t, __u32 at, __u8 other, __u16 *left)
{
	at = sip_scan(t, at, '"', '<', other, left);
	if (!at || sip_byte_at(t, at) != '"')
		return at;
	at = sip_scan(t, at + 1, '"', '\\', '\\', left);
	if (!at || sip_byte_at(t, at) != '"')
		return 0;
	return sip_scan(t, at + 1, '"', '<', other, left);
}

#define SIP_USUAL_PARAMETERS 3

/* Finds the parameter `name` as sip_walk does, in a header in the common form: a URI in brackets, or a Via, followed
 * by parameters without white space or quotes. SIP_TOO_FAR: the header is not in the common form. */
static __always_inline enum sip_result sip_find_usual(
	const struct sip_text *t, __u32 colon, __u64 name, __u32 *at, __u16 *left)
{
	__u32 next = sip_usual_bracket(t, colon + 1, ';', left), length = 1;

	if (next && sip_byte_at(t, next) == '<') {
		next = sip_scan(t, next + 1, '>', '>', '>', left);
		if (next && sip_byte_at(t, next) == '>')
			next = sip_scan(t, next + 1, ';', '"', '<', left);
		else
			next = 0;
	}
	for (int i = 0; i < SIP_USUAL_PARAMETERS && next; i++) {
		__u64 word = sip_raw_word(t, next);

		if ((__u8)word == '\n')
			return sip_folds(t, next) == SIP_NOT_THERE ? SIP_NOT_THERE : SIP_TOO_FAR;
		if ((__u8)word != ';' || (__u8)(word >> 8) <= ' ')
			return SIP_TOO_FAR;
		if (sip_behind_name(word >> 8, name, &length) == SIP_TAG) {
			*at = sip_forget(t, next + length);
			return sip_byte_at(t, *at) == '=' ? SIP_FOUND : SIP_TOO_FAR;
		}
		next = sip_scan(t, next + 1, ';', '"', '<', left);
	}
	return SIP_TOO_FAR;
}

/* With this name of a parameter, sip_usual_parameter returns the offset of the value instead of its hash.
 * sip_behind_name ignores the highest byte, because it is not a letter. */
#define SIP_OFFSET_OF(name) ((name) | 1ULL << 56)

/* Hashes the parameter `name` of a header in the common form. *hash is 0 if the header has no such parameter.
 * Returns SIP_FOUND or SIP_NOT_THERE; or SIP_TOO_FAR if the header is not in the common form, and the caller must
 * call sip_parameter. */
static __always_inline enum sip_result sip_usual_parameter(
	struct sip_text text, __u32 colon, __u64 name, __u32 *hash, const __u64 hash_key[2], __u16 *left)
{
	__u32 at;
	enum sip_result result;

	*hash = 0;
	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	result = sip_find_usual(&text, colon, name, &at, left);
	if (result != SIP_FOUND)
		return result;
	if (sip_byte_at(&text, sip_forget(&text, at + 1)) <= ' ')
		return SIP_TOO_FAR;
	*hash = name >> 56 ? at + 1 : sip_token(text, at + 1, hash_key);
	return SIP_FOUND;
}

/* Reads "CSeq: NUMBER METHOD" whose colon is at `colon`, with one space before the number and before the method, and
 * a number of up to seven digits. METHOD_NONE: the header is not in this form. */
static __always_inline enum method sip_usual_cseq(struct sip_text text, __u32 colon, __u32 *number)
{
	__u64 word, digits;
	__u32 length, at;

	if (text.end < SIP_MINIMUM)
		return METHOD_NONE;
	colon = sip_forget(&text, colon);
	word = sip_raw_word(&text, sip_forget(&text, colon + 2));
	length = sip_first(sip_no_digits(word));
	at = sip_forget(&text, colon + 2 + length + 1);
	if (length - 1 > 6 || (word >> (8 * length) & 0xff) != ' ' ||
		sip_byte_at(&text, sip_forget(&text, colon + 1)) != ' ' || sip_byte_at(&text, at) <= ' ')
		return METHOD_NONE;
	digits = (word << (64 - 8 * length)) & EVERY(0x0f); /* leading zeros */
	digits = digits * 10 + (digits >> 8);
	*number = ((digits & 0x000000ff000000ffULL) * (100 + (1000000ULL << 32)) +
			  (digits >> 16 & 0x000000ff000000ffULL) * (1 + (10000ULL << 32))) >>
		  32;
	return sip_named_method(text, at);
}

/* Finds the host of the sip URI at `uri`, as sip_uri_host does. */
static __always_inline enum sip_result sip_usual_uri_host(struct sip_text text, __u32 uri, __u32 *at, __u16 *left)
{
	__u32 end;

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	uri = sip_forget(&text, uri);
	if ((sip_raw_word(&text, uri) & 0xffffffff) != SIP_NAME('s', 'i', 'p', ':', 0, 0, 0, 0))
		return SIP_TOO_FAR;
	end = sip_scan(&text, uri + 4, '@', '>', ' ', left);
	if (!end || sip_byte_at(&text, end) == '\n')
		return SIP_TOO_FAR;
	*at = sip_byte_at(&text, end) == '@' ? end + 1 : uri + 4;
	return SIP_FOUND;
}

/* Finds the host in the first URI of the header whose colon is at `colon`, as sip_uri and sip_uri_host do. */
static __always_inline enum sip_result sip_usual_host(struct sip_text text, __u32 colon, __u32 *at, __u16 *left)
{
	__u32 uri;

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	uri = sip_usual_bracket(&text, colon + 1, ':', left);
	if (!uri || sip_byte_at(&text, uri) != '<')
		return SIP_TOO_FAR;
	return sip_usual_uri_host(text, uri + 1, at, left);
}

/* Finds the next URI in the header, as sip_next_uri does. */
static __always_inline enum sip_result sip_usual_next_uri(struct sip_text text, __u32 *at, __u16 *left)
{
	__u32 next;

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	next = sip_scan(&text, *at, '<', '<', '<', left);
	if (!next)
		return SIP_TOO_FAR;
	if (sip_byte_at(&text, next) == '<') {
		*at = next + 1;
		return SIP_FOUND;
	}
	if (sip_folds(&text, next) != SIP_NOT_THERE)
		return SIP_TOO_FAR;
	*at = next;
	return SIP_NOT_THERE;
}

#define SIP_USUAL_USER_WORDS 4
#define SIP_COST_USUAL_USER 4

/* Hashes the user of the sip URI in the header whose colon is at `colon`, as sip_uri and sip_user do: up to 31
 * bytes without escapes or a password. */
static __always_inline enum sip_result sip_usual_user(
	struct sip_text text, __u32 colon, struct sip_user *user, __u16 *left)
{
	struct hash hash = hash_start(user->hash_key);
	__u32 at, first;

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	at = sip_usual_bracket(&text, colon + 1, ':', left);
	if (!at || sip_byte_at(&text, at) != '<' || *left < SIP_COST_USUAL_USER)
		return SIP_TOO_FAR;
	*left -= SIP_COST_USUAL_USER;
	if ((sip_raw_word(&text, sip_forget(&text, at + 1)) & 0xffffffff) != SIP_NAME('s', 'i', 'p', ':', 0, 0, 0, 0))
		return SIP_TOO_FAR;
	at = sip_forget(&text, at + 5);
	for (int i = 0; i < SIP_USUAL_USER_WORDS; i++) {
		__u64 word = sip_raw_word(&text, at), marks = sip_user_marks(word, false);

		if (marks) {
			first = sip_first(marks);
			if ((word >> (8 * first) & 0xff) != '@' || sip_room(&text, at + first) <= 0 || (!i && !first))
				return SIP_TOO_FAR;
			hash_word(&hash, word & (((marks & -marks) >> 7) - 1));
			user->hash = hash_finish(hash, user->hash_key);
			return SIP_FOUND;
		}
		hash_word(&hash, word);
		at = (at + 8) & (SIP_OFFSET_LIMIT - 1);
	}
	return SIP_TOO_FAR;
}
