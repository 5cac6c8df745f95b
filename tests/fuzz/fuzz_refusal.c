// SPDX-License-Identifier: GPL-2.0
/* Arbitrary datagrams as refused INVITEs: the response is well formed and not larger than the request. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/checksum.h"
#include "core/sip/refusal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADERS (14 + 20 + 8)

/* An IPv4 datagram from 198.51.100.7 to 192.0.2.10. */
static void put_headers(uint8_t *frame, size_t payload)
{
	static const uint8_t start[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x99, 8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17,
		0, 0, 198, 51, 100, 7, 192, 0, 2, 10, 0x13, 0xc4, 0x13, 0xc4};

	memcpy(frame, start, sizeof(start));
	put16(frame + 16, 28 + payload);
	put16(frame + 38, 8 + payload);
}

/* All line ends are CR LF, and only the end has a blank line. */
static void check_lines(const char *text, size_t length)
{
	assert(length > 4 && !memcmp(text, "SIP/2.0 503 Service Unavailable\r\n", 33));
	for (size_t i = 0; i < length; i++) {
		assert((text[i] == '\r') == (i + 1 < length && text[i + 1] == '\n'));
		assert(text[i] != '\n' || i + 3 == length || i + 1 == length || text[i + 1] != '\r');
	}
	assert(!memcmp(text + length - 4, "\r\n\r\n", 4));
}

static void check_frame(const uint8_t *frame, size_t length, size_t request_length)
{
	uint32_t pseudo = checksum_add(17 + length - 34, frame + 26, 8);

	assert(length <= request_length);
	assert(!checksum_of(checksum_add(0, frame + 14, 20)));
	assert(!checksum_of(checksum_add(pseudo, frame + 34, length - 34)));
	assert(get16(frame + 16) == length - 14 && get16(frame + 38) == length - 34);
	assert(!memcmp(frame + 26, "\xc0\x00\x02\x0a\xc6\x33\x64\x07", 8));
	check_lines((const char *)frame + HEADERS, length - HEADERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const __u64 key[2] = {1, 2};
	size_t payload = size < PUNT_FRAME_SIZE - HEADERS ? size : PUNT_FRAME_SIZE - HEADERS, length;
	struct punt *punt = calloc(1, PUNT_HEADER + HEADERS + payload);
	uint8_t *frame = malloc(PUNT_FRAME_SIZE);

	punt->length = HEADERS + payload;
	punt->retry_after = size & 1 ? 60 : 0;
	put_headers(punt->frame, payload);
	memcpy(punt->frame + HEADERS, data, payload);
	if (!refusal_compose(punt, key, frame, &length))
		check_frame(frame, length, punt->length);
	free(frame);
	free(punt);
	return 0;
}
