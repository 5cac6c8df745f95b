/* SPDX-License-Identifier: GPL-2.0 */
/* The third stage: finds the affinity key of the packet and hashes it. The configuration of the service selects the
 * key: the Call-ID, the source or a user (docs/design/packet-path.md). */
#pragma once

#include "flow.h"
#include "text.h"

_Static_assert(SIP_OFFSET_LIMIT <= 0x8000, "flow.call_id_end");

/* Uses source address and port as the key, for packets that lack the configured key. */
static __always_inline enum verdict key_flow(struct flow *flow, enum verdict verdict)
{
	flow->hash = hash_source(&flow->packet.source, flow->packet.source_port, flow->hash_key);
	return verdict;
}

/* Returns the verdict for a result of the search for the Call-ID. It is calculated without branches: after a
 * branch, the verifier would check the rest of the program once for each result. */
static __always_inline enum verdict key_call_id_verdict(enum sip_result result)
{
	_Static_assert(VERDICT_no_call_id - VERDICT_call_id == SIP_NOT_THERE && SIP_FOUND == 0, "order of verdicts");
	_Static_assert(VERDICT_call_id_too_far - VERDICT_call_id == SIP_TOO_FAR, "order of verdicts");
	_Static_assert(VERDICT_not_sip - VERDICT_call_id == SIP_NOT_SIP, "order of verdicts");
	return VERDICT_call_id + result;
}

static __always_inline enum verdict key_call_id(struct xdp_md *ctx, struct flow *flow)
{
	struct sip_key key = {.hash_key = {flow->hash_key[0], flow->hash_key[1]}};
	int result = text_call_id(ctx, flow->packet.payload, flow->packet.end, &key);

	flow->budget -= key.spent < flow->budget ? key.spent : flow->budget;
	if (result != SIP_FOUND)
		return key_flow(flow, key_call_id_verdict(result));
	flow->hash = key.hash;
	flow->call_id_end = key.value_end;
	return VERDICT_call_id;
}

/* Hashes the user whose header the service configures. */
static __always_inline int key_user_hash(struct xdp_md *ctx, struct flow *flow, struct sip_user *user)
{
	__u32 header = flow->affinity == AFFINITY_FROM_USER ? SIP_FROM : SIP_TO, colon, uri;
	struct sip_head head = {};
	int result;

	if (!text_is_sip(ctx, flow, &head.start))
		return SIP_NOT_SIP;
	uri = head.start.uri;
	if (flow->affinity != AFFINITY_REQUEST_USER) {
		head.lines.at = head.start.line;
		result = text_find_header(ctx, flow, &head.lines, header);
		if (result != SIP_FOUND)
			return result;
		colon = header == SIP_FROM ? head.lines.colon[SIP_FROM] : head.lines.colon[SIP_TO];
		if (text_usual_user(ctx, flow, colon, user) == SIP_FOUND)
			return SIP_FOUND;
		result = text_uri(ctx, flow, colon, &uri);
		if (result != SIP_FOUND)
			return result;
	}
	return uri ? text_user(ctx, flow, uri, user) : SIP_NOT_THERE;
}

/* This is a separate function so that its stack is not in use during the other calls in key(). */
__noinline int key_user(struct xdp_md *ctx, struct flow *flow)
{
	struct sip_user user = {};
	const __u32 reserve = SIP_PACKET_BUDGET - SIP_USER_BUDGET;
	int result;

	if (!flow)
		return VERDICT_not_sip;
	user.hash_key[0] = flow->hash_key[0];
	user.hash_key[1] = flow->hash_key[1];
	flow->budget -= reserve;
	result = key_user_hash(ctx, flow, &user);
	flow->budget += reserve;
	if (result == SIP_FOUND) {
		flow->hash = user.hash;
		return VERDICT_user;
	}
	return key_flow(flow, result == SIP_NOT_SIP ? VERDICT_not_sip : VERDICT_no_user);
}

static __always_inline enum verdict key_of(struct xdp_md *ctx, struct flow *flow)
{
	switch (flow->affinity) {
	case AFFINITY_CALL_ID:
		return key_call_id(ctx, flow);
	case AFFINITY_SOURCE:
		flow->hash = hash_source(&flow->packet.source, 0, flow->hash_key);
		return VERDICT_source;
	case AFFINITY_FLOW:
		return key_flow(flow, VERDICT_flow);
	}
	return key_user(ctx, flow);
}

/* The verdict records which key was used. */
__noinline int key(struct xdp_md *ctx, struct flow *flow)
{
	enum verdict verdict;

	if (!flow)
		return NEXT_FINISH;
	if (flow->has_owner)
		return NEXT_STAGE;
	verdict = key_of(ctx, flow);
	flow->verdict = flow->packet.kind == PACKET_ICMP_ERROR ? VERDICT_icmp_error : verdict;
	return NEXT_STAGE;
}
