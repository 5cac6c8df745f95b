/* SPDX-License-Identifier: GPL-2.0 */
/* Reads files that an operator has named. What the daemon opens must be a regular file: opening or
 * reading anything else (a FIFO, a device) may block it, or have side effects. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define FILE_ERROR_SIZE 128

enum file_kind {
	FILE_REGULAR, /* nothing else */
	FILE_ANY,     /* also a pipe, as of a shell's <(...), and a terminal: for a command that may wait */
};

/* Reads at most `max` bytes of a file into `text` (to be freed). 0 or -errno, with a sentence that
 * says what is wrong: "it cannot be read: No such file or directory". */
int file_read(
	const char *path, enum file_kind kind, size_t max, char **text, size_t *length, char error[FILE_ERROR_SIZE]);
