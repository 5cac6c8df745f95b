// SPDX-License-Identifier: GPL-2.0
/* Arbitrary capture files: each packet lies within the file, and the end is reached. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct captured packet;
	struct capture capture;
	const char *reason = NULL;
	uint8_t *file = malloc(size ? size : 1); /* the sanitizer sees a read beyond its end */
	size_t count = 0;

	memcpy(file, data, size);
	if (capture_open(&capture, file, size, &reason)) {
		assert(reason);
	} else {
		while (capture_next(&capture, &packet) > 0) {
			assert(packet.length <= packet.original);
			assert(packet.data >= file && packet.length <= (size_t)(file + size - packet.data));
			assert(++count <= size);
		}
	}
	free(file);
	return 0;
}
