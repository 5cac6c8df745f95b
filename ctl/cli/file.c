// SPDX-License-Identifier: GPL-2.0
/* See file.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"

/* Reads a file completely, or until it exceeds the limit. NULL with errno. */
static char *read_all(FILE *file, size_t limit, size_t *length)
{
	size_t size = (size_t)64 << 10, got;
	char *text = NULL, *larger;

	*length = 0;
	do {
		size *= 2;
		larger = realloc(text, size + 1);
		if (!larger) {
			free(text);
			return NULL;
		}
		text = larger;
		got = fread(text + *length, 1, size - *length, file);
		*length += got;
	} while (*length == size && size <= limit);
	text[*length] = '\0';
	if (!ferror(file))
		return text;
	free(text);
	return NULL;
}

char *file_read(struct output *output, const char *path, size_t limit, size_t *length)
{
	bool is_input = !strcmp(path, "-");
	FILE *file = is_input ? stdin : fopen(path, "re");
	char *text = file ? read_all(file, limit, length) : NULL;

	if (!text) {
		output_error(output, "cannot read %s: %s", is_input ? "standard input" : path, strerror(errno));
	} else if (*length > limit) {
		output_error(output, "%s: too large, the limit is %zu MiB", path, limit >> 20);
		free(text);
		text = NULL;
	}
	if (file && !is_input)
		fclose(file);
	return text;
}
