// SPDX-License-Identifier: GPL-2.0
/* The keys of `guard:` of the file. config_guard_lists.c owns its lists, config_rate.c its limits, and
 * config_service_guard.c the guard of a service. */
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

/* --- small values */

const struct word config_mode_words[] = {
	{"observe", GUARD_OBSERVE},
	{"enforce", GUARD_ENFORCE},
	{},
};

void config_read_mode(struct reader *reader, const struct node *value, void *object)
{
	int mode;

	if (reader_word(reader, value, &mode))
		*(enum guard_mode *)((char *)object + reader->key->member) = mode;
}

const char *config_mode_name(enum guard_mode mode)
{
	return mode == GUARD_ENFORCE ? "enforce" : mode == GUARD_OBSERVE ? "observe" : "";
}

void config_write_mode(const struct writer *writer, const struct key *key, const void *object)
{
	fputs(config_mode_name(*(const enum guard_mode *)((const char *)object + key->member)), writer->out);
}

/* --- names of limit sets */

static bool find_limits(struct reader *reader, const struct node *value, size_t *out)
{
	struct parse *parse = reader->context;
	const struct config_guard *guard = &parse->config->guard;
	struct suggestion suggestion = {.text = value->text};
	char name[NAME_SIZE];

	if (!config_read_name(reader, value, name))
		return false;
	for (size_t i = 0; i < guard->limit_set_count; i++) {
		suggestion_offer(&suggestion, guard->limit_sets[i].name);
		if (strcmp(guard->limit_sets[i].name, name))
			continue;
		*out = i;
		return true;
	}
	*out = CONFIG_DEFAULT_LIMITS;
	if (!strcmp(name, GUARD_SHARED_NAME))
		return true;
	if (!parse->truncated)
		faults_add(reader->faults, value->position, "'limits' of %s: no limit set is named %s%s%s%s",
			reader->label, name, suggestion.best ? "; did you mean " : "; define it under 'limit_sets'",
			suggestion.best ? suggestion.best : "", suggestion.best ? "?" : "");
	return false;
}

void config_read_limits(struct reader *reader, const struct node *value, void *object)
{
	size_t *limits = (size_t *)((char *)object + reader->key->member);

	find_limits(reader, value, limits);
}

void config_write_limits(const struct writer *writer, const struct key *key, const void *object)
{
	size_t limits = *(const size_t *)((const char *)object + key->member);

	if (limits == CONFIG_DEFAULT_LIMITS)
		fputs(GUARD_SHARED_NAME, writer->out);
	else if (limits != CONFIG_INHERIT_LIMITS)
		config_write_word(writer->out, writer->config->guard.limit_sets[limits].name);
}

/* --- lists of texts */

static void free_texts(struct config_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->list[i]);
	free(texts->list);
	*texts = (struct config_texts){0};
}

static void read_texts_of(struct reader *reader, const struct node *value, struct config_texts *texts)
{
	const struct node *item;
	size_t i = 0;

	free_texts(texts);
	texts->list = reader_items(reader, value, sizeof(*texts->list), true, &texts->count);
	if (texts->count > GUARD_TEXTS_MAX)
		faults_add(reader->faults, value->position, "'%s' of %s has %zu values: at most %d are possible",
			reader->key->name, reader->label, texts->count, GUARD_TEXTS_MAX);
	for (item = node_first(value); texts->list && item; item = node_next(value, item)) {
		const char *text = reader_text(reader, item);

		if (text && (strlen(text) > GUARD_TEXT_LENGTH_MAX || !config_is_printable(text) || strchr(text, ' ')))
			reader_refuse(reader, item, NULL);
		texts->list[i++] = config_copy_text(text ? text : "");
	}
}

static void read_texts(struct reader *reader, const struct node *value, void *object)
{
	read_texts_of(reader, value, (struct config_texts *)((char *)object + reader->key->member));
}

static void write_texts_of(FILE *out, const struct config_texts *texts)
{
	fputc('[', out);
	for (size_t i = 0; i < texts->count; i++) {
		fputs(i ? ", " : "", out);
		config_write_word(out, texts->list[i]);
	}
	fputc(']', out);
}

static void write_texts(const struct writer *writer, const struct key *key, const void *object)
{
	write_texts_of(writer->out, (const struct config_texts *)((const char *)object + key->member));
}

#define TEXT_EXPECTED "1 to 30 printable ASCII characters without spaces"

/* --- scanners and broken messages */

/* The value of a word of the tables below. A rule that is on, but whose word names no mode, inherits its mode. */
#define SWITCH(state, mode) ((state) | (mode) << 2)
#define SWITCH_STATE(value) ((value)&3)
#define SWITCH_MODE(value) ((enum guard_mode)((value) >> 2))

const struct word config_scanner_words[] = {
	{"false", SWITCH(SWITCH_OFF, GUARD_INHERIT)},
	{"true", SWITCH(SWITCH_ON, GUARD_INHERIT)},
	{"observe", SWITCH(SWITCH_ON, GUARD_OBSERVE)},
	{"enforce", SWITCH(SWITCH_ON, GUARD_ENFORCE)},
	{},
};

