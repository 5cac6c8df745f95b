// SPDX-License-Identifier: GPL-2.0
/* See file.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "file.h"

static int cannot_read(int error, char text[FILE_ERROR_SIZE])
{
	snprintf(text, FILE_ERROR_SIZE, "it cannot be read: %s", strerror(error));
	return -error;
}

static bool is_allowed(const struct stat *file, enum file_kind kind)
{
	return S_ISREG(file->st_mode) || (kind == FILE_ANY && !S_ISDIR(file->st_mode));
}

static int refuse_kind(const struct stat *file, char text[FILE_ERROR_SIZE])
{
	const char *kind = S_ISDIR(file->st_mode)    ? "a directory"
			   : S_ISFIFO(file->st_mode) ? "a FIFO or pipe"
			   : S_ISSOCK(file->st_mode) ? "a socket"
						     : "a device";

	snprintf(text, FILE_ERROR_SIZE, "it is %s; a regular file is needed", kind);
	return -EINVAL;
}

/* A descriptor or -errno. Checks the file type before open(), because opening a device may have side effects. Checks
 * it again afterwards, because the file may have been replaced. */
static int open_file(const char *path, enum file_kind kind, char error[FILE_ERROR_SIZE])
{
	struct stat file;
	int fd;

	if (stat(path, &file) < 0)
		return cannot_read(errno, error);
	if (!is_allowed(&file, kind))
		return refuse_kind(&file, error);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (kind == FILE_ANY ? 0 : O_NONBLOCK));
	if (fd < 0)
		return cannot_read(errno, error);
	if (fstat(fd, &file) == 0 && is_allowed(&file, kind))
		return fd;
	close(fd);
	return refuse_kind(&file, error);
}

int file_read(
	const char *path, enum file_kind kind, size_t max, char **text, size_t *length, char error[FILE_ERROR_SIZE])
{
	int fd = open_file(path, kind, error), result = 0;
	ssize_t got = 1;

	if (fd < 0)
		return fd;
	*text = allocate(1, max);
	for (*length = 0; *length < max && got > 0; *length += got > 0 ? got : 0)
		got = read(fd, *text + *length, max - *length);
	if (got < 0) {
		result = cannot_read(errno, error);
		free(*text);
	}
	close(fd);
	return result;
}
