/* SPDX-License-Identifier: GPL-2.0 */
/* The encoding of numbers and headers in the messages of a group. Only the encoders and decoders include this file. */
#pragma once

#include <string.h>
#include "group_message.h"

#define HEADER_SIZE 8

static const uint8_t group_magic[4] = {'S', 'X', 'G', 'R'};

static inline uint64_t number_at(const uint8_t *bytes, size_t length)
{
	uint64_t number = 0;

	for (size_t i = 0; i < length; i++)
		number = number << 8 | bytes[i];
	return number;
}

/* Return the first byte behind what they have written. */
static inline uint8_t *put_number(uint8_t *out, uint64_t number, size_t length)
{
	for (size_t i = 0; i < length; i++)
		out[i] = number >> 8 * (length - 1 - i);
	return out + length;
}

static inline uint8_t *put_id(uint8_t *out, struct group_id id)
{
	return put_number(put_number(out, id.node, 4), id.pid, 4);
}

static inline uint8_t *put_header(uint8_t *out, enum group_kind kind, uint16_t flags)
{
	memcpy(out, group_magic, sizeof(group_magic));
	out = put_number(out + sizeof(group_magic), GROUP_VERSION, 1);
	out = put_number(out, kind, 1);
	return put_number(out, flags, 2);
}
