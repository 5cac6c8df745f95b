/* SPDX-License-Identifier: GPL-2.0 */
/* Counts the packets that backends with `forward: nat` send to clients, and the SIP messages in them (abi_return.h).
 * The other stages have already made all decisions. flow->flags contains enum nat_vip_flags. */
#pragma once

#include "count.h"
#include "finish.h"

/* A packet from a backend. The VIP is its source now. */
struct returned {
	__u64 call;    /* hash of the Call-ID; 0: unknown */
	__u32 line;    /* offset of the start-line in the frame, if `message` is a response */
	__u32 length;  /* of the frame as it arrived */
	__u32 backend; /* id */
	__u16 service; /* id */
	__u8 message;  /* enum service_counter; 0: none */
	__u8 flags;    /* enum nat_vip_flags */
};

/* The number of counters for the responses to one method. */
#define RETURN_CODES (SERVICE_COUNTER_register_100 - SERVICE_COUNTER_invite_100)

/* Returns 0 for codes 1xx, to 5 for 6xx, and 6 for invalid codes. `code`: index into the list of counters.h. */
static __always_inline __u32 return_class(__u32 code)
{
	return (code > COUNTER_CODE_OFFSET(other_1xx)) + (code > COUNTER_CODE_OFFSET(other_2xx)) +
	       (code > COUNTER_CODE_OFFSET(other_3xx)) + (code > COUNTER_CODE_OFFSET(other_4xx)) +
	       (code > COUNTER_CODE_OFFSET(other_5xx)) + (code > COUNTER_CODE_OFFSET(other_6xx));
}

/* Converts the message counter of a service to the matching counter of a backend. */
static __always_inline __u32 return_backend_counter(__u32 message)
{
	__u32 code = message - SERVICE_COUNTER_invite_100;

	_Static_assert((int)BACKEND_RETURN_in_dialog == (int)BACKEND_COUNTER_in_dialog, "order of counters");
	_Static_assert(BACKEND_RETURN_invite_invalid - BACKEND_RETURN_invite_1xx == 6, "order of counters");
	if (message == SERVICE_COUNTER_not_sip)
		return BACKEND_RETURN_not_sip;
	if (message < SERVICE_COUNTER_invite_100) /* also 0: none */
		return finish_backend_counter(message);
	return (code < RETURN_CODES ? BACKEND_RETURN_invite_1xx : BACKEND_RETURN_other_1xx) +
	       return_class(code % RETURN_CODES);
}

/* --- passive health */

/* Returns whether this is a final response to INVITE or REGISTER, but neither 401 nor 407 (struct passive_state). */
static __always_inline bool return_is_result(__u32 message)
{
	__u32 code = message - SERVICE_COUNTER_invite_100;

	_Static_assert(SERVICE_COUNTER_other_100 - SERVICE_COUNTER_register_100 == RETURN_CODES, "order of counters");
	if (code >= 2 * RETURN_CODES)
		return false;
	code %= RETURN_CODES;
	return code > COUNTER_CODE_OFFSET(other_1xx) && code < COUNTER_CODE_OFFSET(invalid) &&
	       code != COUNTER_CODE_OFFSET(401) && code != COUNTER_CODE_OFFSET(407);
}

/* Returns whether the code of the response is one of the rule's codes. */
static __always_inline bool return_is_failure(struct xdp_md *ctx, __u32 line, const struct passive_rule *rule)
{
	__u8 digits[4] = {};
	__u32 code;

	if (bpf_xdp_load_bytes(ctx, line + sizeof("SIP/2.0"), digits, 3))
		return false;
	code = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0') - PASSIVE_FIRST_CODE;
	return code < PASSIVE_CODES && rule->codes[code / 64 & 3] >> (code % 64) & 1;
}

/* Counts the result of a request. If two CPUs change `run` at the same time, one change may be lost: a run is then
 * found one failure later. */
static __always_inline void return_judge(struct xdp_md *ctx, const struct returned *r)
{
	__u32 method = r->message < SERVICE_COUNTER_register_100 ? PASSIVE_INVITE : PASSIVE_REGISTER;
	__u32 backend = r->backend, call = r->call; /* Linux 6.1 reads keys only from the stack */
	const struct passive_rule *rule = bpf_map_lookup_elem(&passive_rules, &backend);
	struct passive_state *state = bpf_map_lookup_elem(&passive_states, &backend);

	if (!rule || !state)
		return;
	if (!return_is_failure(ctx, r->line, rule)) {
		__sync_fetch_and_add(&state->of[method].finals, 1);
		if (state->of[method].run)
			state->of[method].run = 0;
		return;
	}
	if (call && state->of[method].last == call)
		return;
	__sync_fetch_and_add(&state->of[method].finals, 1);
	__sync_fetch_and_add(&state->of[method].failures, 1);
	state->of[method].last = call;
	state->of[method].run++;
}

