/* SPDX-License-Identifier: GPL-2.0 */
/* Hashes the users in a SIP message: the user part of a URI, or a telephone number. The notes in sip_headers.h
 * about loops and the verifier also apply here. */
#pragma once

#include "sip_host.h"
#include "sip_uri.h"

#define SIP_USER_WORDS 8 /* words of a user that count: 64 bytes */
#define SIP_COST_USER 6  /* one step of the parser in a user */

/* The user of a URI: its user part without the password, with escapes decoded (RFC 3261 section 19.1.4), or
 * the number of a tel URI without visual separators (RFC 3966 section 5.1.1). The hash is that of a
 * Call-ID, of 64 bytes at most. */
struct sip_user {
	__u64 hash_key[2]; /* set by the caller */
	__u64 hash;
};

/* The state while a user is read. */
struct sip_pieces {
	struct sip_text text;
	__u64 at;
	struct hash hash;
	__u64 is_tel;
	__u64 is_over; /* the user has ended; the following bytes are not hashed */
	__u64 word;    /* the bytes that are not hashed yet */
	__u64 length;  /* of the user so far, bytes */
	__u64 result;  /* enum sip_result */
};

/* Adds up to eight bytes; bytes above `length` are zero. */
static __always_inline void sip_add_piece(struct sip_pieces *p, __u64 piece, __u32 length)
{
	__u32 filled = p->length & 7;

	if (p->is_over)
		return;
	p->word |= piece << (8 * filled);
	p->length = sip_forget(&p->text, p->length + length);
	if (filled + length < 8)
		return;
	hash_word(&p->hash, p->word);
	p->word = piece >> (4 * (8 - filled)) >> (4 * (8 - filled));
	if (p->length >= 8 * SIP_USER_WORDS)
		p->is_over = sip_forget(&p->text, 1);
}

/* Flags the bytes that need decoding in a user part, or that end it. */
static __always_inline __u64 sip_user_marks(__u64 word, bool is_tel)
{
	__u64 marks = sip_equal(word, '%') | sip_equal(word, '@') | sip_equal(word, ':') | sip_equal(word, '>') |
		      (~sip_visible(word) & EVERY(0x80));

	if (is_tel)
		marks |= sip_equal(word, ';') | (~sip_not_in(word, '(', ')') & EVERY(0x80)) |
			 (~sip_not_in(word, '-', '.') & EVERY(0x80));
	return marks;
}

/* Returns SIP_FOUND or SIP_NOT_THERE if a flagged byte ends the user, otherwise SIP_TOO_FAR. */
static __always_inline enum sip_result sip_user_mark(struct sip_pieces *p, __u8 mark)
{
	if (p->is_tel)
		return mark == ';' || mark == '>' || mark == '@' || mark == ':' || mark <= ' ' ? SIP_FOUND
											       : SIP_TOO_FAR;
	if (mark == '@')
		return SIP_FOUND;
	if (mark == '>' || mark <= ' ')
		return SIP_NOT_THERE;
	if (mark == ':')
		p->is_over = sip_forget(&p->text, 1); /* a password follows, or the text is a host and a port */
	return SIP_TOO_FAR;
}

static inline long sip_user_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_pieces *p = state;
	const struct sip_text *t = &p->text;
	__u32 at = sip_forget(t, p->at), length;
	__u64 word = sip_word(t, at), marks = sip_user_marks(word, p->is_tel);
	enum sip_result result;

	length = sip_first(marks);
	if (length) {
		sip_add_piece(p, marks ? word & (((marks & -marks) >> 7) - 1) : word, length);
		p->at = at = sip_forget(t, at + length);
		return sip_room(t, at) <= 0;
	}
	if (sip_room(t, at) <= 0)
		return 1;
	if ((__u8)word == '%' && !(sip_no_hex(word >> 8) & 0x8080)) {
		word >>= 8;
		sip_add_piece(p, sip_hex(word, 2), 1);
		p->at = sip_forget(t, at + 3);
		return 0;
	}
	if ((__u8)word == '%')
		sip_add_piece(p, '%', 1);
	result = sip_user_mark(p, word);
	p->result = sip_forget(t, result);
	p->at = sip_forget(t, at + 1);
	return result != SIP_TOO_FAR;
}

/* Hashes the user of the URI at `uri`. SIP_FOUND or SIP_NOT_THERE, also for a truncated user. */
static __always_inline enum sip_result sip_user(struct sip_text text, __u32 uri, struct sip_user *user, __u16 *left)
{
	struct sip_pieces p = {.text = text, .hash = hash_start(user->hash_key)};
	enum sip_scheme scheme;

	if (text.end < SIP_MINIMUM)
		return SIP_NOT_THERE;
	uri = sip_forget(&text, uri);
	if (sip_room(&text, uri) <= 0)
		return SIP_NOT_THERE;
	scheme = sip_scheme(&text, &uri);
	if (scheme == SIP_SCHEME_OTHER)
		return SIP_NOT_THERE;
	p.at = sip_forget(&text, uri);
	p.is_tel = sip_forget(&text, scheme == SIP_SCHEME_TEL);
	p.is_over = sip_forget(&text, 0);
	p.word = sip_zero(&text);
	p.length = sip_forget(&text, 0);
	p.result = sip_forget(&text, SIP_TOO_FAR);
	sip_loop_paid(left, SIP_COST_USER, SIP_PACKET_BUDGET, sip_user_step, &p);
	if (p.result != SIP_FOUND || !p.length)
		return SIP_NOT_THERE;
	if (p.length < 8 * SIP_USER_WORDS)
		hash_word(&p.hash, p.word);
	user->hash = hash_finish(p.hash, user->hash_key);
	return SIP_FOUND;
}
