/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the files that an operator names. The daemon reads regular files only: opening or reading a FIFO
 * or a device may block or have side effects. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define FILE_ERROR_SIZE 128

enum file_kind {
	FILE_REGULAR,
	FILE_ANY, /* also a pipe such as a shell's <(...), or a terminal: for a command that may wait */
};

/* Reads at most `max` bytes of a file into `text`, which the caller must free. 0, or -errno with the reason in `error`:
 * "it cannot be read: No such file or directory". */
int file_read(
	const char *path, enum file_kind kind, size_t max, char **text, size_t *length, char error[FILE_ERROR_SIZE]);
