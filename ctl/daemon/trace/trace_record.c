// SPDX-License-Identifier: GPL-2.0
/* See trace_record.h. */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/base/memory.h"
#include "core/net/endpoint.h"
#include "core/sip/message.h"
#include "core/view/explanation.h"
#include "trace_record.h"

#define NSEC 1000000000LL

static int64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * NSEC + time.tv_nsec;
}

/* "2026-11-22T01:02:03.123456789Z" */
static json_t *time_json(uint64_t monotonic)
{
	int64_t time = now(CLOCK_REALTIME) - now(CLOCK_MONOTONIC) + (int64_t)monotonic;
	time_t seconds = time / NSEC;
	struct tm parts;
	char text[32];

	gmtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	return json_sprintf("%s.%09lldZ", text, (long long)(time % NSEC));
}

static void put_endpoint(json_t *object, const char *key, const struct address *address, __be16 port)
{
	const struct endpoint endpoint = {.address = *address, .port = ntohs(port)};
	char text[ENDPOINT_TEXT_SIZE];

	json_object_set_new(object, key, json_string(endpoint_format(&endpoint, text)));
}

static const char *protocol_of(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return "icmp";
	default:
		return "other";
	}
}

static const char *verdict_of(uint8_t verdict)
{
#define VERDICT_NAME(name, action, normal, text) [VERDICT_##name] = #name,
	static const char *const names[VERDICT_COUNT] = {BALANCER_VERDICTS(VERDICT_NAME)};
#undef VERDICT_NAME

	return verdict < VERDICT_COUNT ? names[verdict] : "unknown";
}

/* A JSON string from bytes of a packet. */
static json_t *bytes_json(struct span bytes)
{
	char *text = allocate(bytes.end - bytes.at + 1, 1);
	json_t *json;

	memcpy(text, bytes.at, bytes.end - bytes.at);
	json = protocol_text(text);
	free(text);
	return json;
}

static void put_message(json_t *object, const struct observed *packet)
{
	uint32_t end = packet->payload_end < packet->captured ? packet->payload_end : packet->captured;
	const char *text = (const char *)packet->frame + packet->payload;
	struct message message;

	if (!packet->payload || packet->protocol != IPPROTO_UDP || end <= packet->payload ||
		message_read(text, end - packet->payload, &message))
		return;
	json_object_set_new(object, "message", protocol_text(message.name));
	if (message.call_id.at)
		json_object_set_new(object, "call_id", bytes_json(message.call_id));
}

/* Only packets from a backend with `forward: nat` have a backend, but no service (explanation.c). */
static void put_owner(json_t *object, const struct image *image, const struct observed *packet)
{
	bool is_sender = packet->backend && !packet->has_service;

	json_object_set_new(object, "reason", json_string(is_sender ? "sender" : explanation_reason(packet->reason)));
	if (packet->has_service && packet->service < image->contract.services)
		json_object_set_new(object, "service", protocol_text(image->service_names[packet->service].name));
	if (packet->has_key && packet->pool < image->contract.pools) {
		json_object_set_new(object, "slot", json_integer(packet->hash & (image->contract.slots - 1)));
		json_object_set_new(object, "pool", protocol_text(image->pool_names[packet->pool].name));
	}
	if (packet->backend && packet->backend <= image->contract.backends)
		json_object_set_new(object, "backend", protocol_text(image->records[packet->backend].name));
}

/* Writes bytes as hexadecimal digits. */
static json_t *frame_json(const struct observed *packet)
{
	static const char digits[] = "0123456789abcdef";
	char *text = allocate(2 * packet->captured + 1, 1);
	json_t *json;

	for (uint32_t i = 0; i < packet->captured; i++) {
		text[2 * i] = digits[packet->frame[i] >> 4];
		text[2 * i + 1] = digits[packet->frame[i] & 0xf];
	}
	json = json_string(text);
	free(text);
	return json;
}

json_t *trace_record(const struct daemon *daemon, const struct observed *packet, bool with_frame)
{
	json_t *object = json_object();
	char name[IF_NAMESIZE];

	json_object_set_new(object, "time", time_json(packet->time));
	json_object_set_new(object, "interface", json_string(if_indextoname(packet->ifindex, name) ? name : "?"));
	put_endpoint(object, "source", &packet->source, packet->source_port);
	put_endpoint(object, "destination", &packet->destination, packet->destination_port);
	json_object_set_new(object, "protocol", json_string(protocol_of(packet->protocol)));
	json_object_set_new(object, "length", json_integer(packet->length));
	put_message(object, packet);
	json_object_set_new(object, "verdict", json_string(verdict_of(packet->verdict)));
	put_owner(object, daemon->running, packet);
	if (!with_frame)
		return object;
	json_object_set_new(object, "frame", frame_json(packet));
	if (packet->payload && packet->payload < packet->captured && packet->payload_end > packet->payload) {
		json_object_set_new(object, "payload", json_integer(packet->payload));
		json_object_set_new(object, "payload_end", json_integer(packet->payload_end));
	}
	return object;
}
