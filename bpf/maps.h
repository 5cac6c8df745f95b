/* SPDX-License-Identifier: GPL-2.0 */
/* Every map of the balancer. abi.h has the types and their meanings. The loader sets the sizes from `limits:`
 * before it loads the program. */
#pragma once

#include "frame.h"
#include "abi_calls.h"
#include "abi_nat.h"
#include "abi_observe.h"
#include "abi_punt.h"
#include "abi_return.h"
#include "guard_maps.h"

/* The number of slots per table, minus 1. The loader sets it before it loads the program. */
const volatile __u32 slot_mask = DEFAULT_SLOTS - 1;

/* explainer.bpf.c sets this variable: the stages make the same decisions, but change no map and send nothing to the
 * daemon. */
const volatile bool dry_run;

/* The destination MAC addresses that belong to this machine. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OWN_MACS);
	__type(key, struct own_mac);
	__type(value, __u32);
} own_macs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INTERFACE_MACS);
	__type(key, __u32);
	__type(value, struct interface_mac);
} interface_macs SEC(".maps");

/* (VIP, port, protocol) -> service. This map, vips, hints and port_ranges have space for twice the allowed
 * number of entries, because the daemon adds new entries before it removes old ones. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * DEFAULT_SERVICES);
	__type(key, struct service_key);
	__type(value, struct service);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * DEFAULT_SERVICES);
	__type(key, struct service_key_ipv4);
	__type(value, struct service);
} services_ipv4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * DEFAULT_SERVICES);
	__type(key, struct address);
	__type(value, struct vip);
} vips SEC(".maps");

/* Pool id -> which of its two tables the pool uses. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_POOLS);
	__type(key, __u32);
	__type(value, struct pool);
} pools SEC(".maps");

/* Slot -> backend id. Each table is one map element. One map element for each slot would take four times the
 * memory, and the program would be slower because of cache misses. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * DEFAULT_POOLS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, DEFAULT_SLOTS * sizeof(__u16));
} tables SEC(".maps");

/* The previous owner of each migrating slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_POOLS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, DEFAULT_SLOTS * sizeof(__u16));
} previous_owners SEC(".maps");

/* The backend of each call in a migrating slot. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DEFAULT_TRACKED_CALLS);
	__type(key, struct tracked_key);
	__type(value, struct tracked_call);
} tracked_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TRANSACTIONS);
	__type(key, struct tracked_key);
	__type(value, struct transaction);
} transactions SEC(".maps");

/* Changes of tracked calls for the other balancers of the group. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, CALL_CHANGES_BYTES);
} call_changes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct call_batch);
} call_batch SEC(".maps");

/* The sampled and the placed calls. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_COUNTED_CALLS);
	__type(key, struct tracked_key);
	__type(value, struct tracked_call);
} counted_calls SEC(".maps");

/* Backend id -> its calls, and whether it accepts new ones. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct backend_load);
} backend_loads SEC(".maps");

/* Pool id -> how the pool chooses backends for new calls. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_POOLS);
	__type(key, __u32);
	__type(value, struct balance);
} balances SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * DEFAULT_POOLS);
	__type(key, __u32);
	__type(value, struct new_calls);
} new_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DEFAULT_POOLS);
	__type(key, __u32);
	__type(value, struct balance_counters);
} balance_counters SEC(".maps");

/* Host and port in a SIP message -> backend id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * HINTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct hint_key);
	__type(value, __u32);
} hints SEC(".maps");

/* Port ranges of VIPs, split into prefixes. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * PORT_RANGES * PORT_RANGE_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct port_range_key);
	__type(value, struct port_range);
} port_ranges SEC(".maps");

/* The VIP that replaces the source of packets from backends with `forward: nat`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat_settings);
} nat_settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * NAT_SOURCES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nat_source);
	__type(value, struct nat_vip);
} nat_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * PORT_RANGES * PORT_RANGE_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nat_range_key);
	__type(value, struct nat_vip);
} nat_ranges SEC(".maps");

/* The next hop of each flow from a backend to a client, and the number of changes that may affect it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NAT_FLOWS);
	__type(key, __u32);
	__type(value, struct nat_flow);
} nat_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} nat_generation SEC(".maps");

/* Backend id -> its address, interface and next hop. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

/* The backend of the first fragment of a datagram. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FRAGMENTS);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragments SEC(".maps");

/* Later fragments that the daemon holds. The program notifies the daemon when their first fragment arrives. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HELD_FRAGMENTS);
	__type(key, __u32);
	__type(value, __u64);
} held_fragments SEC(".maps");

/* Packets for the daemon, and the read positions of the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PUNT_FRAGMENTS_BYTES);
} punt_fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PUNT_OVERSIZE_BYTES);
} punt_oversize SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PUNT_PROBES_BYTES);
} punt_probes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PUNT_REFUSALS_BYTES);
} punt_refusals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PUNT_NAT_BYTES);
} punt_nat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PUNT_CLASSES);
	__type(key, __u32);
	__type(value, struct punt_reader);
} punt_readers SEC(".maps");

/* The source addresses of health probes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_ADDRESSES);
	__type(key, struct address);
	__type(value, __u32);
} probe_addresses SEC(".maps");

/* The number of packets by verdict. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct verdict_counters);
} verdicts SEC(".maps");

/* The packets and SIP messages received for each service, regardless of the verdict. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DEFAULT_SERVICES);
	__type(key, __u32);
	__type(value, struct service_traffic);
} service_traffic SEC(".maps");

/* The packets and SIP messages sent to each backend. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct backend_traffic);
} backend_traffic SEC(".maps");

/* The same for packets from backends with `forward: nat` to clients. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DEFAULT_SERVICES);
	__type(key, __u32);
	__type(value, struct service_traffic);
} service_return SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct backend_return);
} backend_return SEC(".maps");

/* Passive health: which responses are failures, and the failures of each backend. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct passive_rule);
} passive_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct passive_state);
} passive_states SEC(".maps");

/* The sampled calls that are being set up, the times of their responses, and their number without a response. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SETUPS);
	__type(key, __u64);
	__type(value, struct setup);
} setups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_SERVICES);
	__type(key, __u32);
	__type(value, struct setup_times);
} service_setup_times SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct setup_times);
} backend_setup_times SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, __u64);
} unanswered_calls SEC(".maps");

/* The active observers of packets, their counters, and the records of the packets that they select. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OBSERVERS);
	__type(key, __u32);
	__type(value, struct observer);
} observers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OBSERVERS);
	__type(key, __u32);
	__type(value, struct observer_counters);
} observer_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, OBSERVED_BYTES);
} observed SEC(".maps");
/* The sources and the Call-IDs with the most packets, for observers that request them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * HEAVY_BUCKETS);
	__type(key, __u32);
	__type(value, struct heavy_bucket);
} heavy_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * HEAVY_BUCKETS);
	__type(key, __u32);
	__type(value, struct heavy_bucket);
} heavy_call_ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct heavy_interval);
} heavy_interval SEC(".maps");

/* Only user space reads the remaining maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct balancer_state);
} balancer_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_SERVICES);
	__type(key, __u32);
	__type(value, struct name);
} service_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_POOLS);
	__type(key, __u32);
	__type(value, struct name);
} pool_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct backend_record);
} backend_records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_BACKENDS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct added_backend);
} added_backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct contract);
} contract SEC(".maps");

/* Returns whether hints, tracked calls and port ranges may select the backend. */
static __always_inline bool backend_is_alive(__u32 id)
{
	const struct backend *backend = bpf_map_lookup_elem(&backends, &id);

	return backend && backend->alive;
}

/* Returns the entry of a backend; NULL if the backend is unreachable or the id is free. Id 0 is always free. */
static __always_inline const struct backend *backend_reachable(__u32 id)
{
	const struct backend *backend = bpf_map_lookup_elem(&backends, &id);

	return backend && backend->forward != FORWARD_NONE ? backend : NULL;
}
