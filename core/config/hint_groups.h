/* SPDX-License-Identifier: GPL-2.0 */
/* Which services share the hosts that name their backends: those that use the same pools
 * (hint_key in bpf/abi.h). Only for UDP services. Pure. */
#pragma once

#include "config.h"

struct hint_group {
	size_t pools[METHOD_COUNT]; /* that its services use, indexes in rising order */
	size_t pool_count;
	size_t service; /* the first of its services: the group is named after it, and keeps its id over a reload */
	bool has_names; /* somebody in it is named by something else than his address */
};

struct hint_groups {
	struct hint_group *list;
	size_t count;
	size_t *of; /* [service_count]: index into list, of each UDP service */
};

struct hint_groups *hint_groups_new(const struct config *config);
void hint_groups_free(struct hint_groups *groups);

/* How many entries the backends of a file have in the map at most: one for the address and
 * one for each of the `hints:`, in each group. */
size_t hint_groups_entries(const struct hint_groups *groups, const struct config *config);
