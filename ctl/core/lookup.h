/* SPDX-License-Identifier: GPL-2.0 */
/* The hash that a message has in the packet path, by the packet path's own code; its low
 * bits are the slot. Pure. */
#pragma once

#include <stdint.h>

/* Of a message with this Call-ID. What follows white space in the text is not looked at,
 * as in a message. */
uint64_t lookup_call_id(const char *call_id, const uint64_t hash_key[2]);

/* Of a message to or from this user: the user part of a SIP URI, or a tel URI. */
uint64_t lookup_user(const char *user, const uint64_t hash_key[2]);
