/* SPDX-License-Identifier: GPL-2.0 */
/* The prefixes that operators and servers block or trust while the daemon runs. The map guard_blocks contains them, so
 * that they survive the daemon; this room keeps a copy, removes entries that have expired, and refuses blocks that
 * would harm the balancer itself. Call all functions with the lock of worker.h. */
#pragma once

#include "core/guard/blocks.h"
#include "ctl/daemon/daemon.h"

struct guard_blocks;

struct guard_blocks *guard_blocks_new(void);
void guard_blocks_free(struct guard_blocks *blocks);

/* Reads the pinned map of the previous daemon, and copies it into the maps that this daemon fills. */
void guard_blocks_start(struct daemon *daemon);

/* Makes the map match the entries again, for other maps or for other ids of guards. The worker calls this, and releases
 * the lock now and then. */
void guard_blocks_sync(struct daemon *daemon);

/* Does the map contain all entries? */
bool guard_blocks_are_synced(const struct daemon *daemon);

/* The daemon now fills other maps. */
void guard_blocks_follow_maps(struct daemon *daemon);

/* Call this every second: removes entries that have expired. */
void guard_blocks_update(struct daemon *daemon);

const struct blocks *guard_blocks_entries(const struct daemon *daemon);

/* The time of `expires` in struct guard_block that is `duration` ms from now; 0 for 0. */
uint64_t guard_blocks_expiry(uint32_t duration);

/* The rest of the time of an entry, ms; 0 if it never expires. */
uint64_t guard_blocks_rest(const struct block *block);

/* Adds or replaces an entry. `force` permits a prefix that overlaps a trusted one or contains all addresses. 0, or
 * -errno with the reason in `error`. */
int guard_blocks_put(struct daemon *daemon, const struct block *block, bool force, char error[BLOCKS_ERROR_SIZE]);

/* As blocks_remove(). */
int guard_blocks_remove(struct daemon *daemon, const struct prefix_key *prefix, const char *service, const char *server,
	char error[BLOCKS_ERROR_SIZE]);
