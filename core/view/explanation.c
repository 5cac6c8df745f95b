// SPDX-License-Identifier: GPL-2.0
/* See explanation.h. Each step is a function that adds its text to `steps`. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "core/config/config.h"
#include "core/control/protocol.h"
#include "core/net/endpoint.h"
#include "core/sip/message.h"
#include "explanation.h"
#include "guard_step.h"
#include "steps.h"

#define QUOTE_SIZE 128

static const struct {
	const char *name, *action, *text;
} verdict_texts[VERDICT_COUNT] = {
#define VERDICT_TEXT(name, action, normal, text) {#name, #action, text},
	BALANCER_VERDICTS(VERDICT_TEXT)
#undef VERDICT_TEXT
};

/* --- texts */

static const char *endpoint_text(const struct address *address, __be16 port, char text[ENDPOINT_TEXT_SIZE])
{
	struct endpoint endpoint = {*address, ntohs(port)};

	return port ? endpoint_format(&endpoint, text) : address_format(address, text);
}

static const char *backend_name(const struct explained *explained, uint32_t id)
{
	if (!id || id > explained->image->contract.backends || !explained->image->records[id].name[0])
		return "none";
	return explained->image->records[id].name;
}

static const char *service_name(const struct explained *explained)
{
	const struct explanation *e = explained->explanation;

	return e->service < explained->image->contract.services ? explained->image->service_names[e->service].name
								: "?";
}

static const char *pool_name(const struct explained *explained)
{
	const struct explanation *e = explained->explanation;

	return e->pool < explained->image->contract.pools ? explained->image->pool_names[e->pool].name : "?";
}

/* Copies the text from `at` to the next character of `stops`, at most QUOTE_SIZE - 1 bytes. */
static const char *quote(const struct explained *explained, size_t at, const char *stops, char out[QUOTE_SIZE])
{
	size_t length = 0;

	while (at < explained->length && explained->frame[at] == ' ')
		at++;
	while (at < explained->length && length < QUOTE_SIZE - 1 && explained->frame[at] &&
		!strchr(stops, explained->frame[at]))
		out[length++] = (char)explained->frame[at++];
	out[length] = '\0';
	return out;
}

/* The value of the Call-ID that ends at this offset. */
static const char *quote_call_id(const struct explained *explained, char out[QUOTE_SIZE])
{
	size_t at = explained->explanation->call_id_end;

	while (at && at <= explained->length && !strchr(" \t:\r\n", explained->frame[at - 1]))
		at--;
	/* A Call-ID may contain colons (RFC 3261 section 25.1). The first colon of the line ends the header name. */
	for (size_t i = at; i && i <= explained->length && explained->frame[i - 1] != '\n'; i--)
		if (explained->frame[i - 1] == ':')
			at = i;
	return quote(explained, at, " \t\r\n", out);
}

/* --- the packet and the message */

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	}
	return "IP";
}

/* Was the IP packet read without an error? */
static bool is_read(const struct explanation *e)
{
	return e->packet.ip && e->verdict != VERDICT_other_host && e->verdict != VERDICT_not_ip &&
	       e->verdict != VERDICT_malformed;
}

static void add_packet(const struct explained *explained, json_t *steps)
{
	static const char *const kinds[] = {[PACKET_WHOLE] = "",
		[PACKET_FIRST_FRAGMENT] = ", first fragment",
		[PACKET_LATER_FRAGMENT] = ", later fragment (without ports)",
		[PACKET_ICMP] = "",
		[PACKET_ICMP_ERROR] = ", quoted by an ICMP error (source and destination exchanged)",
		[PACKET_ECHO_REQUEST] = ", echo request",
		[PACKET_NEIGHBOUR] = ", neighbour discovery",
		[PACKET_OTHER] = ", neither UDP, TCP nor an ICMP error"};
	const struct packet *p = &explained->explanation->packet;
	char source[ENDPOINT_TEXT_SIZE], destination[ENDPOINT_TEXT_SIZE];

	if (!is_read(explained->explanation)) {
		steps_add(steps, "packet", "a frame of %zu bytes", explained->length);
		return;
	}
	steps_add(steps, "packet", "%s from %s to %s%s; frame of %zu bytes", protocol_name(p->protocol),
		endpoint_text(&p->source, p->source_port, source),
		endpoint_text(&p->destination, p->destination_port, destination), kinds[p->kind], explained->length);
}

