// SPDX-License-Identifier: GPL-2.0
/* Packets of probes. The rows are built by the frame builder of the packet tests, which shares no code with
 * the tested functions. Each packet is truncated at every byte, and AddressSanitizer guards the next one. */

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/address.h"
#include "core/health/probe_packet.h"
#include "tests/prog/frame.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define VIP6 .destination = "2001:db8::10"
#define TEXT .payload = "0123456789012345"
#define TUNNEL6 .source = "2001:db8::2", .destination = "2001:db8:1::11"
#define IP_AT 14

static struct address address_of(const char *text)
{
	struct address address;

	cr_assert_eq(address_parse(text, &address), 0, "%s", text);
	return address;
}

/* The IP packet of a frame, in memory of exactly its size. */
static uint8_t *packet_of(const struct frame *frame, size_t length)
{
	return memcpy(malloc(length ? length : 1), frame->data + IP_AT, length);
}

static const struct {
	const char *sentence;
	struct frame_spec in;
	uint16_t protocol; /* 0: no socket */
	uint16_t port;
} keys[] = {
	{"UDP", {TEXT, .source_port = 40001}, IPPROTO_UDP, 40001},
	{"UDP in IPv6", {TEXT, VIP6, .source_port = 40002}, IPPROTO_UDP, 40002},
	{"TCP", {TEXT, .protocol = 6, .source_port = 40003}, IPPROTO_TCP, 40003},
	{"TCP in IPv6", {TEXT, VIP6, .protocol = 6, .source_port = 40004}, IPPROTO_TCP, 40004},
	{"an echo request, of identifier 0x0a0b", {.icmp_type = 8}, IPPROTO_ICMP, 0x0a0b},
	{"the same in IPv6", {VIP6, .icmp_type = 128}, IPPROTO_ICMPV6, 0x0a0b},
	{"an ICMP error", {.icmp_type = 3}, .protocol = 0},
	{"a router solicitation", {VIP6, .icmp_type = 133}, .protocol = 0},
	{"an echo request of the other family's type", {.icmp_type = 128}, .protocol = 0},
	{"a first fragment", {TEXT, .more_fragments = true}, .protocol = 0},
	{"a later fragment", {TEXT, VIP6, .fragment_offset = 8}, .protocol = 0},
	{"another protocol", {TEXT, .protocol = 47}, .protocol = 0},
	{"ICMP in IPv6", {TEXT, VIP6, .protocol = 1}, .protocol = 0},
};

static void put_identifier(struct frame *frame, const struct frame_spec *spec)
{
	if (spec->icmp_type)
		memcpy(frame->data + IP_AT + (spec->destination ? 40 : 20) + 4, "\x0a\x0b", 2);
}

Test(probe_packet, the_socket_of_a_packet)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct address source = address_of(keys[i].in.destination ? "2001:db8::7" : "198.51.100.7");
		struct probe_key key = {};
		struct frame frame;
		uint8_t *packet;
		int error;

		frame_build(&frame, &keys[i].in);
		put_identifier(&frame, &keys[i].in);
		packet = packet_of(&frame, frame.length - IP_AT);
		error = probe_packet_key(packet, frame.length - IP_AT, &key);
		free(packet);
		cr_expect_eq(error == 0, keys[i].protocol != 0, "%s: %d", keys[i].sentence, error);
		if (error)
			continue;
		cr_expect_eq(key.protocol, keys[i].protocol, "%s: protocol %u", keys[i].sentence, key.protocol);
		cr_expect_eq(ntohs(key.port), keys[i].port, "%s: port %u", keys[i].sentence, ntohs(key.port));
		cr_expect(address_equal(&key.source, &source), "%s: source", keys[i].sentence);
	}
}