const struct word config_broken_words[] = {
	{"forward", SWITCH(SWITCH_OFF, GUARD_INHERIT)},
	{"drop", SWITCH(SWITCH_ON, GUARD_INHERIT)},
	{"observe", SWITCH(SWITCH_ON, GUARD_OBSERVE)},
	{"enforce", SWITCH(SWITCH_ON, GUARD_ENFORCE)},
	{},
};

void config_read_switch(struct reader *reader, const struct node *value, void *object)
{
	struct config_switch *rule = (struct config_switch *)((char *)object + reader->key->member);
	int word;

	if (!reader_word(reader, value, &word))
		return;
	rule->state = SWITCH_STATE(word);
	rule->mode = SWITCH_MODE(word);
}

void config_write_switch(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_switch *rule = (const struct config_switch *)((const char *)object + key->member);

	for (const struct word *word = key->words; word->text; word++)
		if (word->value == (int)SWITCH(rule->state, rule->mode))
			fputs(word->text, writer->out);
}

/* --- the source */

static const struct key source_keys[] = {
	{.name = "ipv4",
		.read = config_read_u8,
		.member = offsetof(struct config_guard, ipv4_bits),
		.type = VALUE_NUMBER,
		.min = 8,
		.max = 32},
	{.name = "ipv6",
		.read = config_read_u8,
		.member = offsetof(struct config_guard, ipv6_bits),
		.type = VALUE_NUMBER,
		.min = 16,
		.max = 128},
	{},
};

static void read_source(struct reader *reader, const struct node *value, void *object)
{
	reader_mapping(reader, value, "'source'", source_keys, object);
}

static void write_source(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_guard *guard = object;

	(void)key;
	if (guard->ipv4_bits)
		fprintf(writer->out, "{ipv4: %u, ipv6: %u}", guard->ipv4_bits, guard->ipv6_bits);
}

/* --- the guard of the file */

#define SETTING(name) .member = offsetof(struct config_guard, settings.name)
#define MEMBER(name) .member = offsetof(struct config_guard, name)

/* `limit_sets` comes before the keys that name a limit set. */
const struct key config_guard_keys[] = {
	{.name = "mode",
		.read = config_read_mode,
		.write = config_write_mode,
		SETTING(mode),
		.flags = KEY_ALWAYS,
		.type = VALUE_WORD,
		.words = config_mode_words,
		.usual = "`observe`",
		.help = "`observe` counts the packets that the guard would drop, and forwards them. `enforce` drops "
			"them. Services, lists and limits can have a different mode."},
	{.name = "limit_sets",
		.read = config_read_limit_sets,
		.write = config_write_limit_sets,
		.flags = KEY_LIST,
		.keys = config_limit_set_keys,
		.usual = "none",
		.help = "Named sets of limits for each source."},
	{.name = "limits",
		.read = config_read_limits,
		.write = config_write_limits,
		SETTING(limits),
		.expected = "the name of a limit set",
		.usual = "`default`, the built-in set",
		.help = "Limit set for sources that are on no list."},
	{.name = "lists",
		.read = config_read_guard_lists,
		.write = config_write_guard_lists,
		.flags = KEY_LIST,
		.keys = config_guard_list_keys,
		.usual = "none",
		.help = "Lists of sources. The longest prefix that contains a source decides. `trust` exempts the "
			"source from all limits for sources, `deny` drops all its packets, `limit` gives it the limits "
			"of the set `limits`. A list has `prefixes`, or a `file` with one prefix in each line."},
	{.name = "source",
		.read = read_source,
		.write = write_source,
		.keys = source_keys,
		.usual = "`{ipv4: 32, ipv6: 64}`",
		.help = "Length of the prefixes that count as one source."},
	{.name = "scanners",
		.read = config_read_switch,
		.write = config_write_switch,
		SETTING(scanners),
		.type = VALUE_WORD,
		.words = config_scanner_words,
		.usual = "`false`",
		.help = "Whether to drop initial requests whose User-Agent begins with the name of a known scanner, or "
			"whose From has such a user. `true` uses the mode of the guard; `observe` and `enforce` are a "
			"mode for this rule alone."},
	{.name = "scanner_names",
		.read = read_texts,
		.write = write_texts,
		MEMBER(scanners),
		.flags = KEY_LIST,
		.expected = TEXT_EXPECTED,
		.usual = "none",
		.help = "Names of scanners in addition to the built-in ones."},
	{.name = "broken",
		.read = config_read_switch,
		.write = config_write_switch,
		SETTING(broken),
		.type = VALUE_WORD,
		.words = config_broken_words,
		.usual = "`forward`",
		.help = "What happens to initial requests without Call-ID, From, To, CSeq or Via, and to packets that "
			"are not SIP from a source that has never sent SIP. Keepalives and STUN are always forwarded. "
			"`drop` "
			"uses the mode of the guard; `observe` and `enforce` are a mode for this rule alone."},
	{.name = "emergency",
		.read = read_texts,
		.write = write_texts,
		MEMBER(emergency),
		.flags = KEY_LIST,
		.expected = TEXT_EXPECTED,
		.usual = "`[112, 911, 999, sos, 'urn:service:sos']`",
		.help = "Users and URNs of Request-URIs that are emergency calls. They are exempt from all limits "
			"except `emergency`. A number also matches with a leading `+`, and a URN matches its "
			"sub-services, too."},
	{.name = "resource_priority",
		.read = read_texts,
		.write = write_texts,
		MEMBER(priorities),
		.flags = KEY_LIST,
		.expected = TEXT_EXPECTED,
		.usual = "none",
		.help = "Namespaces of Resource-Priority (RFC 4412), such as `esnet`. Requests with one of these "
			"namespaces are exempt like emergency calls."},
	{.name = "retry_after",
		.read = config_read_u32,
		.write = config_write_u32,
		SETTING(retry_after),
		.type = VALUE_NUMBER,
		.max = CONFIG_RETRY_AFTER_MAX,
		.usual = "0: the response has no such header",
		.help = "Retry-After of a response 503, in seconds. A proxy in front of the balancer may stop sending "
			"to "
			"the VIP for this time (RFC 5390)."},
	{},
};