const char *explanation_not_sip(const uint8_t *payload, size_t length)
{
	size_t blank = 0;

	if (!length)
		return "it is empty";
	while (blank < length && (payload[blank] == '\r' || payload[blank] == '\n'))
		blank++;
	if (blank == length)
		return "it has only line ends: a keepalive (RFC 5626 section 3.5.1)";
	if (length >= 20 && payload[0] < 4 && !memcmp(payload + 4, "\x21\x12\xa4\x42", 4))
		return "it is a STUN message (RFC 8489)";
	if (payload[0] >> 6 == 2)
		return "it begins like RTP or RTCP (RFC 3550)";
	return "its first line does not begin with a method or a version, and a space";
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, protocol_text(text));
}

static void add_message(const struct explained *explained, json_t *object, json_t *steps)
{
	const struct explanation *e = explained->explanation;
	const struct packet *p = &e->packet;
	size_t end = p->end < explained->length ? p->end : explained->length;
	size_t length = end > p->payload ? end - p->payload : 0;
	struct message message;

	if (!e->has_service || !p->payload || p->protocol != IPPROTO_UDP)
		return;
	if (!e->line) {
		set_text(object, "message", "not SIP");
		steps_add(steps, "message", "%zu bytes at offset %u, not SIP: %s", length, p->payload,
			explanation_not_sip(explained->frame + p->payload, length));
	} else if (message_read((const char *)explained->frame + e->line, end - e->line, &message)) {
		steps_add(steps, "message", "SIP, %zu bytes at offset %u", length, p->payload);
	} else {
		set_text(object, "message", message.name);
		steps_add(steps, "message", "%s %s, %zu bytes at offset %u",
			strchr(message.name, '/') ? "response" : "request", message.name, length, p->payload);
	}
}

/* The offset of the beginning of the line is unknown, so the text shows the offset of the colon. */
static json_t *add_headers(const struct explained *explained, json_t *steps)
{
	static const char *const names[SIP_HEADER_COUNT] = {"Via", "From", "To", "CSeq", "Call-ID", "Expires", "Route"};
	const struct explanation *e = explained->explanation;
	json_t *headers = json_object();
	char text[STEP_TEXT_SIZE] = "";
	size_t length = 0;

	for (int i = 0; i < SIP_HEADER_COUNT; i++) {
		if (!e->colon[i])
			continue;
		length += snprintf(
			text + length, sizeof(text) - length, "%s%s at %u", length ? ", " : "", names[i], e->colon[i]);
		json_object_set_new(headers, names[i], json_integer(e->colon[i]));
	}
	if (e->line)
		steps_add(steps, "headers", "%s%s", length ? "offsets of the colons: " : "none", text);
	return headers;
}

/* --- the guard */

static void add_guard(const struct explained *explained, json_t *object, json_t *steps)
{
	char text[GUARD_STEP_SIZE];

	if (guard_step(explained->image, explained->explanation, object, text))
		steps_add(steps, "guard", "%s", text);
}

/* --- the service and the key */

static void add_service(const struct explained *explained, json_t *steps)
{
	const struct explanation *e = explained->explanation;

	if (!is_read(e))
		return;
	if (!e->has_service)
		steps_add(steps, "service", "none");
	else if (e->has_key)
		steps_add(steps, "service", "%s, affinity %s", service_name(explained),
			config_affinity_name(e->affinity));
	else
		steps_add(steps, "service", "%s", service_name(explained));
}

