// SPDX-License-Identifier: GPL-2.0
/* See words.h. */

#include <stdarg.h>
#include <stdio.h>
#include "memory.h"
#include "words.h"

static void add(struct words *words, char *text)
{
	words->list = array_grow(words->list, words->count, sizeof(*words->list));
	words->list[words->count++] = text;
}

void words_add(struct words *words, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		abort();
	va_end(arguments);
	add(words, text);
}

void words_take(struct words *words, struct words *from)
{
	for (size_t i = 0; i < from->count; i++)
		add(words, from->list[i]);
	free(from->list);
	*from = (struct words){0};
}

void words_cut(struct words *words, size_t most)
{
	size_t more = words->count > most ? words->count - most : 0;

	if (!more)
		return;
	while (words->count > most)
		free(words->list[--words->count]);
	words_add(words, "... and %zu more", more);
}

void words_free(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->list[i]);
	free(words->list);
	*words = (struct words){0};
}
