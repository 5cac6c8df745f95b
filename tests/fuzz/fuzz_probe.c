// SPDX-License-Identifier: GPL-2.0
/* Arbitrary bytes as a stream of probe responses: a message ends within the stream, and an accepted
 * response contains the ids of its probe. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/health/probe_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config_probe probe = {.type = PROBE_OPTIONS};
	const struct probe_message message = {.probe = &probe, .ids = {.branch = 1, .call_id = 2, .tag = 3}};
	char *copy = memcpy(malloc(size + !size), data, size), status[PROBE_STATUS_SIZE];
	size_t start = 0, end = size;

	if (probe_message_find(copy, size, &start, &end) == 1)
		assert(start < end && end <= size);
	if (probe_message_check(&message, copy + start, end - start, status)) {
		assert(strlen(status) >= 3 && strlen(status) < sizeof(status));
		assert(memmem(copy, size, "0000000000000001", 16) && memmem(copy, size, "0000000000000002", 16));
	}
	assert(probe_message_load("X-Load", copy, size) >= -1 && probe_message_load("X-Load", copy, size) <= 100);
	probe_echo_matches(&message.ids, false, data, size);
	probe_echo_matches(&message.ids, true, data, size);
	free(copy);
	return 0;
}
