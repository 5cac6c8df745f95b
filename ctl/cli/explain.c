// SPDX-License-Identifier: GPL-2.0
/* See explain.h. Converts the input to frames, explains each frame (explainer.c) and prints the result. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/memory.h"
#include "core/net/capture.h"
#include "core/net/datagram.h"
#include "core/sip/host.h"
#include "core/view/explanation.h"
#include "ctl/maps/pin_directory.h"
#include "explain.h"
#include "explainer.h"
#include "file.h"
#include "text.h"

#define INPUT_MAX ((size_t)256 << 20)
#define DEFAULT_PORT 5060

struct explain {
	struct output *output;
	const json_t *arguments;
	struct maps *maps;
	struct image *image;
	struct explainer *explainer;
	uint8_t *frame; /* buffer of DATAGRAM_FRAME_MAX bytes */
	size_t packets;
	explain_show *show;
	void *data;
};

static const char *argument(const struct explain *explain, const char *name)
{
	return json_string_value(json_object_get(explain->arguments, name));
}

/* --- one packet */

/* `remarks` describes the input; this function takes ownership of it. */
static bool explain_frame(
	struct explain *explain, uint32_t ifindex, const uint8_t *frame, size_t length, json_t *remarks)
{
	struct explanation explanation;
	struct explained explained = {&explanation, frame, length, explain->image};
	int error = explainer_run(explain->explainer, ifindex, frame, length, &explanation);
	json_t *object, *steps;

	if (error) {
		json_decref(remarks);
		output_error(explain->output, "packet %zu: cannot run the program: %s", explain->packets + 1,
			strerror(-error));
		return false;
	}
	object = explanation_json(&explained);
	steps = json_object_get(object, "steps");
	json_array_extend(remarks, steps);
	json_object_set_new(object, "steps", remarks);
	json_object_set_new(object, "packet", json_integer((json_int_t)++explain->packets));
	explain->show(explain->output, object, explain->data);
	json_decref(object);
	return output_flush(explain->output);
}

static void remark(json_t *remarks, const char *text)
{
	json_array_append_new(remarks, json_pack("{s:s, s:s}", "name", "input", "text", text));
}

/* --- a message as text */

/* Reads "ADDRESS" or "ADDRESS:PORT". */
static bool read_endpoint(struct explain *explain, const char *name, struct endpoint *out)
{
	const char *text = argument(explain, name);
	char host[HOST_SIZE];

	if (!text)
		return true;
	if (address_parse(text, &out->address) == 0) /* also an IPv6 address without brackets */
		return true;
	if (host_parse(text, host, &out->port) == 0 && address_parse(host, &out->address) == 0)
		return true;
	output_error(explain->output, "--%s: '%.80s' is not an address or address and port, such as 192.0.2.1:5060",
		name, text);
	return false;
}

/* Finds the VIP and port of the service with this name, or of any service if there is no name. Considers only services
 * over UDP. Returns the number of matching services, but at most 2. */
static int find_service(const struct explain *explain, const char *name, struct endpoint *out)
{
	struct hash_map_entry entry;
	size_t cursor = 0;
	uint32_t first = 0;
	int count = 0;

	while (hash_map_next(explain->image->maps[IMAGE_SERVICES], &cursor, &entry)) {
		const struct service_key *key = entry.key;
		uint32_t id = ((const struct service *)entry.value)->id;

		if (key->protocol != IPPROTO_UDP || (name && strcmp(explain->image->service_names[id].name, name)))
			continue;
		if (count && id != first)
			return 2;
		/* If the service has several VIPs, prefer an IPv4 VIP: the result must not depend on the order in the
		 * map. */
		if (count && address_is_ipv4(&out->address) && !address_is_ipv4(&key->vip))
			continue;
		*out = (struct endpoint){key->vip, key->port ? ntohs(key->port) : DEFAULT_PORT};
		first = id;
		count = 1;
	}
	return count;
}

