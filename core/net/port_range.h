/* SPDX-License-Identifier: GPL-2.0 */
/* Converts a port range into prefixes for an LPM trie. No I/O. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "bpf/abi.h"

/* All ports that share the first `bits` bits of `port`. */
struct range_prefix {
	uint16_t port; /* host order */
	unsigned bits; /* 0 to 16 */
};

/* Splits the range `first` to `last`, both included, into the fewest prefixes, in ascending
 * order. Returns their number; 0 if `last` is below `first`. */
size_t port_range_prefixes(uint16_t first, uint16_t last, struct range_prefix out[PORT_RANGE_PREFIXES]);
