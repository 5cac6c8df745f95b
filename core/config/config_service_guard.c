// SPDX-License-Identifier: GPL-2.0
/* The keys of `guard:` of a service. */
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

static bool names_list(const struct config_service_guard *own, size_t list)
{
	size_t i = 0;

	while (i < own->list_count && own->lists[i] != list)
		i++;
	return i < own->list_count;
}

static void read_service_lists(struct reader *reader, const struct node *value, void *object)
{
	struct parse *parse = reader->context;
	const struct config_guard *guard = &parse->config->guard;
	struct config_service_guard *own = object;
	const struct node *item;

	own->names_lists = true;
	own->lists = reader_items(reader, value, sizeof(*own->lists), true, &own->list_count);
	own->list_count = 0;
	for (item = node_first(value); own->lists && item; item = node_next(value, item)) {
		char name[NAME_SIZE];
		size_t i = 0;

		if (!config_read_name(reader, item, name))
			continue;
		while (i < guard->list_count && strcmp(guard->lists[i].name, name))
			i++;
		if (names_list(own, i))
			faults_add(reader->faults, item->position, "'lists' of %s: duplicate list %s", reader->label,
				name);
		else if (i < guard->list_count)
			own->lists[own->list_count++] = i;
		else if (!parse->truncated)
			faults_add(reader->faults, item->position, "'lists' of %s: no list is named %s", reader->label,
				name);
	}
}

static void write_service_lists(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_service_guard *own = object;

	(void)key;
	for (size_t i = 0; i < own->list_count; i++) {
		fputs(i ? ", " : "[", writer->out);
		config_write_word(writer->out, writer->config->guard.lists[own->lists[i]].name);
	}
	if (own->names_lists)
		fputs(own->list_count ? "]" : "[]", writer->out);
}

static void write_retry_after(const struct writer *writer, const struct key *key, const void *object)
{
	if (((const struct config_service_guard *)object)->settings.retry_after)
		config_write_u32(writer, key, object);
}

static void read_surge(struct reader *reader, const struct node *value, void *object)
{
	config_read_rate(reader, value, &((struct config_service_guard *)object)->surge, CONFIG_RATE_SURGE);
}

static void write_surge(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_rate *surge = &((const struct config_service_guard *)object)->surge;

	(void)key;
	if (surge->rate)
		config_write_rate(writer->out, surge);
}

#define SETTING(name) .member = offsetof(struct config_service_guard, settings.name)

const struct key config_service_guard_keys[] = {
	{.name = "mode",
		.read = config_read_mode,
		.write = config_write_mode,
		SETTING(mode),
		.type = VALUE_WORD,
		.words = config_mode_words},
	{.name = "limits",
		.read = config_read_limits,
		.write = config_write_limits,
		SETTING(limits),
		.expected = "the name of a limit set"},
	{.name = "lists", .read = read_service_lists, .write = write_service_lists, .expected = "the name of a list"},
	{.name = "scanners",
		.read = config_read_switch,
		.write = config_write_switch,
		SETTING(scanners),
		.type = VALUE_WORD,
		.words = config_scanner_words},
	{.name = "broken",
		.read = config_read_switch,
		.write = config_write_switch,
		SETTING(broken),
		.type = VALUE_WORD,
		.words = config_broken_words},
	{.name = "retry_after",
		.read = config_read_u32,
		.write = write_retry_after,
		SETTING(retry_after),
		.type = VALUE_NUMBER,
		.max = CONFIG_RETRY_AFTER_MAX},
	{.name = "surge", .read = read_surge, .write = write_surge},
	{},
};

static void check_own_guard(struct reader *reader, const struct node *value, const struct config_service *service)
{
	struct parse *parse = reader->context;

	if (!parse->config->guard.is_set && !parse->truncated)
		faults_add(reader->faults, value->position, "'guard' of %s needs `guard:` at the top of the file",
			reader->label);
	if (!strcmp(service->name, GUARD_SHARED_NAME))
		faults_add(reader->faults, value->position,
			"%s cannot have a guard of its own, because %s is the name of the guard of the file; rename "
			"the "
			"service",
			reader->label, GUARD_SHARED_NAME);
	if (service->guard.surge.rate && service->protocol != IPPROTO_UDP)
		faults_add(reader->faults, value->position, "'surge' of %s is possible only for protocol udp",
			reader->label);
	config_check_limit(reader, value->position, ++parse->guard_count, GUARD_SERVICES_MAX,
		"services with a guard of their own", GUARD_SERVICES_MAX);
}

void config_read_service_guard(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;

	service->guard.position = value->position;
	if (value->kind == NODE_SCALAR && (!strcmp(value->text, "off") || !strcmp(value->text, "false"))) {
		service->guard.kind = GUARD_OFF;
		return;
	}
	if (value->kind != NODE_MAPPING) {
		reader_refuse(reader, value, "off, or a mapping of keys and values");
		return;
	}
	service->guard.kind = GUARD_OWN;
	reader_mapping(reader, value, reader->label, config_service_guard_keys, &service->guard);
	check_own_guard(reader, value, service);
}

/* Writes the values that differ from those of the file, as "{mode: enforce, limits: office}". */
void config_write_service_guard(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_service_guard *own = &((const struct config_service *)object)->guard;
	struct key_text text;
	const char *before = "{";

	(void)key;
	if (own->kind == GUARD_OFF)
		fputs("'off'", writer->out);
	if (own->kind != GUARD_OWN)
		return;
	key_text_open(&text, writer->config);
	for (const struct key *row = config_service_guard_keys; row->name; row++) {
		const char *value = key_text(&text, row, own);

		if (!*value)
			continue;
		fprintf(writer->out, "%s%s: %s", before, row->name, value);
		before = ", ";
	}
	fputs(*before == '{' ? "{}" : "}", writer->out);
	key_text_close(&text);
}
