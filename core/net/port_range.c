// SPDX-License-Identifier: GPL-2.0
/* See port_range.h. */

#include "port_range.h"

#define PORT_BITS 16

/* The prefix length of the largest aligned block of ports that starts at `from` and does not end after `last`. */
static unsigned block_bits(uint32_t from, uint32_t last)
{
	unsigned bits = 0;

	while (bits < PORT_BITS && from % (2U << bits) == 0 && from + (2U << bits) - 1 <= last)
		bits++;
	return bits;
}

size_t port_range_prefixes(uint16_t first, uint16_t last, struct range_prefix out[PORT_RANGE_PREFIXES])
{
	size_t count = 0;

	for (uint32_t from = first; from <= last;) {
		unsigned bits = block_bits(from, last);

		out[count++] = (struct range_prefix){.port = from, .bits = PORT_BITS - bits};
		from += 1U << bits;
	}
	return count;
}
