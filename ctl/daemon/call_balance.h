/* SPDX-License-Identifier: GPL-2.0 */
/* Writes to the maps which backends receive new calls, in pools that place calls (docs/design/balance.md). These maps
 * do not pass through the plan: they change with each call. */
#pragma once

#include <jansson.h>
#include "core/farm/balance.h"
#include "daemon.h"

struct call_balance;

/* Starts the timer. 0 or -errno. */
int call_balance_new(struct call_balance **out, struct daemon *daemon);
void call_balance_free(struct call_balance *balance);

/* Call this from the worker after each change of the maps. 0 or -errno. */
int call_balance_update(struct call_balance *balance, struct daemon *daemon);

/* The plan step PLAN_COUNTED_CALLS has changed sequences in the maps: the next update writes all of them again. */
void call_balance_invalidate(struct call_balance *balance);

/* The load that the backend reports in heartbeats or in responses to probes, per cent: the higher one; -1: none. */
int call_balance_load(const struct daemon *daemon, const struct farm_backend *backend);

/* Why the backend receives no new calls although it is up: "full (max_calls 400)"; "" if there is no such reason. */
#define CALL_BALANCE_TEXT_SIZE 64
const char *call_balance_reason(const struct daemon *daemon, const struct farm_pool *pool,
	const struct farm_backend *backend, char text[CALL_BALANCE_TEXT_SIZE]);

/* Calls `warn` for each pool whose backends are all full, and for each pool with calls that found no room in the map of
 * counted calls during the last minute. */
void call_balance_warnings(const struct daemon *daemon, void (*warn)(void *data, const char *text), void *data);
