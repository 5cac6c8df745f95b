/* SPDX-License-Identifier: GPL-2.0 */
/* Decides which backends of a pool receive new calls, from the numbers of their calls (docs/design/balance.md): which
 * backends are full, and in which sequence the program deals new calls to the others. Deterministic. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bpf/abi_calls.h"
#include "core/config/config.h"

/* Why a backend is full. A full backend receives no new calls, but keeps its existing ones. */
enum balance_full {
	FULL_BOUND = 1,     /* `balance: bounded`: it has more calls than its bound */
	FULL_MAX_CALLS = 2, /* `max_calls` */
	FULL_LOAD = 4,      /* `load_limit` */
};

struct balance_member {
	uint16_t id;
	uint16_t weight;    /* above 0; the unit is the same for all members */
	uint32_t calls;     /* live calls, counted or estimated */
	uint32_t max_calls; /* 0: no limit */
	uint8_t load;       /* per cent, as the server reports it */
	uint8_t full;       /* flags of enum balance_full; on input those of the previous decision */
	bool over_rate;     /* over its `max_rate`, which the program enforces */
};

struct balance_rules {
	enum balance_method balance;
	unsigned int bound;      /* above 100, per cent of the share of a backend; for BALANCE_BOUNDED */
	unsigned int load_limit; /* per cent; 0: none */
};

struct balance_decision {
	struct new_calls new_calls; /* all 0 if no backend has room */
	bool spills;                /* new calls of some slots do not go to the owner, or soon will not */
	bool all_full;
};

/* The decision for the members of the pool's table. Sets members[].full. */
void balance_decide(struct balance_member *members, size_t count, const struct balance_rules *rules,
	struct balance_decision *decision);

/* The bound of a member under BALANCE_BOUNDED, in calls. The calls are estimated from a sample: if the estimate is not
 * accurate enough for the bound, the bound has no effect, and *enforced is false. */
uint64_t balance_bound(
	const struct balance_member *members, size_t count, size_t member, unsigned int bound, bool *enforced);
