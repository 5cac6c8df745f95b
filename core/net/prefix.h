/* SPDX-License-Identifier: GPL-2.0 */
/* Networks: "10.0.0.0/8", "2001:db8::/32", or a single address. Pure. */
#pragma once

#include "address.h"

#define PREFIX_TEXT_SIZE (ADDRESS_TEXT_SIZE + 4)
#define PREFIX_BITS 128  /* of a single address */
#define PREFIX_MAPPED 96 /* before an IPv4 address */

/* Reads a network or an address, which is a network of its own. The bits behind the prefix
 * must be 0: of "10.0.0.1/8" it is not clear which is meant. 0, or -EINVAL. */
int prefix_parse(const char *text, struct prefix_key *out);

/* Writes it in the usual spelling, a single address without its length. Returns `text`. */
const char *prefix_format(const struct prefix_key *prefix, char text[PREFIX_TEXT_SIZE]);

bool prefix_equal(const struct prefix_key *a, const struct prefix_key *b);

bool prefix_contains(const struct prefix_key *prefix, const struct address *address);

/* The network of so many bits (at most PREFIX_BITS) that an address is in. */
struct prefix_key prefix_of(const struct address *address, uint32_t bits);
