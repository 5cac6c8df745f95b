/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the maps of another ABI version: the backends, what an operator has changed by hand, which
 * backends are alive, who owns each slot, and which slots are migrating. */
#pragma once

#include "core/maps/image.h"

/* What the maps under `directory` hold, as far as it can be read; services have no more than their hash
 * key. NULL, after the reason was logged, if the backends cannot be read. */
struct image *old_abi_read(const char *directory);