static const char *key_by_source(const struct explanation *e, const char *why, char text[STEP_TEXT_SIZE])
{
	char source[ENDPOINT_TEXT_SIZE];

	snprintf(text, STEP_TEXT_SIZE, "source %s%s%s", endpoint_text(&e->packet.source, e->packet.source_port, source),
		*why ? ": " : "", why);
	return text;
}

static const char *key_text(const struct explained *explained, char text[STEP_TEXT_SIZE])
{
	const struct explanation *e = explained->explanation;
	char address[ADDRESS_TEXT_SIZE], value[QUOTE_SIZE];

	switch (e->affinity) {
	case AFFINITY_SOURCE:
		snprintf(text, STEP_TEXT_SIZE, "source address %s", address_format(&e->packet.source, address));
		return text;
	case AFFINITY_FLOW:
		return key_by_source(e, "", text);
	case AFFINITY_CALL_ID:
		if (!e->call_id_end)
			break;
		snprintf(text, STEP_TEXT_SIZE, "Call-ID %s", quote_call_id(explained, value));
		return text;
	default:
		if (e->key_verdict == VERDICT_user)
			return "the user that the affinity selects";
	}
	if (!e->line)
		return key_by_source(e, "the message is not SIP", text);
	if (e->key_verdict == VERDICT_call_id_too_far)
		return key_by_source(e, "the Call-ID is beyond the search limit", text);
	return key_by_source(
		e, e->affinity == AFFINITY_CALL_ID ? "there is no Call-ID" : "there is no such user", text);
}

static void add_key(const struct explained *explained, json_t *steps)
{
	const struct explanation *e = explained->explanation;
	uint32_t slots = explained->image->contract.slots;
	char text[STEP_TEXT_SIZE];

	if (!e->has_key)
		return;
	steps_add(steps, "key", "%s", key_text(explained, text));
	steps_add(steps, "slot", "%llu of %u, from the hash %016llx", (unsigned long long)(e->hash & (slots - 1)),
		slots, (unsigned long long)e->hash);
	steps_add(steps, "pool", "%s%s", pool_name(explained),
		e->flags & SERVICE_METHODS ? ", selected by `methods:` of the service" : "");
}

/* --- the hint */

static const char *no_hint(const struct explanation *e)
{
	if (e->packet.protocol != IPPROTO_UDP)
		return "none: sipxdp does not read SIP over TCP";
	if (!e->hint_group)
		return "none: no backend of this service has `hints:`";
	if (!e->reads_hints)
		return "none: the service reads hints in responses only";
	return e->line ? "none: the message has no header or tag that can contain a hint"
		       : "none: the message is not SIP";
}

static void add_hints(const struct explained *explained, json_t *steps)
{
	const struct explanation *e = explained->explanation;

	if (!e->has_key)
		return;
	if (!e->hint_count)
		steps_add(steps, "hint", "%s", no_hint(e));
	for (int i = 0; i < e->hint_count && i < EXPLAINED_HINTS; i++) {
		const char *name = backend_name(explained, e->hints[i].backend);
		const char *what = e->hints[i].is_tag ? "tag " : "";
		__u32 at = e->hints[i].at;
		char text[QUOTE_SIZE];

		quote(explained, at, e->hints[i].by_parameter ? " \t\r\n,>?" : " \t\r\n;,>?", text);
		if (e->hints[i].result == EXPLAINED_BACKEND)
			steps_add(steps, "hint", "%s%s at offset %u: backend %s%s", what, text, at, name,
				e->reason == REASON_HINT ? "" : ", not used: the search limit was reached");
		else if (e->hints[i].result == EXPLAINED_DOWN)
			steps_add(steps, "hint", "%s%s at offset %u: backend %s, not used because it is down", what,
				text, at, name);
		else if (e->hints[i].result == EXPLAINED_VIP)
			steps_add(steps, "hint", "%s at offset %u: this is the VIP, so the next host is looked up",
				text, at);
		else
			steps_add(steps, "hint", "%s%s at offset %u: no backend has this %s", what, text, at,
				e->hints[i].is_tag ? "tag" : "host");
	}
}

/* --- the owner */

