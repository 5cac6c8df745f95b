/* SPDX-License-Identifier: GPL-2.0 */
/* Observes packets whose verdict is final: compares each packet with the active observers (map `observers`) and
 * performs the actions of the observers that match. Only the program `observer` includes this file (observer.bpf.c).
 *
 * How to add something that observes packets:
 *   - In the kernel: add an action to enum observer_wants (abi.h), and the code for this action to observe_wanted().
 *     The code receives the flow with all decisions. The stages may have rewritten the frame. flow->packet contains
 *     the offsets in the rewritten frame, so the functions of text.h work. observe_record() copies the received frame.
 *   - In the daemon: call observers_add() with a struct observer and a function that receives the records, and later
 *     observers_remove() (ctl/daemon/trace/observers.h). The first observers_add() switches all links to this program.
 *     The last observers_remove() switches them back to the program `balancer`. */
#pragma once

#include "flow.h"
#include "maps.h"
#include "sources.h"
#include "text.h"
#include "track.h"

/* Bytes to copy from the start of the received frame. It has space for an Ethernet header with two VLAN tags, an IPv6
 * header and an ICMPv6 header. The stages modify only bytes in this part, except for NAT: a record shows the translated
 * bytes of the packet that an ICMP error quotes, and of TCP in IPv6 with VLAN tags. */
#define OBSERVE_START 72

struct observe_start {
	__u8 frame[OBSERVE_START];
	__u64 length; /* of the whole frame */
};

static __always_inline void observe_begin(struct xdp_md *ctx, struct observe_start *start)
{
	__u64 size;

	start->length = bpf_xdp_get_buff_len(ctx);
	size = start->length < OBSERVE_START ? start->length : OBSERVE_START;
	if (size >= ETHERNET_SIZE)
		bpf_xdp_load_bytes(ctx, 0, start->frame, size);
}

/* --- selecting */

/* The argument of the steps below. Each step handles one observer, and bpf_loop() calls the step for all observers.
 * With ordinary loops, the verifier would check each combination of observers. */
struct observe_step {
	const struct flow *flow;
	__u64 value;    /* the property of the packet to compare */
	__u32 kind;     /* enum observer_kind of `value` */
	__u32 matching; /* bits by index: the observers that still match */
	__u32 wants;    /* union of the actions of all matching observers */
	bool message;   /* the packet may be a SIP message for a service, or a fragment of one */
	__u32 lost;     /* 1: the packet has no record, because the ring buffer was full */
};

#define OBSERVE_MESSAGE (1U << 31) /* a bit beside enum observer_wants: the filter needs parts of the message */

/* Returns the observer with this index if it still matches, otherwise NULL. */
static __always_inline const struct observer *observe_observer(const struct observe_step *step, __u32 index)
{
	return step->matching >> (index & (OBSERVERS - 1)) & 1 ? bpf_map_lookup_elem(&observers, &index) : NULL;
}

static __always_inline void observe_drop(struct observe_step *step, __u32 index)
{
	step->matching &= ~(1U << (index & (OBSERVERS - 1)));
}

static __always_inline __u64 observe_difference(const struct observer_prefix *prefix, const struct address *address)
{
	__u64 difference = 0;

	for (int i = 0; i < 4; i++)
		difference |= (address->word[i] & prefix->mask.word[i]) ^ prefix->address.word[i];
	return difference;
}

static __always_inline bool observe_has_source(const struct observer *observer, const struct address *source)
{
	bool any = true;

	for (int i = 0; i < OBSERVER_VALUES; i++) {
		const struct observer_prefix *prefix = &observer->sources[i];

		if (!prefix->mask.word[0])
			continue;
		if (!observe_difference(prefix, source))
			return true;
		any = false;
	}
	return any;
}

