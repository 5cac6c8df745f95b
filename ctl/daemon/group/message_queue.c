// SPDX-License-Identifier: GPL-2.0
/* See message_queue.h. */

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "message_queue.h"

#define BYTES_MAX ((size_t)64 << 20)

struct message_queue {
	pthread_mutex_t mutex;
	struct queued *first, **last;
	size_t bytes;
	int fd;
};

int message_queue_new(struct message_queue **out)
{
	struct message_queue *queue = allocate(1, sizeof(*queue));

	queue->last = &queue->first;
	queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->fd < 0) {
		free(queue);
		return -errno;
	}
	pthread_mutex_init(&queue->mutex, NULL);
	*out = queue;
	return 0;
}

void message_queue_drop(struct queued *items)
{
	while (items) {
		struct queued *next = items->next;

		free(items);
		items = next;
	}
}

void message_queue_free(struct message_queue *queue)
{
	if (!queue)
		return;
	message_queue_drop(queue->first);
	close(queue->fd);
	pthread_mutex_destroy(&queue->mutex);
	free(queue);
}

int message_queue_fd(const struct message_queue *queue)
{
	return queue->fd;
}

void message_queue_wake(struct message_queue *queue)
{
	(void)!write(queue->fd, &(uint64_t){1}, sizeof(uint64_t));
}

int message_queue_put(
	struct message_queue *queue, const void *head, size_t head_length, const void *tail, size_t tail_length)
{
	struct queued *item = allocate(1, sizeof(*item) + head_length + tail_length);
	bool fits, was_empty;

	item->length = head_length + tail_length;
	memcpy(item->bytes, head, head_length);
	if (tail_length)
		memcpy(item->bytes + head_length, tail, tail_length);
	pthread_mutex_lock(&queue->mutex);
	was_empty = !queue->first;
	fits = queue->bytes + item->length <= BYTES_MAX;
	if (fits) {
		*queue->last = item;
		queue->last = &item->next;
		queue->bytes += item->length;
	}
	pthread_mutex_unlock(&queue->mutex);
	if (!fits) {
		free(item);
		return -ENOBUFS;
	}
	if (was_empty)
		message_queue_wake(queue); /* else it is awake, or will be */
	return 0;
}

size_t message_queue_bytes(struct message_queue *queue)
{
	size_t bytes;

	pthread_mutex_lock(&queue->mutex);
	bytes = queue->bytes;
	pthread_mutex_unlock(&queue->mutex);
	return bytes;
}

struct queued *message_queue_take(struct message_queue *queue)
{
	struct queued *items;
	uint64_t count;

	(void)!read(queue->fd, &count, sizeof(count));
	pthread_mutex_lock(&queue->mutex);
	items = queue->first;
	queue->first = NULL;
	queue->last = &queue->first;
	queue->bytes = 0;
	pthread_mutex_unlock(&queue->mutex);
	return items;
}
