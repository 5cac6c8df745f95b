// SPDX-License-Identifier: GPL-2.0
/* Arbitrary bytes as a file: it is read or refused. A file that is read is copied and written; the result
 * reads back and is written as the same text. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/config/config.h"

/* Reads a text and writes it again. NULL if it is refused, which needs a fault. */
static char *rewrite(const char *text, size_t length)
{
	struct faults faults = {};
	struct config *config = config_parse(text, length, &faults), *copy;
	char *written = NULL;
	size_t written_length;
	FILE *out;

	assert(!config == (faults.count > 0));
	if (config) {
		copy = config_copy(config);
		config_free(config);
		out = open_memstream(&written, &written_length);
		config_write(copy, out);
		fclose(out);
		config_free(copy);
	}
	faults_free(&faults);
	return written;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *first = rewrite((const char *)data, size), *second;

	if (!first)
		return 0;
	second = rewrite(first, strlen(first));
	assert(second && strcmp(first, second) == 0);
	free(first);
	free(second);
	return 0;
}
