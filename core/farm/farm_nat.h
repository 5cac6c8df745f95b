/* SPDX-License-Identifier: GPL-2.0 */
/* Backends with `forward: nat`: the ports on which they receive the packets of VIPs. No I/O. */
#pragma once

#include "farm.h"
#include "core/config/nat_mappings.h"

/* Checks a new backend of a pool with `forward: nat`. Writes to `text` why the backend cannot receive the packets of a
 * service, or which backend already uses its address and port, and returns it; NULL: no fault. */
const char *farm_check_nat(const struct farm *farm, const struct farm_pool *pool, const struct nat_backend *backend,
	char text[NAT_TEXT_SIZE]);

/* Writes to `text` which backend added at runtime cannot receive the packets of a service, or conflicts with a
 * different one, and returns it; NULL: none. Faults within the file are found before, by config_read(). */
#define FARM_NAT_TEXT_SIZE (NAT_TEXT_SIZE + NAME_SIZE + sizeof("backend : "))
const char *farm_nat_conflict(const struct farm *farm, char text[FARM_NAT_TEXT_SIZE]);

/* Adds the entries for the return path from the backends to the desired image. */
void desire_nat(const struct farm *farm, struct image *image);
