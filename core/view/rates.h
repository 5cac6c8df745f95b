/* SPDX-License-Identifier: GPL-2.0 */
/* Counters per second. No I/O. */
#pragma once

#include <jansson.h>

/* The change of each integer from `before` to `after`, per second, in the shape of `after`. Other values are copied
 * from `after`. Objects in the two lists match if all their texts (names and labels) are equal. A counter that is
 * new or smaller than before counts from 0. Setup times are those of the calls from `before` to `after`. The caller
 * must free the result. */
json_t *rates_between(const json_t *before, const json_t *after, double seconds);

/* The object of a list with this pool (NULL: none) and name; NULL if there is no such object. The search begins at
 * `from`, because two replies nearly always have the same order. */
json_t *rates_find(const json_t *list, const char *pool, const char *name, size_t from);
