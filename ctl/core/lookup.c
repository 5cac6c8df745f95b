// SPDX-License-Identifier: GPL-2.0
/* See lookup.h. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "../../bpf/sip_user.h"
#include "lookup.h"

static bool has_space(const char *text)
{
	for (; *text; text++)
		if ((uint8_t)*text <= ' ')
			return true;
	return false;
}

int lookup_call_id(const char *call_id, const uint64_t hash_key[2], uint64_t *hash)
{
	struct sip_key key = {.hash_key = {hash_key[0], hash_key[1]}};
	uint8_t text[1 + SIP_VALUE_WORDS * 8 + 1 + SIP_MINIMUM];

	if (!*call_id || has_space(call_id))
		return -EINVAL;
	/* As it would lie in a packet: behind the colon, and followed by a line's end. */
	memset(text, '\n', sizeof(text));
	text[0] = ':';
	memcpy(text + 1, call_id, strnlen(call_id, SIP_VALUE_WORDS * 8));
	sip_hash(sip_text(text, text + sizeof(text), sizeof(text), 0), 0, &key);
	*hash = key.hash;
	return 0;
}

static bool is_uri(const char *text)
{
	return !strncasecmp(text, "sip:", 4) || !strncasecmp(text, "sips:", 5) || !strncasecmp(text, "tel:", 4);
}

/* Not a user, but another URI, or a header with one in it. */
static bool is_more_than_user(const char *text)
{
	const char *mark = strpbrk(text, ":<>\"@");

	return mark && *mark != '@';
}

int lookup_user(const char *user, const uint64_t hash_key[2], uint64_t *hash)
{
	struct sip_user key = {.hash_key = {hash_key[0], hash_key[1]}};
	uint8_t text[SIP_USER_PIECES * 8 + 64 + SIP_MINIMUM]; /* a user in reach, and some */
	const int room = sizeof(text) - SIP_MINIMUM;
	bool uri = is_uri(user);
	int length;

	if (has_space(user) || (!uri && is_more_than_user(user)))
		return -EINVAL;
	memset(text, '\n', sizeof(text));
	length = snprintf((char *)text, room, uri ? "%s" : "sip:%s@host", user);
	text[length < room ? length : room - 1] = '\n';
	if (sip_user(sip_text(text, text + sizeof(text), sizeof(text), 0), 0, &key) != SIP_FOUND)
		return -EINVAL;
	*hash = key.hash;
	return 0;
}
