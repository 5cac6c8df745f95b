// SPDX-License-Identifier: GPL-2.0
/* See refusal.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "bpf/hash.h"
#include "core/net/answer.h"
#include "core/net/checksum.h"
#include "refusal.h"
#include "response.h"

#define UDP_SIZE 8
#define DSCP 0xfc /* the type of service without the ECN bits */

static void hash_span(struct hash *hash, struct span span)
{
	hash_word(hash, span.end - span.at);
	while (!span_is_empty(span)) {
		size_t length = span.end - span.at;
		__u64 word = 0;

		if (length > sizeof(word))
			length = sizeof(word);
		memcpy(&word, span.at, length);
		hash_word(hash, word);
		span.at += length;
	}
}

static uint64_t tag_of(const struct sip_request *request, const __u64 key[2])
{
	struct hash hash = hash_start(key);

	hash_span(&hash, request->values[REQUEST_CALL_ID]);
	hash_span(&hash, request_branch(request));
	return hash_finish(hash, key);
}

/* "314159 INVITE" */
static bool is_invite_cseq(struct span value)
{
	const char *at = value.at;

	while (at < value.end && *at >= '0' && *at <= '9')
		at++;
	return at > value.at && span_equals(span_trim((struct span){at, value.end}), "INVITE");
}

static bool read_invite(struct span message, struct sip_request *request)
{
	if (!request_read(message, request) || !request->complete || !span_equals(request->method, "INVITE"))
		return false;
	for (size_t i = 0; i < REQUEST_HEADERS; i++)
		if (span_is_empty(request->values[i]))
			return false;
	return !span_is_empty(request_branch(request)) && is_invite_cseq(request->values[REQUEST_CSEQ]) &&
	       !request_has_tag(request->values[REQUEST_TO]);
}

/* Writes the SIP response, without IP and UDP headers. Returns its length; 0: it would be larger than the request. */
static size_t put_response(const struct sip_request *request, const struct punt *punt, size_t request_length,
	const __u64 key[2], struct endpoint *peer, uint8_t *out)
{
	char retry_after[32] = "";
	const struct response response = {
		.status = 503, .reason = "Service Unavailable", .tag = tag_of(request, key), .headers = retry_after};

	if (punt->retry_after)
		snprintf(retry_after, sizeof(retry_after), "Retry-After: %u\r\n", punt->retry_after);
	return response_write(request, &response, peer, (char *)out, request_length);
}

static void put_udp(uint8_t *udp, const struct packet *packet, uint16_t port, size_t length)
{
	uint16_t checksum;

	put16(udp, ntohs(packet->destination_port));
	put16(udp + 2, port);
	put16(udp + 4, UDP_SIZE + length);
	put16(udp + 6, 0);
	checksum = answer_checksum(packet, IPPROTO_UDP, udp, UDP_SIZE + length);
	put16(udp + 6, checksum ?: 0xffff); /* 0 means "no checksum" (RFC 768) */
}

/* The message in a packet that may be answered. */
static bool find_message(const struct punt *punt, struct packet *packet, struct span *message)
{
	const char *frame = (const char *)punt->frame;
	size_t bytes = answer_bytes(punt);

	if (!answer_parse(punt, packet) || !answer_is_allowed(punt, packet) || packet->protocol != IPPROTO_UDP)
		return false;
	if ((packet->kind != PACKET_WHOLE && packet->kind != PACKET_FIRST_FRAGMENT) || packet->payload > bytes)
		return false;
	*message = (struct span){frame + packet->payload, frame + (packet->end < bytes ? packet->end : bytes)};
	return true;
}

static uint8_t type_of_service(const uint8_t *ip, bool ipv6)
{
	return ipv6 ? get16(ip) >> 4 : ip[1];
}

int refusal_compose(const struct punt *punt, const __u64 key[2], uint8_t frame[PUNT_FRAME_SIZE], size_t *length)
{
	struct endpoint peer;
	struct packet packet;
	struct sip_request request;
	struct span message;
	uint8_t *ip, *udp;

	if (!find_message(punt, &packet, &message) || !read_invite(message, &request))
		return -EINVAL;
	peer = (struct endpoint){.address = packet.source, .port = ntohs(packet.source_port)};
	ip = frame + answer_put_link(frame, punt, &packet);
	udp = ip + (packet.ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	*length = put_response(&request, punt, message.end - message.at, key, &peer, udp + UDP_SIZE);
	if (!*length)
		return -EMSGSIZE;
	answer_put_ip(ip, &packet, type_of_service(punt->frame + packet.ip, packet.ipv6) & DSCP, IPPROTO_UDP,
		UDP_SIZE + *length);
	put_udp(udp, &packet, peer.port, *length);
	*length += udp + UDP_SIZE - frame;
	return 0;
}
