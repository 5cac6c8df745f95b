// SPDX-License-Identifier: GPL-2.0
/* Arbitrary bytes as a SIP message: the scanner never reads beyond the message, and all it finds is within
 * the message. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/sip_counter.h"
#include "bpf/sip_dialog.h"
#include "bpf/sip_usual.h"
#include "bpf/sip_user.h"

static __u16 budget;

static void find_call_id(struct sip_text text)
{
	struct sip_key key = {.hash_key = {1, 2}};
	__u32 after = 0, spent;

	if (sip_find(text, 0, &after, &spent) != SIP_FOUND || sip_hash(text, after, &key) != SIP_FOUND)
		return;
	assert(key.value > after && key.value < key.value_end && key.value_end < text.end);
	for (__u32 at = key.value; at < key.value_end; at++)
		assert(text.data[at] > ' ');
}

/* A search for To and Call-ID finds the same Call-ID as one for the Call-ID alone. */
static void find_both(struct sip_text text)
{
	struct sip_key key = {.wanted = SIP_WANT_BOTH};
	__u32 both = 0, alone = 0, spent;

	if (text.end < SIP_MINIMUM || !sip_begins_plainly(&text, 0) ||
		sip_search(&text, 0, 0, &key, &both) != SIP_FOUND)
		return;
	assert(sip_find(text, 0, &alone, &spent) == SIP_FOUND && alone == both);
}

static void read_parts(struct sip_text text, __u32 at)
{
	const __u64 hash_key[2] = {1, 2};
	__u64 hash;
	__u8 last;

	for (int i = 0; i <= HINT_PARAMETERS; i++) {
		last = sip_part(text, &at, SIP_HOST_OR_PARAMETER, hash_key, &hash, &budget);
		if (!last)
			break;
		assert(at < text.end && text.data[at - 1] == last);
		if (last != ';')
			break;
	}
}

/* Reads the prefix of a tag. */
static void read_tag(struct sip_text text, __u32 colon)
{
	const __u64 hash_key[2] = {1, 2};
	__u32 usual = 0, at = 0, end;
	__u64 hash;
	__u8 last;

	if (sip_parameter(text, colon, SIP_TAG_NAME, &at, &budget) != SIP_FOUND ||
		sip_value_at(text, at, &at, &budget) != SIP_FOUND)
		return;
	if (sip_usual_parameter(text, colon, SIP_OFFSET_OF(SIP_TAG_NAME), &usual, hash_key, &budget) == SIP_FOUND)
		assert(usual == at);
	end = at;
	last = sip_part(text, &end, SIP_TAG_PREFIX, hash_key, &hash, &budget);
	assert(!last || (end > at && end < text.end && text.data[end - 1] == last));
}

static void read_host(struct sip_text text, __u32 at)
{
	struct sip_host host = {.hash_key = {1, 2}};

	read_parts(text, at);
	if (sip_host(text, at, &host, &budget) == SIP_FOUND)
		assert(at < text.end && text.data[at] > ' ');
}

static void read_uri(struct sip_text text, __u32 uri)
{
	struct sip_user user = {.hash_key = {1, 2}};
	__u32 at;

	assert(uri <= text.end);
	sip_user(text, uri, &user, &budget);
	if (sip_uri_host(text, uri, &at, &budget) == SIP_FOUND) {
		assert(at > uri && at <= text.end);
		read_host(text, at);
	}
}

static void read_header(struct sip_text text, __u32 line, enum sip_header name)
{
	struct sip_lines lines = {.at = line};
	__u32 colon, at;

	budget = SIP_PACKET_BUDGET;
	if (sip_find_header(text, &lines, name, &budget) != SIP_FOUND)
		return;
	colon = lines.colon[name];
	assert(colon > line && colon < text.end && text.data[colon] == ':');
	if (name == SIP_TO)
		sip_has_tag(text, colon, &budget);
	if (name == SIP_TO || name == SIP_FROM)
		read_tag(text, colon);
	if (name == SIP_VIA && sip_via_host(text, colon, &at, &budget) == SIP_FOUND)
		read_host(text, at);
	else if (name != SIP_VIA && sip_uri(text, colon, &at, &budget) == SIP_FOUND)
		read_uri(text, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = memcpy(malloc(size + !size), data, size); /* exact size, so that ASan sees overruns */
	struct sip_text text = sip_text(copy, copy + size, size, 0);
	struct sip_start start;

	find_call_id(text);
	find_both(text);
	if (sip_find_start(text, 0, &start) == SIP_FOUND) {
		read_header(text, start.line, SIP_TO);
		read_header(text, start.line, SIP_FROM);
		read_header(text, start.line, SIP_VIA);
		read_header(text, start.line, SIP_ROUTE);
		budget = SIP_PACKET_BUDGET;
		if (start.uri)
			read_uri(text, start.uri);
	}
	free(copy);
	return 0;
}
