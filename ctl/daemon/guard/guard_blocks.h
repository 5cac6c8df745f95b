/* SPDX-License-Identifier: GPL-2.0 */
/* The prefixes that operators and servers block or trust while the daemon runs. The map guard_blocks contains them, so
 * that they survive a restart of the daemon. This file keeps a copy, removes expired entries, and refuses blocks that
 * would harm the balancer itself. Call all functions with the lock of worker.h. */
#pragma once

#include "core/guard/blocks.h"
#include "ctl/daemon/daemon.h"

struct guard_blocks;

struct guard_blocks *guard_blocks_new(void);
void guard_blocks_free(struct guard_blocks *blocks);

/* Reads the pinned map of the previous daemon, and copies it into the maps that this daemon fills. */
void guard_blocks_start(struct daemon *daemon);

/* Call this before the guards of a new configuration are written: if its sources are larger, each entry becomes at
 * least one of them, because the kernel looks up whole sources. */
void guard_blocks_widen(struct daemon *daemon);

/* Writes all entries to the map again, after a change of the maps or of the ids of guards. The worker calls this. The
 * function releases the lock from time to time. */
void guard_blocks_sync(struct daemon *daemon);

/* Does the map contain all entries? */
bool guard_blocks_are_synced(const struct daemon *daemon);

/* Call this after the daemon has opened new maps. */
void guard_blocks_follow_maps(struct daemon *daemon);

/* Call this every second: removes entries that have expired. */
void guard_blocks_update(struct daemon *daemon);

const struct blocks *guard_blocks_entries(const struct daemon *daemon);

/* Returns guard_block.expires for an entry that ends `duration` ms from now. 0 ms: 0, the entry never ends. */
uint64_t guard_blocks_expiry(uint32_t duration);

/* The time in ms until an entry expires; 0 if it never expires. */
uint64_t guard_blocks_rest(const struct block *block);

/* The prefix of the entry for a prefix: at least one source. */
struct prefix_key guard_blocks_prefix(const struct daemon *daemon, const struct prefix_key *prefix);

/* Adds or replaces an entry. `force` permits a prefix that overlaps a trusted prefix or is very short. A server
 * may block a prefix that overlaps a trust entry, but not a prefix that overlaps a trusted list. 0, or -errno with the
 * reason in `error`: -EAGAIN while it is not known which prefixes the lists trust. */
int guard_blocks_put(struct daemon *daemon, const struct block *block, bool force, char error[BLOCKS_ERROR_SIZE]);

/* Same as blocks_remove(), but also changes the map. */
int guard_blocks_remove(struct daemon *daemon, const struct prefix_key *prefix, const char *service, const char *server,
	char error[BLOCKS_ERROR_SIZE]);
