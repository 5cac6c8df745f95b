// SPDX-License-Identifier: GPL-2.0
/* See hep_reader.h. The parser of the packet path reads the headers. */

#include <arpa/inet.h>
#include <string.h>
#include "bpf/abi_observe.h"
#include "bpf/hash.h"
#include "bpf/packet.h"
#include "hep_reader.h"
#include "core/base/memory.h"
#include "core/net/reassembly.h"
#include "core/sip/message.h"

#define UDP_HEADER sizeof(struct udphdr)

struct hep_reader {
	struct reassembly *reassembly;
	uint64_t too_long;
	/* A copy of the frame in which the IP header is aligned. */
	uint8_t frame[2 + OBSERVED_FRAME_SIZE] __attribute__((aligned(4)));
};

struct hep_reader *hep_reader_new(const __u64 secret[2])
{
	struct hep_reader *reader = allocate(1, sizeof(*reader));

	reader->reassembly = reassembly_new(secret);
	return reader;
}

void hep_reader_free(struct hep_reader *reader)
{
	if (!reader)
		return;
	reassembly_free(reader->reassembly);
	free(reader);
}

/* --- packets */

/* A UDP datagram: the header and the payload, up to the end of the IP packet. */
struct datagram {
	const uint8_t *bytes;
	size_t length;
};

/* Later fragments of IPv6 do not contain their transport protocol if extension headers follow the Fragment header. SIP
 * messages have no such headers. */
static bool is_udp(const struct packet *p)
{
	return p->kind <= PACKET_LATER_FRAGMENT && p->protocol == IPPROTO_UDP;
}

static struct part part_of(const struct hep_reader *reader, const struct packet *p)
{
	return (struct part){.key = {.source = p->source,
				     .destination = p->destination,
				     .id = p->fragment_id,
				     .protocol = p->protocol},
		.bytes = reader->frame + 2 + p->transport,
		.length = p->end - p->transport,
		.at = p->fragment_at * 8,
		.more = p->fragment_more};
}

/* Returns false if the frame is not a UDP packet, is not complete, or is a fragment of an incomplete datagram. */
static bool read_datagram(
	struct hep_reader *reader, const struct hep_frame *frame, struct packet *p, struct datagram *out)
{
	const uint8_t *bytes = reader->frame + 2;
	struct cursor cursor = {.data = bytes, .data_end = bytes + frame->length, .length = frame->original};
	struct part part;

	*p = (struct packet){};
	if (packet_parse(&cursor, p) != VERDICT_CONTINUE || !is_udp(p))
		return false;
	if (p->end > frame->length) {
		reader->too_long++;
		return false;
	}
	*out = (struct datagram){bytes + p->transport, p->end - p->transport};
	if (p->kind == PACKET_WHOLE)
		return true;
	part = part_of(reader, p);
	out->bytes = reassembly_add(reader->reassembly, &part, frame->now, &out->length);
	return out->bytes;
}

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* Returns false if the UDP header is invalid. */
static bool read_udp(const struct datagram *datagram, const struct packet *p, struct hep_message *message)
{
	const uint8_t *udp = datagram->bytes;
	size_t length = datagram->length < UDP_HEADER ? 0 : get16(udp + 4);

	if (length < UDP_HEADER || length > datagram->length)
		return false;
	message->source = (struct endpoint){p->source, get16(udp)};
	message->destination = (struct endpoint){p->destination, get16(udp + 2)};
	message->text = (struct span){(const char *)udp + UDP_HEADER, (const char *)udp + length};
	return true;
}

/* --- messages */

/* The slot of a call depends on the low bits of its hash, and the sample depends on the high bits. Therefore each
 * backend has calls in the sample. */
bool hep_samples(struct span call_id, uint32_t sample, const uint64_t hash_key[2])
{
	const __u64 key[2] = {hash_key[0], hash_key[1]};
	struct hash hash = hash_start(key);
	uint64_t word;
	size_t length;

	if (sample <= 1)
		return true;
	for (; call_id.at < call_id.end; call_id.at += length) {
		length = call_id.end - call_id.at < 8 ? call_id.end - call_id.at : 8;
		word = 0;
		memcpy(&word, call_id.at, length);
		hash_word(&hash, word);
	}
	return (hash_finish(hash, key) >> 32) % sample == 0;
}

bool hep_read(struct hep_reader *reader, const struct hep_frame *frame, struct hep_message *message)
{
	struct datagram datagram;
	struct message sip;
	struct packet packet;

	if (frame->length > OBSERVED_FRAME_SIZE)
		return false;
	memcpy(reader->frame + 2, frame->bytes, frame->length);
	if (!read_datagram(reader, frame, &packet, &datagram) || !read_udp(&datagram, &packet, message) ||
		message_read(message->text.at, message->text.end - message->text.at, &sip))
		return false;
	message->call_id = sip.call_id;
	message->time = frame->time;
	return true;
}

struct hep_counts hep_reader_counts(struct hep_reader *reader, uint64_t now)
{
	reassembly_expire(reader->reassembly, now);
	return (struct hep_counts){reassembly_given_up(reader->reassembly), reader->too_long};
}