#undef SETTING
#undef MEMBER

void config_default_guard(struct config_guard *guard)
{
	static const char *const emergency[] = {"112", "911", "999", "sos", "urn:service:sos"};
	const size_t count = sizeof(emergency) / sizeof(*emergency);

	*guard = (struct config_guard){
		.is_set = true,
		.settings = {.mode = GUARD_OBSERVE,
			.limits = CONFIG_DEFAULT_LIMITS,
			.scanners.state = SWITCH_OFF,
			.broken.state = SWITCH_OFF},
		.ipv4_bits = 32,
		.ipv6_bits = 64,
		.emergency = {.list = allocate(count, sizeof(char *)), .count = count},
	};
	for (size_t i = 0; i < count; i++)
		guard->emergency.list[i] = config_copy_text(emergency[i]);
}

/* A limit set of the file that is named "default" replaces the built-in one. */
static void replace_default(struct config_guard *guard)
{
	for (size_t i = 0; i < guard->limit_set_count; i++) {
		if (strcmp(guard->limit_sets[i].name, GUARD_SHARED_NAME))
			continue;
		if (guard->settings.limits == CONFIG_DEFAULT_LIMITS)
			guard->settings.limits = i;
		for (size_t j = 0; j < guard->list_count; j++)
			if (guard->lists[j].limits == CONFIG_DEFAULT_LIMITS)
				guard->lists[j].limits = i;
	}
}

void config_read_guard(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;

	config_default_guard(&config->guard);
	config->guard.position = value->position;
	if (value->kind == NODE_SCALAR && !*value->text)
		return; /* "guard:" without keys */
	reader_mapping(reader, value, "guard", config_guard_keys, &config->guard);
	replace_default(&config->guard);
}

/* --- the whole */

void config_check_guard(const struct parse *parse, struct faults *faults)
{
	const struct config_guard *guard = &parse->config->guard;
	size_t classes = (parse->guard_count + 1) * (GUARD_LIST_FIRST + guard->list_count + GUARD_CLASS_BLOCK - 1);

	if (guard->is_set && classes > GUARD_CLASSES_MAX)
		faults_add(faults, guard->position,
			"%zu lists for %zu services with a guard of their own are too many; let services share the "
			"guard of the file",
			guard->list_count, parse->guard_count);
}

static void copy_texts(struct config_texts *texts)
{
	char **list = allocate(texts->count, sizeof(*list));

	for (size_t i = 0; i < texts->count; i++)
		list[i] = config_copy_text(texts->list[i]);
	texts->list = list;
}

void config_copy_guard(struct config_guard *guard)
{
	copy_texts(&guard->scanners);
	copy_texts(&guard->emergency);
	copy_texts(&guard->priorities);
	guard->limit_sets = duplicate(guard->limit_sets, guard->limit_set_count, sizeof(*guard->limit_sets));
	guard->lists = duplicate(guard->lists, guard->list_count, sizeof(*guard->lists));
	for (size_t i = 0; i < guard->list_count; i++) {
		struct config_guard_list *list = &guard->lists[i];

		if (list->prefixes)
			list->prefixes = duplicate(list->prefixes, list->prefix_count, sizeof(*list->prefixes));
		list->file = config_copy_text(list->file);
	}
}

void config_free_guard(struct config_guard *guard)
{
	free_texts(&guard->scanners);
	free_texts(&guard->emergency);
	free_texts(&guard->priorities);
	for (size_t i = 0; i < guard->list_count; i++) {
		free(guard->lists[i].prefixes);
		free(guard->lists[i].file);
	}
	free(guard->lists);
	free(guard->limit_sets);
}
