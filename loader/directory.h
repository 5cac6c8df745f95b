/* SPDX-License-Identifier: GPL-2.0 */
/* The directory of the pins: mounts its bpffs, checks its owner, and locks it against other loaders. */
#pragma once

#include <stdbool.h>

/* Makes a directory with mode 0700, and its parents. It is not an error if the directory exists. */
int directory_make(const char *path);

/* Mounts bpffs if `dir` needs it. Refuses a directory outside a bpffs. Also refuses the root of a bpffs,
 * because other programs use it too. */
int directory_prepare(const char *dir);

/* Refuses a directory that is unreadable, or that other users can change or lock. */
int directory_check(const char *dir);

/* With `make`, makes `dir` first. Checks `dir`, waits until no other loader holds the lock, and takes the lock.
 * If the directory does not exist, *lock stays -1. */
int directory_lock(const char *dir, bool make, int *lock);

/* Releases the lock and removes the directory if it is empty. */
void directory_unlock(const char *dir, int lock);
