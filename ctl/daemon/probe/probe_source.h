/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the choice of the address that a probe comes from, and the map probe_addresses, by
 * which the balancer's program knows what is answered there. */
#pragma once

#include "probe_tun.h"

struct probe_sources;

/* Takes the maps that are pinned under `directory`, and what a daemon before this one has
 * left in probe_addresses out. 0 or -errno. */
int probe_sources_new(struct probe_sources **out, struct probe_tun *tun, const char *directory);
void probe_sources_free(struct probe_sources *sources);

/* An address of ours of the VIP's family, of global scope and itself no VIP; where there
 * are several, of an interface with an XDP program, and of that interface: sockets in the namespace can use it, and the
 * program lets answers to it through. 0, or -errno: -EADDRNOTAVAIL when there is none. */
int probe_sources_choose(
	struct probe_sources *sources, const struct address *vip, uint32_t ifindex, struct address *out);

/* Reads anew which addresses this machine has; what was chosen before and is now gone, or
 * a VIP, is given up. 0 or -errno. */
int probe_sources_refresh(struct probe_sources *sources);
