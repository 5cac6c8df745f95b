/* SPDX-License-Identifier: GPL-2.0 */
/* Every map of the balancer. Types and meanings are in abi.h; the loader sets the sizes
 * from `limits:` before the program is loaded. */
#pragma once

#include "frame.h"
#include "abi.h"

/* Number of slots of a table less one. The loader writes it; fixed while we run. */
const volatile __u32 slot_mask = DEFAULT_SLOTS - 1;

/* Frames of which destination MAC addresses are for this machine. */
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

/* (VIP, port, protocol) -> service. As vips, hints and ranges do they hold twice what there
 * may be: new entries are put in before old ones go. */
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

/* Which of its two tables a pool uses. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_POOLS);
	__type(key, __u32);
	__type(value, struct pool);
} pools SEC(".maps");

/* Slot -> backend id. One packed element a table: a map element for each slot would
 * take four times the memory, and memory is what costs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * DEFAULT_POOLS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, DEFAULT_SLOTS * sizeof(__u16));
} tables SEC(".maps");

/* Of pools that change: who had a slot before. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_POOLS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, DEFAULT_SLOTS * sizeof(__u16));
} previous_owners SEC(".maps");

/* Where the calls in slots that move are. */
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

/* Who a host in SIP names. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * HINTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct hint_key);
	__type(value, __u32);
} hints SEC(".maps");

/* Ports of a VIP that come in ranges, each cut into prefixes. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * PORT_RANGES * PORT_RANGE_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct port_range_key);
	__type(value, struct port_range);
} port_ranges SEC(".maps");

/* How to reach a backend, by id. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

/* Where the first fragment of a datagram went. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FRAGMENTS);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragments SEC(".maps");

/* Keys of later fragments that the daemon holds: its first fragment is announced. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HELD_FRAGMENTS);
	__type(key, __u32);
	__type(value, __u64);
} held_fragments SEC(".maps");

/* What the daemon is given, and whether it reads. */
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
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PUNT_CLASSES);
	__type(key, __u32);
	__type(value, struct punt_reader);
} punt_readers SEC(".maps");

/* Where the daemon sends probes from. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_ADDRESSES);
	__type(key, struct address);
	__type(value, __u32);
} probe_addresses SEC(".maps");

/* How packets ended: all of them, by verdict. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct verdict_counters);
} verdicts SEC(".maps");

/* What arrived for each service, whatever became of it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DEFAULT_SERVICES);
	__type(key, __u32);
	__type(value, struct traffic);
} service_traffic SEC(".maps");

/* What was sent to each backend. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct traffic);
} backend_traffic SEC(".maps");

/* The rest is for people and for user space: no packet looks at it. */
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

/* May calls be sent there? */
static __always_inline bool backend_is_alive(__u32 id)
{
	const struct backend *backend = bpf_map_lookup_elem(&backends, &id);

	return backend && backend->alive;
}

/* How to reach a backend; NULL for an id that is free (0 always is), and where no way leads. */
static __always_inline const struct backend *backend_reachable(__u32 id)
{
	const struct backend *backend = bpf_map_lookup_elem(&backends, &id);

	return backend && backend->forward != FORWARD_NONE ? backend : NULL;
}
