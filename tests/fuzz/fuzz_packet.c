// SPDX-License-Identifier: GPL-2.0
/* Arbitrary frames: the parser never reads beyond the frame, and all its offsets are within the frame. The
 * first byte of the input sets how much of the frame is not in the linear part. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/packet.h"

static void check(const struct packet *packet, size_t direct, size_t length)
{
	assert(packet->ip >= ETH_HLEN && packet->ip + sizeof(struct iphdr) <= packet->transport);
	assert(packet->transport <= length && packet->end <= length);
	if (packet->protocol != IPPROTO_UDP || packet->kind == PACKET_LATER_FRAGMENT || packet->kind == PACKET_OTHER)
		return;
	assert(packet->transport + sizeof(struct udphdr) <= packet->payload);
	assert(packet->payload <= packet->end && packet->payload <= direct);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t length = size ? size - 1 : 0, hidden = size ? data[0] : 0;
	size_t direct = length > hidden ? length - hidden : 0;
	uint8_t *copy =
		malloc(2 + direct); /* exact size, so that ASan sees overruns; the 2 bytes align the IP header */
	struct cursor cursor = {.data = copy + 2, .data_end = copy + 2 + direct, .length = length};
	struct packet packet = {};

	memcpy(copy + 2, data + !!size, direct);
	if (packet_parse(&cursor, &packet) == VERDICT_CONTINUE) {
		if (packet.kind == PACKET_ICMP)
			packet_parse_icmp(&cursor, &packet);
		check(&packet, direct, length);
	}
	free(copy);
	return 0;
}
