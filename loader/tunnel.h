/* SPDX-License-Identifier: GPL-2.0 */
/* The map decap_addresses: the addresses that tunnels end at, each with the number of the
 * interface that it was put in for. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "../bpf/abi.h"

/* Puts in the interface's own addresses, less link-local ones, and `more`; writes how many
 * of them are new. That there is none at all is a fault. */
int tunnel_add(
	int map, const char *interface, int ifindex, const struct address *more, size_t more_count, size_t *added);

/* Takes out what was put in for this interface. */
void tunnel_remove(int map, uint32_t ifindex);
