/* SPDX-License-Identifier: GPL-2.0 */
/* What is worth knowing of maps of another contract: what an operator has changed by hand,
 * and who is alive. Members are found by their names, which the kernel keeps with a map. */
#pragma once

#include "core/maps/image.h"

/* The backends that the maps under `directory` know. NULL, after the reason was logged, if
 * they cannot be read. */
struct image *old_abi_read(const char *directory);
