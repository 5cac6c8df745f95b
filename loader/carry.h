/* SPDX-License-Identifier: GPL-2.0 */
/* Copies tracked calls and counted calls from the current maps to the new maps during an upgrade. Migrations then
 * continue, and these calls stay at their backends. */
#pragma once

#include "pins.h"

struct carry;

/* Opens both sets of maps. A call is copied if its pool and its backend have the same ids in both sets. Tracked calls
 * are copied only if the sets have the same number of slots. `empty`: the new maps contain no calls, and packets do not
 * use them yet. */
struct carry *carry_begin(const struct pins *pins, bool empty);

/* Copies the calls. Each further run copies only the calls that have changed since the previous run. Call the
 * function before and after the links switch to the program that uses the new maps. Warns if the old maps cannot be
 * read. */
void carry_run(struct carry *carry);

void carry_end(struct carry *carry);
