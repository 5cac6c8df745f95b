// SPDX-License-Identifier: GPL-2.0
/* See lookup.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "lookup.h"

#define BATCH 500
#define LINE_SIZE (64 << 10) /* no datagram has a longer Call-ID */

_Static_assert(BATCH <= PROTOCOL_LIST_MAX, "one request must have room for a batch");

struct lookup {
	struct output *output;
	struct client *client;
	const json_t *arguments; /* from the command line */
	json_t *batch;           /* NULL: the command line has no Call-ID */
	bool begun;
	bool refused; /* a look-up has failed, and its error has been printed */
};

/* The buffer of standard input. */
struct lines {
	char text[LINE_SIZE];
	size_t length;
	size_t taken;
	size_t number; /* number of the last line that was read */
	bool skipping; /* the next bytes belong to a line that is too long */
	bool ended;
	bool faulty; /* a line was skipped, and an error has been printed */
};

/* --- batches */

static void begin(struct lookup *lookup)
{
	if (!lookup->begun)
		output_list_begin(lookup->output);
	lookup->begun = true;
}

/* Completes the list of the results before an error message follows. */
static void end_early(struct lookup *lookup)
{
	if (lookup->begun)
		output_list_end(lookup->output);
	lookup->begun = false;
}

static bool print_reply(struct lookup *lookup, const struct reply *reply)
{
	size_t asked = lookup->batch ? json_array_size(lookup->batch) : 1, i;
	const json_t *owner;

	if (!reply->result) {
		end_early(lookup);
		output_refusal(lookup->output, reply, NULL);
		return false;
	}
	begin(lookup);
	json_array_foreach(reply->result, i, owner) lookup->refused |= !output_list_item(lookup->output, owner);
	if (json_array_size(reply->result) == asked)
		return output_flush(lookup->output);
	end_early(lookup);
	output_error(
		lookup->output, "sipxdpd has answered only %zu of %zu look-ups", json_array_size(reply->result), asked);
	return false;
}

/* Sends the batch, prints the answers and empties the batch. */
static bool ask(struct lookup *lookup)
{
	json_t *arguments, *request;
	struct reply reply;
	bool done = false;

	if (lookup->batch && !json_array_size(lookup->batch))
		return true;
	arguments = json_copy((json_t *)lookup->arguments);
	if (lookup->batch)
		json_object_set(arguments, "call_ids", lookup->batch);
	request = protocol_request(COMMAND_LOOKUP, arguments);
	if (client_ask(lookup->client, request, &reply) == 0) {
		done = print_reply(lookup, &reply);
	} else {
		end_early(lookup);
		output_error(lookup->output, "%s", lookup->client->error);
	}
	protocol_reply_free(&reply);
	json_decref(request);
	if (lookup->batch)
		json_array_clear(lookup->batch);
	return done;
}

static bool add(struct lookup *lookup, json_t *call_id)
{
	json_array_append_new(lookup->batch, call_id);
	return json_array_size(lookup->batch) < BATCH || ask(lookup);
}

/* --- standard input */

static void skip_line(struct lines *lines, const char *why)
{
	output_warning("standard input, line %zu: %s; skipped", lines->number, why);
	lines->faulty = true;
}

/* The Call-ID in a line of `length` bytes; NULL if there is none. */
static json_t *call_id_of(struct lines *lines, const char *line, size_t length)
{
	json_t *call_id;

	for (; length && strchr(" \t\r", line[length - 1]); length--)
		;
	for (; length && strchr(" \t", *line); length--)
		line++;
	if (!length)
		return NULL;
	call_id = memchr(line, '\0', length) ? NULL : json_stringn(line, length);
	if (!call_id)
		skip_line(lines, "not UTF-8 text");
	return call_id;
}

/* The Call-ID of the next line that has one; NULL if the buffer has no such line. */
static json_t *next_call_id(struct lines *lines)
{
	json_t *call_id = NULL;

	while (!call_id) {
		const char *line = lines->text + lines->taken;
		const char *end = memchr(line, '\n', lines->length - lines->taken);

		if (!end)
			return NULL;
		lines->taken += (size_t)(end - line) + 1;
		lines->number++;
		if (lines->skipping)
			skip_line(lines, "too long");
		else
			call_id = call_id_of(lines, line, (size_t)(end - line));
		lines->skipping = false;
	}
	return call_id;
}

/* Reads more input. False at its end or on failure. */
static bool read_more(struct lines *lines)
{
	ssize_t got;

	lines->length -= lines->taken;
	memmove(lines->text, lines->text + lines->taken, lines->length);
	lines->taken = 0;
	if (lines->length == sizeof(lines->text)) {
		lines->skipping = true;
		lines->length = 0;
	}
	do
		got = lines->ended ? 0 : read(STDIN_FILENO, lines->text + lines->length, LINE_SIZE - lines->length);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		output_warning("cannot read standard input: %s", strerror(errno));
		lines->faulty = true;
		return false;
	}
	if (got == 0 && (lines->ended || (!lines->length && !lines->skipping)))
		return false;
	if (got == 0)
		lines->text[lines->length] = '\n'; /* the last line may have no newline */
	lines->ended = got == 0;
	lines->length += got ? (size_t)got : 1;
	return true;
}

static bool ask_for_lines(struct lookup *lookup)
{
	struct lines lines = {.length = 0};

	do {
		for (json_t *call_id; (call_id = next_call_id(&lines));)
			if (!add(lookup, call_id))
				return false;
		if (!ask(lookup))
			return false;
	} while (read_more(&lines));
	return !lines.faulty;
}

static bool ask_for_words(struct lookup *lookup, json_t *call_ids)
{
	json_t *call_id;
	size_t i;

	json_array_foreach(call_ids, i, call_id) if (!add(lookup, json_incref(call_id))) return false;
	return ask(lookup);
}

bool lookup_run(struct output *output, struct client *client, const json_t *arguments)
{
	json_t *call_ids = json_object_get(arguments, "call_ids");
	const char *first = json_string_value(json_array_get(call_ids, 0));
	struct lookup lookup = {.output = output, .client = client, .arguments = arguments};
	bool from_input = json_array_size(call_ids) == 1 && first && !strcmp(first, "-");
	bool done;

	if (call_ids)
		lookup.batch = json_array();
	done = from_input ? ask_for_lines(&lookup) : ask_for_words(&lookup, call_ids);

	if (done)
		begin(&lookup); /* no results: JSON output needs an empty list */
	end_early(&lookup);
	json_decref(lookup.batch);
	return done && !lookup.refused;
}