static bool find_destination(struct explain *explain, struct endpoint *out)
{
	const char *service = argument(explain, "service");
	int count;

	if (argument(explain, "destination")) {
		out->port = DEFAULT_PORT;
		return read_endpoint(explain, "destination", out);
	}
	count = find_service(explain, service, out);
	if (count == 1)
		return true;
	if (service)
		output_error(explain->output, "there is no service '%.80s' over UDP (see 'sipxdp-ctl service list')",
			service);
	else
		output_error(explain->output, "there %s over UDP: use --service or --destination",
			count ? "are several services" : "is no service");
	return false;
}

static bool find_source(struct explain *explain, struct datagram *datagram, json_t *remarks)
{
	bool ipv4 = address_is_ipv4(&datagram->destination.address);

	datagram->source.port = DEFAULT_PORT;
	if (!argument(explain, "source")) {
		address_parse(ipv4 ? "198.51.100.1" : "2001:db8::1", &datagram->source.address);
		remark(remarks, ipv4 ? "the source is assumed to be 198.51.100.1:5060 (--source)"
				     : "the source is assumed to be [2001:db8::1]:5060 (--source)");
		return true;
	}
	if (!read_endpoint(explain, "source", &datagram->source))
		return false;
	if (address_is_ipv4(&datagram->source.address) == ipv4)
		return true;
	output_error(explain->output, "source and destination must both be IPv4 or both be IPv6");
	return false;
}

/* Replaces each LF with CRLF if the text has no CR. The caller must free the returned text. */
static char *with_crlf(const char *text, size_t *length, json_t *remarks)
{
	size_t count = 0, at = 0;
	char *out;

	for (size_t i = 0; i < *length; i++)
		count += text[i] == '\n';
	out = allocate(*length + count + 1, 1);
	if (!count || memchr(text, '\r', *length)) {
		memcpy(out, text, *length);
		return out;
	}
	for (size_t i = 0; i < *length; i++) {
		if (text[i] == '\n')
			out[at++] = '\r';
		out[at++] = text[i];
	}
	remark(remarks, "each line end (LF) became CRLF, because the text has no CR");
	*length = at;
	return out;
}

static bool build_and_explain(struct explain *explain, struct datagram *datagram, json_t *remarks)
{
	const struct explainer_interface *interface = explainer_interface(explain->explainer, NULL);
	size_t length;

	if (datagram->length > DATAGRAM_PAYLOAD_MAX) {
		output_error(explain->output, "the message has %zu bytes, but a datagram can contain only %u",
			datagram->length, DATAGRAM_PAYLOAD_MAX);
		return false;
	}
	datagram->mac = interface->mac;
	datagram->mtu = interface->mtu;
	length = datagram_build(datagram, explain->frame);
	if (length < datagram->length)
		remark(remarks, "the message is longer than the MTU: this is its first fragment; the later fragments "
				"follow it");
	return explain_frame(explain, interface->ifindex, explain->frame, length, json_incref(remarks));
}

static bool explain_text(struct explain *explain, const char *text, size_t length)
{
	struct datagram datagram = {.length = length};
	json_t *remarks = json_array();
	char *payload = with_crlf(text, &datagram.length, remarks);
	bool done;

	datagram.payload = payload;
	done = find_destination(explain, &datagram.destination) && find_source(explain, &datagram, remarks) &&
	       build_and_explain(explain, &datagram, remarks);
	free(payload);
	json_decref(remarks);
	return done;
}

/* --- a capture */

/* Copies the packet to a frame, and selects the interface of the balancer that receives the frame. Returns the length
 * of the frame; 0 if the packet is too short or too long. */
static size_t take_captured(const struct explain *explain, const struct captured *packet,
	const struct explainer_interface **interface, json_t *remarks)
{
	size_t header = packet->is_frame ? 0 : sizeof(struct ethhdr);

	if (packet->length + header < sizeof(struct ethhdr) + 1 || packet->length + header > DATAGRAM_FRAME_MAX)
		return 0;
	*interface =
		packet->is_frame ? explainer_interface(explain->explainer, (const struct mac *)packet->data) : NULL;
	if (packet->length < packet->original)
		remark(remarks, "the capture contains only the beginning of the packet");
	if (*interface) {
		memcpy(explain->frame, packet->data, packet->length);
		return packet->length;
	}
	*interface = explainer_interface(explain->explainer, NULL);
	if (!packet->is_frame)
		return datagram_ethernet(&(*interface)->mac, packet->data, packet->length, explain->frame);
	memcpy(explain->frame, packet->data, packet->length);
	memcpy(explain->frame, &(*interface)->mac, sizeof(struct mac));
	remark(remarks, "the destination MAC address was replaced: it is not an address of the balancer");
	return packet->length;
}

