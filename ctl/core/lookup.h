/* SPDX-License-Identifier: GPL-2.0 */
/* Which slot a Call-ID falls into, by the packet path's own code. Pure. */
#pragma once

#include <stdint.h>

/* The slot of `slots` (a power of two) that a message with this Call-ID would use. What
 * follows white space in the text is not looked at, as in a message. */
uint32_t lookup_call_id(const char *call_id, const uint64_t hash_key[2], uint32_t slots);
