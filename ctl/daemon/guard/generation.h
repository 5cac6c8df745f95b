/* SPDX-License-Identifier: GPL-2.0 */
/* The generation of the guards. The kernel looks up the list of a source once, and again when the generation of the
 * guard has changed. A change of a list or of a block therefore takes effect with the next generation. */
#pragma once

#include "ctl/daemon/daemon.h"

/* Raises the generation of all guards, in the maps and in their image. Only the worker calls this, because it also
 * executes plans, which write the guards, too. */
void generation_raise(struct daemon *daemon);

/* Asks the worker to call generation_raise() soon. */
void generation_raise_soon(struct daemon *daemon);
