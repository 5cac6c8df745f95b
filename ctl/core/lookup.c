// SPDX-License-Identifier: GPL-2.0
/* See lookup.h. */

#include <stdio.h>
#include <string.h>
#include "../../bpf/sip_user.h"
#include "lookup.h"

uint64_t lookup_call_id(const char *call_id, const uint64_t hash_key[2])
{
	struct sip_key key = {.hash_key = {hash_key[0], hash_key[1]}};
	uint8_t text[1 + SIP_VALUE_WORDS * 8 + 1 + SIP_MINIMUM];
	size_t length = strnlen(call_id, SIP_VALUE_WORDS * 8);

	/* As it would lie in a packet: behind the colon, and followed by a line's end. */
	memset(text, '\n', sizeof(text));
	text[0] = ':';
	memcpy(text + 1, call_id, length);
	sip_hash(sip_text(text, text + sizeof(text), sizeof(text), 0), 0, &key);
	return key.hash;
}

uint64_t lookup_user(const char *user, const uint64_t hash_key[2])
{
	struct sip_user key = {.hash_key = {hash_key[0], hash_key[1]}};
	char text[1024];
	int length = snprintf(text, sizeof(text) - SIP_MINIMUM, strncmp(user, "tel:", 4) ? "sip:%s@host" : "%s", user);

	if (length < 0 || length >= (int)sizeof(text) - SIP_MINIMUM)
		length = sizeof(text) - SIP_MINIMUM - 1;
	memset(text + length, '\n', sizeof(text) - length);
	sip_user(sip_text((uint8_t *)text, (uint8_t *)text + sizeof(text), sizeof(text), 0), 0, &key);
	return key.hash;
}
