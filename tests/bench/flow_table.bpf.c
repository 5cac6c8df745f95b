// SPDX-License-Identifier: GPL-2.0
/* Bench only: the balancer plus what others do for each packet, a look into a table of
 * flows (Katran: an LRU map, by addresses, ports and protocol). Shows what it saves to
 * keep no state per flow. */

#include "drive.h"
#include "../../bpf/classify.h"

struct flow_key {
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
	__u32 protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 20);
	__type(key, struct flow_key);
	__type(value, __u32);
} flows SEC(".maps");

/* Looks the flow up, and notes it if it is new. */
__noinline int flow_note(const struct packet *p)
{
	struct flow_key key;
	__u32 *packets;

	if (!p)
		return 0;
	key = (struct flow_key){p->source, p->destination, p->source_port, p->destination_port, p->protocol};
	packets = bpf_map_lookup_elem(&flows, &key);
	if (packets)
		*packets += 1;
	else
		bpf_map_update_elem(&flows, &key, &(__u32){1}, BPF_ANY);
	return 0;
}

/* Then it goes the way of all packets. */
static __always_inline int flow_classify(struct xdp_md *ctx, struct flow *flow)
{
	flow_note(&flow->packet);
	return classify(ctx, flow);
}

/* What balancer.bpf.c calls in the place of classify. */
#define classify flow_classify
#include "../../bpf/balancer.bpf.c"
#undef classify

SEC("xdp.frags")
int flow_table(struct xdp_md *ctx)
{
	return drive_once(ctx);
}

SEC("xdp.frags")
int timed(struct xdp_md *ctx)
{
	return drive_timed(ctx);
}
