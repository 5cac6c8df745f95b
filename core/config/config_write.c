// SPDX-License-Identifier: GPL-2.0
/* Writes a configuration as YAML that config_parse() reads back as equal. Uses the tables of keys: a
 * key is written if its row has KEY_ALWAYS or its value differs from the default. */
#include <ctype.h>
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

/* --- values */

/* Quotes a word if a YAML reader could take it for a different type: a colon ends a key, "on" is a truth value, 1234 is
 * a number. */
void config_write_word(FILE *out, const char *text)
{
	static const char *const truths[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
	bool plain = isalpha((unsigned char)text[0]);
	const char *c;
	size_t i;

	for (i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
		plain = plain && strcasecmp(text, truths[i]) != 0;
	for (c = text; *c; c++)
		plain = plain && (isalnum((unsigned char)*c) || strchr("._-", *c));
	if (plain) {
		fputs(text, out);
		return;
	}
	fputc('\'', out);
	for (c = text; *c; c++)
		fputs(*c == '\'' ? "''" : (char[]){*c, '\0'}, out);
	fputc('\'', out);
}

void config_write_address(FILE *out, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	address_format(address, text);
	if (address_is_ipv4(address))
		fputs(text, out);
	else
		config_write_word(out, text);
}

void config_write_host(FILE *out, const char *host, uint16_t port)
{
	char text[HOST_SIZE + sizeof("[]:65535")];
	bool brackets = strchr(host, ':');
	int length = snprintf(text, sizeof(text), "%s%s%s", brackets ? "[" : "", host, brackets ? "]" : "");

	if (port)
		snprintf(text + length, sizeof(text) - length, ":%u", port);
	config_write_word(out, text);
}

void config_write_range(FILE *out, unsigned int first, unsigned int last)
{
	fprintf(out, "%u", first);
	if (last != first)
		fprintf(out, "-%u", last);
}

static const void *member(const struct key *key, const void *object)
{
	return (const char *)object + key->member;
}

void config_write_u8(const struct writer *writer, const struct key *key, const void *object)
{
	fprintf(writer->out, "%u", *(const uint8_t *)member(key, object));
}

void config_write_u16(const struct writer *writer, const struct key *key, const void *object)
{
	fprintf(writer->out, "%u", *(const uint16_t *)member(key, object));
}

void config_write_port(const struct writer *writer, const struct key *key, const void *object)
{
	if (*(const uint16_t *)member(key, object))
		config_write_u16(writer, key, object);
}

void config_write_u32(const struct writer *writer, const struct key *key, const void *object)
{
	fprintf(writer->out, "%u", *(const uint32_t *)member(key, object));
}

void config_write_time(const struct writer *writer, const struct key *key, const void *object)
{
	char text[DURATION_TEXT_SIZE];

	fputs(duration_format(*(const uint32_t *)member(key, object), text), writer->out);
}

void config_write_truth(const struct writer *writer, const struct key *key, const void *object)
{
	fputs(*(const bool *)member(key, object) ? "true" : "false", writer->out);
}

void config_write_text(const struct writer *writer, const struct key *key, const void *object)
{
	const char *text = *(char *const *)member(key, object);

	if (text)
		config_write_word(writer->out, text);
}

/* --- keys */

void key_text_open(struct key_text *text, const struct config *config)
{
	*text = (struct key_text){.writer.config = config};
	text->writer.out = open_memstream(&text->bytes, &text->length);
	if (!text->writer.out)
		abort();
}

/* The stream is rewound for each value. Values are short, so its buffer soon stops growing. */
const char *key_text(struct key_text *text, const struct key *key, const void *object)
{
	rewind(text->writer.out);
	key->write(&text->writer, key, object);
	fputc('\0', text->writer.out);
	if (fflush(text->writer.out))
		abort();
	return text->bytes;
}

void key_text_close(struct key_text *text)
{
	fclose(text->writer.out);
	free(text->bytes);
}

/* --- objects */

struct layout {
	const char *first, *next; /* text before the first key, and before each further key */
	const char *end;          /* text after each value */
};

/* Writes the keys of an object. `usual` is an object with the default values. */
static void write_keys(struct key_text texts[2], FILE *out, const struct key *keys, const void *object,
	const void *usual, const struct layout *layout)
{
	const char *before = layout->first;

	for (const struct key *key = keys; key->name; key++) {
		const char *text;

		if (!key->write)
			continue;
		text = key_text(&texts[0], key, object);
		if (!*text || (!(key->flags & KEY_ALWAYS) && !strcmp(text, key_text(&texts[1], key, usual))))
			continue;
		fprintf(out, "%s%s: %s%s", before, key->name, text, layout->end);
		before = layout->next;
	}
}

static void write_service(struct key_text texts[2], FILE *out, const struct config_service *service)
{
	struct config_service usual = {.message_counters = true, .guard.settings.limits = CONFIG_INHERIT_LIMITS};

	memset(usual.methods, 0xff, sizeof(usual.methods)); /* CONFIG_NO_POOL */
	fputs("  - name: ", out);
	config_write_word(out, service->name);
	fputc('\n', out);
	write_keys(texts, out, config_service_keys, service, &usual, &(struct layout){"    ", "    ", "\n"});
}

static void write_backend_keys(struct key_text texts[2], FILE *out, const struct config_backend *backend)
{
	static const struct config_backend usual = {.priority = 1};

	fputc('{', out);
	write_keys(texts, out, config_backend_keys, backend, &usual, &(struct layout){"", ", ", ""});
	fputc('}', out);
}

static void write_probe(struct key_text texts[2], FILE *out, const struct config_probe *probe)
{
	struct config_probe usual;

	if (probe->type == PROBE_NONE)
		return;
	config_default_probe(&usual, probe->type);
	if (probe->interval < usual.timeout)
		usual.timeout = probe->interval;
	fputs("    probe:\n", out);
	write_keys(texts, out, config_probe_keys, probe, &usual, &(struct layout){"      ", "      ", "\n"});
}

static void write_group(FILE *out, const struct config_pool *pool, size_t group)
{
	const char *separator = "";
	size_t i;

	fputs("      - {name: ", out);
	config_write_word(out, pool->groups[group]);
	fputs(", backends: [", out);
	for (i = 0; i < pool->backend_count; i++) {
		if (pool->backends[i].group != group + 1)
			continue;
		fputs(separator, out);
		config_write_word(out, pool->backends[i].name);
		separator = ", ";
	}
	fputs("]}\n", out);
}

static void write_pool(struct key_text texts[2], FILE *out, const struct config_pool *pool)
{
	struct config_pool usual = {};
	size_t i;

	config_default_pool(&usual);
	fputs("  - name: ", out);
	config_write_word(out, pool->name);
	fputc('\n', out);
	write_keys(texts, out, config_pool_keys, pool, &usual, &(struct layout){"    ", "    ", "\n"});
	write_probe(texts, out, &pool->probe);
	fputs(pool->backend_count ? "    backends:\n" : "    backends: []\n", out);
	for (i = 0; i < pool->backend_count; i++) {
		fputs("      - ", out);
		write_backend_keys(texts, out, &pool->backends[i]);
		fputc('\n', out);
	}
	fputs(pool->group_count ? "    groups:\n" : "", out);
	for (i = 0; i < pool->group_count; i++)
		write_group(out, pool, i);
}

static void write_file_keys(struct key_text texts[2], FILE *out, const struct config *config)
{
	static const struct config usual;

	write_keys(texts, out, config_file_keys, config, &usual, &(struct layout){"", "", "\n"});
	fputs("limits: {", out);
	write_keys(texts, out, config_limit_keys, &config->limits, &usual.limits, &(struct layout){"", ", ", ""});
	fputs("}\n", out);
	if (config->join.listen.port) {
		fputs("join:\n", out);
		write_keys(
			texts, out, config_join_keys, &config->join, &usual.join, &(struct layout){"  ", "  ", "\n"});
	}
	if (config->metrics.listen.port) {
		fputs("metrics:\n", out);
		write_keys(texts, out, config_metrics_keys, &config->metrics, &usual.metrics,
			&(struct layout){"  ", "  ", "\n"});
	}
	if (config->capture.to.port) {
		fputs("capture:\n", out);
		write_keys(texts, out, config_capture_keys, &config->capture, &usual.capture,
			&(struct layout){"  ", "  ", "\n"});
	}
	if (*config->group.name) {
		fputs("group:\n", out);
		write_keys(texts, out, config_membership_keys, &config->group, &usual.group,
			&(struct layout){"  ", "  ", "\n"});
	}
	if (config->guard.is_set) {
		struct config_guard usual_guard;

		config_default_guard(&usual_guard);
		fputs("guard:\n", out);
		write_keys(texts, out, config_guard_keys, &config->guard, &usual_guard,
			&(struct layout){"  ", "  ", "\n"});
		config_free_guard(&usual_guard);
	}
}

void config_write(const struct config *config, FILE *out)
{
	struct key_text texts[2];
	size_t i;

	key_text_open(&texts[0], config);
	key_text_open(&texts[1], config);
	write_file_keys(texts, out, config);
	fputs(config->service_count ? "services:\n" : "services: []\n", out);
	for (i = 0; i < config->service_count; i++)
		write_service(texts, out, &config->services[i]);
	fputs("pools:\n", out);
	for (i = 0; i < config->pool_count; i++)
		write_pool(texts, out, &config->pools[i]);
	key_text_close(&texts[0]);
	key_text_close(&texts[1]);
}
