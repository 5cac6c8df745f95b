// SPDX-License-Identifier: GPL-2.0
/* The balancer: parse, steer, forward, count. The only place that returns XDP_*. */

#include "steer.h"
#include "probe.h"
#include "forward.h"
#include "oversize.h"
#include "ping.h"

char LICENSE[] SEC("license") = "GPL";

/* What XDP returns for a verdict; `forwarded` for a packet that is on its way. */
static __always_inline int action_of(enum verdict verdict, int forwarded)
{
#define PASS XDP_PASS
#define HOLD XDP_DROP /* the daemon has a copy */
#define ANSWER XDP_TX
#define FORWARD forwarded
#define VERDICT_CASE(name, action, normal, text)                                                                       \
	case VERDICT_##name:                                                                                           \
		return action;
	switch (verdict) {
		BALANCER_VERDICTS(VERDICT_CASE)
	case VERDICT_none:
		break;
	}
	return XDP_PASS;
#undef VERDICT_CASE
#undef FORWARD
#undef HOLD
#undef ANSWER
#undef PASS
}

static __always_inline void count(void *map, __u32 id, __u64 bytes)
{
	struct traffic *traffic = bpf_map_lookup_elem(map, &id);

	if (traffic) {
		traffic->packets++;
		traffic->bytes += bytes;
	}
}

/* Every packet's end. `forwarded` is what forward() wants returned; XDP_PASS where it
 * was not called, or failed. */
static __always_inline int finish(const struct target *target, enum verdict verdict, __u64 bytes, int forwarded)
{
	__u64 *counters = bpf_map_lookup_elem(&verdicts, &(__u32){0});

	if (counters && verdict < VERDICT_COUNT)
		counters[verdict]++;
	if (target->for_service)
		count(&service_traffic, target->service_id, bytes);
	if (forwarded != XDP_PASS)
		count(&backend_traffic, target->backend_id, bytes);
	return action_of(verdict, forwarded);
}

/* A global function, so that the verifier forgets by which of many ways it was left: it
 * would go through the rest again for each. */
__noinline int parse(struct xdp_md *ctx, struct packet *packet, __u32 length)
{
	struct cursor cursor = {
		.data = frame_start(ctx),
		.data_end = frame_end(ctx),
		.length = length,
		.zero = unknown_zero(ctx),
	};

	return packet ? packet_parse(&cursor, packet) : VERDICT_malformed;
}

__noinline int parse_icmp(struct xdp_md *ctx, struct packet *packet, __u32 length)
{
	struct cursor cursor = {
		.data = frame_start(ctx),
		.data_end = frame_end(ctx),
		.length = length,
		.zero = unknown_zero(ctx),
	};

	if (!packet)
		return 0;
	cursor.at = packet->transport & FRAME_OFFSET_MASK;
	packet_parse_icmp(&cursor, packet);
	return 0;
}

SEC("xdp.frags")
int balancer(struct xdp_md *ctx)
{
	__u64 bytes = bpf_xdp_get_buff_len(ctx);
	struct target target = {};
	struct packet packet = {};
	const struct backend *backend;
	enum verdict verdict, failed;
	int forwarded = XDP_PASS;
	__u32 hinted;

	verdict = parse(ctx, &packet, bytes);
	if (packet.kind == PACKET_ICMP)
		parse_icmp(ctx, &packet, bytes);
	if (verdict == VERDICT_none)
		verdict = steer(ctx, &packet, &target);
	if (verdict == VERDICT_not_service)
		verdict = packet.kind == PACKET_ECHO ? ping(ctx, &packet) : probe_catch(ctx, &packet);
	if (!target.for_service)
		return finish(&target, verdict, bytes, forwarded);
	hinted = hint_is_worth_it(ctx, &packet, &target.hint) ? hint_owner(ctx, &packet, &target.hint) : 0;
	if (hinted) {
		target.backend_id = hinted;
		verdict = VERDICT_hint;
	} else if (target.in_motion) {
		target.backend_id = motion_owner(ctx, &packet, &target.slot);
	}
	if (packet.kind == PACKET_FIRST_FRAGMENT)
		steer_note_fragment(&packet, target.service_id, target.backend_id);
	backend = steer_backend(&target);
	if (!backend)
		return finish(&target, VERDICT_no_backend, bytes, forwarded);
	failed = forward(ctx, &packet, backend, &forwarded);
	if (failed == VERDICT_too_big)
		failed = oversize(ctx, &packet, &target);
	return finish(&target, failed == VERDICT_none ? verdict : failed, bytes, forwarded);
}
