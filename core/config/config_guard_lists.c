// SPDX-License-Identifier: GPL-2.0
/* The keys of a list of sources in `guard:`. */
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

static const struct word action_words[] = {
	{"limit", GUARD_LIMIT},
	{"trust", GUARD_TRUST},
	{"deny", GUARD_DENY},
	{},
};

static void read_list_name(struct reader *reader, const struct node *value, void *object)
{
	config_claim_name(reader, value, ((struct config_guard_list *)object)->name, CLAIM_GUARD_LIST, 0);
}

static void read_action(struct reader *reader, const struct node *value, void *object)
{
	struct config_guard_list *list = object;
	int action;

	if (reader_word(reader, value, &action))
		list->action = action;
}

static void read_prefixes(struct reader *reader, const struct node *value, void *object)
{
	struct parse *parse = reader->context;
	struct config_guard_list *list = object;
	const struct node *item;
	size_t i = 0;

	list->prefixes = reader_items(reader, value, sizeof(*list->prefixes), true, &list->prefix_count);
	for (item = node_first(value); list->prefixes && item; item = node_next(value, item), i++) {
		const char *text = reader_text(reader, item);

		if (!text)
			continue;
		if (prefix_parse(text, &list->prefixes[i])) {
			reader_refuse(reader, item, NULL);
			continue;
		}
		claims_add(&parse->claims, (struct claim){.kind = CLAIM_GUARD_PREFIX,
						   .key = &list->prefixes[i],
						   .length = sizeof(*list->prefixes),
						   .owner = list->name,
						   .position = item->position});
	}
}

static void read_file(struct reader *reader, const struct node *value, void *object)
{
	struct config_guard_list *list = object;
	const char *text = reader_text(reader, value);

	if (text && (text[0] != '/' || !config_is_printable(text)))
		reader_refuse(reader, value, NULL);
	else
		list->file = config_copy_text(text);
}

static bool has_limits(const void *object)
{
	return ((const struct config_guard_list *)object)->action == GUARD_LIMIT;
}

static const struct key_condition only_limit = {has_limits, "only with `action: limit`"};

static bool has_no_prefixes(const void *object)
{
	return !((const struct config_guard_list *)object)->prefixes;
}

static const struct key_condition only_without_prefixes = {has_no_prefixes, "only without `prefixes`"};

const struct key config_guard_list_keys[] = {
	{.name = "name", .required = true, .read = read_list_name, .expected = NAME_EXPECTED},
	{.name = "action", .required = true, .read = read_action, .type = VALUE_WORD, .words = action_words},
	{.name = "limits",
		.read = config_read_limits,
		.member = offsetof(struct config_guard_list, limits),
		.condition = &only_limit,
		.expected = "the name of a limit set"},
	{.name = "mode",
		.read = config_read_mode,
		.member = offsetof(struct config_guard_list, mode),
		.type = VALUE_WORD,
		.words = config_mode_words},
	{.name = "prefixes",
		.read = read_prefixes,
		.flags = KEY_LIST,
		.expected = "a network or an address, such as 203.0.113.0/24 or 2001:db8::/48, with all host bits 0"},
	{.name = "file",
		.read = read_file,
		.condition = &only_without_prefixes,
		.expected = "an absolute path of a file with one prefix in each line"},
	{},
};

/* Does the mapping have one of the keys, even with an invalid value? */
static bool has_sources(const struct node *list)
{
	for (const struct node *key = node_first(list), *value; key; key = node_next(list, value)) {
		value = node_next(list, key);
		if (!value || (key->text && (!strcmp(key->text, "prefixes") || !strcmp(key->text, "file"))))
			return true;
	}
	return false;
}

void config_read_guard_lists(struct reader *reader, const struct node *value, void *object)
{
	struct config_guard *guard = object;
	struct config_guard_list *list;
	const struct node *item;

	list = guard->lists = reader_items(reader, value, sizeof(*list), true, &guard->list_count);
	if (guard->list_count > GUARD_FILE_LISTS_MAX)
		faults_add(reader->faults, value->position, "'lists' of guard has %zu lists: at most %d are possible",
			guard->list_count, GUARD_FILE_LISTS_MAX);
	for (item = node_first(value); list && item; item = node_next(value, item), list++) {
		list->position = item->position;
		list->limits = CONFIG_DEFAULT_LIMITS;
		reader_mapping(reader, item, "a list", config_guard_list_keys, list);
		if (item->kind == NODE_MAPPING && !item->truncated && !has_sources(item))
			faults_add(reader->faults, item->position, "list %s needs 'prefixes' or 'file'",
				list->name[0] ? list->name : "(no name)");
	}
}

static void write_list(const struct writer *writer, const struct config_guard_list *list)
{
	char text[PREFIX_TEXT_SIZE];

	fputs("{name: ", writer->out);
	config_write_word(writer->out, list->name);
	fprintf(writer->out, ", action: %s", config_guard_action_name(list->action));
	if (list->action == GUARD_LIMIT && list->limits != CONFIG_DEFAULT_LIMITS) {
		fputs(", limits: ", writer->out);
		config_write_word(writer->out, writer->config->guard.limit_sets[list->limits].name);
	}
	if (list->mode)
		fprintf(writer->out, ", mode: %s", config_mode_name(list->mode));
	fputs(list->file ? ", file: " : ", prefixes: [", writer->out);
	if (list->file)
		config_write_word(writer->out, list->file);
	for (size_t i = 0; i < list->prefix_count; i++) {
		fputs(i ? ", " : "", writer->out);
		config_write_word(writer->out, prefix_format(&list->prefixes[i], text));
	}
	fputs(list->file ? "}" : "]}", writer->out);
}

void config_write_guard_lists(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_guard *guard = object;

	(void)key;
	for (size_t i = 0; i < guard->list_count; i++) {
		fputs(i ? ", " : "[", writer->out);
		write_list(writer, &guard->lists[i]);
	}
	if (guard->list_count)
		fputc(']', writer->out);
}
