/* SPDX-License-Identifier: GPL-2.0 */
/* A set of addresses. The all-zero address cannot be a member. Members cannot be removed individually. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "bpf/abi.h"

struct address_set {
	struct address *slots; /* an all-zero slot is free */
	size_t room;           /* a power of two, or 0 */
	size_t count;
};

void address_set_add(struct address_set *set, const struct address *address);
bool address_set_has(const struct address_set *set, const struct address *address);

/* Copies the next member and returns true, or returns false after the last one. `*cursor` begins as 0; the set must not
 * change meanwhile. */
bool address_set_next(const struct address_set *set, size_t *cursor, struct address *out);

/* Removes all members. The set may be used again. */
void address_set_clear(struct address_set *set);
