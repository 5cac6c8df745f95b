/* SPDX-License-Identifier: GPL-2.0 */
/* A list of sentences for people. Pure. */
#pragma once

#include <stddef.h>

struct messages {
	char **list;
	size_t count;
};

void messages_add(struct messages *messages, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Moves all sentences of `from` behind those of `messages`. */
void messages_take(struct messages *messages, struct messages *from);

/* Keeps the first so many, and says how many more there were. */
#define MESSAGES_SHOWN 10
void messages_cut(struct messages *messages, size_t most);

void messages_free(struct messages *messages);
