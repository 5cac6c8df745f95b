/* SPDX-License-Identifier: GPL-2.0 */
/* Networks: "10.0.0.0/8", "2001:db8::/32", or a single address. No I/O. */
#pragma once

#include "address.h"

#define PREFIX_TEXT_SIZE (ADDRESS_TEXT_SIZE + 4)
#define PREFIX_BITS 128  /* prefix length of a single address */
#define PREFIX_MAPPED 96 /* prefix length of ::ffff:0:0/96, which contains the IPv4 addresses */

/* Reads a network, or an address as a network with a single address. The host bits must be 0: "10.0.0.1/8" is
 * ambiguous. 0 or -EINVAL. */
int prefix_parse(const char *text, struct prefix_key *out);

/* Writes the canonical text form; a single address has no prefix length. Returns `text`. */
const char *prefix_format(const struct prefix_key *prefix, char text[PREFIX_TEXT_SIZE]);

bool prefix_equal(const struct prefix_key *a, const struct prefix_key *b);

bool prefix_contains(const struct prefix_key *prefix, const struct address *address);

/* 0.0.0.0/0 */
struct prefix_key prefix_all_ipv4(void);

/* Is this an IPv4 network, including 0.0.0.0/0? */
bool prefix_is_ipv4(const struct prefix_key *prefix);

/* Is this an IPv6 network that contains the form of all IPv4 addresses, ::ffff:0:0/96, such as ::/0? */
bool prefix_spans_families(const struct prefix_key *prefix);

/* The network of `bits` bits (at most PREFIX_BITS) that contains an address. */
struct prefix_key prefix_of(const struct address *address, uint32_t bits);
