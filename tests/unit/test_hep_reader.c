// SPDX-License-Identifier: GPL-2.0
/* The SIP messages that `capture:` takes from frames. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/hep/hep_reader.h"
#include "core/net/reassembly.h"
#include "tests/prog/frame.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define OPTIONS "OPTIONS sip:a SIP/2.0\r\nCall-ID: abc@example.net\r\n\r\n"
#define VIP6 .source = "2001:db8:99::7", .destination = "2001:db8::10"

static const __u64 secret[2] = {0x0123456789abcdef, 0xfedcba9876543210};
static const uint64_t hash_key[2] = {1, 2};

/* Reads a copy of exactly this length, so that ASan reports any read beyond it. */
static bool read_bytes(
	struct hep_reader *reader, const uint8_t *bytes, size_t length, size_t original, struct hep_message *message)
{
	uint8_t *copy = malloc(length);
	const struct hep_frame frame = {memcpy(copy, bytes, length), length, original, 0, 7};
	bool found = hep_read(reader, &frame, message);

	free(copy);
	return found;
}

static bool read_frame(struct hep_reader *reader, const struct frame *frame, struct hep_message *message)
{
	return read_bytes(reader, frame->data, frame->length, frame->length, message);
}

static const char *text_of(const struct hep_message *message, char out[1000])
{
	char source[ENDPOINT_TEXT_SIZE], destination[ENDPOINT_TEXT_SIZE];

	snprintf(out, 1000, "%s %s %.*s %.*s", endpoint_format(&message->source, source),
		endpoint_format(&message->destination, destination), (int)(message->call_id.end - message->call_id.at),
		message->call_id.at, (int)(message->text.end - message->text.at), message->text.at);
	return out;
}

Test(reader, packets)
{
	static const struct frame_spec plain = {.payload = OPTIONS};
	static const struct {
		const char *name;
		struct frame_spec frame;
		const char *text; /* NULL: nothing is captured */
	} rows[] = {
		{"IPv4", {.payload = OPTIONS}, "198.51.100.7:5060 192.0.2.10:5060 abc@example.net " OPTIONS},
		{"ports and VLAN tags",
			{.payload = OPTIONS, .source_port = 1, .destination_port = 5062, .vlan = {7, 8}},
			"198.51.100.7:1 192.0.2.10:5062 abc@example.net " OPTIONS},
		{"IPv6", {.payload = OPTIONS, VIP6, .extensions = 1},
			"[2001:db8:99::7]:5060 [2001:db8::10]:5060 abc@example.net " OPTIONS},
		{"no Call-ID", {.payload = "SIP/2.0 400 Bad\r\n\r\n"},
			"198.51.100.7:5060 192.0.2.10:5060  SIP/2.0 400 Bad\r\n\r\n"},
		{"a keepalive", {.payload = "\r\n\r\n"}, NULL},
		{"a datagram without payload", {.payload = ""}, NULL},
		{"TCP", {.payload = OPTIONS, .protocol = 6}, NULL},
		{"an ICMP error", {.icmp_type = 3, .quote = &plain}, NULL},
		{"an IP-in-IP packet", {.inner = &plain}, NULL},
		{"ARP", {.payload = OPTIONS, .ethertype = 0x0806}, NULL},
	};
	struct hep_reader *reader = hep_reader_new(secret);
	struct hep_message message;
	struct frame frame;
	char text[1000];

	for (size_t i = 0; i < COUNT(rows); i++) {
		bool found;

		frame_build(&frame, &rows[i].frame);
		found = read_frame(reader, &frame, &message);
		cr_assert_eq(found, !!rows[i].text, "%s", rows[i].name);
		if (found)
			cr_expect_str_eq(text_of(&message, text), rows[i].text, "%s: %s", rows[i].name, text);
		for (size_t length = 0; length < frame.length; length++)
			cr_assert_not(read_bytes(reader, frame.data, length, length, &message), "%s, %zu", rows[i].name,
				length);
	}
	cr_expect_eq(message.time, 7);
	cr_expect_eq(hep_reader_counts(reader, 0).too_long, 0);
	hep_reader_free(reader);
}

Test(reader, a_frame_that_is_longer_than_its_copy)
{
	struct hep_reader *reader = hep_reader_new(secret);
	struct hep_message message;
	struct frame frame;

	frame_build(&frame, &(struct frame_spec){.payload = OPTIONS});
	cr_expect_not(read_bytes(reader, frame.data, frame.length - 1, frame.length, &message));
	cr_expect_eq(hep_reader_counts(reader, 0).too_long, 1);
	frame_build(&frame, &(struct frame_spec){.payload = OPTIONS, .protocol = 6});
	cr_expect_not(read_bytes(reader, frame.data, frame.length - 1, frame.length, &message));
	cr_expect_eq(hep_reader_counts(reader, 0).too_long, 1, "TCP is not counted");
	hep_reader_free(reader);
}

