// SPDX-License-Identifier: GPL-2.0
/* See config_lines.h. */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "config_lines.h"
#include "core/base/memory.h"
#include "group_message.h"

#define DEPTH_MAX 8
#define HASH_KEY "hash_key:"

static void leave_out_own_settings(struct config *config)
{
	config->interface_count = 0;
	config->mac_count = 0;
	config->metrics.listen.port = 0;
	config->capture.to.port = 0;
	config->group.node[0] = '\0';
	if (config->join.listen.port)
		config->join.listen = (struct endpoint){.port = 1};
}

static char *write(const struct config *config)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	config_write(config, out);
	fclose(out);
	return text;
}

/* Removes the first line from `*text` and returns it; NULL at the end. */
static char *next_line(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	if (!*line)
		return NULL;
	*text = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	return line;
}

/* The lines above the current one, each with a smaller indent than the next. */
struct outline {
	size_t depth;
	size_t indents[DEPTH_MAX];
	uint32_t hashes[DEPTH_MAX];
	const char *names[DEPTH_MAX];
};

static void enter(struct outline *outline, const char *line)
{
	size_t indent = strspn(line, " ");

	while (outline->depth && outline->indents[outline->depth - 1] >= indent)
		outline->depth--;
	if (outline->depth == DEPTH_MAX)
		outline->depth--;
	outline->indents[outline->depth] = indent;
	outline->depth++;
}

/* The name of a line in the place of the lines below it: "proxies" for "- name: proxies". */
static void append_name(char *out, const char *line)
{
	static const char *const prefixes[] = {"- ", "name: "};
	size_t length;

	line += strspn(line, " ");
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		line += strncmp(line, prefixes[i], strlen(prefixes[i])) ? 0 : strlen(prefixes[i]);
	length = strcspn(line, ":");
	sprintf(out + strlen(out), "%.*s: ", (int)length, line);
}

static char *text_of(const struct outline *outline, const char *line)
{
	size_t size = strlen(line) + 1;
	char *text;

	for (size_t i = 0; i + 1 < outline->depth; i++)
		size += strlen(outline->names[i]) + 3;
	text = allocate(size, 1);
	for (size_t i = 0; i + 1 < outline->depth; i++)
		append_name(text, outline->names[i]);
	line += strspn(line, " ");
	return strcat(text, strncmp(line, HASH_KEY, strlen(HASH_KEY)) ? line : "hash_key");
}

static int compare(const void *a, const void *b)
{
	const struct config_line *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

/* `shown` is `text` without secrets. Both have the same lines. */
static struct config_line *split(char *text, char *shown, size_t *count)
{
	struct outline outline = {0};
	struct config_line *lines = NULL;
	const char *line, *shown_line;

	*count = 0;
	while ((line = next_line(&text)) && (shown_line = next_line(&shown))) {
		uint64_t hash = GROUP_HASH_BEGIN;
		size_t at;

		enter(&outline, line);
		at = outline.depth - 1;
		if (at)
			hash = group_hash(hash, &(uint32_t){htonl(outline.hashes[at - 1])}, sizeof(uint32_t));
		hash = group_hash(hash, line, strlen(line));
		outline.hashes[at] = hash ^ hash >> 32;
		outline.names[at] = shown_line;
		lines = array_grow(lines, *count, sizeof(*lines));
		lines[(*count)++] = (struct config_line){outline.hashes[at], text_of(&outline, shown_line)};
	}
	qsort(lines, *count, sizeof(*lines), compare);
	return lines;
}

struct config_line *config_lines(struct config *config, size_t *count)
{
	struct config_line *lines;
	char *text, *shown;

	leave_out_own_settings(config);
	text = write(config);
	config_hide_secrets(config);
	shown = write(config);
	lines = split(text, shown, count);
	free(text);
	free(shown);
	return lines;
}

void config_lines_free(struct config_line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(lines[i].text);
	free(lines);
}

bool config_lines_contain(const uint32_t *sorted, size_t count, uint32_t hash)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sorted[middle] == hash)
			return true;
		if (sorted[middle] < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
