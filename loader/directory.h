/* SPDX-License-Identifier: GPL-2.0 */
/* The directory of the pins: its bpffs, its owner, and the lock that serialises loaders. */
#pragma once

#include <stdbool.h>

/* Makes a directory with mode 0700 and its parents. An existing one is no error. */
int directory_make(const char *path);

/* Mounts bpffs if `dir` needs it. Refuses a directory outside a bpffs, and the root of a bpffs, which other
 * programs also use. */
int directory_prepare(const char *dir);

/* Refuses a directory that other users can change or lock, or that is unreadable. */
int directory_check(const char *dir);

/* Checks `dir`, after it has made it if `make` is set. Then waits for the lock of other loaders and takes it.
 * *lock stays -1 if the directory does not exist. */
int directory_lock(const char *dir, bool make, int *lock);

/* Releases the lock and removes the directory if it is empty. */
void directory_unlock(const char *dir, int lock);
