/* SPDX-License-Identifier: GPL-2.0 */
/* Reads a message for the guard: its bucket, whether it is an emergency call or has a listed priority, and whether its
 * sender is a scanner. This search has its own budget, so that later stages can read as far as without a guard. */
#pragma once

#include "count.h"
#include "guard_judge.h"

#define GUARD_STEPS 100 /* lines, or blocks of 32 bytes, in which headers are searched */

/* --- texts */

/* The bytes that end a text. */
#define GUARD_LINE SIP_NAME('\r', '\n', 0, 0, 0, 0, 0, 0)
#define GUARD_URN SIP_NAME('\r', '\n', ' ', '>', 0, 0, 0, 0)
#define GUARD_USER SIP_NAME('\r', '\n', ' ', '>', '@', ';', ':', '?')
#define GUARD_NAMESPACE SIP_NAME('\r', '\n', ' ', '.', ',', '\t', 0, 0)

enum guard_texts {
	GUARD_SCANNERS,
	GUARD_EMERGENCY,
	GUARD_NUMBERS, /* guard_emergency; the text is the number of a tel URI */
	GUARD_PRIORITIES,
};

static __always_inline __u64 guard_lower(__u64 word)
{
	return word | (~sip_not_in(word, 'A', 'Z') & EVERY(0x80)) >> 2;
}

/* Flags the bytes of a word that are one of the bytes `ends`. */
static __always_inline __u64 guard_ends(__u64 word, __u64 ends)
{
	__u64 flags = 0;

	for (int i = 0; i < 64; i += 8) {
		asm volatile(
			""
			: "+r"(ends)); /* saves stack: without this, the compiler calculates all constants in advance */
		flags |= sip_equal(word, ends >> i);
	}
	return flags;
}

/* Removes the visual separators from a number (RFC 3966 section 5.1.1). The code has no branches, because the verifier
 * would follow each of them. */
static __always_inline __u64 guard_number(__u64 word)
{
	__u64 other = ~(sip_equal(word, '-') | sip_equal(word, '.') | sip_equal(word, '(') | sip_equal(word, ')'));
	__u64 number = 0, shift = 0;

	for (int i = 0; i < 64; i += 8) {
		__u64 keep = other >> i >> 7 & 1;

		number |= (word >> i & (0xff * keep)) << (shift & 63);
		shift += 8 * keep;
	}
	return number;
}

/* Returns whether a list contains the text from `at` to the first of the bytes `ends`. */
__noinline int guard_is_listed(struct xdp_md *ctx, __u32 end, __u32 at, __u64 ends, __u32 texts)
{
	struct sip_text text = text_of(ctx, end);
	struct {
		__u32 pad;
		__u32 bits;
		__u64 words[GUARD_TEXT_SIZE / 8];
	} key = {.bits = 8 * GUARD_TEXT_SIZE};

	if (text.end < SIP_MINIMUM)
		return false;
	at = sip_forget(&text, at);
	for (int i = 0; i < GUARD_TEXT_SIZE / 8; i++) {
		__u64 word = sip_word(&text, at), flags = guard_ends(word, ends);

		key.words[i] = guard_lower(flags ? word & (((flags & -flags) >> 7) - 1) : word);
		if (flags)
			break;
		at = sip_forget(&text, at + 8);
		if (sip_room(&text, at) <= 0)
			break;
	}
	if (!(__u8)key.words[0])
		return false;
	if (texts == GUARD_NUMBERS && !key.words[1])
		key.words[0] = guard_number(key.words[0]);
	if (texts == GUARD_EMERGENCY || texts == GUARD_NUMBERS)
		return bpf_map_lookup_elem(&guard_emergency, &key.bits) != NULL;
	if (texts == GUARD_PRIORITIES)
		return bpf_map_lookup_elem(&guard_priorities, &key.bits) != NULL;
	return bpf_map_lookup_elem(&guard_scanners, &key.bits) != NULL;
}

/* --- headers */

enum guard_header {
	GUARD_AGENT, /* User-Agent or Server */
	GUARD_FROM,
	GUARD_PRIORITY,        /* the first value of Resource-Priority */
	GUARD_SECOND_PRIORITY, /* the second value in the same line */
};