/* --- counting */

/* Updates all counters of a packet. */
__noinline int return_record(struct xdp_md *ctx, const struct returned *r)
{
	__u32 code;

	if (!r || dry_run)
		return 0;
	finish_count(&service_return, r->service, r->length, r->message, SERVICE_COUNTER_COUNT);
	finish_count(&backend_return, r->backend, r->length, return_backend_counter(r->message), BACKEND_RETURN_COUNT);
	if (r->flags & NAT_PASSIVE && return_is_result(r->message))
		return_judge(ctx, r);
	code = r->message - SERVICE_COUNTER_invite_100;
	if (code < RETURN_CODES && call_is_sampled(r->call))
		setup_respond(r->call, code, r->service, r->backend);
	return 0;
}

/* For the fast path: sets key->hash and key->counter. Returns false if only the stages can determine the counter. */
__noinline int return_read(struct xdp_md *ctx, __u32 start, __u32 end, struct sip_key *key)
{
	const struct nat_settings *settings = bpf_map_lookup_elem(&nat_settings, &(__u32){0});

	if (!key || !settings)
		return false;
	key->hash_key[0] = settings->hash_key[0];
	key->hash_key[1] = settings->hash_key[1];
	if (text_both(ctx, start, end, key) != SIP_FOUND)
		key->hash = key->value_end = 0;
	if (key->counter == COUNTER_UNDECIDED)
		text_counter(ctx, start, end, key);
	return key->counter != COUNTER_UNDECIDED;
}

/* Returns whether the packet may contain a message to count. */
static __always_inline bool return_has_message(const struct flow *flow)
{
	return flow->flags & NAT_MESSAGES && flow->packet.protocol == IPPROTO_UDP &&
	       (flow->packet.kind == PACKET_WHOLE || flow->packet.kind == PACKET_FIRST_FRAGMENT);
}

/* Moves the offsets of the message, because nat_out may have removed VLAN tags. */
static __always_inline void return_shift(struct flow *flow, __u32 shift)
{
	flow->packet.payload += shift;
	flow->packet.end += shift;
}

/* The stage consists of three functions, because they share the stack with the functions that read the message. The
 * first one prepares the flow. */
__noinline int return_begin(struct xdp_md *ctx, struct flow *flow)
{
	const struct nat_settings *settings = bpf_map_lookup_elem(&nat_settings, &(__u32){0});

	if (!flow || !settings)
		return 0;
	return_shift(flow, bpf_xdp_get_buff_len(ctx) - flow->length);
	flow->hash_key[0] = settings->hash_key[0];
	flow->hash_key[1] = settings->hash_key[1];
	return 0;
}

/* The second one finds the Call-ID. */
__noinline int return_call_id(struct xdp_md *ctx, struct flow *flow)
{
	struct sip_key key = {};

	if (!flow || !return_has_message(flow))
		return 0;
	key.hash_key[0] = flow->hash_key[0];
	key.hash_key[1] = flow->hash_key[1];
	if (text_call_id(ctx, flow->packet.payload, flow->packet.end, &key) == SIP_FOUND) {
		flow->hash = key.hash;
		flow->call_id_end = key.value_end;
	}
	flow->budget -= key.spent < flow->budget ? key.spent : flow->budget;
	return 0;
}

/* The third one counts the packet. */
__noinline int return_path(struct xdp_md *ctx, struct flow *flow)
{
	struct sip_head head = {};
	struct returned r = {};

	if (!flow)
		return 0;
	if (return_has_message(flow))
		count(ctx, flow, &head);
	r.call = flow->hash;
	r.line = head.start.line ? head.start.line : flow->packet.payload;
	r.length = flow->length;
	r.backend = flow->backend;
	r.service = flow->service;
	r.message = flow->message;
	r.flags = flow->flags;
	return_record(ctx, &r);
	return_shift(flow, flow->length - bpf_xdp_get_buff_len(ctx)); /* observe() moves them */
	return 0;
}
