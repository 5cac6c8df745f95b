/* SPDX-License-Identifier: GPL-2.0 */
/* What was said of a backend that was added by hand: all that a file can say of one. Owns the text that
 * keeps it in the maps (struct added_backend). Pure. */
#pragma once

#include <stdatomic.h>
#include "config.h"

struct added {
	atomic_uint users;     /* farms and sketches of them, also of two threads */
	struct config *config; /* of one pool with one backend, and with its group if it is in one */
	struct added_backend value;
};

/* What a user may say beside name, address and weight; NULL: nothing. As the file spells it, hints
 * with commas between them. */
struct added_options {
	const char *hints, *ports, *mac, *group, *forward;
	int priority; /* < 0: nothing */
};

/* Builds it. NULL with faults, which name the backend. To be given to added_free. */
struct added *added_new(const struct config_pool *pool, const char *name, const struct address *address,
	uint16_t weight, const struct added_options *options, struct faults *faults);

/* The same from what the maps hold; NULL if that cannot be read. */
struct added *added_read(const struct added_backend *value);

/* One more user of it, and one less: the last one frees it. Both take NULL. */
struct added *added_hold(struct added *added);
void added_free(struct added *added);

const struct config_backend *added_backend(const struct added *added);

/* The name of its group; NULL if it is in none. */
const char *added_group(const struct added *added);