/* A call that `balance:` has placed, or would place. */
static void add_place(const struct explained *explained, json_t *steps)
{
	const struct explanation *e = explained->explanation;

	if (!e->is_balanced)
		return;
	if (e->is_placed)
		steps_add(steps, "placed", "at %s, last packet %u s ago%s", backend_name(explained, e->place),
			e->place_age, e->place_ended ? ", ended" : "");
	else if (e->reason == REASON_PLACED_CALL)
		steps_add(steps, "placed", "no: a new call, which `balance:` places");
	else
		steps_add(steps, "placed", "no");
}

static void add_owner(const struct explained *explained, json_t *steps)
{
	const struct explanation *e = explained->explanation;

	if (!e->has_key)
		return;
	steps_add(steps, "owner", "%s%s", backend_name(explained, e->slot_owner),
		e->slot_owner ? "" : ": the slot has no owner");
	add_place(explained, steps);
	if (!e->previous_owner)
		return;
	steps_add(steps, "migration",
		e->previous_owner == e->slot_owner ? "the slot is recording calls; its owner does not change yet (%s)"
						   : "the slot is migrating; its previous owner is %s",
		backend_name(explained, e->previous_owner));
	steps_add(steps, "dialog", "%s",
		e->is_initial
			? "the packet may begin a call: it goes to the owner unless its call is tracked"
			: "the packet belongs to a call: it goes to the previous owner unless its call is tracked");
	if (!e->is_tracked)
		steps_add(steps, "tracked", "no");
	else
		steps_add(steps, "tracked", "%s at %s, last packet %u s ago%s",
			e->is_transaction ? "a transaction" : "a call", backend_name(explained, e->tracked),
			e->tracked_age, e->has_ended ? ", ended" : "");
}

static const struct {
	const char *name, *text;
} reasons[] = {
	[REASON_NONE] = {"none", ""},
	[REASON_SLOT] = {"slot", "it owns the slot"},
	[REASON_PREVIOUS_OWNER] = {"previous owner", "it is the previous owner of the slot"},
	[REASON_TRACKED_CALL] = {"tracked call", "the call is tracked on this backend"},
	[REASON_HINT] = {"hint", "the message names it"},
	[REASON_FRAGMENT] = {"fragment", "it received the first fragment of the datagram"},
	[REASON_PORT_RANGE] = {"port range", "the port belongs to it"},
	[REASON_PLACED_CALL] = {"placed call", "`balance:` has placed the call on this backend"},
};

const char *explanation_reason(enum owner_reason reason)
{
	return reason <= REASON_PLACED_CALL ? reasons[reason].name : "unknown";
}

/* The address of the backend; with `forward: nat` also the port to which the packet goes. */
static const char *destination_text(const struct explained *explained, char text[ENDPOINT_TEXT_SIZE])
{
	const struct explanation *e = explained->explanation;
	const struct backend *backend = &explained->image->backends[e->backend];
	__be16 port = backend->port && e->reason != REASON_PORT_RANGE ? backend->port : e->packet.destination_port;

	return endpoint_text(
		&explained->image->records[e->backend].address, backend->forward == FORWARD_NAT ? port : 0, text);
}

static void add_backend(const struct explained *explained, json_t *steps)
{
	const struct explanation *e = explained->explanation;
	char address[ENDPOINT_TEXT_SIZE];

	if (!e->has_service)
		return;
	if (e->backend && e->backend <= explained->image->contract.backends)
		steps_add(steps, "backend", "%s (%s): %s", backend_name(explained, e->backend),
			destination_text(explained, address), reasons[e->reason % (REASON_PLACED_CALL + 1)].text);
	else
		steps_add(steps, "backend", "none");
}

/* --- from a backend with `forward: nat` */

static bool is_from_backend(const struct explained *explained)
{
	const struct explanation *e = explained->explanation;

	return !e->has_service && e->backend && e->backend <= explained->image->contract.backends;
}

