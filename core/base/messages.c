// SPDX-License-Identifier: GPL-2.0
/* See messages.h. */

#include <stdarg.h>
#include <stdio.h>
#include "memory.h"
#include "messages.h"

static void add(struct messages *messages, char *text)
{
	messages->list = array_grow(messages->list, messages->count, sizeof(*messages->list));
	messages->list[messages->count++] = text;
}

void messages_add(struct messages *messages, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		abort();
	va_end(arguments);
	add(messages, text);
}

void messages_take(struct messages *messages, struct messages *from)
{
	for (size_t i = 0; i < from->count; i++)
		add(messages, from->list[i]);
	free(from->list);
	*from = (struct messages){0};
}

void messages_cut(struct messages *messages, size_t most)
{
	size_t more = messages->count > most ? messages->count - most : 0;

	if (!more)
		return;
	while (messages->count > most)
		free(messages->list[--messages->count]);
	messages_add(messages, "... and %zu more", more);
}

void messages_free(struct messages *messages)
{
	for (size_t i = 0; i < messages->count; i++)
		free(messages->list[i]);
	free(messages->list);
	*messages = (struct messages){0};
}