static long observe_packet_step(__u32 index, void *data)
{
	struct observe_step *step = data;
	const struct observer *observer = observe_observer(step, index);

	if (!observer || !observer->wants || (observer->verdicts && !(observer->verdicts & step->value)) ||
		(observer->wants & OBSERVER_MESSAGES && !step->message) ||
		!observe_has_source(observer, &step->flow->packet.source))
		observe_drop(step, index);
	return 0;
}

/* Keeps the observers that have `value` among their values of this kind, or no value of this kind. */
static long observe_value_step(__u32 index, void *data)
{
	struct observe_step *step = data;
	const struct observer *observer = observe_observer(step, index);
	const __u64 *values;

	if (!observer || step->kind >= OBSERVER_KINDS)
		return 0;
	values = observer->values[step->kind];
	if (values[0] && !(step->value && (values[0] == step->value || values[1] == step->value ||
						  values[2] == step->value || values[3] == step->value)))
		observe_drop(step, index);
	return 0;
}

static long observe_method_step(__u32 index, void *data)
{
	struct observe_step *step = data;
	const struct observer *observer = observe_observer(step, index);

	if (observer && observer->methods && !(observer->methods & step->value))
		observe_drop(step, index);
	return 0;
}

static long observe_wants_step(__u32 index, void *data)
{
	struct observe_step *step = data;
	const struct observer *observer = observe_observer(step, index);

	if (!observer)
		return 0;
	step->wants |= observer->wants;
	if (observer->methods || observer->values[OBSERVER_CALL_ID][0] || observer->values[OBSERVER_FROM_USER][0] ||
		observer->values[OBSERVER_TO_USER][0])
		step->wants |= OBSERVE_MESSAGE;
	return 0;
}

static long observe_count_step(__u32 index, void *data)
{
	struct observe_step *step = data;
	const struct observer *observer = observe_observer(step, index);
	struct observer_counters *counters = bpf_map_lookup_elem(&observer_counters, &index);

	if (!observer || !counters)
		return 0;
	counters->matched++;
	if (step->lost && observer->wants & OBSERVER_RECORDS)
		counters->lost++;
	return 0;
}

__noinline __u32 observe_value(__u32 matching, __u32 kind, __u64 value)
{
	struct observe_step step = {.matching = matching, .kind = kind, .value = value};

	bpf_loop(OBSERVERS, observe_value_step, &step, 0);
	return step.matching;
}

__noinline __u32 observe_method(__u32 matching, __u32 method)
{
	struct observe_step step = {.matching = matching, .value = method ? 1U << (method & (METHOD_COUNT - 1)) : 0};

	bpf_loop(OBSERVERS, observe_method_step, &step, 0);
	return step.matching;
}

/* Returns whether the packet may be a SIP message for a service, or a fragment of one. The test of the first byte
 * excludes media (RTP and RTCP, RFC 3550) and STUN (RFC 8489), which may be far more frequent than SIP messages. The
 * service of a held fragment is unknown. */
static __always_inline bool observe_may_be_message(const struct xdp_md *ctx, const struct flow *flow)
{
	const __u8 *first = frame_at(ctx, flow->packet.payload);

	if (flow->packet.protocol != IPPROTO_UDP || (!flow->has_service && flow->verdict != VERDICT_held_fragment))
		return false;
	if (flow->packet.kind == PACKET_LATER_FRAGMENT)
		return true;
	if (flow->packet.kind > PACKET_FIRST_FRAGMENT || flow->message == SERVICE_COUNTER_not_sip)
		return false;
	return (void *)(first + 1) > frame_end(ctx) || (*first >= '\n' && *first < 0x7f);
}

/* Returns the observers whose conditions the packet meets, without the conditions on the headers of its message. */
__noinline __u32 observe_packet(struct xdp_md *ctx, const struct flow *flow, __u32 matching)
{
	struct observe_step step = {.flow = flow, .matching = matching};

	if (!flow)
		return 0;
	step.message = observe_may_be_message(ctx, flow);
	step.value = 1ULL << (flow->verdict & 63);
	bpf_loop(OBSERVERS, observe_packet_step, &step, 0);
	if (!step.matching)
		return 0;
	matching = observe_value(step.matching, OBSERVER_SERVICE, flow->has_service ? flow->service + 1 : 0);
	return observe_value(matching, OBSERVER_BACKEND, flow->backend);
}

