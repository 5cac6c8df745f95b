/* SPDX-License-Identifier: GPL-2.0 */
/* Calls the functions of sip*.h for the current frame. Non-static functions are global: the verifier checks each
 * function once, and not again for each caller. Each step is charged to the budget of the packet (sip_text.h). */
#pragma once

#include "flow.h"
#include "sip.h"
#include "sip_counter.h"
#include "sip_dialog.h"
#include "sip_usual.h"

static __always_inline struct sip_text text_of(const struct xdp_md *ctx, __u32 end)
{
	return sip_text(frame_start(ctx), frame_end(ctx), end, unknown_zero(ctx));
}

__noinline int text_hash(struct xdp_md *ctx, __u32 colon, __u32 end, struct sip_key *key)
{
	return key ? sip_hash(text_of(ctx, end), colon, key) : SIP_NOT_SIP;
}

/* Finds a start-line that is not in the common form; 0: there is none. */
__noinline __u32 text_unusual_start(struct xdp_md *ctx, __u32 at, __u32 end)
{
	struct sip_text text = text_of(ctx, end);

	return sip_start(&text, &at) ? at : 0;
}

/* Sets key->counter after a search for both that has not set it: the message may be a response. */
static __always_inline void text_find_response(struct sip_text text, __u32 start, struct sip_key *key)
{
	if (sip_unknown(key->counter) != COUNTER_UNDECIDED)
		return;
	/* The paths through the search differ in what the verifier knows about this offset. It would follow each of
	 * them through the code below. */
	text.end = sip_forget(&text, text.end);
	key->counter = sip_usual_response(&text, sip_forget(&text, start), sip_unknown(key->value_end));
}

/* sip_search(), and the hash of the Call-ID. The results SIP_CONTINUE and SIP_UNHASHED are for text_continue();
 * key->value_end is then the offset for it. */
__noinline int text_search(struct xdp_md *ctx, __u32 start, __u32 end, struct sip_key *key)
{
	struct sip_text text = text_of(ctx, end);
	__u32 at = start, place = 0, wanted;
	enum sip_result result;

	if (!key)
		return SIP_NOT_SIP;
	if (!sip_unknown(key->wanted) && key->from)
		at = key->from;
	else if (!sip_begins_plainly(&text, at))
		at = text_unusual_start(ctx, at, end);
	if (!at)
		return SIP_NOT_SIP;
	result = sip_search(&text, start, at, key, &place);
	if (result == SIP_FOUND && sip_unknown(key->wanted) == SIP_WANT_TO)
		return SIP_FOUND;
	if (result == SIP_FOUND) {
		wanted = sip_unknown(key->wanted); /* the hash overwrites it */
		if (sip_hash_plainly(&text, place, key)) {
			if (wanted)
				text_find_response(text, start, key);
			return SIP_FOUND;
		}
		result = SIP_UNHASHED;
	}
	if (result != SIP_AGAIN)
		key->value_end = place;
	return result;
}

/* Continues after text_search(). This is a separate function because most messages do not need it, and its stack is
 * then free for the callers of text_search(). */
__noinline int text_continue(struct xdp_md *ctx, __u32 end, struct sip_key *key, __u32 reason)
{
	struct sip_text text = text_of(ctx, end);
	enum sip_result result;
	__u32 colon = 0, spent;

	if (!key)
		return SIP_NOT_SIP;
	colon = key->value_end;
	key->value_end = 0;
	if (reason == SIP_CONTINUE) {
		spent = key->spent;
		result = sip_find_from(&text, colon, &spent, &colon);
		key->spent = spent;
		if (result != SIP_FOUND)
			return result;
	}
	return text_hash(ctx, colon, end, key);
}

/* Finds and hashes the Call-ID, and sets key->counter, as `wanted` requires it. SIP_AGAIN: key->counter is set; the
 * caller must find the Call-ID with text_call_id(). */
static __always_inline int text_find(
	struct xdp_md *ctx, __u32 start, __u32 end, struct sip_key *key, enum sip_wanted wanted)
{
	int result;

	key->wanted = wanted;
	result = text_search(ctx, start, end, key);
	return result > SIP_AGAIN ? text_continue(ctx, end, key, result) : result;
}

