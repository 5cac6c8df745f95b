// SPDX-License-Identifier: GPL-2.0
/* The keys of `join:`. */
#include <stdlib.h>
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

#define SECRET_LENGTH_MIN 16
#define SECRET_LENGTH_MAX 255
#define SECRET_EXPECTED "16 to 255 printable ASCII characters ('openssl rand -hex 16' makes one)"

static void read_secret(struct reader *reader, const struct node *value, void *object)
{
	const char *text = reader_text(reader, value);
	struct config_join *join = object;

	if (!text || config_is_hidden(reader, value))
		return;
	if (strlen(text) < SECRET_LENGTH_MIN || strlen(text) > SECRET_LENGTH_MAX || !config_is_printable(text))
		reader_refuse(reader, value, NULL);
	else
		join->secret = config_copy_text(text);
}

/* A network, or a list of them. */
static void read_from(struct reader *reader, const struct node *value, void *object)
{
	struct config_join *join = object;
	bool is_list = value->kind == NODE_LIST;
	const struct node *item = is_list ? node_first(value) : value;
	const char *text;

	join->from_count = 1;
	if (is_list)
		join->from = reader_items(reader, value, sizeof(*join->from), false, &join->from_count);
	else
		join->from = allocate(1, sizeof(*join->from));
	for (size_t i = 0; i < join->from_count; i++) {
		text = reader_text(reader, item);
		if (text && prefix_parse(text, &join->from[i]))
			reader_refuse(reader, item, NULL);
		item = is_list ? node_next(value, item) : NULL;
	}
}

static void write_from(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_join *join = object;
	char text[PREFIX_TEXT_SIZE];

	(void)key;
	for (size_t i = 0; i < join->from_count; i++) {
		fputs(i ? ", " : "[", writer->out);
		config_write_word(writer->out, prefix_format(&join->from[i], text));
	}
	if (join->from_count)
		fputc(']', writer->out);
}

const struct key config_join_keys[] = {
	{.name = "listen",
		.required = true,
		.read = config_read_listen,
		.write = config_write_listen,
		.member = offsetof(struct config_join, listen),
		.expected = "an address of this machine and a port, such as 10.0.0.2:7946 or [2001:db8::2]:7946",
		.help = "Address and port, TCP and UDP, at which the daemon accepts requests to join. It must not be a "
			"VIP."},
	{.name = "secret",
		.required = true,
		.read = read_secret,
		.write = config_write_text,
		.member = offsetof(struct config_join, secret),
		.flags = KEY_SECRET,
		.expected = SECRET_EXPECTED,
		.help = "Shared secret with which servers sign their requests."},
	{.name = "from",
		.read = read_from,
		.write = write_from,
		.flags = KEY_ONE_OR_LIST,
		.expected = "a network or an address, such as 10.0.0.0/24 or 2001:db8::/64, with all host bits 0",
		.usual = "the networks of `listen` and of the backends",
		.help = "Networks from which requests are accepted."},
	{.name = "guard",
		.read = config_read_truth,
		.write = config_write_truth,
		.member = offsetof(struct config_join, guard),
		.type = VALUE_WORD,
		.words = reader_truth_words,
		.help = "Whether servers may block and trust prefixes of sources (`guard:`)."},
	{.name = "node_timeout",
		.read = config_read_time,
		.write = config_write_time,
		.member = offsetof(struct config_join, node_timeout),
		.flags = KEY_ALWAYS,
		.type = VALUE_TIME,
		.min = SECOND,
		.max = HOUR,
		.help = "A joined server that is silent for this time is down. After twice this time it is removed."},
	{},
};

void config_read_join(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;

	reader_mapping(reader, value, "join", config_join_keys, &config->join);
}
