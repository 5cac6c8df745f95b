// SPDX-License-Identifier: GPL-2.0
/* Any frame that might be held, and any MTU: what is cut and what is told stays within its room. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "../../ctl/core/oversize.h"

static void cut(const struct held_frame *held)
{
	uint8_t *piece = malloc(HELD_FRAME_SIZE);
	struct cut cut;
	size_t length, count = 0;

	if (!cut_start(&cut, held)) {
		while ((length = cut_next(&cut, piece))) {
			assert(length <= cut.ip + held->mtu);
			assert(++count <= HELD_FRAME_SIZE / 8);
		}
		assert(cut.at == cut.end);
	}
	free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct held_frame *held;
	uint8_t *answer;

	if (size < 4)
		return 0;
	held = calloc(1, sizeof(*held));
	answer = malloc(OVERSIZE_ANSWER_SIZE);
	memcpy(&held->mtu, data, 2);
	memcpy(&held->length, data + 2, 2);
	memcpy(held->frame, data + 4, size - 4 < HELD_FRAME_SIZE ? size - 4 : HELD_FRAME_SIZE);
	cut(held);
	assert(oversize_answer(held, answer) <= OVERSIZE_ANSWER_SIZE);
	free(answer);
	free(held);
	return 0;
}
