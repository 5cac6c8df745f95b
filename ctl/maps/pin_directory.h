/* SPDX-License-Identifier: GPL-2.0 */
/* Checks that no other user can replace the pinned maps. Loader, daemon and sipxdp-ctl call this before they
 * use a pin. Changes nothing. */
#pragma once

#define PIN_DIRECTORY_ERROR_SIZE 512
#define PIN_DIRECTORY_USER "sipxdp" /* the daemon's user, if it exists; its primary group may read the directory */

/* Checks `directory` and each directory above it on the same bpffs: it must not be a symbolic link, must belong
 * to root or the caller, and must not be writable by other users. A writable parent is allowed if it is
 * sticky, as bpffs is by default: other users cannot replace foreign files there. Because the locks are taken on
 * `directory` itself, no other user may open it, except the group of the daemon's user. 0, also if it does not exist or
 * cannot be searched; or -EPERM with the reason and a remedy in `error`. */
int pin_directory_check(const char *directory, char error[PIN_DIRECTORY_ERROR_SIZE]);
