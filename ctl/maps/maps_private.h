/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by maps*.c only: the file descriptors, and the plan steps that change tracked
 * calls. */
#pragma once

#include "maps.h"

enum map {
	MAP_CONTRACT,
	MAP_OWN_MACS,
	MAP_INTERFACE_MACS,
	MAP_SERVICES,
	MAP_SERVICES_IPV4,
	MAP_VIPS,
	MAP_HINTS,
	MAP_RANGES,
	MAP_NAT_SETTINGS,
	MAP_NAT_SOURCES,
	MAP_NAT_RANGES,
	MAP_NAT_GENERATION,
	MAP_SERVICE_NAMES,
	MAP_SERVICE_TRAFFIC,
	MAP_POOLS,
	MAP_POOL_NAMES,
	MAP_TABLES,
	MAP_PREVIOUS_OWNERS,
	MAP_BACKENDS,
	MAP_BACKEND_RECORDS,
	MAP_BACKEND_TRAFFIC,
	MAP_SERVICE_RETURN,
	MAP_BACKEND_RETURN,
	MAP_PASSIVE_RULES,
	MAP_PASSIVE_STATES,
	MAP_SETUPS,
	MAP_SERVICE_SETUP_TIMES,
	MAP_BACKEND_SETUP_TIMES,
	MAP_UNANSWERED_CALLS,
	MAP_VERDICTS,
	MAP_TRACKED_CALLS,
	MAP_TRANSACTIONS,
	MAP_PUNT_READERS,
	MAP_COUNTED_CALLS,
	MAP_BACKEND_LOADS,
	MAP_BALANCES,
	MAP_NEW_CALLS,
	MAP_BALANCE_COUNTERS,
	MAP_ADDED,
	MAP_STATE,
	MAP_HEAVY_SOURCES,
	MAP_HEAVY_CALL_IDS,
	MAP_HEAVY_INTERVAL,
	MAP_GUARDS,
	MAP_GUARD_CLASSES,
	MAP_GUARD_NAMES,
	MAP_GUARD_LIST_NAMES,
	MAP_GUARD_SOURCES,
	MAP_GUARD_COUNTERS,
	MAP_GUARD_EXEMPT,
	MAP_GUARD_PREFIXES,
	MAP_GUARD_BLOCKS,
	MAP_GUARD_SCANNERS,
	MAP_GUARD_EMERGENCY,
	MAP_GUARD_PRIORITIES,
	MAP_SERVICE_SURGES,
	MAP_BACKEND_SURGES,
	MAP_COUNT,
};

struct maps {
	int fd[MAP_COUNT];
	uint32_t contract_id; /* the kernel's id of the contract map */
	struct contract contract;
	int cpus;
	struct backend_load *loads; /* the map backend_loads in memory */
};

/* The kernel's id of a map; 0 on failure. */
uint32_t maps_id_of(int fd);

/* Reads a per-CPU element that consists of u64 counters, and sums each counter over the CPUs. 0 or -errno. */
int maps_sum_counters(const struct maps *maps, enum map map, uint32_t id, void *out, size_t size);

/* PLAN_TRACKED_CALLS: deletes the tracked calls of backends whose id is reused for a different backend. `reassigned`
 * has one element for each backend id. 0 or -errno. */
int maps_forget_reassigned(const struct maps *maps, const bool *reassigned);

/* PLAN_COUNTED_CALLS: the same for counted calls. 0 or -errno. */
int maps_forget_counted(const struct maps *maps, const bool *reassigned);

/* The same for calls that are being set up. 0 or -errno. */
int maps_forget_setups(const struct maps *maps, const bool *reassigned);

/* Maps backend_loads into memory, and unmaps it. 0 or -errno. */
int maps_open_loads(struct maps *maps);
void maps_close_loads(struct maps *maps);

/* PLAN_PREVIOUS_OWNERS: writes the previous owner of each slot of a pool, and deletes the tracked calls of
 * earlier migrations. 0 or -errno. */
int maps_put_previous_owners(const struct maps *maps, uint32_t pool_id, const __u16 *previous);
