/* SPDX-License-Identifier: GPL-2.0 */
/* Whether the directory of the pins belongs to the caller alone. Loader, daemon and ctl all
 * ask this before they use what is pinned there. Opens nothing for the caller and changes
 * nothing. */
#pragma once

#define PIN_DIRECTORY_ERROR_SIZE 512

/* Checks `directory` and each directory above it on the same bpffs: no symbolic link, owned
 * by root or by the caller, and not writable by other users. (A sticky directory above may
 * be writable, as bpffs is by default: other users cannot replace what is not theirs.)
 * `directory` itself must be closed to other users altogether, since the locks are there.
 * 0, also where it does not exist or cannot be searched; or -EPERM, with the reason and a
 * way out in `error`. */
int pin_directory_check(const char *directory, char error[PIN_DIRECTORY_ERROR_SIZE]);
