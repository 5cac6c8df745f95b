/* SPDX-License-Identifier: GPL-2.0 */
/* Finds the URIs of a SIP message, and the hosts in URIs and Via headers. The notes in sip_headers.h about
 * loops and the verifier also apply here. */
#pragma once

#include "sip_start.h"
#include "sip_value.h"

#define SIP_COST_BRACKET 4 /* for each step to the next bracket */
#define SIP_COST_VIA 4     /* for each byte before the host, in a Via that is not in the common form */

/* Finds the URI of a From, To or Route, with or without brackets. */
static __always_inline enum sip_result sip_uri(struct sip_text text, __u32 colon, __u32 *uri, __u16 *left)
{
	__u32 at, value = colon + 1;
	enum sip_result result = sip_skip(&text, &value, left);

	if (result != SIP_FOUND)
		return result;
	at = value;
	result = sip_walk(&text, &at, SIP_DISPLAY, 0, left);
	if (result != SIP_FOUND)
		return result;
	*uri = sip_byte(&text, sip_forget(&text, at)) == '<' ? at + 1 : value;
	return SIP_FOUND;
}

static inline long sip_bracket_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_walk *w = state;
	const struct sip_text *t = &w->text;
	__u32 at = sip_forget(t, w->at);
	__u64 word = sip_word(t, at), marks = sip_zeroes(word ^ EVERY('<')) | sip_zeroes(word ^ EVERY('\n'));

	at = sip_forget(t, at + (marks ? sip_first(marks) : 8));
	w->at = at;
	if (sip_room(t, at) <= 0)
		return 1;
	if (!marks)
		return 0;
	w->result = sip_byte(t, at) == '<' ? SIP_FOUND : sip_folds(t, at);
	if (w->result != SIP_FOUND || sip_byte(t, at) == '<')
		return 1;
	w->result = sip_forget(t, SIP_TOO_FAR); /* the header continues on the next line */
	w->at = sip_forget(t, at + 1);
	return 0;
}

/* Finds the next URI in a header with several URIs in brackets. *at is an offset in a URI, and becomes the offset of
 * the next URI. SIP_NOT_THERE: no other URI follows, and *at becomes the end of the header. */
static __always_inline enum sip_result sip_next_uri(struct sip_text text, __u32 *at, __u16 *left)
{
	struct sip_walk walk = {.text = text};

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	walk.at = sip_forget(&text, *at);
	walk.result = sip_forget(&text, SIP_TOO_FAR);
	sip_loop_paid(left, SIP_COST_BRACKET, SIP_PACKET_BUDGET, sip_bracket_step, &walk);
	*at = walk.at + (walk.result == SIP_FOUND);
	return walk.result;
}

enum sip_scheme {
	SIP_SCHEME_OTHER,
	SIP_SCHEME_SIP, /* sip or sips */
	SIP_SCHEME_TEL, /* RFC 3966 */
};

/* Returns the scheme of the URI at *at, and moves *at past it. */
static __always_inline enum sip_scheme sip_scheme(const struct sip_text *t, __u32 *at)
{
	__u64 word = sip_word(t, *at) | SIP_NAME(' ', ' ', ' ', ' ', 0, 0, 0, 0);
	__u64 four = word & 0xffffffff;

	if ((word & 0xffffffffffULL) == SIP_NAME('s', 'i', 'p', 's', ':', 0, 0, 0)) {
		*at += 5;
		return SIP_SCHEME_SIP;
	}
	if ((__u8)(sip_word(t, *at) >> 24) != ':')
		return SIP_SCHEME_OTHER;
	*at += 4;
	if (four == SIP_NAME('s', 'i', 'p', ':', 0, 0, 0, 0))
		return SIP_SCHEME_SIP;
	return four == SIP_NAME('t', 'e', 'l', ':', 0, 0, 0, 0) ? SIP_SCHEME_TEL : SIP_SCHEME_OTHER;
}

/* Finds the host of a sip or sips URI, for sip_host. The text before an at sign is the user, which may contain
 * semicolons and question marks (RFC 3261 section 25.1). */
