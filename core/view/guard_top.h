/* SPDX-License-Identifier: GPL-2.0 */
/* The result of `guard top`: the sources from which the rules of the guards drop the most packets now. No I/O. */
#pragma once

#include <jansson.h>
#include "core/guard/activity.h"
#include "core/maps/image.h"

#define GUARD_TOP_SECONDS 10 /* a source counts as limited for this time after it was over a limit */

/* The number of limited sources, from the elements of `guard_sources`. */
struct guard_top_count {
	uint64_t elements; /* of the map */
	uint64_t read;     /* elements that have been read */
	uint64_t limited;  /* of these: elements of limited sources */
};

/* Adds elements to the count. `now` is ns of CLOCK_MONOTONIC. */
void guard_top_count(struct guard_top_count *count, const struct guard_source *sources, size_t length, uint64_t now);

/* {"limited": 3, "sources": []} */
json_t *guard_top_new(const struct guard_top_count *count);

/* Adds the sources of a guard. `rules` has GUARD_RULES elements. */
void guard_top_add(json_t *top, const struct image *image, uint32_t guard, const struct guard_activity *rules);

/* Sorts the sources: the highest rate first. Returns `top`. */
json_t *guard_top_sort(json_t *top);
