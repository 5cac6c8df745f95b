// SPDX-License-Identifier: GPL-2.0
/* Any frame: the parser reads nothing beyond it, and what it says about a datagram is within it. The first
 * byte says how much of the frame can be read directly. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t length = size ? size - 1 : 0, hidden = size ? data[0] : 0, direct = length > hidden ? length - hidden : 0;
	uint8_t *copy = malloc(2 + direct); /* of exactly that size; two bytes on, IP headers are aligned */
	struct cursor cursor = {.data = copy + 2, .data_end = copy + 2 + direct, .length = length};
	struct packet packet = {};

	memcpy(copy + 2, data + !!size, direct);
	if (packet_parse(&cursor, &packet) == VERDICT_none)
		assert(packet.ip >= ETH_HLEN && packet.ip + sizeof(struct iphdr) <= packet.transport &&
		       packet.transport + sizeof(struct udphdr) == packet.payload && packet.payload <= packet.end &&
		       packet.payload <= direct && packet.end <= length);
	free(copy);
	return 0;
}