static __always_inline enum sip_result sip_uri_host(struct sip_text text, __u32 uri, __u32 *at, __u16 *left)
{
	enum sip_result result;
	__u32 begin, sign;

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	begin = sip_forget(&text, uri);
	if (sip_room(&text, begin) <= 0)
		return SIP_TOO_FAR;
	if (sip_scheme(&text, &begin) != SIP_SCHEME_SIP)
		return SIP_NOT_THERE;
	sign = begin = sip_forget(&text, begin);
	result = sip_walk(&text, &sign, SIP_USERINFO, 0, left);
	*at = result == SIP_FOUND ? sign + 1 : begin;
	return result == SIP_TOO_FAR ? SIP_TOO_FAR : SIP_FOUND;
}

/* States of the parser before the host of a Via. sent-protocol is "SIP / 2.0 / UDP", with white space between the
 * parts. */
enum sip_via_place {
	SIP_VIA_NAME,
	SIP_VIA_VERSION,
	SIP_VIA_SLASH, /* after the second slash */
	SIP_VIA_TRANSPORT,
	SIP_VIA_SPACE,
};

static inline long sip_via_step(__u32 step __attribute__((unused)), void *state)
{
	struct sip_walk *w = state;
	const struct sip_text *t = &w->text;
	__u32 at = sip_forget(t, w->at), place = w->place;
	__u8 byte = sip_byte(t, at);

	if (sip_room(t, at) <= 0)
		return 1;
	if (byte == '\n') {
		enum sip_result folds = sip_folds(t, at);

		if (folds != SIP_FOUND) {
			w->result = folds;
			return 1;
		}
	}
	if (byte > ' ' && place == SIP_VIA_SPACE) {
		w->result = SIP_FOUND;
		return 1;
	}
	if (byte == '/' && place < SIP_VIA_SLASH)
		place++;
	else if (byte > ' ' && place == SIP_VIA_SLASH)
		place = SIP_VIA_TRANSPORT;
	else if (byte <= ' ' && place == SIP_VIA_TRANSPORT)
		place = SIP_VIA_SPACE;
	w->place = sip_forget(t, place);
	w->at = sip_forget(t, at + 1);
	return 0;
}

/* Returns the offset of the host of a Via in the common form, "SIP/2.0/UDP host"; 0: the Via is not in this form. */
static __always_inline __u32 sip_usual_via(const struct sip_text *t, __u32 value)
{
	__u64 name = sip_word(t, value) ^ SIP_NAME('S', 'I', 'P', '/', '2', '.', '0', '/');
	__u64 word = sip_word(t, value + 8), space = ~sip_visible(word) & EVERY(0x80);
	__u32 first = sip_first(space);

	/* Not in the common form: an empty transport, or one of seven letters (the byte after its space is outside
	 * `word`). */
	if (name || !space || !first || first == 7 || (__u8)(word >> (8 * first)) != ' ')
		return 0;
	return (__u8)(word >> (8 * first + 8)) > ' ' ? value + 8 + first + 1 : 0;
}

/* Finds the host in the sent-by of a Via, for sip_host (RFC 3261 section 25.1). */
static __always_inline enum sip_result sip_via_host(struct sip_text text, __u32 colon, __u32 *at, __u16 *left)
{
	struct sip_walk walk = {.text = text};

	if (text.end < SIP_MINIMUM)
		return SIP_TOO_FAR;
	colon = sip_forget(&text, colon);
	if (sip_room(&text, colon + 2) <= 0)
		return SIP_TOO_FAR;
	*at = sip_usual_via(&text, sip_forget(&text, colon + 2));
	if (*at && sip_byte(&text, colon + 1) == ' ')
		return SIP_FOUND;
	walk.at = sip_forget(&text, colon + 1);
	walk.place = sip_forget(&text, SIP_VIA_NAME);
	walk.result = sip_forget(&text, SIP_TOO_FAR);
	sip_loop_paid(left, SIP_COST_VIA, SIP_PACKET_BUDGET, sip_via_step, &walk);
	*at = walk.at;
	return walk.result;
}
