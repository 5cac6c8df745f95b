// SPDX-License-Identifier: GPL-2.0
/* Capture files, and datagrams that are built for an explanation. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/capture.h"
#include "core/net/datagram.h"
#include "tests/prog/frame.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* A file that a test builds. */
struct built {
	uint8_t bytes[512];
	size_t length;
	bool swapped;
};

static void put32(struct built *file, uint32_t value)
{
	value = file->swapped ? __builtin_bswap32(value) : value;
	memcpy(file->bytes + file->length, &value, sizeof(value));
	file->length += sizeof(value);
}

static void put_header(struct built *file, uint32_t magic, uint32_t link)
{
	put32(file, magic);
	for (int i = 0; i < 4; i++)
		put32(file, i == 3 ? 65535 : 0);
	put32(file, link);
}

static void put_packet(struct built *file, const void *data, uint32_t length, uint32_t original)
{
	put32(file, 0);
	put32(file, 0);
	put32(file, length);
	put32(file, original);
	memcpy(file->bytes + file->length, data, length);
	file->length += length;
}

Test(capture, packets_in_both_byte_orders_and_resolutions)
{
	static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d};

	for (int i = 0; i < 4; i++) {
		struct built file = {.swapped = i & 1};
		struct captured packet;
		struct capture capture;
		const char *reason;

		put_header(&file, magics[i / 2], 1);
		put_packet(&file, "first frame", 11, 11);
		put_packet(&file, "second", 6, 1500);
		cr_assert(capture_is_capture(file.bytes, file.length));
		cr_assert_eq(capture_open(&capture, file.bytes, file.length, &reason), 0, "%s", reason);
		cr_assert_eq(capture_next(&capture, &packet), 1);
		cr_expect(packet.is_frame);
		cr_expect_arr_eq(packet.data, "first frame", 11);
		cr_assert_eq(capture_next(&capture, &packet), 1);
		cr_expect_eq(packet.length, 6);
		cr_expect_eq(packet.original, 1500);
		cr_expect_eq(capture_next(&capture, &packet), 0);
	}
}

Test(capture, headers_of_other_link_layers_are_removed)
{
	static const struct {
		uint32_t link;
		size_t header;
	} rows[] = {{101, 0}, {228, 0}, {229, 0}, {113, 16}, {276, 20}};
	uint8_t data[32] = {0};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct built file = {0};
		struct captured packet;
		struct capture capture;
		const char *reason;

		put_header(&file, 0xa1b2c3d4, rows[i].link);
		put_packet(&file, "\x01 not IP, and too short", 8, 8);
		memset(data, 0, sizeof(data));
		data[rows[i].header] = 0x45;
		put_packet(&file, data, sizeof(data), sizeof(data));
		cr_assert_eq(capture_open(&capture, file.bytes, file.length, &reason), 0, "%s", reason);
		cr_assert_eq(capture_next(&capture, &packet), 1);
		cr_expect(!packet.is_frame);
		cr_expect_eq(packet.data[0], 0x45);
		cr_expect_eq(packet.length, sizeof(data) - rows[i].header);
	}
}

/* --- pcapng: a section, an interface with Ethernet, one with raw IP, and three packets */

static void put_block(struct built *file, uint32_t type, const void *contents, uint32_t length)
{
	put32(file, type);
	put32(file, 12 + length);
	memcpy(file->bytes + file->length, contents, length);
	file->length += length;
	put32(file, 12 + length);
}

/* `words` numbers, and data whose length is a multiple of 4. */
static void put_numbers(struct built *file, uint32_t type, const uint32_t *numbers, size_t count, const char *data)
{
	struct built contents = {.swapped = file->swapped};

	for (size_t i = 0; i < count; i++)
		put32(&contents, numbers[i]);
	memcpy(contents.bytes + contents.length, data, strlen(data));
	put_block(file, type, contents.bytes, contents.length + strlen(data));
}

static void put_interface(struct built *file, uint16_t link)
{
	uint8_t contents[8] = {0};

	link = file->swapped ? __builtin_bswap16(link) : link;
	memcpy(contents, &link, sizeof(link));
	put_block(file, 1, contents, sizeof(contents));
}

static void put_pcapng(struct built *file)
{
	put_numbers(file, 0x0a0d0d0a, (uint32_t[]){0x1a2b3c4d, 1, 0xffffffff, 0xffffffff}, 4, "");
	put_interface(file, 1);
	put_interface(file, 101);
	put_numbers(file, 4, NULL, 0, "names of hosts..");
	put_numbers(file, 6, (uint32_t[]){0, 0, 0, 7, 1500}, 5, "a frame.");
	put_numbers(file, 6, (uint32_t[]){1, 0, 0, 4, 4}, 5, "\x45 IP");
	put_numbers(file, 6, (uint32_t[]){2, 0, 0, 4, 4}, 5, "none"); /* skipped: its interface is unknown */
	put_numbers(file, 3, (uint32_t[]){100}, 1, "a simple one");
}

