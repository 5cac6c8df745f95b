/* SPDX-License-Identifier: GPL-2.0 */
/* Tracks calls during a migration: the backend of each call, and whether the call is live (call.h). Owns the
 * maps `tracked_calls` and `transactions`. migration.h decides how a tracked call affects steering. */
#pragma once

#include "call.h"
#include "flow.h"
#include "maps.h"
#include "text.h"

enum track_new {
	TRACK_BEGINS = 1, /* this message begins the call */
	TRACK_GUESSES,    /* a different balancer of the group may have seen the beginning of the call */
};

/* The effect of a packet on its call or its connection. */
struct track_message {
	struct call_message call; /* UDP */
	__u16 call_id;            /* offset of the colon of Call-ID; 0: unknown */
	__u8 initial;             /* a request outside a dialog, a SYN, or not SIP */
	__u8 live;                /* TCP: neither SYN, FIN nor RST */
	__u8 ended;               /* TCP: FIN or RST */
	__u8 is_new;              /* enum track_new: the call has no entry, and track_new() must store it */
	__u8 is_placed;           /* balance.h has placed this new call */
	__u8 is_shared;           /* the message has changed its call: the other balancers of the group need it */
};

static __always_inline __u32 track_seconds(void)
{
	return bpf_ktime_get_ns() / 1000000000ULL;
}

/* --- reading a packet */

/* Hashes a parameter of the header whose colon is at `colon`; *hash is 0 if the parameter is empty, truncated
 * or absent. */
static __always_inline enum sip_result track_parameter(
	struct xdp_md *ctx, struct flow *flow, __u32 colon, __u64 name, __u32 *hash)
{
	enum sip_result result;
	__u32 at = 0;

	*hash = 0;
	if (!colon)
		return SIP_TOO_FAR;
	result = text_usual_parameter(ctx, flow, colon, name, hash);
	if (result != SIP_TOO_FAR)
		return result;
	result = text_parameter(ctx, flow, colon, name, &at);
	if (result == SIP_FOUND && text_value(ctx, flow, at, &at) == SIP_FOUND)
		*hash = text_token(ctx, flow, at);
	return result;
}

/* Returns the method and the number in the CSeq header whose colon is at `colon` (RFC 3261 section 20.16). METHOD_NONE:
 * the header is unreadable. */
static __always_inline enum method track_cseq(struct xdp_md *ctx, struct flow *flow, __u32 colon, __u32 *number)
{
	enum method method;
	__u32 at = 0;

	*number = 0;
	if (!colon)
		return METHOD_NONE;
	method = text_usual_cseq(ctx, flow, colon, number);
	*number += 1;
	if (method != METHOD_NONE)
		return method;
	*number = 0;
	if (text_value(ctx, flow, colon, &at) != SIP_FOUND)
		return METHOD_NONE;
	*number = text_number(ctx, flow, &at) + 1;
	return text_value(ctx, flow, at - 1, &at) == SIP_FOUND ? text_named_method(ctx, flow, at) : METHOD_NONE;
}

static __always_inline bool track_expires_now(struct xdp_md *ctx, struct flow *flow, __u32 expires)
{
	__u32 at = 0;

	return expires && text_value(ctx, flow, expires, &at) == SIP_FOUND && text_is_zero(ctx, flow, at);
}

/* If the To header is beyond the search limit, the message counts as part of a dialog. */
static __always_inline enum sip_result track_to_tag(
	struct xdp_md *ctx, struct flow *flow, const struct sip_lines *lines, __u32 *hash)
{
	if (!lines->colon[SIP_TO])
		return lines->at == SIP_HEADERS_END ? SIP_NOT_THERE : SIP_TOO_FAR;
	return track_parameter(ctx, flow, lines->colon[SIP_TO], SIP_TAG_NAME, hash);
}

static __always_inline __u32 track_kind(__u32 event, __u32 method)
{
	if (event == CALL_NOTHING)
		return CALL_IS_NONE;
	return method == METHOD_SUBSCRIBE ? CALL_IS_SUBSCRIPTION : CALL_IS_INVITE;
}

static __always_inline void track_read_message(
	struct xdp_md *ctx, struct flow *flow, struct sip_head *head, struct track_message *message)
{
	__u32 method, code, from = 0, to = 0;
	enum sip_result tag;

	message->initial = true;
	if (!text_is_sip(ctx, flow, &head->start))
		return;
	if (!head->lines.at)
		head->lines.at = head->start.line;
	text_find_header(ctx, flow, &head->lines, SIP_HEADER_COUNT);
	message->call_id = head->lines.colon[SIP_CALL_ID];
	track_parameter(ctx, flow, head->lines.colon[SIP_VIA], SIP_BRANCH_NAME, &message->call.branch);
	track_parameter(ctx, flow, head->lines.colon[SIP_FROM], SIP_TAG_NAME, &from);
	tag = track_to_tag(ctx, flow, &head->lines, &to);
	message->call.dialog = call_dialog(from, to);
	code = head->start.code;
	method = track_cseq(ctx, flow, head->lines.colon[SIP_CSEQ], &message->call.number);
	if (flow->affinity != AFFINITY_CALL_ID)
		message->call.number = 0; /* numbers of different calls cannot be compared */
	if (!code)
		method = head->start.method;
	message->initial = !code && sip_is_initial(method, tag);
	message->call.event = call_event(
		method, code, tag == SIP_FOUND, track_expires_now(ctx, flow, head->lines.colon[SIP_EXPIRES]));
	message->call.kind = track_kind(message->call.event, method);
}

static __always_inline void track_read_segment(
	struct xdp_md *ctx, const struct flow *flow, struct track_message *message)
{
	const struct tcphdr *tcp = frame_at(ctx, flow->packet.transport);

