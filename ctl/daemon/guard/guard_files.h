/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the lists of a configuration with their files. Uses no other state of the daemon, so that the worker can read
 * a million prefixes without the lock. */
#pragma once

#include "core/config/config.h"
#include "core/guard/prefix_lists.h"

struct guard_file {
	char name[NAME_SIZE]; /* of the list */
	enum guard_action action;
	size_t prefixes;
	bool is_faulty; /* the file has no effect */
};

struct guard_files {
	struct prefix_lists prefixes; /* struct list_entry.list is an index into `lists` */
	struct guard_file *lists;
	size_t count;
	size_t faulty;
};

/* Reads all lists, and adds a fault for each file that cannot be used. Never NULL. */
struct guard_files *guard_files_read(const struct config *config, struct faults *faults);
void guard_files_free(struct guard_files *files);

/* Do both contain the same lists with the same prefixes? */
bool guard_files_equal(const struct guard_files *a, const struct guard_files *b);

/* Reads the files only to check them. Returns the configuration. After a fault, frees the configuration and returns
 * NULL. Accepts NULL. */
struct config *guard_files_check(struct config *config, struct faults *faults);
