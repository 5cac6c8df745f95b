// SPDX-License-Identifier: GPL-2.0
/* See group_message.h. */

#include <errno.h>
#include <string.h>
#include "group_bytes.h"

#define VOTE_SIZE 17
#define JUDGEMENT_SIZE 1
#define LINE_SIZE 4
#define DRAINED_SIZE 24
#define WORD_SIZE 10
#define WORDS_HEADER_SIZE (HEADER_SIZE + 17)
#define MIGRATING_HEADER_SIZE (HEADER_SIZE + 36)

/* Of a shared state. */
#define SHARED_IN_SYNC 1
#define SHARED_RESTORED 2

_Static_assert(HEADER_SIZE + 2 + GROUP_VOTES_MAX * (VOTE_SIZE + JUDGEMENT_SIZE) <= GROUP_MESSAGE_SIZE,
	"votes fit into a message");
_Static_assert(WORDS_HEADER_SIZE + 2 + GROUP_WORDS_MAX * WORD_SIZE <= GROUP_MESSAGE_SIZE, "words fit into a message");
_Static_assert(MIGRATING_HEADER_SIZE + 2 + GROUP_WORDS_MAX * WORD_SIZE <= GROUP_MESSAGE_SIZE,
	"migrating slots fit into a message");
_Static_assert(HEADER_SIZE + 2 + GROUP_LINES_MAX * LINE_SIZE <= GROUP_MESSAGE_SIZE, "lines fit into a message");
_Static_assert(HEADER_SIZE + 2 + GROUP_DRAINED_MAX * DRAINED_SIZE <= GROUP_MESSAGE_SIZE, "backends fit into a message");
_Static_assert(HEADER_SIZE + 2 * NAME_SIZE + 32 + GROUP_PART_MAX <= GROUP_MESSAGE_SIZE, "a part fits into a message");

uint64_t group_hash(uint64_t hash, const void *bytes, size_t length)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* What the responses of a backend show, in a message. */
enum judgement {
	JUDGEMENT_NONE,
	JUDGEMENT_WORKS,
	JUDGEMENT_FAILS,
};

