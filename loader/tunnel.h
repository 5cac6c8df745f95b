/* SPDX-License-Identifier: GPL-2.0 */
/* The map decap_addresses: the addresses that tunnels end at, each with the number of the
 * interface that it was put in for, or TUNNEL_NAMED. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "attachment.h"

#define TUNNEL_NAMED UINT32_MAX /* by --address: of no interface, stays as long as the map */

/* Puts in an address that the operator has named. `*is_new`: it was not there. */
int tunnel_add_named(int map, const struct address *address, bool *is_new);

/* Takes one out, whoever it was put in for. */
void tunnel_remove_named(int map, const struct address *address);

/* Puts in the interface's own addresses, less link-local ones, and writes how many of them
 * are new. That it has none at all is a fault if `needed`. */
int tunnel_add_interface(int map, const char *interface, int ifindex, bool needed, size_t *added);

/* Takes out what was put in for this interface (0: for none) and for those that are no more;
 * an address that another one of the attached has, too, becomes that one's. Who is left is
 * in `attached`. */
void tunnel_remove_interface(int map, uint32_t ifindex, const struct attachments *attached);
