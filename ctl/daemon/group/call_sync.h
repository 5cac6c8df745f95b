/* SPDX-License-Identifier: GPL-2.0 */
/* Exchanges all tracked calls with the other members when this balancer joins them: it sends its own, and asks one of
 * the others for theirs. Asks again if calls may be missing. All members apply what anyone sends. */
#pragma once

#include "call_exchange.h"

struct call_sync;

struct call_sync *call_sync_new(struct daemon *daemon, struct call_exchange *exchange);
void call_sync_free(struct call_sync *sync);

/* The maps match the farm. Call this after each plan. */
void call_sync_reconciled(struct call_sync *sync);

/* Call this after events of the group: begins, or asks the next member if the last one does not answer. */
void call_sync_update(struct call_sync *sync);

/* A message of the kind GROUP_CALLS from another member. */
void call_sync_take(struct call_sync *sync, struct group_id from, const struct group_message *message);

/* The maps have been replaced by empty ones: this balancer begins again, and has no calls for others until then. */
void call_sync_restart(struct call_sync *sync);

/* Does this balancer still need the calls of the others before it is ready? False during a repeated question. */
bool call_sync_is_waiting(const struct call_sync *sync);