static void expect_packet(struct capture *capture, const char *data, size_t original, bool is_frame)
{
	struct captured packet;

	cr_assert_eq(capture_next(capture, &packet), 1);
	cr_expect_eq(packet.length, strlen(data), "%s: %zu", data, packet.length);
	cr_expect_eq(packet.original, original);
	cr_expect_eq(packet.is_frame, is_frame);
	cr_expect_arr_eq(packet.data, data, strlen(data));
}

Test(capture, pcapng_in_both_byte_orders)
{
	for (int swapped = 0; swapped < 2; swapped++) {
		struct built file = {.swapped = swapped};
		struct captured packet;
		struct capture capture;
		const char *reason;

		put_pcapng(&file);
		cr_assert(capture_is_capture(file.bytes, file.length));
		cr_assert_eq(capture_open(&capture, file.bytes, file.length, &reason), 0, "%s", reason);
		expect_packet(&capture, "a frame", 1500, true);
		expect_packet(&capture, "\x45 IP", 4, false);
		expect_packet(&capture, "a simple one", 100, true);
		cr_expect_eq(capture_next(&capture, &packet), 0);
	}
}

/* A file in which two sections have different byte orders. */
Test(capture, sections_of_pcapng)
{
	struct built file = {0};
	struct captured packet;
	struct capture capture;
	const char *reason;

	put_pcapng(&file);
	file.swapped = true;
	put_pcapng(&file);
	cr_assert_eq(capture_open(&capture, file.bytes, file.length, &reason), 0);
	for (int i = 0; i < 6; i++)
		cr_assert_eq(capture_next(&capture, &packet), 1, "packet %d", i);
	cr_expect_eq(capture_next(&capture, &packet), 0);
}

static void expect_refused(const uint8_t *bytes, size_t length, const char *text)
{
	struct capture capture;
	const char *reason = "";

	cr_expect_lt(capture_open(&capture, bytes, length, &reason), 0);
	cr_expect(strstr(reason, text), "'%s' is not '%s'", reason, text);
}

Test(capture, files_that_cannot_be_read)
{
	struct built file = {0};

	expect_refused((const uint8_t *)"\n\r\r\n\0\0", 6, "neither a pcap nor a pcapng");
	expect_refused((const uint8_t *)"\n\r\r\n and something else", 23, "neither a pcap nor a pcapng");
	cr_expect(capture_is_capture((const uint8_t *)"\n\r\r\n\0\0", 6));
	expect_refused((const uint8_t *)"INVITE sip:b@example.net SIP/2.0", 32, "neither a pcap nor a pcapng");
	cr_expect(!capture_is_capture((const uint8_t *)"INVITE", 6));
	cr_expect(!capture_is_capture((const uint8_t *)"", 0));
	put_header(&file, 0xa1b2c3d4, 105);
	expect_refused(file.bytes, file.length, "neither Ethernet nor IP");
	expect_refused(file.bytes, 23, "neither a pcap nor a pcapng");
}

/* Truncates a file at every byte. The reader must not read beyond the end. */
Test(capture, files_that_were_cut)
{
	struct built file = {0};
	size_t cut, header = 24, whole;

	put_header(&file, 0xa1b2c3d4, 1);
	put_packet(&file, "a frame of 24 characters", 24, 24);
	whole = file.length;
	for (cut = header; cut <= whole; cut++) {
		uint8_t *copy = malloc(cut);
		struct captured packet;
		struct capture capture;
		const char *reason;

		memcpy(copy, file.bytes, cut);
		cr_assert_eq(capture_open(&capture, copy, cut, &reason), 0);
		if (cut == header)
			cr_expect_eq(capture_next(&capture, &packet), 0);
		else
			cr_expect_eq(capture_next(&capture, &packet), cut == whole ? 1 : -EINVAL, "%zu", cut);
		free(copy);
	}
	/* A length that exceeds the file, and a length that would cause an overflow. */
	for (int i = 0; i < 2; i++) {
		struct captured packet;
		struct capture capture;
		const char *reason;

		memset(file.bytes + header + 8, i ? 0xff : 0x7f, 8);
		capture_open(&capture, file.bytes, file.length, &reason);
		cr_expect_eq(capture_next(&capture, &packet), -EINVAL);
	}
}

/* Truncates a pcapng file at every byte. Between two blocks this is the end of the file; within a block the file is
 * damaged. */