	if ((void *)(tcp + 1) > frame_end(ctx))
		return;
	message->initial = tcp->syn && !tcp->ack;
	message->ended = tcp->fin || tcp->rst;
	message->live = !tcp->syn && !message->ended;
}

/* Reads a packet. A packet quoted in an ICMP error is ignored, because a backend has sent it. */
__noinline int track_read(struct xdp_md *ctx, struct flow *flow, struct sip_head *head, struct track_message *message)
{
	if (!flow || !head || !message)
		return 0;
	__builtin_memset(message, 0, sizeof(*message));
	if (flow->packet.kind == PACKET_ICMP_ERROR)
		return 0;
	if (flow->packet.protocol == IPPROTO_TCP)
		track_read_segment(ctx, flow, message);
	else
		track_read_message(ctx, flow, head, message);
	return 0;
}

/* --- tracked calls */

/* The key of a call. TCP: an existing connection keeps its backend, whatever the affinity. */
static __always_inline struct tracked_key track_key(const struct flow *flow)
{
	const struct packet *p = &flow->packet;
	struct tracked_key key = {.hash = flow->hash, .pool = flow->pool, .slot = flow->hash & slot_mask};

	if (p->protocol == IPPROTO_TCP)
		key.hash = hash_connection(
			&p->source, &p->destination, p->source_port, p->destination_port, flow->hash_key);
	return key;
}

/* Is this the end of a subscription within the dialog of an INVITE (RFC 5057), which does not end this dialog? */
static __always_inline bool track_ends_only_a_subscription(
	const struct tracked_call *tracked, const struct call_message *message)
{
	return message->kind == CALL_IS_SUBSCRIPTION && message->event == CALL_ENDS && tracked->kind == CALL_IS_INVITE;
}

/* Updates a tracked call in place, but never writes its backend: the LRU map may reuse the element for a different key
 * at any time, and the write would then misroute the call with that key. This is a separate function, so that the
 * verifier checks call_update() only once. */
__noinline int track_update(struct tracked_call *tracked, const struct track_message *message, bool tcp)
{
	if (!tracked || !message)
		return 0;
	tracked->seen = track_seconds();
	if (tcp) {
		if (message->ended)
			tracked->ended = tracked->seen;
		else if (message->initial)
			tracked->ended = 0;
		return 0;
	}
	if (tracked->kind == CALL_IS_SUBSCRIPTION && message->call.kind == CALL_IS_INVITE)
		tracked->kind = CALL_IS_INVITE;
	if (!track_ends_only_a_subscription(tracked, &message->call))
		call_update(&tracked->dialogs, &message->call);
	if (call_is_live(&tracked->dialogs))
		tracked->ended = 0;
	else if (!tracked->ended)
		tracked->ended = tracked->seen;
	return 0;
}

/* Returns true if this packet can start a call that has no entry yet. */
static __always_inline bool track_may_begin(const struct flow *flow, const struct track_message *message)
{
	return flow->packet.protocol == IPPROTO_TCP ? message->live : call_may_begin(message->call.event);
}

/* Stores the start of the Call-ID, or the source of a connection, for display. */
static __always_inline void track_name(
	struct xdp_md *ctx, const struct flow *flow, const struct track_message *message, struct tracked_call *tracked)
{
	__u32 at = message->call_id + 1;

	if (flow->packet.protocol == IPPROTO_TCP) {
		tracked->source.address = flow->packet.source;
		tracked->source.port = flow->packet.source_port;
		return;
	}
	if (message->call_id && !bpf_xdp_load_bytes(ctx, at, tracked->call_id, 1) && tracked->call_id[0] == ' ')
		at++;
	if (!message->call_id || bpf_xdp_load_bytes(ctx, at, tracked->call_id, CALL_TEXT_SIZE))
		tracked->call_id[0] = 0;
}

/* Stores that `backend` has received a packet that does not start a call, or the first packet of a call. */
__noinline int track_transaction(const struct flow *flow, __u32 backend)
{
	struct transaction transaction = {.backend = backend, .seen = track_seconds()};
	struct tracked_key key;

	if (!flow || dry_run)
		return 0;
	key = track_key(flow);
	bpf_map_update_elem(&transactions, &key, &transaction, BPF_ANY);
	return 0;
}

/* Stores a new call, or a transaction if the packet does not start a call. The caller has found no entry, or an entry
 * whose backend is dead. This function replaces such an entry: the call continues on a different backend, and stays
 * there when the dead backend recovers. Returns true if it has stored a call. */
__noinline int track_new(struct xdp_md *ctx, const struct flow *flow, const struct track_message *message)
{
	struct tracked_call tracked = {.began = track_seconds()};
	const struct tracked_call *known;
	struct tracked_key key;
	bool tcp;

	if (!flow || !message)
		return 0;
	key = track_key(flow);
	tcp = flow->packet.protocol == IPPROTO_TCP;
	known = bpf_map_lookup_elem(&tracked_calls, &key);
	if (known)
		tracked = *known;
	tracked.backend = flow->backend;
	tracked.hinted = flow->verdict == VERDICT_hint;
	tracked.guessed = message->is_new == TRACK_GUESSES;
	track_update(&tracked, message, tcp);
	if (!known && !(tcp ? message->live : call_is_live(&tracked.dialogs))) {
		if (!tracked.hinted)
			track_transaction(flow, flow->backend);
		return false;
	}
	if (!known) {
		tracked.kind = tcp ? CALL_IS_CONNECTION : message->call.kind;
		track_name(ctx, flow, message, &tracked);
	}
	bpf_map_update_elem(&tracked_calls, &key, &tracked, BPF_ANY);
	return true;
}
