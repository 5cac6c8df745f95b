/* SPDX-License-Identifier: GPL-2.0 */
/* Chooses the source address of probes. Owns the map probe_addresses, which the XDP program uses to recognise
 * replies to probes. */
#pragma once

#include "probe_tun.h"

struct probe_sources;

/* Opens the maps that are pinned under `directory`, and removes a previous daemon's entries from
 * probe_addresses. 0 or -errno. */
int probe_sources_new(struct probe_sources **out, struct probe_tun *tun, const char *directory);
void probe_sources_free(struct probe_sources *sources);

/* Chooses an address of this machine with the VIP's family. The address has global scope and is not a VIP. Prefers an
 * address on an interface with an XDP program, then one on the interface `ifindex`. Makes it usable for sockets in the
 * namespace and registers it with the XDP program. 0 or -errno; -EADDRNOTAVAIL if there is none. */
int probe_sources_choose(
	struct probe_sources *sources, const struct address *vip, uint32_t ifindex, struct address *out);

/* Reads the addresses of this machine again. Stops using addresses that were removed or became VIPs. 0
 * or -errno. */
int probe_sources_refresh(struct probe_sources *sources);