/* --- fragments */

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* Cuts the bytes `from` to `to` of the UDP datagram out of the packet. */
static void cut(const struct frame *whole, bool ipv6, size_t from, size_t to, struct frame *out)
{
	size_t ip = 14, header = ipv6 ? 40 : 20, extra = ipv6 ? 8 : 0, datagram = whole->length - ip - header;
	uint16_t more = to < datagram;

	memcpy(out->data, whole->data, ip + header);
	memcpy(out->data + ip + header + extra, whole->data + ip + header + from, to - from);
	out->length = ip + header + extra + to - from;
	if (ipv6) {
		put16(out->data + ip + 4, extra + to - from);
		memcpy(out->data + ip + header, (uint8_t[]){17, 0, 0, 0, 0, 0, 0, 9}, 8);
		out->data[ip + 6] = 44;
		put16(out->data + ip + header + 2, from | more);
	} else {
		put16(out->data + ip + 2, header + to - from);
		put16(out->data + ip + 6, from / 8 | more << 13);
	}
}

Test(reader, fragments_in_any_order)
{
	static const struct frame_spec specs[] = {{.payload = OPTIONS, .id = 9}, {.payload = OPTIONS, VIP6}};
	struct hep_reader *reader = hep_reader_new(secret);
	struct frame whole, first, last;
	struct hep_message message;

	for (size_t i = 0; i < COUNT(specs); i++)
		for (size_t at = 8; at < sizeof(OPTIONS); at += 8) {
			frame_build(&whole, &specs[i]);
			cut(&whole, i == 1, 0, at, &first);
			cut(&whole, i == 1, at, 8 + strlen(OPTIONS), &last);
			cr_assert_not(read_frame(reader, at % 16 ? &first : &last, &message));
			cr_assert(read_frame(reader, at % 16 ? &last : &first, &message), "family %zu, cut at %zu", i,
				at);
			cr_expect_eq(message.text.end - message.text.at, strlen(OPTIONS));
			cr_expect_arr_eq(message.text.at, OPTIONS, strlen(OPTIONS));
			cr_expect_eq(message.source.port, 5060);
		}
	cr_expect_eq(hep_reader_counts(reader, 0).incomplete, 0);
	cr_assert_not(read_frame(reader, &first, &message));
	cr_expect_eq(hep_reader_counts(reader, REASSEMBLY_NSEC).incomplete, 0);
	cr_expect_eq(hep_reader_counts(reader, REASSEMBLY_NSEC + 1).incomplete, 1);
	hep_reader_free(reader);
}

Test(reader, reassembled_datagrams_without_a_message)
{
	struct hep_reader *reader = hep_reader_new(secret);
	struct frame whole, first, last;
	struct hep_message message;

	frame_build(&whole, &(struct frame_spec){.payload = OPTIONS});
	put16(whole.data + 14 + 20 + 4, 200); /* the UDP header contains a greater length */
	cut(&whole, false, 0, 16, &first);
	cut(&whole, false, 16, 8 + strlen(OPTIONS), &last);
	cr_expect_not(read_frame(reader, &first, &message));
	cr_expect_not(read_frame(reader, &last, &message));
	frame_build(&whole, &(struct frame_spec){.payload = "no SIP, but long enough"});
	cut(&whole, false, 0, 16, &first);
	cut(&whole, false, 16, 8 + 23, &last);
	cr_expect_not(read_frame(reader, &first, &message));
	cr_expect_not(read_frame(reader, &last, &message));
	hep_reader_free(reader);
}

/* --- samples */

static bool is_sampled(const char *call_id, uint32_t sample, const uint64_t hash_key[2])
{
	return hep_samples((struct span){call_id, call_id + strlen(call_id)}, sample, hash_key);
}

Test(reader, a_sample_has_its_share_of_the_calls)
{
	static const uint32_t samples[] = {0, 1, 2, 3, 8, 100};
	char call_id[64];

	for (size_t i = 0; i < COUNT(samples); i++) {
		uint32_t sample = samples[i] ? samples[i] : 1, count = 0, other = 0;

		for (int call = 0; call < 20000; call++) {
			snprintf(call_id, sizeof(call_id), "%d-call@198.51.100.7", call);
			count += is_sampled(call_id, samples[i], hash_key);
			other += is_sampled(call_id, samples[i], (uint64_t[]){3, 4});
		}
		if (sample == 1)
			cr_expect_eq(count, 20000);
		cr_expect(count >= 17000 / sample && count <= 23000 / sample, "one of %u: %u", sample, count);
		cr_expect(other >= 17000 / sample && other <= 23000 / sample, "one of %u: %u", sample, other);
	}
}

Test(reader, a_sample_keeps_whole_calls)
{
	struct hep_reader *reader = hep_reader_new(secret);
	struct hep_message message;
	char payload[200], call_id[64];
	struct frame frame;
	int captured = 0;

	for (int call = 0; call < 100; call++) {
		static const char *const starts[] = {"INVITE sip:a SIP/2.0", "SIP/2.0 200 OK", "BYE sip:a SIP/2.0"};
		int messages = 0;

		snprintf(call_id, sizeof(call_id), "%d@a", call);
		for (size_t i = 0; i < COUNT(starts); i++) {
			snprintf(payload, sizeof(payload), "%s\r\n%s: %s \r\n\r\n", starts[i], i == 1 ? "i" : "Call-ID",
				call_id);
			frame_build(&frame, &(struct frame_spec){.payload = payload});
			cr_assert(read_frame(reader, &frame, &message));
			messages += hep_samples(message.call_id, 2, hash_key);
		}
		cr_assert_eq(messages, is_sampled(call_id, 2, hash_key) ? 3 : 0, "%s", call_id);
		captured += messages == 3;
	}
	cr_expect(captured > 30 && captured < 70, "%d of 100", captured);
	hep_reader_free(reader);
}
