/* SPDX-License-Identifier: GPL-2.0 */
/* Carries tracked calls from the maps in use to new ones that take their place, so that a migration
 * goes on: the calls that it tracks stay with their backends. */
#pragma once

#include "pins.h"

struct carry;

/* Opens both sets of maps. Tracked calls of a pool are carried over if both sets have the pool and the
 * call's backend under the same id, and the same number of slots. NULL if nothing is to be carried over. */
struct carry *carry_begin(const struct pins *pins);

/* Copies tracked calls; after the first time, those that have changed since. Called before the links get
 * the program that uses the new maps, and after. Warns if the calls of the old maps cannot be read. */
void carry_run(struct carry *carry);

void carry_end(struct carry *carry);
