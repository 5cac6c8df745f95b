/* SPDX-License-Identifier: GPL-2.0 */
/* Exchanges the changes of tracked calls with the other members of the group: reads those of this balancer from the
 * ring buffer `call_changes` and sends them, and applies those of other members to the maps. Owns that ring buffer. */
#pragma once

#include "core/group/group_calls.h"
#include "ctl/daemon/daemon.h"
#include "group_link.h"

struct call_exchange;

struct call_exchange *call_exchange_new(struct daemon *daemon);
void call_exchange_free(struct call_exchange *exchange);

/* Call this every second, and after each change of the link. `link` is NULL if this balancer is not in a group, or not
 * connected: `in_group` then tells whether the program still collects changes. */
void call_exchange_update(struct call_exchange *exchange, bool in_group, struct group_link *link);

/* A message from another member. */
void call_exchange_receive(struct call_exchange *exchange, const struct group_message *message);

/* All tracked calls of a member, or a part of them. */
void call_exchange_receive_calls(struct call_exchange *exchange, const struct group_calls *calls);

/* Whether a change that ends an unknown call makes an entry (struct call_batch). */
void call_exchange_keep_ended(struct call_exchange *exchange, bool keep);

/* May calls be missing that another member knows? Their backend was not in the maps when their changes arrived, and now
 * it is, or the maps were not open then. The caller asks a member for its calls, and forgets this before. */
bool call_exchange_has_missed(struct call_exchange *exchange);
void call_exchange_forget_missed(struct call_exchange *exchange);

/* The id of the maps that can be written; 0: none. */
uint32_t call_exchange_maps(const struct call_exchange *exchange);

/* Sets the end of punt_reader.lease, ns of CLOCK_MONOTONIC. */
void call_exchange_renew(struct call_exchange *exchange, uint64_t lease);

/* The names of a pool and a backend. Returns false if one of the ids is free. */
bool call_exchange_name(struct call_exchange *exchange, uint32_t pool, uint32_t backend, struct group_call_target *out);
uint64_t call_exchange_scope(const struct call_exchange *exchange);

/* Are the maps of the daemon open, and is there a connection to corosync? */
bool call_exchange_is_open(const struct call_exchange *exchange);

/* Do so many messages wait for corosync that a sender should wait? */
bool call_exchange_is_backed_up(const struct call_exchange *exchange);

/* The numbers since the start of the daemon. */
struct call_exchange_counts {
	uint64_t sent;     /* changes */
	uint64_t lost;     /* changes for which the ring buffer had no room, or whose backend has no name */
	uint64_t received; /* changes */
	uint64_t applied;  /* received changes of migrating slots */
	uint64_t unknown;  /* received changes of pools and backends that this balancer does not have */
	uint64_t foreign;  /* messages of members with a different `hash_key:` or number of slots */
	uint64_t invalid;  /* messages */
	uint64_t failed;   /* messages that could not be applied */
};

struct call_exchange_counts call_exchange_counts(const struct call_exchange *exchange);

/* Have changes been lost in the last ten minutes? */
bool call_exchange_loses(const struct call_exchange *exchange);