/* The entry for the source of the packet; NULL: a later fragment, which has no ports. */
static const struct nat_vip *find_vip(const struct explained *explained)
{
	const struct packet *p = &explained->explanation->packet;
	struct nat_source source = {.address = p->source, .port = p->source_port, .protocol = p->protocol};
	const struct nat_vip *vip = hash_map_find(explained->image->maps[IMAGE_NAT_SOURCES], &source);

	for (int bits = 16; bits >= 0 && !vip && p->kind != PACKET_LATER_FRAGMENT; bits--) {
		struct nat_range_key range = {.prefix = PORT_RANGE_KEY_BITS(bits),
			.protocol = p->protocol,
			.address = p->source,
			.port = htons(ntohs(p->source_port) & (0xffff << (16 - bits)))};

		vip = hash_map_find(explained->image->maps[IMAGE_NAT_RANGES], &range);
	}
	return vip;
}

static void add_sender(const struct explained *explained, json_t *steps)
{
	const struct packet *p = &explained->explanation->packet;
	const struct nat_vip *vip;
	char text[ENDPOINT_TEXT_SIZE];

	if (!is_from_backend(explained))
		return;
	vip = find_vip(explained);
	steps_add(
		steps, "sender", "backend %s (forward: nat)", backend_name(explained, explained->explanation->backend));
	if (vip)
		steps_add(steps, "nat",
			"the source becomes %s (service %s); the kernel's routes determine the next hop",
			endpoint_text(&vip->vip, vip->port ? vip->port : p->source_port, text),
			vip->service < explained->image->contract.services
				? explained->image->service_names[vip->service].name
				: "?");
	else
		steps_add(steps, "nat", "the source becomes the same VIP as that of the first fragment");
}

static void add_verdict(const struct explanation *e, json_t *steps)
{
	if (e->verdict < VERDICT_COUNT)
		steps_add(steps, "verdict", "%s (%s): %s", verdict_texts[e->verdict].name,
			verdict_texts[e->verdict].action, verdict_texts[e->verdict].text);
}

/* --- */

/* The members for programs. */
static json_t *describe(const struct explained *explained)
{
	const struct explanation *e = explained->explanation;
	char text[ENDPOINT_TEXT_SIZE];
	json_t *object = json_object();

	if (is_read(e)) {
		set_text(object, "source", endpoint_text(&e->packet.source, e->packet.source_port, text));
		set_text(
			object, "destination", endpoint_text(&e->packet.destination, e->packet.destination_port, text));
		json_object_set_new(object, "protocol", json_integer(e->packet.protocol));
	}
	if (e->has_service)
		set_text(object, "service", service_name(explained));
	if (e->has_key) {
		set_text(object, "pool", pool_name(explained));
		json_object_set_new(
			object, "slot", json_integer((json_int_t)(e->hash & (explained->image->contract.slots - 1))));
		set_text(object, "owner", backend_name(explained, e->slot_owner));
	}
	if (e->previous_owner)
		set_text(object, "previous_owner", backend_name(explained, e->previous_owner));
	if (e->has_service) {
		set_text(object, "backend", backend_name(explained, e->backend));
		set_text(object, "reason", explanation_reason(e->reason));
	}
	if (is_from_backend(explained))
		set_text(object, "sender", backend_name(explained, e->backend));
	if (e->verdict < VERDICT_COUNT) {
		set_text(object, "verdict", verdict_texts[e->verdict].name);
		set_text(object, "action", verdict_texts[e->verdict].action);
	}
	return object;
}

json_t *explanation_json(const struct explained *explained)
{
	json_t *object = describe(explained), *steps = json_array();

	add_packet(explained, steps);
	add_message(explained, object, steps);
	json_object_set_new(object, "headers", add_headers(explained, steps));
	add_service(explained, steps);
	add_guard(explained, object, steps);
	add_key(explained, steps);
	add_hints(explained, steps);
	add_owner(explained, steps);
	add_backend(explained, steps);
	add_sender(explained, steps);
	add_verdict(explained->explanation, steps);
	json_object_set_new(object, "steps", steps);
	return object;
}
