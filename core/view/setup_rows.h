/* SPDX-License-Identifier: GPL-2.0 */
/* The setup times of calls as rows of `stats`: of all calls so far, or of those between two replies. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "bpf/abi_return.h"

/* The row of an event: number of calls, sum and buckets of their times in us, mean and percentiles (null: unknown). The
 * caller must free it. */
json_t *setup_row(const struct setup_times *times, enum setup_event event);

/* Is it a row of setup_row()? */
bool setup_row_is(const json_t *object);

/* Replaces mean and percentiles of `rates` by those of the calls from the row `before` (NULL: none) to the row `after`.
 * A row whose counters are smaller than before counts from 0. */
void setup_row_between(json_t *rates, const json_t *before, const json_t *after);
