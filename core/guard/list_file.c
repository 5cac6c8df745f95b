// SPDX-License-Identifier: GPL-2.0
/* See list_file.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/base/memory.h"
#include "list_file.h"

#define WORD_SIZE (PREFIX_TEXT_SIZE + 64) /* longer than any valid line without its comment */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Copies the line without its comment and the spaces around it; a longer line is cut off. */
static void copy_word(const char *line, const char *end, char word[WORD_SIZE])
{
	const char *comment = line;
	size_t length;

	while (comment < end && *comment != '#' && *comment != ';')
		comment++;
	while (line < comment && is_space(*line))
		line++;
	while (line < comment && is_space(comment[-1]))
		comment--;
	length = comment - line < WORD_SIZE ? comment - line : WORD_SIZE - 1;
	memcpy(word, line, length);
	word[length] = '\0';
}

static int refuse(struct list_fault *fault, size_t line, const char *reason, const char *word)
{
	fault->line = line;
	snprintf(fault->text, sizeof(fault->text), reason, word);
	for (char *c = fault->text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return -EINVAL;
}

int list_file_parse(const char *text, size_t length, struct prefix_key **out, size_t *count, struct list_fault *fault)
{
	const char *end = text + length, *newline;
	struct prefix_key *list = NULL, prefix;
	char word[WORD_SIZE];
	size_t used = 0, line = 1;
	int error = 0;

	for (; text < end && !error; text = newline + 1, line++) {
		newline = memchr(text, '\n', end - text);
		if (!newline) {
			error = refuse(fault, line, "the last line has no newline: the file may be truncated%s", "");
			break;
		}
		copy_word(text, newline, word);
		if (!*word && !memchr(text, '\0', newline - text))
			continue;
		if (prefix_parse(word, &prefix) || memchr(text, '\0', newline - text)) {
			error = refuse(fault, line,
				"'%.60s' is not a network with all host bits 0, such as 203.0.113.0/24, or an address",
				word);
			break;
		}
		list = array_grow(list, used, sizeof(*list));
		list[used++] = prefix;
	}
	if (error) {
		free(list);
		return error;
	}
	*out = list;
	*count = used;
	return 0;
}
