// SPDX-License-Identifier: GPL-2.0
/* Any frame: the parser reads nothing beyond it, and what it says about the packet is within it. The first
 * byte says how much of the frame cannot be read directly. */
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
	uint8_t *copy = malloc(2 + direct); /* of exactly that size; two bytes on, IP headers are aligned */
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
