/* SPDX-License-Identifier: GPL-2.0 */
/* Says whether an interface can run the programs natively. The command `check` is check_run() of options.h. */
#pragma once

/* Reports what prevents a native attachment to the interface, and how to remove it, on standard error. Prints
 * nothing if nothing does. */
void check_explain(const char *name);
