/* SPDX-License-Identifier: GPL-2.0 */
/* A range of ports as the prefixes that an LPM trie takes. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "bpf/abi.h"

/* The ports whose first `bits` bits are those of `port`. */
struct range_prefix {
	uint16_t port; /* host order */
	unsigned bits; /* 0 to 16 */
};

/* Cuts first..last, both in it, into as few prefixes as can be, in ascending order. How
 * many; 0 if last lies before first. */
size_t port_range_prefixes(uint16_t first, uint16_t last, struct range_prefix out[RANGE_PREFIXES]);