/* Returns the union of the actions of all matching observers. */
__noinline __u32 observe_wants(__u32 matching)
{
	struct observe_step step = {.matching = matching};

	bpf_loop(OBSERVERS, observe_wants_step, &step, 0);
	return step.wants;
}

__noinline int observe_count(__u32 matching, __u32 lost)
{
	struct observe_step step = {.matching = matching, .lost = lost};

	bpf_loop(OBSERVERS, observe_count_step, &step, 0);
	return 0;
}

/* --- reading the message */

static __always_inline bool observe_is_text(const struct flow *flow)
{
	return flow->packet.payload && flow->packet.protocol == IPPROTO_UDP;
}

/* Returns the observers that accept the Call-ID. */
__noinline __u32 observe_call_id(struct xdp_md *ctx, const struct flow *flow, __u32 matching)
{
	struct sip_key key = {.hash_key = OBSERVER_HASH_KEY};

	if (!flow)
		return 0;
	if (!observe_is_text(flow) || text_call_id(ctx, flow->packet.payload, flow->packet.end, &key) != SIP_FOUND)
		key.hash = 0;
	return observe_value(matching, OBSERVER_CALL_ID, key.hash);
}

/* The hash of the user in the URI of the header whose colon is at `colon`; 0: none. */
__noinline __u64 observe_user(struct xdp_md *ctx, struct flow *flow, __u32 colon)
{
	struct sip_user user = {.hash_key = OBSERVER_HASH_KEY};
	__u32 uri = 0;

	if (!flow || !colon || text_uri(ctx, flow, colon, &uri) != SIP_FOUND)
		return 0;
	return text_user(ctx, flow, uri, &user) == SIP_FOUND ? user.hash : 0;
}

/* Returns the observers that accept the other parts of the message. The stages no longer need the flow, so the parser
 * starts with a full budget. */
__noinline __u32 observe_headers(struct xdp_md *ctx, struct flow *flow, __u32 matching)
{
	struct sip_head head = {};
	__u32 method = 0, number;
	__u64 from, to;

	if (!flow)
		return 0;
	flow->budget = SIP_PACKET_BUDGET;
	if (observe_is_text(flow) && text_is_sip(ctx, flow, &head.start)) {
		head.lines.at = head.start.line;
		text_find_header(ctx, flow, &head.lines, SIP_HEADER_COUNT);
		method = head.start.method;
		if (!method)
			method = track_cseq(ctx, flow, head.lines.colon[SIP_CSEQ], &number);
	}
	matching = observe_method(matching, method);
	from = observe_user(ctx, flow, head.lines.colon[SIP_FROM]);
	matching = observe_value(matching, OBSERVER_FROM_USER, from);
	to = observe_user(ctx, flow, head.lines.colon[SIP_TO]);
	return observe_value(matching, OBSERVER_TO_USER, to);
}

/* --- records */

/* Fills in the decisions. */
static __always_inline void observe_describe(
	const struct xdp_md *ctx, const struct flow *flow, struct observed *record, __u32 shift)
{
	const struct packet *p = &flow->packet;

	record->time = bpf_ktime_get_ns();
	record->hash = flow->hash;
	record->ifindex = ctx->ingress_ifindex;
	record->service = flow->service;
	record->backend = flow->backend;
	record->payload = p->payload ? p->payload - shift : 0;
	record->payload_end = p->payload ? p->end - shift : 0;
	record->pool = flow->pool;
	record->source = p->source;
	record->destination = p->destination;
	record->source_port = p->source_port;
	record->destination_port = p->destination_port;
	record->protocol = p->protocol;
	record->kind = p->kind;
	record->verdict = flow->verdict;
	record->reason = flow->backend ? flow->reason : REASON_NONE;
	record->has_service = flow->has_service;
	record->has_key = flow->has_service && !flow->has_owner;
}

