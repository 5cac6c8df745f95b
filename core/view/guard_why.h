/* SPDX-License-Identifier: GPL-2.0 */
/* The result of `guard why`: how a guard treats a source now, and why. No I/O. */
#pragma once

#include <jansson.h>
#include "core/guard/blocks.h"
#include "core/maps/image.h"

/* A source, and all that is known about it. */
struct guard_why {
	const struct image *image;
	uint32_t guard;              /* id */
	struct address address;      /* of the source */
	struct guard_source element; /* of `guard_sources` at guard_why_index() */
	uint64_t now;                /* ns of CLOCK_MONOTONIC */
	const struct block *block;   /* the entry of `guard_blocks` that applies; NULL: none */
	uint64_t block_rest;         /* ms until the entry expires; 0: it never expires */
	bool knows_lists;            /* the next two members are valid; else the daemon has not read the lists */
	uint32_t list;               /* id; GUARD_LIST_NONE: the source is on no list of the file */
	struct prefix_key prefix;    /* of the list */
};

/* The index of the element of a source in `guard_sources`. */
uint32_t guard_why_index(const struct image *image, uint32_t guard, const struct address *address);

/* Returns an object with members for programs, with `steps` for people as in core/view/explanation.h, and with a row
 * for each limit of the source in `limits`. The caller must free it. */
json_t *guard_why_json(const struct guard_why *why);
