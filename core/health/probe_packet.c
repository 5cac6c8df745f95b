// SPDX-License-Identifier: GPL-2.0
/* See probe_packet.h. The parser of the packet path reads the headers. */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "bpf/tunnel.h"
#include "probe_packet.h"

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

/* The one's complement sum of a packet (RFC 1071). */
static uint16_t sum_of(const uint8_t *packet, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += packet[i] << 8 | packet[i + 1];
	if (size & 1)
		sum += packet[size - 1] << 8;
	return htons(checksum_fold(sum));
}

size_t probe_packet_outer(const void *packet, size_t size, const struct backend *backend, uint8_t out[PROBE_OUTER_SIZE])
{
	bool ipv6 = is_ipv6_packet(packet);
	/* All probes have the same entropy, so they arrive in the order in which they are sent. */
	struct inner inner = {.carrier = outer_protocol(backend->forward, ipv6)};
	size_t outer = outer_size(backend);
	struct udphdr *udp = (void *)(out + outer - sizeof(*udp));

	if (ipv6)
		inner_read_ipv6(packet, &inner);
	else
		inner_read_ipv4(packet, &inner);
	if (is_ipv4_tunnel(backend))
		outer_ipv4((void *)out, backend, &inner);
	else
		outer_ipv6((void *)out, backend, &inner);
	if (inner.carrier == IPPROTO_UDP)
		outer_udp(udp, backend, &inner);
	if (inner.carrier == IPPROTO_UDP && !is_ipv4_tunnel(backend))
		udp->check = outer_udp_checksum((const void *)out, udp, sum_of(packet, size));
	return outer;
}

/* --- Frames */

size_t probe_packet_offset(const void *frame, size_t length)
{
	struct cursor cursor = {.data = frame, .data_end = (const uint8_t *)frame + length, .length = length};
	struct packet p = {};
	__be16 protocol = packet_parse_ethernet(&cursor, &p);

	return protocol == htons(ETH_P_IP) || protocol == htons(ETH_P_IPV6) ? p.ip : 0;
}
