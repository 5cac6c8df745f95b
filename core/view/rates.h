/* SPDX-License-Identifier: GPL-2.0 */
/* Counters per second. Pure. */
#pragma once

#include <jansson.h>

/* The change of each integer from `before` to `after`, per second, in the shape of `after`. Other values are those
 * of `after`. Objects in a list belong together if all their texts agree: names and labels. A counter that is new or
 * smaller than before has started at 0. To be freed. */
json_t *rates_between(const json_t *before, const json_t *after, double seconds);

/* The object of a list with this pool (NULL: none) and name; NULL if it is missing. The search begins at `from`: two
 * replies nearly always have the same order. */
json_t *rates_find(const json_t *list, const char *pool, const char *name, size_t from);
