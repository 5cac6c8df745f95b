// SPDX-License-Identifier: GPL-2.0
/* The keys of `capture:`. */
#include <string.h>
#include "config_private.h"
#include "core/hep/hep.h"

#define ID_MAX 999999999
#define SAMPLE_MAX 1000000
#define TEXT_LENGTH_MAX 63

static void read_to(struct reader *reader, const struct node *value, void *object)
{
	struct config_capture *capture = object;
	struct parse *parse = reader->context;
	const char *text = reader_text(reader, value);
	struct claim claim = {.kind = CLAIM_ROLE_CAPTURE,
		.key = &capture->to.address,
		.length = sizeof(capture->to.address),
		.sharing = SHARING_OTHERS,
		.owner = "capture",
		.position = value->position};

	if (!text)
		return;
	if (hep_address_parse(text, &capture->to) || !config_is_host_or_loopback(&capture->to.address)) {
		reader_refuse(reader, value, NULL);
		return;
	}
	claims_add(&parse->claims, claim);
}

static void write_to(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_capture *capture = object;
	char endpoint[ENDPOINT_TEXT_SIZE], text[4 + sizeof(endpoint)];

	(void)key;
	if (!capture->to.port)
		return;
	snprintf(text, sizeof(text), "udp:%s", endpoint_format(&capture->to, endpoint));
	config_write_word(writer->out, text);
}

static void read_text(struct reader *reader, const struct node *value, void *object)
{
	const char *text = reader_text(reader, value);

	if (!text || (reader->key->flags & KEY_SECRET && config_is_hidden(reader, value)))
		return;
	if (strlen(text) <= TEXT_LENGTH_MAX && config_is_printable(text))
		*(char **)((char *)object + reader->key->member) = config_copy_text(text);
	else
		reader_refuse(reader, value, NULL);
}

#define MEMBER(name) .member = offsetof(struct config_capture, name)

const struct key config_capture_keys[] = {
	{.name = "to",
		.required = true,
		.read = read_to,
		.write = write_to,
		.expected = "udp:, an address and a port, such as udp:10.0.0.50:9060 or udp:[2001:db8::50]:9060",
		.help = "UDP address and port of the capture server. It must not be a VIP."},
	{.name = "id",
		.read = config_read_u32,
		.write = config_write_u32,
		MEMBER(id),
		.type = VALUE_NUMBER,
		.max = ID_MAX,
		.help = "Capture agent id: the number under which the capture server shows this balancer."},
	{.name = "sample",
		.read = config_read_u32,
		.write = config_write_u32,
		MEMBER(sample),
		.type = VALUE_NUMBER,
		.max = SAMPLE_MAX,
		.help = "The daemon captures one of this many calls, with all messages of the call. 0 and 1 capture "
			"all calls. The "
			"hash of the Call-ID selects the calls, so balancers with the same `hash_key` select the same "
			"calls."},
	{.name = "password",
		.read = read_text,
		.write = config_write_text,
		MEMBER(password),
		.flags = KEY_SECRET,
		.expected = "1 to 63 printable ASCII characters",
		.usual = "none",
		.help = "Password that the capture server expects (HEP authentication key). It is sent in clear text."},
	{.name = "node",
		.read = read_text,
		.write = config_write_text,
		MEMBER(node),
		.expected = "1 to 63 printable ASCII characters",
		.usual = "none",
		.help = "Name under which the capture server shows this balancer (HEP node name)."},
	{},
};

#undef MEMBER

void config_read_capture(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;

	reader_mapping(reader, value, "capture", config_capture_keys, &config->capture);
}
