/* SPDX-License-Identifier: GPL-2.0 */
/* Names as the maps store them: padded with NUL bytes, so that memcmp() can compare two names. No I/O. */
#pragma once

#include <string.h>
#include "bpf/abi.h"

static inline void name_copy(char to[NAME_SIZE], const char *from)
{
	size_t length = strnlen(from, NAME_SIZE - 1);

	memcpy(to, from, length);
	memset(to + length, 0, NAME_SIZE - length);
}
