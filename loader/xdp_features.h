/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the XDP features of an interface from the generic netlink family "netdev". */
#pragma once

#include <stdint.h>

/* Reads the XDP_FEATURE_... bits of core/net/xdp_check.h. Returns 0, or -errno without printing a message: -ENOENT
 * before Linux 6.3. */
int xdp_features_read(int ifindex, uint64_t *out);