/* The state of the search for the line of a header. */
struct guard_search {
	struct sip_text text;
	__u64 at;
	__u64 header; /* enum guard_header */
	__u64 line;   /* frame offset; 0: not found */
};

/* Returns whether this word, in lower case, is the start of the line of a header. */
static __always_inline bool guard_is_header(__u64 word, __u32 header)
{
	if (header == GUARD_AGENT)
		return word == SIP_NAME('u', 's', 'e', 'r', '-', 'a', 'g', 'e') ||
		       sip_begins_with(word, SIP_NAME('s', 'e', 'r', 'v', 'e', 'r', 0, 0), 6);
	if (header >= GUARD_PRIORITY)
		return word == SIP_NAME('r', 'e', 's', 'o', 'u', 'r', 'c', 'e');
	return sip_begins_with(word, SIP_NAME('f', 'r', 'o', 'm', 0, 0, 0, 0), 4) ||
	       sip_begins_with(word, SIP_NAME('f', ':', 0, 0, 0, 0, 0, 0), 2);
}

static __always_inline __u32 guard_name_length(__u64 word, __u32 header)
{
	if (header == GUARD_AGENT)
		return (word & 0x1f) == ('u' & 0x1f) ? sizeof("User-Agent") - 1 : sizeof("Server") - 1;
	if (header >= GUARD_PRIORITY)
		return sizeof("Resource-Priority") - 1;
	return (word >> 8 & 0x1f) == ('r' & 0x1f) ? sizeof("From") - 1 : sizeof("f") - 1;
}

static inline long guard_search_step(__u32 step __attribute__((unused)), void *state)
{
	struct guard_search *s = state;
	const struct sip_text *t = &s->text;
	__u32 at = sip_forget(t, s->at);
	__u64 word;
	bool found;

	at = sip_forget(t, at + sip_newline(t, at, &found));
	s->at = at = sip_forget(t, at + found);
	if (sip_room(t, at) <= 0)
		return 1;
	if (!found)
		return 0;
	word = sip_raw_word(t, at);
	if ((__u8)word == '\r' || (__u8)word == '\n')
		return 1;
	if (!guard_is_header(word | EVERY(0x20), s->header))
		return 0;
	if (s->header >= GUARD_PRIORITY && /* not Resource-Share */
		(sip_raw_word(t, at + 8) | EVERY(0x20)) != SIP_NAME('-', 'p', 'r', 'i', 'o', 'r', 'i', 't'))
		return 0;
	s->line = at;
	return 1;
}

/* Finds a header of the message at `line`. Returns the offset of its value; 0: there is no such header, or more than
 * seven blanks precede its value. For GUARD_FROM, returns the offset of the colon in the URI. */
__noinline __u32 guard_find_value(struct xdp_md *ctx, __u32 line, __u32 end, __u32 header)
{
	struct guard_search search = {.text = text_of(ctx, end)};
	const struct sip_text *t = &search.text;
	__u16 budget = SIP_COST_SCAN;
	__u64 visible;
	__u32 at;

	if (search.text.end < SIP_MINIMUM)
		return 0;
	search.at = sip_forget(t, line);
	search.header = sip_forget(t, header);
	search.line = sip_zero(t);
	sip_loop(GUARD_STEPS, guard_search_step, &search);
	if (!search.line)
		return 0;
	at = sip_forget(t, search.line + guard_name_length(sip_raw_word(t, search.line), header));
	at = sip_forget(t, sip_colon(t, at) + 1);
	if (header & 1) { /* one copy of the search for both, to save instructions */
		__u8 mark = ':' - (header & 2) * ((':' - ',') / 2);

		at = sip_scan(t, at, mark, mark, mark, &budget);
		if (header == GUARD_FROM)
			return at;
		if (sip_byte(t, at) != ',')
			return 0;
		at = sip_forget(t, at + 1);
	}
	visible = sip_visible(sip_word(t, at));
	return visible ? at + sip_first(visible) : 0;
}

