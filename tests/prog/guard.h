/* SPDX-License-Identifier: GPL-2.0 */
/* Fills the maps of the guard by hand, for the packet tests. All services have the guard TEST_GUARD. */
#pragma once

#include "bpf/abi_guard.h"
#include "bpf/balancer.skel.h"

#define TEST_GUARD 1
#define TEST_LIST GUARD_LIST_FIRST /* the list with the prefixes of the setup */

struct guard_setup {
	uint32_t flags;                /* enum guard_flags, in addition to GUARD_FLAG_LIMITS */
	uint32_t burst[GUARD_BUCKETS]; /* of sources on no list; then no packet for minutes; 0: no limit */
	uint64_t hash_key;             /* [a fixed one] */
	bool observe;                  /* no rule is enforced */
	uint32_t observe_limits;       /* bits by enum guard_bucket: these limits are not enforced */
	bool observe_backends;         /* no limit of a backend is enforced */
	const char *prefixes[4];       /* of TEST_LIST */
	enum guard_action action;      /* of TEST_LIST, which has no limits */
	bool observe_list;             /* mode of TEST_LIST */
	const char *unlisted;          /* a prefix within TEST_LIST that is on no list */
	const char *blocked;           /* a prefix in guard_blocks */
	const char *trusted;           /* the same, with trust, only for TEST_GUARD */
	uint32_t service_surge;        /* burst of each service; then no INVITE for minutes; 0: no limit */
	uint32_t backend_surge;
	uint8_t ipv6_bits; /* [64] prefix that is one source */
};

/* Forgets all sources. `setup` may be NULL: there is no guard. */
void guard_fill(struct balancer_bpf *skel, const struct guard_setup *setup);

/* The sums over all CPUs. */
struct guard_counters guard_counted(struct balancer_bpf *skel, enum guard_rule rule);
struct guard_exempt guard_exempted(struct balancer_bpf *skel);
