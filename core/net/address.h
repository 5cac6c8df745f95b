/* SPDX-License-Identifier: GPL-2.0 */
/* IP addresses and MAC addresses, and their text form. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "bpf/abi.h"

#define ADDRESS_TEXT_SIZE 46 /* INET6_ADDRSTRLEN */
#define MAC_TEXT_SIZE 18

/* Reads "192.0.2.1" or "2001:db8::1". 0 or -EINVAL. */
int address_parse(const char *text, struct address *out);

/* Writes the canonical text form (RFC 5952 for IPv6). Returns `text`. */
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE]);

bool address_is_ipv4(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);

/* False for unspecified, multicast, broadcast, loopback and link-local addresses: no VIP or backend can have such an
 * address. */
bool address_is_host(const struct address *address);

/* Reads "02:00:5e:10:00:01". 0 or -EINVAL; a multicast or all-zero MAC is -EINVAL, too. */
int mac_parse(const char *text, struct mac *out);
const char *mac_format(const struct mac *mac, char text[MAC_TEXT_SIZE]);
bool mac_is_zero(const struct mac *mac);