/* Finds and hashes the Call-ID. */
static __always_inline int text_call_id(struct xdp_md *ctx, __u32 start, __u32 end, struct sip_key *key)
{
	key->from = 0;
	return text_find(ctx, start, end, key, SIP_WANT_CALL_ID);
}

/* Finds and hashes the Call-ID, and sets key->counter for a message in a common form. */
static __always_inline int text_both(struct xdp_md *ctx, __u32 start, __u32 end, struct sip_key *key)
{
	int result = text_find(ctx, start, end, key, SIP_WANT_BOTH);

	return result == SIP_AGAIN ? text_call_id(ctx, start, end, key) : result;
}

/* Sets key->counter for a response whose Call-ID is known, else to COUNTER_UNDECIDED. */
__noinline int text_response(struct xdp_md *ctx, __u32 start, __u32 end, struct sip_key *key)
{
	struct sip_text text = text_of(ctx, end);

	if (key)
		key->counter = sip_usual_response(&text, start, key->value_end);
	return 0;
}

/* Sets key->counter for a request, else to COUNTER_UNDECIDED. */
static __always_inline void text_request(struct xdp_md *ctx, __u32 start, __u32 end, struct sip_key *key)
{
	key->counter = COUNTER_UNDECIDED;
	key->wanted = SIP_WANT_TO;
	text_search(ctx, start, end, key);
}

/* Sets key->counter for any message whose Call-ID has been searched. */
static __always_inline void text_counter(struct xdp_md *ctx, __u32 start, __u32 end, struct sip_key *key)
{
	__u64 hash = key->hash;

	text_response(ctx, start, end, key);
	if (key->counter == COUNTER_UNDECIDED)
		text_request(ctx, start, end, key);
	key->hash = hash;
}

static __always_inline struct sip_text text_in(const struct xdp_md *ctx, const struct flow *flow)
{
	return text_of(ctx, flow->packet.end);
}

/* The parts of the headers that have been read so far. */
struct sip_head {
	struct sip_start start;
	struct sip_lines lines;
};

__noinline int text_start(struct xdp_md *ctx, const struct flow *flow, struct sip_start *start)
{
	struct sip_text text;
	__u32 line;

	if (!flow || !start)
		return 0;
	text = text_in(ctx, flow);
	line = flow->packet.payload;
	if (!sip_begins_plainly(&text, line))
		line = text_unusual_start(ctx, line, flow->packet.end);
	line = sip_forget(&text, line);
	start->not_sip = !line;
	if (line)
		sip_read_start(&text, line, start);
	return 0;
}

/* Reads the start-line of the message once. Returns whether it is SIP. */
static __always_inline bool text_is_sip(struct xdp_md *ctx, const struct flow *flow, struct sip_start *start)
{
	if (!start->line && !start->not_sip)
		text_start(ctx, flow, start);
	return start->line;
}

__noinline int text_find_header(struct xdp_md *ctx, struct flow *flow, struct sip_lines *lines, __u32 wanted)
{
	return flow && lines ? sip_find_header(text_in(ctx, flow), lines, wanted, &flow->budget) : SIP_TOO_FAR;
}

__noinline int text_uri(struct xdp_md *ctx, struct flow *flow, __u32 colon, __u32 *uri)
{
	return flow && uri ? sip_uri(text_in(ctx, flow), colon, uri, &flow->budget) : SIP_NOT_THERE;
}

__noinline int text_next_uri(struct xdp_md *ctx, struct flow *flow, __u32 *at)
{
	int result;

	if (!flow || !at)
		return SIP_NOT_THERE;
	result = sip_usual_next_uri(text_in(ctx, flow), at, &flow->budget);
	return result == SIP_TOO_FAR ? sip_next_uri(text_in(ctx, flow), at, &flow->budget) : result;
}

__noinline int text_uri_host(struct xdp_md *ctx, struct flow *flow, __u32 uri, __u32 *at)
{
	int result;

	if (!flow || !at)
		return SIP_NOT_THERE;
	result = sip_usual_uri_host(text_in(ctx, flow), uri, at, &flow->budget);
	return result == SIP_TOO_FAR ? sip_uri_host(text_in(ctx, flow), uri, at, &flow->budget) : result;
}

__noinline int text_via_host(struct xdp_md *ctx, struct flow *flow, __u32 colon, __u32 *at)
{
	return flow && at ? sip_via_host(text_in(ctx, flow), colon, at, &flow->budget) : SIP_NOT_THERE;
}