/* --- properties of a message */

#define GUARD_IS_URN 0x10000
#define GUARD_IS_TEL 0x20000

/* Returns the offset of the user in the Request-URI. For a URN: the offset of the whole URI, with the bit GUARD_IS_URN.
 * For a tel URI: with the bit GUARD_IS_TEL. 0: guard_emergency does not contain it. */
__noinline __u32 guard_request_uri(struct xdp_md *ctx, __u32 line, __u32 end, __u32 id)
{
	const struct guard *guard = bpf_map_lookup_elem(&guards, &id);
	struct sip_text text = text_of(ctx, end);
	enum sip_scheme scheme;
	__u32 uri, at;
	__u64 word;

	if (text.end < SIP_MINIMUM || !guard)
		return 0;
	uri = at = sip_forget(&text, sip_after_space(&text, sip_forget(&text, line)));
	if (sip_room(&text, at) <= 0)
		return 0;
	scheme = sip_scheme(&text, &at);
	if (scheme == SIP_SCHEME_TEL)
		return at | GUARD_IS_TEL; /* it may begin with a separator */
	if (scheme == SIP_SCHEME_OTHER)
		at = uri | GUARD_IS_URN;
	at = sip_join(at);
	word = sip_raw_word(&text, sip_forget(&text, at)); /* without GUARD_IS_URN */
	if (guard->emergency_starts && !(guard->emergency_starts & guard_start(word, word >> 8)))
		return 0;
	return at;
}

/* Returns false if guard_request_uri() would return 0 for a common form of the start-line: a method of up to eight
 * letters and a SIP URI. Nearly all requests of a flood need only this test, which contains no function call. */
static __always_inline bool guard_may_be_emergency(struct xdp_md *ctx, const struct guarded *g)
{
	__u32 id = g->guard;
	const struct guard *guard = bpf_map_lookup_elem(&guards, &id);
	const __u8 *p = frame_at(ctx, g->line);
	__u64 word;

	if (!guard || !guard->emergency_starts || p + 8 > (const __u8 *)frame_end(ctx))
		return true;
	p = frame_at(ctx, g->line + sip_first(sip_equal(load64(p), ' ')));
	if (p + 8 > (const __u8 *)frame_end(ctx))
		return true;
	word = load64(p);
	if (((word | SIP_NAME(0, ' ', ' ', ' ', 0, 0, 0, 0)) << 24) != SIP_NAME(0, 0, 0, ' ', 's', 'i', 'p', ':'))
		return true;
	return guard->emergency_starts & guard_start(word >> 40, word >> 48);
}

static __always_inline bool guard_is_emergency(struct xdp_md *ctx, const struct guarded *g)
{
	__u64 ends;
	__u32 at;

	if (!guard_may_be_emergency(ctx, g))
		return false;
	at = guard_request_uri(ctx, g->line, g->end, g->guard);
	ends = at & GUARD_IS_URN ? GUARD_URN : GUARD_USER;
	return at && guard_is_listed(ctx, g->end, at & (GUARD_IS_URN - 1), ends,
			     at & GUARD_IS_TEL ? GUARD_NUMBERS : GUARD_EMERGENCY);
}

/* Returns whether the header is present and its value is in a list. */
static __always_inline bool guard_has(
	struct xdp_md *ctx, const struct guarded *g, enum guard_header header, __u64 ends, enum guard_texts texts)
{
	__u32 at = guard_find_value(ctx, g->line, g->end, header);

	return at && guard_is_listed(ctx, g->end, at, ends, texts);
}

/* Returns whether a request is exempt from limits: an emergency call, or one with a listed Resource-Priority. */
static __always_inline bool guard_is_exempt(struct xdp_md *ctx, const struct guarded *g)
{
	if (g->flags & GUARD_FLAG_EMERGENCY && guard_is_emergency(ctx, g))
		return true;
	return g->flags & GUARD_FLAG_PRIORITY &&
	       (guard_has(ctx, g, GUARD_PRIORITY, GUARD_NAMESPACE, GUARD_PRIORITIES) ||
		       guard_has(ctx, g, GUARD_SECOND_PRIORITY, GUARD_NAMESPACE, GUARD_PRIORITIES));
}