Test(probe_packet, a_truncated_packet_has_no_socket)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct probe_key key;
		struct frame frame;

		frame_build(&frame, &keys[i].in);
		for (size_t length = 0; length < frame.length - IP_AT; length++) {
			uint8_t *packet = packet_of(&frame, length);

			cr_expect_neq(
				probe_packet_key(packet, length, &key), 0, "%s, cut to %zu", keys[i].sentence, length);
			free(packet);
		}
	}
}

static const struct {
	const char *sentence;
	struct frame_spec inner;
	struct frame_spec outer;
} tunnels[] = {
	{"IPv4 in IPv4", {TEXT, .tos = 0xb8, .id = 77}, {.tos = 0xb8, .id = 77}},
	{"IPv6 in IPv4", {TEXT, VIP6, .tos = 0x28}, {.tos = 0x28}},
	{"IPv4 in IPv6", {TEXT, .tos = 0xb8, .ttl = 9}, {TUNNEL6, .tos = 0xb8}},
	{"IPv6 in IPv6", {TEXT, VIP6, .tos = 0x04}, {TUNNEL6, .tos = 0x04}},
	{"GUE: IPv4 in IPv4", {TEXT, .tos = 0xb8, .id = 77}, {.gue = true, .tos = 0xb8, .id = 77}},
	{"GUE: IPv6 in IPv4", {TEXT, VIP6, .tos = 0x28}, {.gue = true, .tos = 0x28}},
	{"GUE: IPv4 in IPv6, an odd number of bytes", {TEXT "6", .tos = 0xb8}, {.gue = true, TUNNEL6, .tos = 0xb8}},
	{"GUE: IPv6 in IPv6", {TEXT, VIP6, .protocol = 6}, {.gue = true, TUNNEL6}},
};

Test(probe_packet, the_outer_header_of_a_tunnel)
{
	for (size_t i = 0; i < COUNT(tunnels); i++) {
		struct frame_spec outer = tunnels[i].outer;
		_Alignas(4) uint8_t header[PROBE_OUTER_SIZE];
		struct backend backend = {.forward = outer.gue ? FORWARD_GUE : FORWARD_IPIP, .port = htons(6080)};
		uint8_t *packet;
		struct frame inner, whole;
		size_t size;

		outer.inner = &tunnels[i].inner;
		outer.source = outer.source ? outer.source : "10.0.0.2";
		outer.destination = outer.destination ? outer.destination : "10.0.1.11";
		outer.source_port = 49152;
		outer.destination_port = 6080;
		outer.dont_fragment = true;
		backend.source = address_of(outer.source);
		backend.address = address_of(outer.destination);
		frame_build(&inner, &tunnels[i].inner);
		frame_build(&whole, &outer);
		packet = packet_of(&inner, inner.length - IP_AT);
		size = probe_packet_outer(packet, inner.length - IP_AT, &backend, header);
		free(packet);
		cr_expect_eq(size, whole.length - inner.length, "%s: %zu bytes", tunnels[i].sentence, size);
		cr_expect_arr_eq(header, whole.data + IP_AT, size, "%s", tunnels[i].sentence);
	}
}

/* Replies to the socket of port or identifier 0x9c41 at 10.0.0.2 or 2001:db8::2. */
#define TO .source = "192.0.2.10", .destination = "10.0.0.2"
#define TO6 .source = VIP6_TEXT, .destination = "2001:db8::2"
#define VIP6_TEXT "2001:db8::10"
#define SOCKET 0x9c41

static const struct frame_spec udp_probe = {.source = "10.0.0.2", .source_port = SOCKET, TEXT};
static const struct frame_spec tcp_probe = {.source = "2001:db8::2",
	.destination = VIP6_TEXT,
	.protocol = 6,
	.tcp_header = true,
	.source_port = SOCKET,
	TEXT};
static const struct frame_spec ping = {.source = "10.0.0.2", .icmp_type = 8};
static const struct frame_spec ping6 = {.source = "2001:db8::2", .destination = VIP6_TEXT, .icmp_type = 128};
static const struct frame_spec foreign = {.source = "10.0.0.3", .source_port = SOCKET, TEXT};