__noinline int text_bracketed_host(struct xdp_md *ctx, struct flow *flow, __u32 *at, struct sip_host *host)
{
	return flow && at && host ? sip_bracketed_host(text_in(ctx, flow), at, host, &flow->budget) : SIP_NOT_THERE;
}

__noinline int text_plain_host(struct xdp_md *ctx, struct flow *flow, __u32 *at, struct sip_host *host)
{
	return flow && at && host ? sip_plain_host(text_in(ctx, flow), at, host, &flow->budget) : SIP_NOT_THERE;
}

__noinline int text_host_port(struct xdp_md *ctx, struct flow *flow, __u32 at, struct sip_host *host)
{
	return flow && host ? sip_host_port(text_in(ctx, flow), at, host, &flow->budget) : SIP_NOT_THERE;
}

__noinline int text_part(struct xdp_md *ctx, struct flow *flow, __u32 *at, enum sip_part_kind kind, __u64 *hash)
{
	return flow && at && hash ? sip_part(text_in(ctx, flow), at, kind, flow->hash_key, hash, &flow->budget) : 0;
}

__noinline int text_user(struct xdp_md *ctx, struct flow *flow, __u32 uri, struct sip_user *user)
{
	return flow && user ? sip_user(text_in(ctx, flow), uri, user, &flow->budget) : SIP_NOT_THERE;
}

/* The steps of sip_usual.h. */
__noinline int text_usual_parameter(struct xdp_md *ctx, struct flow *flow, __u32 colon, __u64 name, __u32 *hash)
{
	return flow && hash ? sip_usual_parameter(text_in(ctx, flow), colon, name, hash, flow->hash_key, &flow->budget)
			    : SIP_TOO_FAR;
}

__noinline int text_usual_cseq(struct xdp_md *ctx, const struct flow *flow, __u32 colon, __u32 *number)
{
	return flow && number ? sip_usual_cseq(text_in(ctx, flow), colon, number) : METHOD_NONE;
}

__noinline int text_usual_host(struct xdp_md *ctx, struct flow *flow, __u32 colon, __u32 *at)
{
	return flow && at ? sip_usual_host(text_in(ctx, flow), colon, at, &flow->budget) : SIP_TOO_FAR;
}

__noinline int text_usual_user(struct xdp_md *ctx, struct flow *flow, __u32 colon, struct sip_user *user)
{
	return flow && user ? sip_usual_user(text_in(ctx, flow), colon, user, &flow->budget) : SIP_TOO_FAR;
}

/* The steps of sip_dialog.h. */
__noinline int text_value(struct xdp_md *ctx, struct flow *flow, __u32 before, __u32 *value)
{
	return flow && value ? sip_value_at(text_in(ctx, flow), before, value, &flow->budget) : SIP_NOT_THERE;
}

__noinline int text_parameter(struct xdp_md *ctx, struct flow *flow, __u32 colon, __u64 name, __u32 *at)
{
	return flow && at ? sip_parameter(text_in(ctx, flow), colon, name, at, &flow->budget) : SIP_NOT_THERE;
}

__noinline __u32 text_token(struct xdp_md *ctx, const struct flow *flow, __u32 at)
{
	return flow ? sip_token(text_in(ctx, flow), at, flow->hash_key) : 0;
}

/* Returns the counter of the response whose start-line is at `line` and whose CSeq has the method
 * `cseq`. */
__noinline int text_response_counter(struct xdp_md *ctx, const struct flow *flow, __u32 line, __u32 cseq)
{
	return flow ? sip_response_counter(text_in(ctx, flow), line, cseq) : COUNTER_UNDECIDED;
}

__noinline __u32 text_number(struct xdp_md *ctx, const struct flow *flow, __u32 *at)
{
	return flow && at ? sip_number(text_in(ctx, flow), at) : 0;
}

__noinline int text_named_method(struct xdp_md *ctx, const struct flow *flow, __u32 at)
{
	return flow ? sip_named_method(text_in(ctx, flow), at) : METHOD_NONE;
}

__noinline int text_is_zero(struct xdp_md *ctx, const struct flow *flow, __u32 at)
{
	return flow ? sip_is_zero(text_in(ctx, flow), at) : 0;
}
