/* SPDX-License-Identifier: GPL-2.0 */
/* The maps of the guard. abi_guard.h has the types and their meanings. */
#pragma once

#include "frame.h"
#include "abi_guard.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARDS);
	__type(key, __u32);
	__type(value, struct guard);
} guards SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_CLASSES);
	__type(key, __u32);
	__type(value, struct guard_class);
} guard_classes SEC(".maps");

/* The state of each source. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_GUARDED_SOURCES);
	__type(key, __u32);
	__type(value, struct guard_source);
} guard_sources SEC(".maps");

/* Guard and source prefix -> list. The only element is a trie. The daemon replaces the trie when the lists change.
 * Before the first trie, all lists are empty. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_LPM_TRIE);
			__uint(max_entries, GUARD_PREFIXES);
			__uint(map_flags, BPF_F_NO_PREALLOC);
			__uint(key_size, sizeof(struct guard_prefix));
			__uint(value_size, sizeof(__u32));
		});
} guard_prefixes SEC(".maps");

/* The prefixes that are blocked or trusted at run time. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * GUARD_BLOCKS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct guard_prefix);
	__type(value, struct guard_block);
} guard_blocks SEC(".maps");

/* The names of guards and lists, by id. The program does not use them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARDS);
	__type(key, __u32);
	__type(value, struct name);
} guard_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_LISTS);
	__type(key, __u32);
	__type(value, struct name);
} guard_list_names SEC(".maps");

/* Texts at the start of the User-Agent of scanners. This map and the next two have space for twice the allowed number
 * of entries, because the daemon adds new entries before it removes old ones. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * GUARD_TEXTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct guard_text);
	__type(value, __u32);
} guard_scanners SEC(".maps");

/* The users and URNs of emergency calls. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * GUARD_TEXTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct guard_text);
	__type(value, __u32);
} guard_emergency SEC(".maps");

/* The namespaces of Resource-Priority. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * GUARD_TEXTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct guard_text);
	__type(value, __u32);
} guard_priorities SEC(".maps");

/* Limits of a whole service, and of a whole backend. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_SERVICES);
	__type(key, __u32);
	__type(value, struct surge);
} service_surges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFAULT_BACKENDS);
	__type(key, __u32);
	__type(value, struct surge);
} backend_surges SEC(".maps");

/* The INVITEs that were refused with 503. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, GUARD_REFUSALS);
	__type(key, __u64);
	__type(value, struct guard_refusal);
} guard_refusals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARDS);
	__type(key, __u32);
	__type(value, __u64);
} guard_refusing SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_clock);
} guard_clocks SEC(".maps");

/* The counters of the packets of each rule, and of the packets that are exempt from limits. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GUARDS *GUARD_RULES);
	__type(key, __u32);
	__type(value, struct guard_counters);
} guard_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GUARDS);
	__type(key, __u32);
	__type(value, struct guard_exempt);
} guard_exempt SEC(".maps");