static const struct {
	const char *sentence;
	struct frame_spec in;
	uint16_t protocol; /* 0: for no socket */
	size_t offset;
	size_t identifier_at; /* 0: none */
} replies[] = {
	{"UDP", {TO, TEXT, .destination_port = SOCKET}, IPPROTO_UDP, 14, 0},
	{"UDP in IPv6", {TO6, TEXT, .destination_port = SOCKET}, IPPROTO_UDP, 14, 0},
	{"TCP, with a VLAN tag", {TO, TEXT, .protocol = 6, .tcp_header = true, .vlan = {7}, .destination_port = SOCKET},
		IPPROTO_TCP, 18, 0},
	{"UDP in IPv6, with two tags", {TO6, TEXT, .vlan = {7, 9}, .destination_port = SOCKET}, IPPROTO_UDP, 22, 0},
	{"an echo reply", {TO, .icmp_type = FRAME_ECHO_REPLY}, IPPROTO_ICMP, 14, 38},
	{"an echo reply in IPv6", {TO6, .icmp_type = 129}, IPPROTO_ICMPV6, 14, 58},
	{"an ICMP error about UDP", {TO, .icmp_type = 3, .quote = &udp_probe}, IPPROTO_UDP, 14, 0},
	{"an ICMPv6 error about TCP", {TO6, .icmp_type = 1, .quote = &tcp_probe}, IPPROTO_TCP, 14, 0},
	{"an ICMP error about an echo request", {TO, .icmp_type = 3, .quote = &ping}, IPPROTO_ICMP, 14, 66},
	{"an ICMPv6 error about an echo request", {TO6, .icmp_type = 1, .quote = &ping6}, IPPROTO_ICMPV6, 14, 106},
	{"an ICMP error about a packet of another host", {TO, .icmp_type = 3, .quote = &foreign}, .protocol = 0},
	{"an echo request", {TO, .icmp_type = 8}, .protocol = 0},
	{"a router solicitation", {TO6, .icmp_type = 133}, .protocol = 0},
	{"a fragment", {TO, TEXT, .more_fragments = true}, .protocol = 0},
	{"another protocol", {TO, TEXT, .protocol = 47}, .protocol = 0},
	{"ARP", {TO, TEXT, .ethertype = 0x0806}, .protocol = 0},
};

Test(probe_packet, the_socket_of_a_reply)
{
	for (size_t i = 0; i < COUNT(replies); i++) {
		bool ipv6 = strchr(replies[i].in.source, ':');
		struct address to = address_of(ipv6 ? "2001:db8::2" : "10.0.0.2");
		struct probe_key key = {};
		struct frame frame;
		size_t offset;

		frame_build(&frame, &replies[i].in);
		if (replies[i].identifier_at)
			memcpy(frame.data + replies[i].identifier_at, "\x9c\x41", 2);
		offset = probe_packet_reply(frame.data, frame.length, &key);
		cr_expect_eq(offset, replies[i].offset, "%s: offset %zu", replies[i].sentence, offset);
		if (!offset)
			continue;
		cr_expect_eq(key.protocol, replies[i].protocol, "%s: protocol %u", replies[i].sentence, key.protocol);
		cr_expect_eq(ntohs(key.port), SOCKET, "%s: port %x", replies[i].sentence, ntohs(key.port));
		cr_expect(address_equal(&key.source, &to), "%s: address", replies[i].sentence);
	}
}

Test(probe_packet, a_truncated_reply_is_read_up_to_its_end)
{
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct probe_key key;
		struct frame frame;

		frame_build(&frame, &replies[i].in);
		for (size_t length = 0; length < frame.length; length++) {
			uint8_t *cut = memcpy(malloc(length ? length : 1), frame.data, length);

			cr_expect(probe_packet_reply(cut, length, &key) == 0 || length > 14 + 20 + 8, "%s, cut to %zu",
				replies[i].sentence, length);
			free(cut);
		}
	}
}
