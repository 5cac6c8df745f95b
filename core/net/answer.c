// SPDX-License-Identifier: GPL-2.0
/* See answer.h. */

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>
#include "answer.h"
#include "checksum.h"

#define ANSWER_TTL 64

size_t answer_bytes(const struct punt *punt)
{
	return punt->length < PUNT_FRAME_SIZE ? punt->length : PUNT_FRAME_SIZE;
}

/* Reads a copy in which the IP header is aligned. */
bool answer_parse(const struct punt *punt, struct packet *packet)
{
	uint8_t copy[2 + PUNT_FRAME_SIZE] __attribute__((aligned(4)));
	size_t bytes = answer_bytes(punt);
	struct cursor cursor = {.data = copy + 2, .data_end = copy + 2 + bytes, .length = punt->length};

	memcpy(copy + 2, punt->frame, bytes);
	*packet = (struct packet){0};
	return packet_parse(&cursor, packet) == VERDICT_CONTINUE;
}

/* Is the source the address of a single host (not unspecified, loopback, multicast or broadcast)? */
static bool is_one_host(const struct packet *packet)
{
	const uint8_t *source = (const uint8_t *)&packet->source;

	if (packet->ipv6)
		return source[0] != 0xff && source[0] != 0;
	return source[12] != 0 && source[12] != 127 && source[12] < 224;
}

bool answer_is_allowed(const struct punt *punt, const struct packet *packet)
{
	bool group = punt->frame[0] & 1 || punt->frame[ETH_ALEN] & 1;

	return !group && is_one_host(packet);
}

size_t answer_put_link(uint8_t *frame, const struct punt *punt, const struct packet *packet)
{
	memcpy(frame, punt->frame + ETH_ALEN, ETH_ALEN);
	memcpy(frame + ETH_ALEN, punt->frame, ETH_ALEN);
	memcpy(frame + 2 * ETH_ALEN, punt->frame + 2 * ETH_ALEN, packet->ip - 2 * ETH_ALEN);
	return packet->ip;
}

/* --- IP headers */

void answer_put_ipv4_checksum(uint8_t *ip, size_t size)
{
	put16(ip + 10, 0);
	put16(ip + 10, checksum_of(checksum_add(0, ip, size)));
}

static size_t put_ipv4(uint8_t *ip, const struct packet *packet, uint8_t tos, uint8_t protocol, size_t length)
{
	struct iphdr header = {
		.version = 4,
		.ihl = 5,
		.tos = tos,
		.tot_len = htons(sizeof(header) + length),
		.ttl = ANSWER_TTL,
		.protocol = protocol,
		.saddr = packet->destination.word[3],
		.daddr = packet->source.word[3],
	};

	memcpy(ip, &header, sizeof(header));
	answer_put_ipv4_checksum(ip, sizeof(header));
	return sizeof(header);
}

static size_t put_ipv6(uint8_t *ip, const struct packet *packet, uint8_t tos, uint8_t protocol, size_t length)
{
	struct ipv6hdr header = {
		.version = 6,
		.priority = tos >> 4,
		.flow_lbl = {tos << 4},
		.payload_len = htons(length),
		.nexthdr = protocol,
		.hop_limit = ANSWER_TTL,
	};

	memcpy(&header.saddr, &packet->destination, sizeof(header.saddr));
	memcpy(&header.daddr, &packet->source, sizeof(header.daddr));
	memcpy(ip, &header, sizeof(header));
	return sizeof(header);
}

size_t answer_put_ip(uint8_t *ip, const struct packet *packet, uint8_t tos, uint8_t protocol, size_t length)
{
	return (packet->ipv6 ? put_ipv6 : put_ipv4)(ip, packet, tos, protocol, length);
}

/* An IPv4 address is the last word of struct address. The words before it are the same for all IPv4 addresses, and do
 * not belong to the pseudo header. */
static uint32_t add_address(uint32_t sum, const struct packet *packet, const struct address *address)
{
	size_t size = packet->ipv6 ? sizeof(*address) : sizeof(address->word[3]);

	return checksum_add(sum, (const uint8_t *)(address + 1) - size, size);
}

uint16_t answer_checksum(const struct packet *packet, uint8_t protocol, const uint8_t *payload, size_t length)
{
	uint32_t sum =
		add_address(add_address(protocol + length, packet, &packet->source), packet, &packet->destination);

	return checksum_of(checksum_add(sum, payload, length));
}
