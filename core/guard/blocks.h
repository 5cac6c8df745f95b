/* SPDX-License-Identifier: GPL-2.0 */
/* The prefixes that operators and servers have blocked or trusted at run time: a copy of the map guard_blocks, indexed
 * by prefix and by name of the service. Decides whether an operator or a server may change an entry. No I/O. */
#pragma once

#include "bpf/abi_guard.h"
#include "prefix_lists.h"

#define BLOCKS_ERROR_SIZE 256
#define BLOCKS_OF_SERVERS (GUARD_BLOCKS - 1024) /* of GUARD_BLOCKS entries; the others are for operators */

struct block {
	struct prefix_key prefix;
	struct guard_block value; /* `who`, `service` and `reason` are padded with NUL bytes */
};

struct blocks;

/* All functions of this file abort when memory is exhausted. */
struct blocks *blocks_new(void);
void blocks_free(struct blocks *blocks);

size_t blocks_count(const struct blocks *blocks);

/* The entries in the order of their prefixes. Valid until the next change. */
const struct block *blocks_at(const struct blocks *blocks, size_t index);

/* Returns the entry after `block`, even if `block` has been removed; the first entry if `block` is NULL. Returns NULL
 * after the last entry. */
const struct block *blocks_after(const struct blocks *blocks, const struct block *block);

/* The entry with exactly this prefix and service ("": all services); NULL if there is none. */
const struct block *blocks_find(const struct blocks *blocks, const struct prefix_key *prefix, const char *service);

/* The entry that applies to packets from an address to a service: the longest prefix among the entries for this service
 * and for all services; of two entries with the same prefix, the one for this service. NULL if there is none. */
const struct block *blocks_match(const struct blocks *blocks, const struct address *address, const char *service);

/* A trust entry that overlaps this prefix (one of them contains the other) and applies to this service ("": to any
 * service). NULL if there is none. */
const struct block *blocks_trusting(const struct blocks *blocks, const struct prefix_key *prefix, const char *service);

/* The entry with the longest prefix that contains this prefix and applies to this service ("": to any service). NULL if
 * there is none. */
const struct block *blocks_around(const struct blocks *blocks, const struct prefix_key *prefix, const char *service);

/* The same among the blocks by operators. */
const struct block *blocks_blocking(const struct blocks *blocks, const struct prefix_key *prefix, const char *service);

/* Adds an entry, or replaces the entry with the same prefix and service. A server may replace only its own entries, and
 * entries of other servers that end earlier. 0, or the reason in `error`: -EPERM if the server may not replace the
 * entry, -ENOSPC if there are GUARD_BLOCKS entries already, or BLOCKS_OF_SERVERS entries of servers. */
int blocks_put(struct blocks *blocks, const struct block *block, char error[BLOCKS_ERROR_SIZE]);

/* Makes each entry at least one source, after a change of the size of sources. If two entries then have the same prefix
 * and service, the entry of an operator stays, or else the newer one. Returns whether an entry has changed. */
bool blocks_widen(struct blocks *blocks, struct source_bits source);

/* Removes the entry with this prefix and service. `server` is the name of the server that requests this; NULL: an
 * operator. 0, or the reason in `error`: -ENOENT, or -EPERM if the entry belongs to an operator or a different
 * server. */
int blocks_remove(struct blocks *blocks, const struct prefix_key *prefix, const char *service, const char *server,
	char error[BLOCKS_ERROR_SIZE]);

/* Removes all entries that have expired at `now`, ms of CLOCK_BOOTTIME. Returns their number, and a list of them that
 * the caller must free. Costs nothing while no entry can have expired. */
size_t blocks_expire(struct blocks *blocks, uint64_t now, struct block **expired);
