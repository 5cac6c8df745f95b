// SPDX-License-Identifier: GPL-2.0
/* The host build of the packet parser: rows, each truncated at every byte, with AddressSanitizer to detect reads
 * beyond the end. tests/prog tests the whole program. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/packet.h"
#include "tests/prog/frame.h"
#include "tests/prog/rng.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define VIP6 .destination = "2001:db8::10"
#define TEXT .payload = "0123456789"

struct row {
	const char *sentence;
	struct frame_spec in;
	struct {
		uint16_t at;
		uint8_t value;
	} poke;
	size_t trailer;
	enum verdict verdict;
	/* Offsets in a UDP packet. */
	uint32_t ip, transport, payload, end;
	enum packet_kind kind;
};

static const struct row rows[] = {
	{"IPv4", {TEXT}, .verdict = VERDICT_CONTINUE, .ip = 14, .transport = 34, .payload = 42, .end = 52},
	{"IPv6", {TEXT, VIP6}, .verdict = VERDICT_CONTINUE, .ip = 14, .transport = 54, .payload = 62, .end = 72},
	{"VLAN", {TEXT, .vlan = {7}}, .verdict = VERDICT_CONTINUE, .ip = 18, .transport = 38, .payload = 46, .end = 56},
	{"QinQ, IPv6", {TEXT, VIP6, .vlan = {0xe007, 9}}, .verdict = VERDICT_CONTINUE, .ip = 22, .transport = 62,
		.payload = 70, .end = 80},
	{"all options", {TEXT, .option_words = 10}, .verdict = VERDICT_CONTINUE, .ip = 14, .transport = 74,
		.payload = 82, .end = 92},
	{"extension headers", {TEXT, VIP6, .extensions = 5}, .verdict = VERDICT_CONTINUE, .ip = 14, .transport = 94,
		.payload = 102, .end = 112},
	{"no payload", {.payload = ""}, .verdict = VERDICT_CONTINUE, .ip = 14, .transport = 34, .payload = 42,
		.end = 42},
	{"Ethernet padding is not part of the packet", {.payload = ""}, .trailer = 18, .verdict = VERDICT_CONTINUE,
		.ip = 14, .transport = 34, .payload = 42, .end = 42},
	{"a datagram that ends before its packet", {TEXT}, {14 + 20 + 5, 12}, .verdict = VERDICT_CONTINUE, .ip = 14,
		.transport = 34, .payload = 42, .end = 46},
	{"a first fragment of a longer datagram", {TEXT, .more_fragments = true}, {14 + 20 + 4, 9},
		.verdict = VERDICT_CONTINUE, .ip = 14, .transport = 34, .payload = 42, .end = 52,
		.kind = PACKET_FIRST_FRAGMENT},
	{"an IPv6 first fragment", {TEXT, VIP6, .more_fragments = true}, {14 + 48 + 4, 9}, .verdict = VERDICT_CONTINUE,
		.ip = 14, .transport = 62, .payload = 70, .end = 80, .kind = PACKET_FIRST_FRAGMENT},
	{"a fragment header on an unfragmented datagram", {TEXT, VIP6, .more_fragments = true}, {14 + 40 + 3, 0},
		.verdict = VERDICT_CONTINUE, .ip = 14, .transport = 62, .payload = 70, .end = 80},
	{"a routing header", {TEXT, VIP6, .extensions = 1}, {14 + 6, 43}, .verdict = VERDICT_CONTINUE, .ip = 14,
		.transport = 62, .payload = 70, .end = 80},
	{"hop-by-hop options", {TEXT, VIP6, .extensions = 2}, {14 + 6, 0}, .verdict = VERDICT_CONTINUE, .ip = 14,
		.transport = 70, .payload = 78, .end = 88},
	{"the length of an authentication header is in words of 4 bytes", {TEXT, VIP6, .extensions = 2}, {14 + 6, 51},
		.verdict = VERDICT_CONTINUE, .ip = 14, .transport = 70, .payload = 78, .end = 88},
	{"a TCP header cut short", {TEXT, .protocol = 6}, .verdict = VERDICT_malformed},
	{"an encrypted payload", {TEXT, VIP6, .extensions = 1}, {14 + 6, 50}, .verdict = VERDICT_CONTINUE,
		.kind = PACKET_OTHER},
	{"ICMP", {TEXT, .icmp_type = 3}, .verdict = VERDICT_CONTINUE, .kind = PACKET_ICMP},
	{"ICMPv6", {TEXT, VIP6, .icmp_type = 1}, .verdict = VERDICT_CONTINUE, .kind = PACKET_ICMP},
	{"a later fragment", {TEXT, .fragment_offset = 8}, .verdict = VERDICT_CONTINUE, .kind = PACKET_LATER_FRAGMENT},
	{"an IPv6 later fragment", {TEXT, VIP6, .fragment_offset = 8, .extensions = 2}, .verdict = VERDICT_CONTINUE,
		.kind = PACKET_LATER_FRAGMENT},
	{"a later fragment of a different protocol", {TEXT, .fragment_offset = 8, .protocol = 6},
		.verdict = VERDICT_CONTINUE, .kind = PACKET_LATER_FRAGMENT},
	{"three tags", {TEXT, .vlan = {1, 2}, .ethertype = 0x88a8}, .verdict = VERDICT_not_ip},
	{"ARP", {TEXT, .ethertype = 0x0806}, .verdict = VERDICT_not_ip},
	{"an IPv4 header of four words", {TEXT}, {14, 0x44}, .verdict = VERDICT_malformed},
	{"IPv6 by IPv4's type", {TEXT, VIP6, .ethertype = 0x0800}, .verdict = VERDICT_malformed},
	{"IPv4 by IPv6's type", {TEXT, .ethertype = 0x86dd}, .verdict = VERDICT_malformed},
	{"an IPv4 packet longer than the frame", {TEXT}, {14 + 3, 39}, .verdict = VERDICT_malformed},
	{"an IPv6 packet longer than the frame", {TEXT, VIP6}, {14 + 5, 19}, .verdict = VERDICT_malformed},
	{"a UDP length beyond the packet", {TEXT}, {14 + 20 + 5, 19}, .verdict = VERDICT_malformed},
	{"a UDP length below its header", {TEXT, VIP6}, {14 + 40 + 5, 7}, .verdict = VERDICT_malformed},
	{"an extension header beyond the packet", {TEXT, VIP6, .extensions = 1}, {14 + 41, 3},
		.verdict = VERDICT_malformed},
};