/* Returns whether the User-Agent or the From of a request is in guard_scanners. The comparison of From starts at the
 * colon of its URI: ":user@host". */
static __always_inline bool guard_is_scanner(struct xdp_md *ctx, const struct guarded *g)
{
	return guard_has(ctx, g, GUARD_AGENT, GUARD_LINE, GUARD_SCANNERS) ||
	       guard_has(ctx, g, GUARD_FROM, GUARD_URN, GUARD_SCANNERS);
}

/* --- the bucket of a message */

static __always_inline bool guard_is_initial(__u32 bucket)
{
	return bucket >= GUARD_BUCKET_INITIAL && bucket <= GUARD_BUCKET_OTHER;
}

static __always_inline __u32 guard_bucket_of_method(enum method method)
{
	switch (method) {
	case METHOD_INVITE:
		return GUARD_BUCKET_INVITE;
	case METHOD_REGISTER:
		return GUARD_BUCKET_REGISTER;
	case METHOD_OPTIONS:
		return GUARD_BUCKET_OPTIONS;
	case METHOD_SUBSCRIBE:
		return GUARD_BUCKET_SUBSCRIBE;
	case METHOD_MESSAGE:
		return GUARD_BUCKET_MESSAGE;
	default:
		return GUARD_BUCKET_OTHER;
	}
}

/* Returns the bucket of a message by its counter, which is not COUNTER_UNDECIDED. Requests without a To tag are
 * initial. If the To header is beyond the search limit, the message counts as part of a call. */
static __always_inline __u32 guard_bucket_of_counter(__u32 counter)
{
	if (counter < SERVICE_COUNTER_unknown_invite)
		return guard_bucket_of_method(counter - SERVICE_COUNTER_initial_invite + METHOD_INVITE);
	return counter == SERVICE_COUNTER_not_sip ? GUARD_BUCKET_NOT_SIP : GUARD_BUCKET_DIALOG;
}

/* Is this text the start of a response in the common form? */
static __always_inline bool guard_is_response(struct xdp_md *ctx, __u32 at, __u32 end)
{
	const __u8 *p = frame_at(ctx, at);

	return end - at >= SIP_MINIMUM && p + SIP_MINIMUM <= (const __u8 *)frame_end(ctx) && sip_is_version(load64(p));
}

#define GUARD_KEEPALIVE 8 /* bytes; a keepalive is not longer */
#define GUARD_STUN 20     /* bytes of a STUN header (RFC 8489 section 5) */

/* Returns the bucket of a payload that is not SIP. Keepalives (white space, NUL bytes) and STUN only need a token of
 * GUARD_BUCKET_PACKETS. */
__noinline int guard_not_sip(struct xdp_md *ctx, __u32 at, __u32 end)
{
	struct sip_text text = text_of(ctx, end);
	const __u8 *p = frame_at(ctx, at);
	__u32 length = end - at;

	if (length <= GUARD_KEEPALIVE)
		return sip_visible(sip_word(&text, sip_forget(&text, at))) ? GUARD_BUCKET_NOT_SIP
									   : GUARD_BUCKET_PACKETS;
	if (length < GUARD_STUN || p + GUARD_STUN > (const __u8 *)frame_end(ctx) || p[0] & 0xc0)
		return GUARD_BUCKET_NOT_SIP;
	return *(const __be32 *)(p + 4) == net32(0x2112a442) ? GUARD_BUCKET_PACKETS : GUARD_BUCKET_NOT_SIP;
}

/* Returns the bucket of a SYN, or of any other TCP segment. */
static __always_inline __u32 guard_bucket_of_segment(struct xdp_md *ctx, __u32 at)
{
	const struct tcphdr *tcp = frame_at(ctx, at);

	if ((void *)(tcp + 1) > frame_end(ctx))
		return GUARD_BUCKET_DIALOG;
	return tcp->syn && !tcp->ack ? GUARD_BUCKET_TCP_SYN : GUARD_BUCKET_DIALOG;
}
