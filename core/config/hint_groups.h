/* SPDX-License-Identifier: GPL-2.0 */
/* Groups of UDP services that share hints (hint_key in bpf/abi.h): services that use the same pools
 * form a group. No I/O. */
#pragma once

#include "config.h"

struct hint_group {
	size_t pools[METHOD_COUNT]; /* indexes of the pools that the group's services use, ascending */
	size_t pool_count;
	size_t service; /* the first service of the group; its name identifies the group, so that a reload keeps the id
			   of the group */
};

struct hint_groups {
	struct hint_group *list;
	size_t count;
	size_t *of; /* [service_count]: index into list, of each UDP service */
};

struct hint_groups *hint_groups_new(const struct config *config);
void hint_groups_free(struct hint_groups *groups);

/* The maximum number of map entries for the backends of a file. In each group, a backend needs one entry for its
 * address and one for each of its `hints:`. */
size_t hint_groups_entries(const struct hint_groups *groups, const struct config *config);