static void build(const struct row *row, struct frame *frame)
{
	frame_build(frame, &row->in);
	if (row->poke.at)
		frame->data[row->poke.at] = row->poke.value;
	memset(frame->data + frame->length, 0, row->trailer);
	frame->length += row->trailer;
}

/* Parses a frame of `length` bytes whose first `direct` bytes are readable. Like drivers, puts it two bytes after an
 * aligned address, which aligns the IP header: the host's compiler relies on that. Therefore a guard page would fit
 * only every fourth length. */
static enum verdict parse(const struct frame *frame, size_t direct, size_t length, struct packet *packet)
{
	uint8_t *memory = malloc(2 + direct), *data = memory + 2;
	struct cursor cursor = {.data = data, .data_end = data + direct, .length = length};
	enum verdict verdict;

	memcpy(data, frame->data, direct);
	*packet = (struct packet){};
	verdict = packet_parse(&cursor, packet);
	free(memory);
	return verdict;
}

static bool has_ports(const struct packet *packet)
{
	return packet->kind == PACKET_WHOLE || packet->kind == PACKET_FIRST_FRAGMENT;
}

static void check_ports(const struct row *row, const struct packet *packet)
{
	struct address source, destination;

	memset(&source, 0, sizeof(source));
	memset(&destination, 0, sizeof(destination));
	if (row->in.destination) {
		inet_pton(AF_INET6, "2001:db8::7", &source);
		inet_pton(AF_INET6, row->in.destination, &destination);
	} else {
		source = address_from_ipv4(inet_addr("198.51.100.7"));
		destination = address_from_ipv4(inet_addr("192.0.2.10"));
	}
	cr_expect_arr_eq(&packet->source, &source, sizeof(source), "%s: source", row->sentence);
	cr_expect_arr_eq(&packet->destination, &destination, sizeof(destination), "%s: destination", row->sentence);
	cr_expect_eq(ntohs(packet->source_port), 5060, "%s", row->sentence);
	cr_expect_eq(ntohs(packet->destination_port), 5060, "%s", row->sentence);
	cr_expect_eq(packet->protocol, 17, "%s", row->sentence);
	cr_expect_eq(packet->ipv6, row->in.destination != NULL, "%s", row->sentence);
}

