/* SPDX-License-Identifier: GPL-2.0 */
/* Reads files that are arguments of commands. */
#pragma once

#include "output.h"

/* Reads a file, or standard input for "-". Returns the bytes and a closing NUL; the caller must free them. Prints an
 * error and returns NULL if the file is not readable or has more than `limit` bytes. */
char *file_read(struct output *output, const char *path, size_t limit, size_t *length);
