/* SPDX-License-Identifier: GPL-2.0 */
/* The file of the control socket. */
#pragma once

#include <sys/socket.h>
#include <sys/stat.h>

/* Listens on a Unix socket at `path`; see control_new() for the rules. 0 with the descriptor and the lstat(2)
 * of the file, or -errno. */
int control_socket_open(const char *path, int *fd, struct stat *file);

/* Is the file at `path` still this file? */
bool control_socket_is_there(const char *path, const struct stat *file);

/* Is the peer of a connection root or the user of the daemon? `peer` receives its process and user. */
bool control_socket_is_root(int fd, struct ucred *peer);