bool group_vote_is_up(enum group_vote vote)
{
	return vote == GROUP_VOTE_UP || vote == GROUP_VOTE_WORKS || vote == GROUP_VOTE_FAILS;
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

bool group_version_is_adjacent(uint8_t version)
{
	return version <= GROUP_VERSION + 1 && version + 1 >= GROUP_VERSION;
}

static void take_values(struct input *input, size_t size, struct group_message *out)
{
	out->count = take_number(input, 2);
	out->values = take(input, out->count * size);
}

static struct group_id take_id(struct input *input)
{
	struct group_id id = {.node = take_number(input, 4)};

	id.pid = take_number(input, 4);
	return id;
}

static void take_shared(struct input *input, struct group_shared *shared)
{
	uint8_t origin;

	shared->asker = take_id(input);
	shared->question = take_number(input, 4);
	shared->applied = take_number(input, 8);
	shared->history = take_number(input, 8);
	shared->view = take_number(input, 8);
	origin = take_number(input, 1);
	shared->in_sync = origin & SHARED_IN_SYNC;
	shared->restored = origin & SHARED_RESTORED;
}

static void take_migrating(struct input *input, struct group_message *out)
{
	struct group_migrating *migrating = &out->migrating;

	migrating->to = take_id(input);
	migrating->slots = take_number(input, 4);
	migrating->pool = take_number(input, 8);
	migrating->owner = take_number(input, 8);
	migrating->previous = take_number(input, 8);
	take_values(input, WORD_SIZE, out);
}

int group_message_decode(const uint8_t *bytes, size_t length, struct group_message *out)
{
	struct input input = {.next = bytes, .end = bytes + length};

	*out = (struct group_message){0};
	if (length < HEADER_SIZE || memcmp(take(&input, sizeof(group_magic)), group_magic, sizeof(group_magic)))
		return -EPROTO;
	out->version = take_number(&input, 1);
	out->kind = take_number(&input, 1);
	out->flags = take_number(&input, 2);
	if (!group_version_is_adjacent(out->version) && out->kind != GROUP_HELLO)
		out->kind = 0;
	out->content = input.next;
	out->content_length = input.end - input.next;
	switch (out->kind) {
	case GROUP_HELLO:
		take_hello(&input, &out->hello);
		out->hello.beats = out->flags & GROUP_BEATS;
		break;
	case GROUP_SILENT:
		out->silent = take_id(&input);
		break;
	case GROUP_SHARED:
		take_shared(&input, &out->shared);
		take_values(&input, 1, out);
		break;
	case GROUP_CHANGE:
		out->change.number = take_number(&input, 8);
		take_text(&input, out->change.node);
		take_text(&input, out->change.user);
		take_values(&input, 1, out);
		break;
	case GROUP_RESULT:
		out->change.origin = take_id(&input);
		out->change.number = take_number(&input, 8);
		out->change.done = take_number(&input, 1);
		take_values(&input, 1, out);
		break;
	case GROUP_VOTES:
		take_values(&input, VOTE_SIZE, out);
		if ((size_t)(input.end - input.next) >= out->count * JUDGEMENT_SIZE)
			out->judgements = input.next;
		break;
	case GROUP_LINES:
		take_values(&input, LINE_SIZE, out);
		break;
	case GROUP_SLOTS:
		out->words.pool = take_number(&input, 8);
		out->words.wanted = take_number(&input, 8);
		out->words.phase = take_number(&input, 1);
		take_values(&input, WORD_SIZE, out);
		break;
	case GROUP_MIGRATING:
		take_migrating(&input, out);
		break;
	case GROUP_DRAINED:
		take_values(&input, DRAINED_SIZE, out);
		break;
	}
	return input.too_short ? -EPROTO : 0;
}

struct group_key group_message_vote(const struct group_message *message, size_t index, enum group_vote *vote)
{
	const uint8_t *bytes = message->values + index * VOTE_SIZE;
	enum judgement judgement = message->judgements ? message->judgements[index] : JUDGEMENT_NONE;

	*vote = bytes[16] <= GROUP_VOTE_DOWN ? bytes[16] : GROUP_VOTE_UNKNOWN;
	if (*vote == GROUP_VOTE_UP && judgement == JUDGEMENT_WORKS)
		*vote = GROUP_VOTE_WORKS;
	if (*vote == GROUP_VOTE_UP && judgement == JUDGEMENT_FAILS)
		*vote = GROUP_VOTE_FAILS;
	return (struct group_key){number_at(bytes, 8), number_at(bytes + 8, 8)};
}

struct group_drained group_message_drained(const struct group_message *message, size_t index)
{
	const uint8_t *bytes = message->values + index * DRAINED_SIZE;

	return (struct group_drained){{number_at(bytes, 8), number_at(bytes + 8, 8)}, number_at(bytes + 16, 8)};
}

uint32_t group_message_line(const struct group_message *message, size_t index)
{
	return number_at(message->values + index * LINE_SIZE, LINE_SIZE);
}

uint64_t group_message_word(const struct group_message *message, size_t index, size_t *number)
{
	const uint8_t *bytes = message->values + index * WORD_SIZE;

	*number = number_at(bytes, 2);
	return number_at(bytes + 2, 8);
}

/* --- writing */

static uint8_t *put_text(uint8_t *out, const char *text)
{
	size_t length = strnlen(text, NAME_SIZE - 1);

	out = put_number(out, length, 1);
	return (uint8_t *)memcpy(out, text, length) + length;
}

size_t group_encode_hello(const struct group_hello *hello, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_header(out, GROUP_HELLO, hello->beats ? GROUP_BEATS : 0);

	next = put_number(next, hello->time, 8);
	next = put_number(next, hello->started, 8);
	next = put_number(next, hello->fingerprint, 8);
	next = put_number(next, hello->state, 1);
	next = put_number(next, hello->agree, 1);
	next = put_text(next, hello->node);
	return put_text(next, hello->version) - out;
}

static uint8_t *put_bytes(uint8_t *out, const void *bytes, size_t length)
{
	out = put_number(out, length, 2);
	if (length)
		memcpy(out, bytes, length);
	return out + length;
}

size_t group_encode_silent(struct group_id member, uint8_t out[GROUP_MESSAGE_SIZE])
{
	return put_id(put_header(out, GROUP_SILENT, 0), member) - out;
}

size_t group_encode_shared(const struct group_shared *shared, const void *bytes, size_t length, uint16_t flags,
	uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_id(put_header(out, GROUP_SHARED, flags), shared->asker);

	next = put_number(next, shared->question, 4);
	next = put_number(next, shared->applied, 8);
	next = put_number(next, shared->history, 8);
	next = put_number(next, shared->view, 8);
	next = put_number(next, (shared->in_sync ? SHARED_IN_SYNC : 0) | (shared->restored ? SHARED_RESTORED : 0), 1);
	return put_bytes(next, bytes, length) - out;
}

size_t group_encode_change(
	const struct group_change *change, const void *bytes, size_t length, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_number(put_header(out, GROUP_CHANGE, 0), change->number, 8);

	next = put_text(put_text(next, change->node), change->user);
	return put_bytes(next, bytes, length) - out;
}

size_t group_encode_result(
	const struct group_change *change, const void *bytes, size_t length, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_id(put_header(out, GROUP_RESULT, 0), change->origin);

	next = put_number(next, change->number, 8);
	next = put_number(next, change->done, 1);
	return put_bytes(next, bytes, length) - out;
}

static enum judgement judgement_of(enum group_vote vote)
{
	if (vote == GROUP_VOTE_WORKS)
		return JUDGEMENT_WORKS;
	return vote == GROUP_VOTE_FAILS ? JUDGEMENT_FAILS : JUDGEMENT_NONE;
}

/* Behind the votes. Nothing, if there is no judgement. */
static uint8_t *put_judgements(uint8_t *out, const enum group_vote *votes, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any |= judgement_of(votes[i]) != JUDGEMENT_NONE;
	for (size_t i = 0; any && i < count; i++)
		out = put_number(out, judgement_of(votes[i]), JUDGEMENT_SIZE);
	return out;
}

size_t group_encode_votes(const struct group_key *keys, const enum group_vote *votes, size_t count, uint16_t flags,
	uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_number(put_header(out, GROUP_VOTES, flags), count, 2);

	for (size_t i = 0; i < count; i++) {
		next = put_number(next, keys[i].pool, 8);
		next = put_number(next, keys[i].backend, 8);
		next = put_number(next, group_vote_is_up(votes[i]) ? GROUP_VOTE_UP : votes[i], 1);
	}
	return put_judgements(next, votes, count) - out;
}

size_t group_encode_drained(
	const struct group_drained *list, size_t count, uint16_t flags, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_number(put_header(out, GROUP_DRAINED, flags), count, 2);

	for (size_t i = 0; i < count; i++) {
		next = put_number(put_number(next, list[i].key.pool, 8), list[i].key.backend, 8);
		next = put_number(next, list[i].removal, 8);
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

size_t group_encode_words(const struct group_words *words, uint16_t flags, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_header(out, GROUP_SLOTS, flags);

	next = put_number(next, words->pool, 8);
	next = put_number(next, words->wanted, 8);
	next = put_number(next, words->phase, 1);
	return put_number(next, 0, 2) - out;
}

size_t group_append_word(size_t length, size_t number, uint64_t word, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *count = out + WORDS_HEADER_SIZE;

	put_number(count, number_at(count, 2) + 1, 2);
	return put_number(put_number(out + length, number, 2), word, 8) - out;
}

size_t group_encode_migrating(const struct group_migrating *migrating, uint16_t flags, const uint16_t *numbers,
	const uint64_t *words, size_t count, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_id(put_header(out, GROUP_MIGRATING, flags), migrating->to);

	next = put_number(next, migrating->slots, 4);
	next = put_number(next, migrating->pool, 8);
	next = put_number(next, migrating->owner, 8);
	next = put_number(next, migrating->previous, 8);
	next = put_number(next, count, 2);
	for (size_t i = 0; i < count; i++)
		next = put_number(put_number(next, numbers[i], 2), words[i], 8);
	return next - out;
}
