/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the calls that the kernel tracks while slots migrate (map `tracked_calls`, bpf/abi.h): counts and
 * lists them for each backend, and finds the slots that cannot end their migration yet. */
#pragma once

#include <jansson.h>
#include "daemon.h"

struct tracked_calls;

struct call_counts {
	uint32_t calls;       /* live calls and subscriptions */
	uint32_t connections; /* live TCP connections; the calls inside them are not visible */
	uint32_t heard;       /* time of the last packet of a call; seconds of CLOCK_MONOTONIC, 0: none */
};

struct tracked_calls *tracked_calls_new(void);
void tracked_calls_free(struct tracked_calls *calls);

/* The calls of a backend that have sent packets since the migration began. All counts are 0 if no slot is migrating.
 * Reads the map at most once a second. */
struct call_counts tracked_calls_of(struct tracked_calls *calls, const struct daemon *daemon, uint16_t id);

/* Could the map be read? If not, the counts above are invalid. */
bool tracked_calls_are_known(struct tracked_calls *calls, const struct daemon *daemon);

/* Does the map have room for more calls? A full map evicts the call that has been silent for longest. */
bool tracked_calls_have_room(struct tracked_calls *calls, const struct daemon *daemon);

/* Marks in daemon->desired the slots that still have calls at a backend other than the owner. */
void tracked_calls_hold_slots(const struct daemon *daemon);

/* The list for `backend calls`. NULL if the map cannot be read. */
json_t *tracked_calls_list(const struct daemon *daemon, const struct farm_pool *pool, uint16_t id);
