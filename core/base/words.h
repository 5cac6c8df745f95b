/* SPDX-License-Identifier: GPL-2.0 */
/* A list of sentences for people. Pure. */
#pragma once

#include <stddef.h>

struct words {
	char **list;
	size_t count;
};

void words_add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Moves all sentences of `from` behind those of `words`. */
void words_take(struct words *words, struct words *from);

/* Keeps the first so many, and says how many more there were. */
#define WORDS_SHOWN 10
void words_cut(struct words *words, size_t most);

void words_free(struct words *words);
