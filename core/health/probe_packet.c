// SPDX-License-Identifier: GPL-2.0
/* See probe_packet.h. The parser of the packet path reads the headers. */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "bpf/packet.h"
#include "probe_packet.h"

#define OUTER_TTL 64

static bool is_ipv6_packet(const void *packet)
{
	return *(const uint8_t *)packet >> 4 == 6;
}

/* The identifier of an echo request (RFC 792, RFC 4443 section 4.1). */
static int read_echo(const struct cursor *cursor, bool ipv6, __be16 *id)
{
	const uint8_t *icmp = cursor_peek(cursor, 8);

	if (!icmp || icmp[0] != (ipv6 ? 128 : 8))
		return -EINVAL;
	memcpy(id, icmp + 4, sizeof(*id));
	return 0;
}

int probe_packet_key(const void *packet, size_t length, struct probe_key *out)
{
	struct cursor cursor = {.data = packet, .data_end = (const uint8_t *)packet + length, .length = length};
	struct packet p = {.ipv6 = length && is_ipv6_packet(packet)};
	int error = p.ipv6 ? packet_parse_ipv6(&cursor, &p, false) : packet_parse_ipv4(&cursor, &p, false);

	if (error || p.kind != PACKET_WHOLE)
		return -EINVAL;
	if (p.protocol == (p.ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		error = read_echo(&cursor, p.ipv6, &p.source_port);
	else
		error = packet_parse_transport(&cursor, &p);
	if (error || p.kind != PACKET_WHOLE)
		return -EINVAL;
	*out = (struct probe_key){.source = p.source, .port = p.source_port, .protocol = p.protocol};
	return 0;
}

/* --- Tunnels */

/* RFC 1071. */
static uint16_t header_checksum(const void *header, size_t size)
{
	const uint16_t *half = header;
	uint32_t sum = 0;

	for (size_t i = 0; i < size / 2; i++)
		sum += half[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The fields of the inner header that the outer header needs. */
struct inner {
	uint16_t length;
	uint8_t tos; /* or traffic class */
	uint8_t protocol;
	__be16 id;
	__be16 dont_fragment;
};

static struct inner read_inner(const void *packet)
{
	const struct ipv6hdr *ip6 = packet;
	const struct iphdr *ip = packet;

	if (is_ipv6_packet(packet))
		return (struct inner){.length = ntohs(ip6->payload_len) + sizeof(*ip6),
			.tos = ntohs(*(const __be16 *)packet) >> 4,
			.protocol = IPPROTO_IPV6,
			.dont_fragment = htons(0x4000)};
	return (struct inner){.length = ntohs(ip->tot_len),
		.tos = ip->tos,
		.protocol = IPPROTO_IPIP,
		.id = ip->id,
		.dont_fragment = ip->frag_off & htons(0x4000)};
}

static size_t write_outer_ipv4(
	const struct inner *inner, const struct address *source, const struct address *destination, uint8_t *out)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tos = inner->tos,
		.tot_len = htons(inner->length + sizeof(ip)),
		.id = inner->id,
		.frag_off = inner->dont_fragment,
		.ttl = OUTER_TTL,
		.protocol = inner->protocol,
		.saddr = source->word[3],
		.daddr = destination->word[3],
	};

	ip.check = header_checksum(&ip, sizeof(ip));
	memcpy(out, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t write_outer_ipv6(
	const struct inner *inner, const struct address *source, const struct address *destination, uint8_t *out)
{
	struct ipv6hdr ip = {
		.version = 6,
		.priority = inner->tos >> 4,
		.flow_lbl = {inner->tos << 4},
		.payload_len = htons(inner->length),
		.nexthdr = inner->protocol,
		.hop_limit = OUTER_TTL,
	};

	memcpy(&ip.saddr, source, sizeof(ip.saddr));
	memcpy(&ip.daddr, destination, sizeof(ip.daddr));
	memcpy(out, &ip, sizeof(ip));
	return sizeof(ip);
}

size_t probe_packet_outer(const void *packet, const struct address *source, const struct address *destination,
	uint8_t out[PROBE_OUTER_SIZE])
{
	struct inner inner = read_inner(packet);

	if (address_is_mapped_ipv4(destination))
		return write_outer_ipv4(&inner, source, destination, out);
	return write_outer_ipv6(&inner, source, destination, out);
}

/* --- Frames */

size_t probe_packet_offset(const void *frame, size_t length)
{
	struct cursor cursor = {.data = frame, .data_end = (const uint8_t *)frame + length, .length = length};
	struct packet p = {};
	__be16 protocol = packet_parse_ethernet(&cursor, &p);

	return protocol == htons(ETH_P_IP) || protocol == htons(ETH_P_IPV6) ? p.ip : 0;
}