/* Copies the received frame: its start from `start`, and its remainder from the frame itself, whose start has moved
 * by `shift` bytes. Returns 0 or -1. */
static __always_inline int observe_copy(
	struct xdp_md *ctx, const struct observe_start *start, struct observed *record, __u32 room, __u32 shift)
{
	__u64 size = start->length < room ? start->length : room;

	record->length = start->length;
	record->captured = size;
	__builtin_memcpy(record->frame, start->frame, OBSERVE_START);
	size -= OBSERVE_START;
	asm volatile("" : "+r"(size)); /* without this, the verifier does not apply the comparison to the argument */
	if ((__s64)size < 1)
		return 0;
	if (size > room - OBSERVE_START)
		return -1; /* never true; the verifier needs this bound */
	return bpf_xdp_load_bytes(ctx, OBSERVE_START + shift, record->frame + OBSERVE_START, size) ? -1 : 0;
}

/* Writes a record with space for `room` bytes of the frame. `room` must be a constant. Returns false if the ring buffer
 * is full. */
static __always_inline bool observe_write(struct xdp_md *ctx, const struct flow *flow,
	const struct observe_start *start, __u32 observers, __u32 shift, __u32 room)
{
	struct observed *record = bpf_ringbuf_reserve(&observed, OBSERVED_HEADER + room, 0);

	if (!record)
		return false;
	observe_describe(ctx, flow, record, shift);
	record->observers = observers;
	if (observe_copy(ctx, start, record, room, shift)) {
		bpf_ringbuf_discard(record, 0);
		return false;
	}
	bpf_ringbuf_submit(record, 0);
	return true;
}

__noinline int observe_record(
	struct xdp_md *ctx, const struct flow *flow, const struct observe_start *start, __u32 observers, __u32 shift)
{
	if (!flow || !start)
		return 0;
	if (start->length <= OBSERVED_SMALL_FRAME)
		return observe_write(ctx, flow, start, observers, shift, OBSERVED_SMALL_FRAME);
	if (start->length <= OBSERVED_MEDIUM_FRAME)
		return observe_write(ctx, flow, start, observers, shift, OBSERVED_MEDIUM_FRAME);
	return observe_write(ctx, flow, start, observers, shift, OBSERVED_FRAME_SIZE);
}

/* --- */

/* Performs the actions of the matching observers. `shift`: number of bytes by which the start of the frame has moved.
 */
static __always_inline void observe_wanted(
	struct xdp_md *ctx, struct flow *flow, const struct observe_start *start, __u32 matching, __u32 shift)
{
	__u32 wants = observe_wants(matching);
	bool lost = false;

	if (wants & OBSERVER_RECORDS)
		lost = !observe_record(ctx, flow, start, matching, shift);
	if (wants & (OBSERVER_SOURCES | OBSERVER_SUSPECTS))
		sources_count(ctx, flow, wants & OBSERVER_SUSPECTS);
	observe_count(matching, lost);
}

/* Called for each packet after finish(). Changes the flow, but not the frame. This function is inlined into the
 * program, because the call chains of the SIP parser leave no stack for a further function. */
static __always_inline void observe(struct xdp_md *ctx, struct flow *flow, const struct observe_start *start)
{
	__u32 shift = bpf_xdp_get_buff_len(ctx) - start->length, matching;

	flow->packet.transport += shift;
	if (flow->packet.payload) {
		flow->packet.payload += shift;
		flow->packet.end += shift;
	}
	matching = observe_packet(ctx, flow, (1U << OBSERVERS) - 1);
	if (matching && observe_wants(matching) & OBSERVE_MESSAGE) {
		matching = observe_call_id(ctx, flow, matching);
		if (matching)
			matching = observe_headers(ctx, flow, matching);
	}
	if (matching)
		observe_wanted(ctx, flow, start, matching, shift);
}
