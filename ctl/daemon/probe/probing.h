/* SPDX-License-Identifier: GPL-2.0 */
/* Between the farm and its probes: who is to be asked what, and what the answers say. */
#pragma once

#include "core/farm/farm.h"
#include "probes.h"

/* Tells the probes whom to ask, after the farm or the ways to its backends have changed. */
void probing_follow(struct probes *probes, const struct farm *farm);

/* Notes in the farm what the probes of a backend have found. */
void probing_report(const struct probes *probes, const struct farm_pool *pool, struct farm_backend *backend);
