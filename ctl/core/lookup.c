// SPDX-License-Identifier: GPL-2.0
/* See lookup.h. */

#include <string.h>
#include "../../bpf/sip.h"
#include "lookup.h"

uint32_t lookup_call_id(const char *call_id, const uint64_t hash_key[2], uint32_t slots)
{
	struct sip_key key = {.hash_key = {hash_key[0], hash_key[1]}};
	uint8_t text[1 + SIP_VALUE_WORDS * 8 + 1 + SIP_MINIMUM];
	size_t length = strnlen(call_id, SIP_VALUE_WORDS * 8);

	/* As it would lie in a packet: behind the colon, and followed by a line's end. */
	memset(text, '\n', sizeof(text));
	text[0] = ':';
	memcpy(text + 1, call_id, length);
	sip_hash(sip_text(text, text + sizeof(text), sizeof(text), 0), 0, &key);
	return key.hash & (slots - 1);
}
