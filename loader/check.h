/* SPDX-License-Identifier: GPL-2.0 */
/* Checks whether an interface can run the programs natively. The command `check` is check_run() of options.h. */
#pragma once

/* Prints the blockers of a native attachment to the interface, and how to remove them, on standard error. Prints
 * nothing if there are no blockers. */
void check_explain(const char *name);
