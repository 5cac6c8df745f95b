// SPDX-License-Identifier: GPL-2.0
/* See group_message.h. */

#include <errno.h>
#include <string.h>
#include "group_message.h"

#define HEADER_SIZE 8
#define VOTE_SIZE 17
#define LINE_SIZE 4

static const uint8_t magic[4] = {'S', 'X', 'G', 'R'};

_Static_assert(HEADER_SIZE + 2 + GROUP_VOTES_MAX * VOTE_SIZE <= GROUP_MESSAGE_SIZE, "votes fit into a message");
_Static_assert(HEADER_SIZE + 2 + GROUP_LINES_MAX * LINE_SIZE <= GROUP_MESSAGE_SIZE, "lines fit into a message");

uint64_t group_hash(uint64_t hash, const void *bytes, size_t length)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* --- reading */

struct input {
	const uint8_t *next, *end;
	bool too_short;
};

static const uint8_t *take(struct input *input, size_t length)
{
	static const uint8_t zeros[NAME_SIZE];
	const uint8_t *bytes = input->next;

	if ((size_t)(input->end - input->next) < length) {
		input->too_short = true;
		return length <= sizeof(zeros) ? zeros : NULL;
	}
	input->next += length;
	return bytes;
}

static uint64_t number_at(const uint8_t *bytes, size_t length)
{
	uint64_t number = 0;

	for (size_t i = 0; i < length; i++)
		number = number << 8 | bytes[i];
	return number;
}

static uint64_t take_number(struct input *input, size_t length)
{
	return number_at(take(input, length), length);
}

/* A text that is too long is cut: it is only displayed. */
static void take_text(struct input *input, char out[NAME_SIZE])
{
	size_t length = take_number(input, 1);
	const uint8_t *bytes = take(input, length);

	memset(out, 0, NAME_SIZE);
	if (input->too_short)
		return;
	memcpy(out, bytes, length < NAME_SIZE ? length : NAME_SIZE - 1);
	for (size_t i = 0; i < NAME_SIZE && out[i]; i++)
		if (out[i] < ' ' || out[i] > '~')
			out[i] = '?';
}

static void take_hello(struct input *input, struct group_hello *hello)
{
	hello->time = take_number(input, 8);
	hello->started = take_number(input, 8);
	hello->fingerprint = take_number(input, 8);
	hello->state = take_number(input, 1);
	hello->agree = take_number(input, 1);
	take_text(input, hello->node);
	take_text(input, hello->version);
}

int group_message_decode(const uint8_t *bytes, size_t length, struct group_message *out)
{
	struct input input = {.next = bytes, .end = bytes + length};

	*out = (struct group_message){0};
	if (length < HEADER_SIZE || memcmp(take(&input, sizeof(magic)), magic, sizeof(magic)))
		return -EPROTO;
	out->version = take_number(&input, 1);
	out->kind = take_number(&input, 1);
	out->flags = take_number(&input, 2);
	switch (out->kind) {
	case GROUP_HELLO:
		take_hello(&input, &out->hello);
		break;
	case GROUP_SILENT:
		out->silent.node = take_number(&input, 4);
		out->silent.pid = take_number(&input, 4);
		break;
	case GROUP_VOTES:
	case GROUP_LINES:
		out->count = take_number(&input, 2);
		out->values = take(&input, out->count * (out->kind == GROUP_VOTES ? VOTE_SIZE : LINE_SIZE));
		break;
	}
	return input.too_short ? -EPROTO : 0;
}

struct group_key group_message_vote(const struct group_message *message, size_t index, enum group_vote *vote)
{
	const uint8_t *bytes = message->values + index * VOTE_SIZE;

	*vote = bytes[16] < GROUP_VOTE_COUNT ? bytes[16] : GROUP_VOTE_UNKNOWN;
	return (struct group_key){number_at(bytes, 8), number_at(bytes + 8, 8)};
}

uint32_t group_message_line(const struct group_message *message, size_t index)
{
	return number_at(message->values + index * LINE_SIZE, LINE_SIZE);
}

/* --- writing */

static uint8_t *put_number(uint8_t *out, uint64_t number, size_t length)
{
	for (size_t i = 0; i < length; i++)
		out[i] = number >> 8 * (length - 1 - i);
	return out + length;
}

static uint8_t *put_text(uint8_t *out, const char *text)
{
	size_t length = strnlen(text, NAME_SIZE - 1);

	out = put_number(out, length, 1);
	return (uint8_t *)memcpy(out, text, length) + length;
}

static uint8_t *put_header(uint8_t *out, enum group_kind kind, uint16_t flags)
{
	memcpy(out, magic, sizeof(magic));
	out = put_number(out + sizeof(magic), GROUP_VERSION, 1);
	out = put_number(out, kind, 1);
	return put_number(out, flags, 2);
}

size_t group_encode_hello(const struct group_hello *hello, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_header(out, GROUP_HELLO, 0);

	next = put_number(next, hello->time, 8);
	next = put_number(next, hello->started, 8);
	next = put_number(next, hello->fingerprint, 8);
	next = put_number(next, hello->state, 1);
	next = put_number(next, hello->agree, 1);
	next = put_text(next, hello->node);
	return put_text(next, hello->version) - out;
}

size_t group_encode_silent(struct group_id member, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_header(out, GROUP_SILENT, 0);

	next = put_number(next, member.node, 4);
	return put_number(next, member.pid, 4) - out;
}

size_t group_encode_votes(const struct group_key *keys, const enum group_vote *votes, size_t count, uint16_t flags,
	uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_number(put_header(out, GROUP_VOTES, flags), count, 2);

	for (size_t i = 0; i < count; i++) {
		next = put_number(next, keys[i].pool, 8);
		next = put_number(next, keys[i].backend, 8);
		next = put_number(next, votes[i], 1);
	}
	return next - out;
}

size_t group_encode_lines(const uint32_t *lines, size_t count, uint16_t flags, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_number(put_header(out, GROUP_LINES, flags), count, 2);

	for (size_t i = 0; i < count; i++)
		next = put_number(next, lines[i], LINE_SIZE);
	return next - out;
}
