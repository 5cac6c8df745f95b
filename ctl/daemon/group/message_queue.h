/* SPDX-License-Identifier: GPL-2.0 */
/* A queue of byte strings from one thread to a different one. A descriptor is readable while the queue may have
 * items. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct queued {
	struct queued *next;
	size_t length;
	uint8_t bytes[] __attribute__((aligned(8)));
};

struct message_queue;

/* 0 or -errno. */
int message_queue_new(struct message_queue **out);
void message_queue_free(struct message_queue *queue);

/* Becomes readable when an item is added. */
int message_queue_fd(const struct message_queue *queue);

/* Adds a copy of two adjacent byte strings as one item. 0, or -ENOBUFS if the queue is full. */
int message_queue_put(
	struct message_queue *queue, const void *head, size_t head_length, const void *tail, size_t tail_length);

/* Makes the descriptor readable without an item. */
void message_queue_wake(struct message_queue *queue);

/* The size of all items in bytes. */
size_t message_queue_bytes(struct message_queue *queue);

/* Returns all items, which the caller frees one by one or drops; NULL: none. */
struct queued *message_queue_take(struct message_queue *queue);
void message_queue_drop(struct queued *items);
