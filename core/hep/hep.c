// SPDX-License-Identifier: GPL-2.0
/* See hep.h. The numbers of chunks are those of the vendor 0 in the public description of HEPv3. */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "core/sip/host.h"
#include "hep.h"

#define CHUNK_HEADER 6
#define PACKET_HEADER 6
#define SIP 1 /* value of CHUNK_CONTENT */

enum chunk {
	CHUNK_FAMILY = 1,
	CHUNK_PROTOCOL = 2,
	CHUNK_IPV4_SOURCE = 3,
	CHUNK_IPV4_DESTINATION = 4,
	CHUNK_IPV6_SOURCE = 5,
	CHUNK_IPV6_DESTINATION = 6,
	CHUNK_SOURCE_PORT = 7,
	CHUNK_DESTINATION_PORT = 8,
	CHUNK_SECONDS = 9,
	CHUNK_MICROSECONDS = 10,
	CHUNK_CONTENT = 11, /* the protocol of the payload */
	CHUNK_AGENT = 12,
	CHUNK_PASSWORD = 14,
	CHUNK_PAYLOAD = 15,
	CHUNK_CORRELATION = 17,
	CHUNK_NODE = 19,
};

/* A packet that is being written. */
struct packet {
	uint8_t *bytes;
	size_t length; /* 0: a chunk did not fit */
};

static void put(struct packet *packet, enum chunk type, const void *data, size_t length)
{
	const uint16_t header[] = {0, htons(type), htons(CHUNK_HEADER + length)};

	if (!packet->length || length > HEP_SIZE_MAX - CHUNK_HEADER ||
		packet->length + CHUNK_HEADER + length > HEP_SIZE_MAX) {
		packet->length = 0;
		return;
	}
	memcpy(packet->bytes + packet->length, header, CHUNK_HEADER);
	memcpy(packet->bytes + packet->length + CHUNK_HEADER, data, length);
	packet->length += CHUNK_HEADER + length;
}

static void put8(struct packet *packet, enum chunk type, uint8_t value)
{
	put(packet, type, &value, sizeof(value));
}

static void put16(struct packet *packet, enum chunk type, uint16_t value)
{
	put(packet, type, &(uint16_t){htons(value)}, sizeof(value));
}

static void put32(struct packet *packet, enum chunk type, uint32_t value)
{
	put(packet, type, &(uint32_t){htonl(value)}, sizeof(value));
}

/* `text` may be NULL. */
static void put_text(struct packet *packet, enum chunk type, const char *text)
{
	if (text)
		put(packet, type, text, strlen(text));
}

static void put_addresses(struct packet *packet, const struct hep_message *message)
{
	const struct address *source = &message->source.address, *destination = &message->destination.address;
	bool ipv4 = address_is_ipv4(source);

	put8(packet, CHUNK_FAMILY, ipv4 ? AF_INET : AF_INET6);
	put8(packet, CHUNK_PROTOCOL, IPPROTO_UDP);
	if (ipv4) {
		put(packet, CHUNK_IPV4_SOURCE, &source->word[3], sizeof(source->word[3]));
		put(packet, CHUNK_IPV4_DESTINATION, &destination->word[3], sizeof(destination->word[3]));
	} else {
		put(packet, CHUNK_IPV6_SOURCE, source, sizeof(*source));
		put(packet, CHUNK_IPV6_DESTINATION, destination, sizeof(*destination));
	}
	put16(packet, CHUNK_SOURCE_PORT, message->source.port);
	put16(packet, CHUNK_DESTINATION_PORT, message->destination.port);
}

int hep_address_parse(const char *text, struct endpoint *out)
{
	static const char udp[] = "udp:";
	char host[HOST_SIZE];

	if (strncmp(text, udp, strlen(udp)) || host_parse(text + strlen(udp), host, &out->port) || !out->port)
		return -EINVAL;
	return address_parse(host, &out->address);
}

size_t hep_write(const struct hep_agent *agent, const struct hep_message *message, uint8_t out[HEP_SIZE_MAX])
{
	struct packet packet = {.bytes = out, .length = PACKET_HEADER};
	size_t call_id = message->call_id.end - message->call_id.at;

	put_addresses(&packet, message);
	put32(&packet, CHUNK_SECONDS, message->time / 1000000);
	put32(&packet, CHUNK_MICROSECONDS, message->time % 1000000);
	put8(&packet, CHUNK_CONTENT, SIP);
	put32(&packet, CHUNK_AGENT, agent->id);
	put_text(&packet, CHUNK_PASSWORD, agent->password);
	put_text(&packet, CHUNK_NODE, agent->node);
	if (call_id)
		put(&packet, CHUNK_CORRELATION, message->call_id.at, call_id);
	put(&packet, CHUNK_PAYLOAD, message->text.at, message->text.end - message->text.at);
	memcpy(out, "HEP3", 4);
	memcpy(out + 4, &(uint16_t){htons(packet.length)}, 2);
	return packet.length;
}
