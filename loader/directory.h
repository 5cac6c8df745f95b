/* SPDX-License-Identifier: GPL-2.0 */
/* The directory of the pins: the bpffs below it, its owner, and the lock by which loaders
 * take turns. */
#pragma once

#include <stdbool.h>

/* Makes a directory of mode 0700, and those above it. One that exists is no fault. */
int directory_make(const char *path);

/* Mounts bpffs if `dir` needs it. Refuses a directory that is on no bpffs, and the root of
 * one, which other programs use too. */
int directory_prepare(const char *dir);

/* Refuses a directory that other users could change or lock, or that cannot be read. */
int directory_check(const char *dir);

/* Checks `dir`, which is made first if `make` is set, and takes its lock, when no other
 * loader has it any more. *lock stays -1 where there is no such directory. */
int directory_lock(const char *dir, bool make, int *lock);

/* Gives the lock back, and removes the directory if it is empty. */
void directory_unlock(const char *dir, int lock);
