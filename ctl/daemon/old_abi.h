/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the maps of a different ABI version: the backends, the operator's runtime changes, which backends are
 * alive, the owner of each slot, and which slots are migrating. */
#pragma once

#include "core/maps/image.h"

/* Returns the content of the maps in `directory`, as far as it can be read. The only data of the services in the image
 * is their hash key. `next` is the directory of the new maps, where the loader describes the old ones. NULL if the
 * backends cannot be read; the reason is logged. */
struct image *old_abi_read(const char *directory, const char *next);
