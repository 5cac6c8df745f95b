// SPDX-License-Identifier: GPL-2.0
/* Recognizing SIP messages, and their Call-ID. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/sip/message.h"
#include "tests/prog/sip_message.h"

/* Reads a copy of exactly this length, so that ASan reports any read beyond it. Returns the Call-ID, or "(not SIP)". */
static const char *call_id_of(const char *text, size_t length, char out[SIP_MESSAGE_SIZE])
{
	char *copy = malloc(length + !length);
	struct message message;

	memcpy(copy, text, length);
	if (message_read(copy, length, &message))
		strcpy(out, "(not SIP)");
	else
		snprintf(out, SIP_MESSAGE_SIZE, "%.*s", (int)(message.call_id.end - message.call_id.at),
			message.call_id.at);
	free(copy);
	return out;
}

Test(sip_message, texts)
{
	static const struct {
		const char *name, *text, *call_id;
	} rows[] = {
		{"a request", "INVITE sip:a SIP/2.0\r\nVia: x\r\nCall-ID: a@b\r\n\r\n", "a@b"},
		{"a response", "SIP/2.0 200 OK\r\nCALL-ID:a@b\r\n\r\n", "a@b"},
		{"the compact form", "BYE sip:a SIP/2.0\r\ni : a@b \r\n\r\n", "a@b"},
		{"after empty lines", "\r\n\r\nBYE sip:a sip/2.0\r\nCall-ID: a\r\n\r\n", "a"},
		{"a folded value", "BYE sip:a SIP/2.0\r\nCall-ID:\r\n a\r\n\r\n", "a"},
		{"bare newlines", "BYE sip:a SIP/2.0\nCall-ID: a\n\n", "a"},
		{"the first of two", "BYE sip:a SIP/2.0\r\nCall-ID: a\r\nCall-ID: b\r\n\r\n", "a"},
		{"none before the body", "BYE sip:a SIP/2.0\r\nTo: x\r\n\r\nCall-ID: a\r\n", ""},
		{"no headers", "BYE sip:a SIP/2.0\r\n\r\n", ""},
		{"truncated", "BYE sip:a SIP/2.0\r\nCall-ID: a", "a"},
		{"a keepalive", "\r\n\r\n", "(not SIP)"},
		{"nothing", "", "(not SIP)"},
		{"no version", "INVITE sip:a\r\nCall-ID: a\r\n\r\n", "(not SIP)"},
		{"a different protocol", "GET / HTTP/1.1\r\nCall-ID: a\r\n\r\n", "(not SIP)"},
		{"no URI", "INVITE SIP/2.0\r\nCall-ID: a\r\n\r\n", "(not SIP)"},
		{"the version alone", "SIP/2.0\r\n", "(not SIP)"},
		{"HEP", "HEP3\r\n", "(not SIP)"},
		{"STUN", "\x01\x01", "(not SIP)"},
	};
	char call_id[SIP_MESSAGE_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t length = 0; length < strlen(rows[i].text); length++)
			call_id_of(rows[i].text, length, call_id);
		cr_expect_str_eq(call_id_of(rows[i].text, strlen(rows[i].text), call_id), rows[i].call_id, "%s: '%s'",
			rows[i].name, call_id);
	}
}

Test(sip_message, unusual_spellings_and_damaged_messages)
{
	const uint64_t seed = rng_seed();
	struct sip_message message;
	char call_id[SIP_CALL_ID_SIZE], found[SIP_MESSAGE_SIZE];

	for (int i = 0; i < 20000; i++) {
		struct rng rng = rng_start(seed, i);

		sip_message_call_id(&rng, call_id);
		sip_message_write(&rng, call_id, &message);
		call_id_of(message.text, message.length, found);
		cr_assert_str_eq(
			found, call_id, "seed %lu, message %d: %.*s", seed, i, (int)message.length, message.text);
		sip_message_spoil(&rng, &message);
		call_id_of(message.text, message.length, found);
	}
}
