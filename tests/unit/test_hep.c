// SPDX-License-Identifier: GPL-2.0
/* HEP packets. The test checks them with a separate reader of the format, which shares no code with the writer. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>
#include "core/hep/hep.h"

#define CHUNKS 32

/* A packet as a capture server reads it. */
struct reading {
	struct {
		size_t length;
		const uint8_t *data;
	} chunks[CHUNKS]; /* by type; data is NULL if the packet does not contain the chunk */
};

static unsigned int number(const uint8_t *at, size_t bytes)
{
	unsigned int value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

static struct reading read_packet(const uint8_t *packet, size_t length)
{
	struct reading reading = {};
	size_t at = 6;

	cr_assert(length >= 6 && !memcmp(packet, "HEP3", 4));
	cr_assert_eq(number(packet + 4, 2), length);
	while (at < length) {
		unsigned int type = number(packet + at + 2, 2), size = number(packet + at + 4, 2);

		cr_assert_eq(number(packet + at, 2), 0, "vendor");
		cr_assert(
			type < CHUNKS && size >= 6 && at + size <= length, "type %u, %u bytes at %zu", type, size, at);
		cr_assert_null(reading.chunks[type].data, "type %u twice", type);
		reading.chunks[type].data = packet + at + 6;
		reading.chunks[type].length = size - 6;
		at += size;
	}
	return reading;
}

#define EXPECT_NUMBER(reading, type, bytes, value)                                                                     \
	do {                                                                                                           \
		cr_assert_eq((reading).chunks[type].length, bytes, "type %u", type);                                   \
		cr_expect_eq(number((reading).chunks[type].data, bytes), (unsigned int)(value), "type %u", type);      \
	} while (0)

#define EXPECT_TEXT(reading, type, text)                                                                               \
	do {                                                                                                           \
		cr_assert_eq((reading).chunks[type].length, strlen(text), "type %u", type);                            \
		cr_expect_arr_eq((reading).chunks[type].data, text, strlen(text), "type %u", type);                    \
	} while (0)

static struct endpoint endpoint(const char *address, uint16_t port)
{
	struct endpoint endpoint = {.port = port};

	cr_assert_eq(address_parse(address, &endpoint.address), 0);
	return endpoint;
}

static struct span span(const char *text)
{
	return (struct span){text, text + strlen(text)};
}

static const char options[] = "OPTIONS sip:a SIP/2.0\r\nCall-ID: abc@example.net\r\n\r\n";

Test(hep, ipv4)
{
	static uint8_t packet[HEP_SIZE_MAX];
	const struct hep_agent agent = {.id = 101, .password = "secret", .node = "lb1"};
	const struct hep_message message = {endpoint("198.51.100.7", 5070), endpoint("192.0.2.10", 5060),
		1700000000123456, span("abc@example.net"), span(options)};
	struct reading reading = read_packet(packet, hep_write(&agent, &message, packet));

	EXPECT_NUMBER(reading, 1, 1, 2); /* AF_INET */
	EXPECT_NUMBER(reading, 2, 1, 17);
	EXPECT_NUMBER(reading, 3, 4, 0xc6336407);
	EXPECT_NUMBER(reading, 4, 4, 0xc000020a);
	EXPECT_NUMBER(reading, 7, 2, 5070);
	EXPECT_NUMBER(reading, 8, 2, 5060);
	EXPECT_NUMBER(reading, 9, 4, 1700000000);
	EXPECT_NUMBER(reading, 10, 4, 123456);
	EXPECT_NUMBER(reading, 11, 1, 1); /* SIP */
	EXPECT_NUMBER(reading, 12, 4, 101);
	EXPECT_TEXT(reading, 14, "secret");
	EXPECT_TEXT(reading, 15, options);
	EXPECT_TEXT(reading, 17, "abc@example.net");
	EXPECT_TEXT(reading, 19, "lb1");
	cr_expect_null(reading.chunks[5].data);
	cr_expect_null(reading.chunks[6].data);
}

Test(hep, ipv6_without_optional_chunks)
{
	static uint8_t packet[HEP_SIZE_MAX];
	const struct hep_agent agent = {};
	const struct hep_message message = {
		endpoint("2001:db8::7", 5070), endpoint("2001:db8::10", 5060), 1, {}, span(options)};
	struct reading reading = read_packet(packet, hep_write(&agent, &message, packet));

	EXPECT_NUMBER(reading, 1, 1, 10); /* AF_INET6 */
	cr_assert_eq(reading.chunks[5].length, 16);
	cr_expect_arr_eq(reading.chunks[5].data, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16);
	cr_assert_eq(reading.chunks[6].length, 16);
	cr_expect_arr_eq(reading.chunks[6].data, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x10", 16);
	EXPECT_NUMBER(reading, 9, 4, 0);
	EXPECT_NUMBER(reading, 10, 4, 1);
	EXPECT_NUMBER(reading, 12, 4, 0);
	for (size_t i = 0; i < 5; i++)
		cr_expect_null(reading.chunks[((int[]){3, 4, 14, 17, 19})[i]].data);
}

/* AddressSanitizer reports a write beyond the end of `packet`. */
Test(hep, a_message_that_is_too_long)
{
	static uint8_t packet[HEP_SIZE_MAX];
	static char text[70000];
	const struct hep_agent agent = {.password = "secret"};
	struct hep_message message = {endpoint("198.51.100.7", 5070), endpoint("192.0.2.10", 5060), 1, {}, {}};
	size_t around, length;

	message.text = (struct span){text, text};
	around = hep_write(&agent, &message, packet);
	cr_assert_gt(around, 0);
	for (length = HEP_SIZE_MAX - around - 9; length <= HEP_SIZE_MAX - around; length++) {
		message.text.end = text + length;
		cr_assert_eq(hep_write(&agent, &message, packet), around + length);
	}
	for (; length < sizeof(text); length++) {
		message.text.end = text + length;
		cr_assert_eq(hep_write(&agent, &message, packet), 0, "%zu bytes", length);
	}
	message.text.end = text + 9;
	message.call_id = (struct span){text, text + 65530};
	cr_expect_eq(hep_write(&agent, &message, packet), 0);
}