static bool explain_captured(struct explain *explain, const struct captured *packet)
{
	const struct explainer_interface *interface = NULL;
	json_t *remarks = json_array();
	size_t length = take_captured(explain, packet, &interface, remarks);

	if (length)
		return explain_frame(explain, interface->ifindex, explain->frame, length, remarks);
	json_decref(remarks);
	output_error(explain->output, "packet %zu: %zu bytes are too few or too many for an Ethernet frame",
		explain->packets + 1, packet->length);
	return false;
}

static bool explain_capture(struct explain *explain, const char *bytes, size_t length)
{
	struct captured packet;
	struct capture capture;
	const char *reason;
	int result;

	if (capture_open(&capture, (const uint8_t *)bytes, length, &reason) < 0) {
		output_error(explain->output, "%s: %s", argument(explain, "path"), reason);
		return false;
	}
	while ((result = capture_next(&capture, &packet)) > 0)
		if (!explain_captured(explain, &packet))
			return false;
	if (result < 0)
		output_error(explain->output, "%s: the file ends within packet %zu, or it is damaged",
			argument(explain, "path"), explain->packets + 1);
	else if (!explain->packets)
		output_error(explain->output, "%s: no packets", argument(explain, "path"));
	return result == 0 && explain->packets;
}

/* --- */

static bool open_maps(struct explain *explain, const char *directory)
{
	char error[MAPS_ERROR_SIZE] = "";
	int result = maps_open(&explain->maps, directory, error);

	if (!result)
		result = maps_read(explain->maps, &explain->image);
	if (!result)
		result = explainer_open(&explain->explainer, explain->maps, directory, error);
	if (result)
		output_error(explain->output, "%s", error[0] ? error : strerror(-result));
	return !result;
}

static void close_maps(struct explain *explain)
{
	explainer_close(explain->explainer);
	if (explain->image)
		image_free(explain->image);
	maps_close(explain->maps);
	free(explain->frame);
}

bool explain_file(
	struct output *output, const char *pin_directory, const json_t *arguments, explain_show *show, void *data)
{
	struct explain explain = {.output = output,
		.arguments = arguments,
		.frame = allocate(DATAGRAM_FRAME_MAX, 1),
		.show = show,
		.data = data};
	size_t length = 0;
	char *input = file_read(output, argument(&explain, "path"), INPUT_MAX, &length);
	bool done = input && open_maps(&explain, pin_directory);

	if (done && capture_is_capture((const uint8_t *)input, length))
		done = explain_capture(&explain, input, length);
	else if (done)
		done = explain_text(&explain, input, length);
	free(input);
	close_maps(&explain);
	return done;
}

bool explain_messages(struct output *output, const char *pin_directory, const json_t *arguments,
	const char *const *messages, explain_show *show, void *data)
{
	struct explain explain = {.output = output,
		.arguments = arguments,
		.frame = allocate(DATAGRAM_FRAME_MAX, 1),
		.show = show,
		.data = data};
	bool done = open_maps(&explain, pin_directory);

	for (; done && *messages; messages++)
		done = explain_text(&explain, *messages, strlen(*messages));
	close_maps(&explain);
	return done;
}

static void print(struct output *output, const json_t *explained, void *data)
{
	(void)data;
	if (output->json) {
		json_dumpf(explained, stdout, PROTOCOL_JSON_FLAGS);
		putchar('\n');
		return;
	}
	if (output->items++)
		putchar('\n');
	output_steps(explained);
}

bool explain_run(struct output *output, const char *pin_directory, const json_t *arguments)
{
	return explain_file(output, pin_directory, arguments, print, NULL);
}
