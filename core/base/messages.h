/* SPDX-License-Identifier: GPL-2.0 */
/* A list of messages for users. No I/O. */
#pragma once

#include <stddef.h>

struct messages {
	char **list;
	size_t count;
};

void messages_add(struct messages *messages, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends all messages of `from`, and empties `from`. */
void messages_take(struct messages *messages, struct messages *from);

/* Limits the list to its first `most` messages. If there are more, the last message says how many are omitted. */
#define MESSAGES_SHOWN 10
void messages_cut(struct messages *messages, size_t most);

void messages_free(struct messages *messages);
