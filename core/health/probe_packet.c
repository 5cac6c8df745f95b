// SPDX-License-Identifier: GPL-2.0
/* See probe_packet.h. The parser of the packet path reads the headers. */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "bpf/abi_punt.h"
#include "bpf/tunnel.h"
#include "probe_packet.h"

static bool is_ipv6_packet(const void *packet)
{
	return *(const uint8_t *)packet >> 4 == 6;
}

/* The identifier of an echo request or, with `reply`, of an echo reply (RFC 792, RFC 4443 section 4.1). */
static int read_echo(const struct cursor *cursor, bool ipv6, bool reply, __be16 *id)
{
	const uint8_t *icmp = cursor_peek(cursor, 8);
	uint8_t type = ipv6 ? 128 + reply : 8 * !reply;

	if (!icmp || icmp[0] != type)
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
		error = read_echo(&cursor, p.ipv6, false, &p.source_port);
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

/* --- Replies */

/* The port of the socket. Source and destination of a quoted packet are exchanged (bpf/packet.h), and a quoted echo
 * request counts as PACKET_OTHER like an echo reply, but is at a different position. */
static int read_reply_port(const struct cursor *cursor, const struct packet *p, __be16 *port)
{
	bool quoted = cursor->at != p->transport;

	if (p->kind == PACKET_OTHER)
		return read_echo(cursor, p->ipv6, !quoted, port);
	*port = p->destination_port;
	return p->kind == PACKET_WHOLE || p->kind == PACKET_ICMP_ERROR ? 0 : -EINVAL;
}

size_t probe_packet_reply(const void *frame, size_t length, struct probe_key *out)
{
	uint8_t copy[2 + PUNT_FRAME_SIZE] __attribute__((aligned(4))); /* aligns the IP header */
	struct cursor cursor = {.data = copy + 2, .data_end = copy + 2 + length, .length = length};
	struct packet p = {};
	__be16 port;

	if (length > PUNT_FRAME_SIZE)
		return 0;
	memcpy(copy + 2, frame, length);
	if (packet_parse(&cursor, &p) != VERDICT_CONTINUE)
		return 0;
	if (p.kind == PACKET_ICMP)
		packet_parse_icmp(&cursor, &p);
	if (read_reply_port(&cursor, &p, &port))
		return 0;
	*out = (struct probe_key){.source = p.destination, .port = port, .protocol = p.protocol};
	return p.ip;
}
