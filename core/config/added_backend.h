/* SPDX-License-Identifier: GPL-2.0 */
/* A backend that `backend add` created, with all keys that a file can set. Owns the text that stores
 * these keys in the maps (struct added_backend in bpf/abi.h). No I/O. */
#pragma once

#include <stdatomic.h>
#include "config.h"

struct added_config {
	atomic_uint users;     /* references from farms and their copies; two threads may change the number */
	struct config *config; /* one pool with one backend and, if the backend has a group, this group */
	struct added_backend value;
};

/* The options of `backend add` except name, address and weight, each as in the file; NULL: not given. Hints are
 * separated by commas. */
struct added_options {
	const char *hints, *ports, *mac, *group, *forward;
	int priority;                  /* < 0: not given */
	int port, max_calls, max_rate; /* <= 0: not given */
};

/* Creates a backend from its options. If an option is invalid, returns NULL and adds errors that name the backend.
 * Free with added_free(). */
struct added_config *added_new(const struct config_pool *pool, const char *name, const struct address *address,
	uint16_t weight, const struct added_options *options, struct faults *faults);

/* Creates a backend from the text in the maps. NULL if the text is not readable. */
struct added_config *added_read(const struct added_backend *value);

/* Take and release a reference. The release of the last reference frees the object. Both functions accept NULL. */
struct added_config *added_hold(struct added_config *added);
void added_free(struct added_config *added);

const struct config_backend *added_backend(const struct added_config *added);

/* The name of the backend's group; NULL if it has no group. */
const char *added_group(const struct added_config *added);
