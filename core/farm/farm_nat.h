/* SPDX-License-Identifier: GPL-2.0 */
/* Backends with `forward: nat`: the ports on which they receive the packets of VIPs. No I/O. */
#pragma once

#include "farm.h"
#include "core/config/nat_mappings.h"

/* Explains why a new backend of a pool with `forward: nat` could not be told apart from others, or could not receive
 * the packets of a service; NULL: it is possible. Returns `text`. */
const char *farm_check_nat(const struct farm *farm, const struct farm_pool *pool, const struct nat_backend *backend,
	char text[NAT_TEXT_SIZE]);

/* Explains the conflict of two backends, one of which has been added at runtime; NULL: none. The file has been checked
 * before. Returns `text`. */
const char *farm_nat_conflict(const struct farm *farm, char text[NAT_TEXT_SIZE]);

/* Adds the way back from the backends to the desired image. */
void desire_nat(const struct farm *farm, struct image *image);