Test(capture, pcapng_files_that_were_cut)
{
	struct built file = {0};
	size_t packets = 0;

	put_pcapng(&file);
	for (size_t cut = 12; cut <= file.length; cut++) {
		uint8_t *copy = malloc(cut);
		struct captured packet;
		struct capture capture;
		const char *reason;
		int result;

		memcpy(copy, file.bytes, cut);
		cr_assert_eq(capture_open(&capture, copy, cut, &reason), 0);
		for (packets = 0; (result = capture_next(&capture, &packet)) > 0; packets++)
			;
		cr_expect(result == (capture.at == cut ? 0 : -EINVAL), "%zu: %d", cut, result);
		free(copy);
	}
	cr_expect_eq(packets, 3);
}

/* --- datagrams */

static struct datagram to(const char *source, const char *destination, const char *payload, size_t length)
{
	struct datagram datagram = {.mac = {{2, 0, 0, 0, 0, 1}}, .payload = payload, .length = length, .mtu = 1500};

	cr_assert_eq(address_parse(source, &datagram.source.address), 0);
	cr_assert_eq(address_parse(destination, &datagram.destination.address), 0);
	datagram.source.port = 5070;
	datagram.destination.port = 5060;
	return datagram;
}

/* The frame is that of the packet tests, except for the MAC address of the sender, the checksums, the TTL and the
 * identification. */
static void expect_same(const struct datagram *datagram, const struct frame_spec *spec)
{
	static uint8_t out[DATAGRAM_FRAME_MAX];
	static struct frame frame;
	size_t length = datagram_build(datagram, out), ip = 14, udp = ip + (out[12] == 8 ? 20 : 40);

	frame_build(&frame, spec);
	cr_assert_eq(length, frame.length, "%zu, not %zu", length, frame.length);
	memcpy(out + 6, frame.data + 6, 6);
	if (out[12] == 8) {
		memcpy(out + ip + 4, frame.data + ip + 4, 2);
		memcpy(out + ip + 10, frame.data + ip + 10, 2);
	} else if (out[ip + 6] == 44) {
		udp += 8;
		memcpy(out + udp - 4, frame.data + udp - 4, 4);
	}
	memcpy(out + udp + 6, frame.data + udp + 6, 2);
	for (size_t i = 0; i < length; i++)
		cr_assert_eq(out[i], frame.data[i], "byte %zu: %02x, not %02x", i, out[i], frame.data[i]);
}

Test(datagram, is_a_valid_frame)
{
	struct datagram ipv4 = to("198.51.100.7", "192.0.2.10", "OPTIONS", 7);
	struct datagram ipv6 = to("2001:db8::7", "2001:db8::10", "OPTIONS", 7);

	expect_same(&ipv4, &(struct frame_spec){.source_port = 5070, .payload = "OPTIONS"});
	expect_same(&ipv6, &(struct frame_spec){.source = "2001:db8::7",
				   .destination = "2001:db8::10",
				   .source_port = 5070,
				   .payload = "OPTIONS"});
}

/* A first fragment of 1,480 bytes (IPv4) or 1,448 (IPv6), of which 8 are the UDP header. */
Test(datagram, that_is_longer_than_the_mtu_begins_with_a_first_fragment)
{
	static char payload[4000];
	struct datagram ipv4 = to("198.51.100.7", "192.0.2.10", payload, sizeof(payload));
	struct datagram ipv6 = to("2001:db8::7", "2001:db8::10", payload, sizeof(payload));
	uint8_t out[DATAGRAM_FRAME_MAX];

	memset(payload, 'x', sizeof(payload));
	cr_expect_eq(datagram_build(&ipv4, out), 14 + 20 + 1480);
	cr_expect_eq(out[14 + 6], 0x20, "more fragments");
	cr_expect_eq(out[14 + 2] << 8 | out[14 + 3], 1500);
	cr_expect_eq(out[14 + 20 + 4] << 8 | out[14 + 20 + 5], 4008, "the length of the whole datagram");
	cr_expect_eq(datagram_build(&ipv6, out), 14 + 40 + 8 + 1448);
	cr_expect_eq(out[14 + 6], 44, "a Fragment header");
	cr_expect_eq(out[14 + 40], 17);
	cr_expect_eq(out[14 + 40 + 3], 1, "more fragments");
	cr_expect_eq(out[14 + 4] << 8 | out[14 + 5], 8 + 1448);
}

Test(datagram, an_ip_packet_receives_an_ethernet_header)
{
	const struct mac mac = {{2, 0, 0, 0, 0, 1}};
	uint8_t out[64];

	cr_assert_eq(datagram_ethernet(&mac, (const uint8_t *)"\x45 IPv4", 6, out), 20);
	cr_expect_arr_eq(out, &mac, 6);
	cr_expect_eq(out[12] << 8 | out[13], 0x0800);
	cr_expect_arr_eq(out + 14, "\x45 IPv4", 6);
	datagram_ethernet(&mac, (const uint8_t *)"\x60 IPv6", 6, out);
	cr_expect_eq(out[12] << 8 | out[13], 0x86dd);
}
