// SPDX-License-Identifier: GPL-2.0
/* Any bytes: the scanner reads nothing beyond them, and a Call-ID that it finds lies in them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/sip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = memcpy(malloc(size + !size), data, size); /* of exactly that size: ASan sees a byte too many */
	struct sip_text text = sip_text(copy, copy + size, size, 0);
	struct sip_key key = {.hash_key = {1, 2}};
	__u32 after = 0;

	if (sip_find(text, 0, &after) == SIP_FOUND && sip_hash(text, after, &key) == SIP_FOUND) {
		assert(key.value > after && key.value < key.value_end && key.value_end < size);
		for (__u32 at = key.value; at < key.value_end; at++)
			assert(copy[at] > ' ');
	}
	free(copy);
	return 0;
}
