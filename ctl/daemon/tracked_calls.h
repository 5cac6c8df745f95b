/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that the kernel keeps track of while slots migrate (`tracked_calls` in bpf/abi.h): how many
 * each backend has, which they are, and which slots cannot end their migration yet. */
#pragma once

#include <jansson.h>
#include "daemon.h"

struct tracked_calls;

struct call_counts {
	uint32_t calls;       /* and subscriptions, that go on */
	uint32_t connections; /* TCP: calls in them do not show */
	uint32_t heard;       /* when anything of a call was seen last; seconds of CLOCK_MONOTONIC, 0: never */
};

struct tracked_calls *tracked_calls_new(void);
void tracked_calls_free(struct tracked_calls *calls);

/* What a backend has now, as far as it was heard of since the migration began. Read from the
 * kernel once a second at most. All 0 where nothing migrates. */
struct call_counts tracked_calls_of(struct tracked_calls *calls, const struct daemon *daemon, uint16_t id);

/* Could the calls be read? When not, nothing above is known. */
bool tracked_calls_are_known(struct tracked_calls *calls, const struct daemon *daemon);

/* Is there room for more? When there is none, those that were silent for longest are forgotten. */
bool tracked_calls_have_room(struct tracked_calls *calls, const struct daemon *daemon);

/* Says to daemon->desired which slots have calls at backends that do not own them. */
void tracked_calls_hold_slots(const struct daemon *daemon);

/* The list for `backend calls`. NULL when the map cannot be read. */
json_t *tracked_calls_list(const struct daemon *daemon, const struct farm_pool *pool, uint16_t id);
