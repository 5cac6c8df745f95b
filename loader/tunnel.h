/* SPDX-License-Identifier: GPL-2.0 */
/* The map decap_addresses: the local tunnel endpoints. The value is the index of the interface that has the
 * address, or TUNNEL_NAMED. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "attachment.h"

#define TUNNEL_NAMED UINT32_MAX /* from --address: belongs to no interface */

/* Adds an address that the operator has named. *is_new becomes true if the map did not contain it. */
int tunnel_add_named(int map, const struct address *address, bool *is_new);

/* Removes an address, regardless of the value of its entry. */
void tunnel_remove_named(int map, const struct address *address);

/* Adds the addresses of an interface, except link-local ones, and writes the number of new ones. With
 * `needed`, an interface without addresses is an error. */
int tunnel_add_interface(int map, const char *interface, int ifindex, bool needed, size_t *added);

/* Removes the addresses of this interface (0: none) and of interfaces that no longer exist. If a different
 * attached interface has the same address, the entry is assigned to that interface instead. `attached`: the
 * remaining attachments. */
void tunnel_remove_interface(int map, uint32_t ifindex, const struct attachments *attached);