static void check_places(const struct row *row, const struct packet *packet)
{
	cr_expect(packet->ip == row->ip && packet->transport == row->transport && packet->payload == row->payload &&
			  packet->end == row->end,
		"%s: IP at %u, transport at %u, payload at %u, end at %u", row->sentence, packet->ip, packet->transport,
		packet->payload, packet->end);
	cr_expect_eq(packet->vlan_count, (row->in.vlan[0] != 0) + (row->in.vlan[1] != 0), "%s", row->sentence);
	for (int i = 0; i < packet->vlan_count; i++)
		cr_expect_eq(ntohs(packet->vlan[i].control), row->in.vlan[i], "%s: tag %d", row->sentence, i);
}

Test(packet, rows)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct packet packet;
		struct frame frame;
		enum verdict verdict;

		build(&rows[i], &frame);
		verdict = parse(&frame, frame.length, frame.length, &packet);
		cr_expect_eq(verdict, rows[i].verdict, "%s: verdict %d", rows[i].sentence, verdict);
		if (verdict != VERDICT_CONTINUE)
			continue;
		cr_expect_eq(packet.kind, rows[i].kind, "%s: kind %d", rows[i].sentence, packet.kind);
		if (has_ports(&packet)) {
			check_ports(&rows[i], &packet);
			check_places(&rows[i], &packet);
		}
	}
}

Test(packet, a_frame_cut_at_any_byte_is_not_a_datagram)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct packet packet;
		struct frame frame;

		build(&rows[i], &frame);
		for (size_t length = 0; length < frame.length - rows[i].trailer; length++)
			cr_expect_neq(parse(&frame, length, length, &packet), VERDICT_CONTINUE, "%s cut to %zu bytes",
				rows[i].sentence, length);
	}
}

/* Bytes that are not directly readable are not read. The result is the same once all headers are readable. */
Test(packet, a_frame_with_a_readable_start)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct packet packet;
		struct frame frame;

		if (rows[i].kind > PACKET_FIRST_FRAGMENT)
			continue; /* without ports */
		build(&rows[i], &frame);
		for (size_t direct = 0; direct <= frame.length; direct++) {
			enum verdict verdict = parse(&frame, direct, frame.length, &packet);

			if (rows[i].verdict != VERDICT_CONTINUE)
				cr_expect_neq(
					verdict, VERDICT_CONTINUE, "%s, %zu bytes readable", rows[i].sentence, direct);
			else if (direct < rows[i].payload)
				cr_expect_neq(
					verdict, VERDICT_CONTINUE, "%s, %zu bytes readable", rows[i].sentence, direct);
			else
				cr_expect_eq(
					verdict, VERDICT_CONTINUE, "%s, %zu bytes readable", rows[i].sentence, direct);
			if (verdict == VERDICT_CONTINUE)
				check_places(&rows[i], &packet);
		}
	}
}

/* The results are valid for any bytes. */
Test(packet, garbage)
{
	uint64_t seed = rng_seed();

	for (uint32_t n = 0; n < 200000; n++) {
		struct rng rng = rng_start(seed, n);
		struct packet packet;
		struct frame frame;
		size_t direct;

		build(&rows[rng_below(&rng, COUNT(rows))], &frame);
		for (uint32_t left = 1 + rng_below(&rng, 4); left; left--)
			frame.data[12 + rng_below(&rng, frame.length - 12)] = rng_bits(&rng);
		direct = rng_percent(&rng, 50) ? frame.length : rng_below(&rng, frame.length + 1);
		if (parse(&frame, direct, frame.length, &packet) != VERDICT_CONTINUE || !has_ports(&packet) ||
			packet.protocol != 17)
			continue;
		cr_assert(packet.ip >= 14 && packet.ip <= 22 && packet.ip + 20 <= packet.transport &&
				  packet.transport + 8 == packet.payload && packet.payload <= packet.end &&
				  packet.payload <= direct && packet.end <= frame.length,
			"SIPXDP_SEED=%lu, frame %u: IP at %u, transport at %u, payload at %u, end at %u of %zu", seed,
			n, packet.ip, packet.transport, packet.payload, packet.end, frame.length);
	}
}
