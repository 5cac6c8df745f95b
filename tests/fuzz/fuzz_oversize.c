// SPDX-License-Identifier: GPL-2.0
/* Arbitrary punted frames and MTUs: fragments and ICMP errors stay within their buffers. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/oversize.h"

static void cut(const struct punt *punt)
{
	uint8_t *piece = malloc(PUNT_FRAME_SIZE);
	struct oversize_fragments cut;
	size_t length, count = 0;

	if (!oversize_fragment_start(&cut, punt)) {
		while ((length = oversize_fragment_next(&cut, piece))) {
			assert(length <= cut.ip + punt->mtu);
			assert(++count <= PUNT_FRAME_SIZE / 8);
		}
		assert(cut.at == cut.end);
	}
	free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct punt *punt;
	uint8_t *answer;

	if (size < 4)
		return 0;
	punt = calloc(1, sizeof(*punt));
	answer = malloc(OVERSIZE_ERROR_SIZE);
	memcpy(&punt->mtu, data, 2);
	memcpy(&punt->length, data + 2, 2);
	memcpy(punt->frame, data + 4, size - 4 < PUNT_FRAME_SIZE ? size - 4 : PUNT_FRAME_SIZE);
	cut(punt);
	assert(oversize_error(punt, answer) <= OVERSIZE_ERROR_SIZE);
	free(answer);
	free(punt);
	return 0;
}
