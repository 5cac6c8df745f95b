// SPDX-License-Identifier: GPL-2.0
/* An XDP program that shares the interface with the balancer: counts packets and passes them to the next program
 * of the dispatcher. */
#include "vmlinux/types.h"
#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} seen_packets SEC(".maps");

/* Runs before programs without a priority: their default is 50. */
struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(seen);

SEC("xdp.frags")
int seen(__attribute__((unused)) struct xdp_md *ctx)
{
	__u64 *packets = bpf_map_lookup_elem(&seen_packets, &(__u32){0});

	if (packets)
		__sync_fetch_and_add(packets, 1);
	return XDP_PASS;
}
