/* SPDX-License-Identifier: GPL-2.0 */
/* The live calls of each backend (map `counted_calls`, bpf/abi.h). The kernel adds entries and marks the ends of calls.
 * This file deletes the entries of calls that are over, and corrects the numbers of calls in the map
 * `backend_loads`. */
#pragma once

#include "core/farm/call_estimate.h"
#include "daemon.h"

struct counted_calls;

struct counted_calls *counted_calls_new(void);
void counted_calls_free(struct counted_calls *calls);

/* Call this every second, from the worker: reads the next part of the map. It reads the whole map in about
 * COUNTED_ROUND_SECONDS. */
#define COUNTED_ROUND_SECONDS 5
void counted_calls_sweep(struct counted_calls *calls, struct daemon *daemon);

/* Has the map been read completely since the start, and since the last change to other maps? */
bool counted_calls_are_known(const struct counted_calls *calls, const struct daemon *daemon);

/* The number of entries in the map. */
uint32_t counted_calls_entries(const struct counted_calls *calls);

/* Does the map have room for more calls? */
bool counted_calls_have_room(const struct counted_calls *calls, const struct daemon *daemon);

/* Reports to the farm which pools have placed calls. */
void counted_calls_report(const struct daemon *daemon, struct farm *farm);

/* The live calls of a backend that `balance` has placed there, and the time of their last message in seconds of
 * CLOCK_MONOTONIC (0: none; the last sweep has found it). */
struct placed_calls {
	uint32_t calls, heard;
};

struct placed_calls counted_calls_placed(const struct daemon *daemon, uint16_t id);

/* The number of live calls of a backend. */
struct call_estimate counted_calls_of(
	const struct daemon *daemon, const struct farm_pool *pool, const struct farm_backend *backend);
