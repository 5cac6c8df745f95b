/* SPDX-License-Identifier: GPL-2.0 */
/* The control socket's place in the file system. */
#pragma once

#include <sys/stat.h>

/* Listens on a Unix socket at `path`, as control_new() says. 0, with the descriptor and what lstat(2)
 * says of the file; or -errno. */
int control_socket_open(const char *path, int *fd, struct stat *file);

/* Is the file still this one? */
bool control_socket_is_there(const char *path, const struct stat *file);

/* Is the other end of a connection root, or the user that the daemon runs as? */
bool control_socket_is_root(int fd);
