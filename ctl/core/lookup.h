/* SPDX-License-Identifier: GPL-2.0 */
/* The hash that a message has in the packet path, by the packet path's own code; its low
 * bits are the slot. Pure. */
#pragma once

#include <stdint.h>

/* Of a message with this Call-ID. 0, or -EINVAL for what cannot be one: it is empty, or
 * there is white space in it, where it would end in a message. */
int lookup_call_id(const char *call_id, const uint64_t hash_key[2], uint64_t *hash);

/* Of a message to or from this user: a sip, sips or tel URI, or only the user part of one.
 * 0, or -EINVAL where there is no user. */
int lookup_user(const char *user, const uint64_t hash_key[2], uint64_t *hash);
