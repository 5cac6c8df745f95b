/* SPDX-License-Identifier: GPL-2.0 */
/* Fields in network byte order, and the Internet checksum (RFC 1071), for headers at any alignment. No I/O. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static inline void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* Adds bytes to a sum. All bytes of a sum together must be at most 64 KB; only the last part may have an odd length. */
static inline uint32_t checksum_add(uint32_t sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += get16(bytes + i);
	return sum + (length & 1 ? bytes[length - 1] << 8 : 0);
}

/* The checksum of the bytes in a sum. */
static inline uint16_t checksum_of(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}
