// SPDX-License-Identifier: GPL-2.0
/* See added_backend.h. */

#include <stdio.h>
#include <string.h>
#include "added_backend.h"
#include "config_private.h"
#include "core/base/memory.h"

/* --- options -> text */

static void write_key(FILE *out, const char *key, const char *value)
{
	if (!value)
		return;
	fprintf(out, ", %s: ", key);
	config_write_word(out, value);
}

static void write_number(FILE *out, const char *key, int value)
{
	if (value > 0)
		fprintf(out, ", %s: %d", key, value);
}

/* Converts "a.example.net,b.example.net" to a YAML list. */
static void write_hints(FILE *out, const char *hints)
{
	const char *before = ", hints: [";

	if (!hints)
		return;
	do {
		size_t length = strcspn(hints, ",");
		char hint[HOST_SIZE + sizeof("[]:65535")];

		snprintf(hint, sizeof(hint), "%.*s", (int)length, hints);
		fputs(before, out);
		config_write_word(out, hint);
		before = ", ";
		hints += length + (hints[length] == ',');
	} while (*hints);
	fputc(']', out);
}

static void write_text(FILE *out, const struct config_pool *pool, const char *name, const struct address *address,
	uint16_t weight, const struct added_options *options)
{
	fputs("{name: ", out);
	config_write_word(out, pool->name);
	fprintf(out, ", forward: %s", config_forward_name(pool->forward)); /* it decides whether `port` is valid */
	fputs(", backends: [{name: ", out);
	config_write_word(out, name);
	fputs(", address: ", out);
	config_write_address(out, address);
	fprintf(out, ", weight: %u", weight);
	if (options->priority >= 0)
		fprintf(out, ", priority: %d", options->priority);
	write_number(out, "port", options->port);
	write_number(out, "max_calls", options->max_calls);
	write_number(out, "max_rate", options->max_rate);
	write_key(out, "mac", options->mac);
	write_hints(out, options->hints);
	write_key(out, "ports", options->ports);
	write_key(out, "forward", options->forward);
	fputs("}]", out);
	if (options->group) {
		fputs(", groups: [{name: ", out);
		config_write_word(out, options->group);
		fputs(", backends: [", out);
		config_write_word(out, name);
		fputs("]}]", out);
	}
	fputc('}', out);
}

/* --- text -> configuration */

#define FILE_BEFORE "interfaces: [lo]\nhash_key: '00000000000000000000000000000000'\npools: ["

static struct config *parse(const char *text, struct faults *faults)
{
	struct config *config;
	char *file;
	int length = asprintf(&file, FILE_BEFORE "%s]\n", text);

	if (length < 0)
		abort();
	config = config_parse(file, length, faults);
	free(file);
	return config;
}

static struct added_config *of_text(const char *text, struct faults *faults)
{
	struct config *config = parse(text, faults);
	struct added_config *added;

	if (!config)
		return NULL;
	added = allocate(1, sizeof(*added));
	added->users = 1;
	added->config = config;
	memcpy(added->value.text, text, strlen(text));
	return added;
}

static bool has_group(const struct config_pool *pool, const char *group)
{
	size_t i = 0;

	while (i < pool->group_count && strcmp(pool->groups[i], group))
		i++;
	return i < pool->group_count;
}

struct added_config *added_new(const struct config_pool *pool, const char *name, const struct address *address,
	uint16_t weight, const struct added_options *options, struct faults *faults)
{
	struct added_config *added = NULL;
	size_t length;
	char *text;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	write_text(out, pool, name, address, weight, options);
	fclose(out);
	if (options->group && !has_group(pool, options->group))
		faults_add(faults, (struct position){0}, "pool %s has no group '%s'", pool->name, options->group);
	else if (length >= sizeof(added->value.text))
		faults_add(faults, (struct position){0},
			"the options of backend %s are too long to survive a restart of the daemon: %zu bytes (at most "
			"%zu); add the backend to the file",
			name, length, sizeof(added->value.text) - 1);
	else
		added = of_text(text, faults);
	free(text);
	return added;
}

struct added_config *added_read(const struct added_backend *value)
{
	struct faults faults = {0};
	struct added_config *added = NULL;

	if (memchr(value->text, '\0', sizeof(value->text)))
		added = of_text(value->text, &faults);
	faults_free(&faults);
	if (added && (added->config->pool_count != 1 || added->config->pools->backend_count != 1)) {
		added_free(added);
		return NULL;
	}
	return added;
}

struct added_config *added_hold(struct added_config *added)
{
	if (added)
		atomic_fetch_add(&added->users, 1);
	return added;
}

void added_free(struct added_config *added)
{
	if (!added || atomic_fetch_sub(&added->users, 1) > 1)
		return;
	config_free(added->config);
	free(added);
}

const struct config_backend *added_backend(const struct added_config *added)
{
	return added->config->pools->backends;
}

const char *added_group(const struct added_config *added)
{
	return config_group_name(added->config->pools, added_backend(added));
}
