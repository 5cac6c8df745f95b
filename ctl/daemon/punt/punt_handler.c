// SPDX-License-Identifier: GPL-2.0
/* See punt_handler.h. */

#include <errno.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "core/base/memory.h"
#include "core/net/oversize.h"
#include "core/net/held_fragments.h"
#include "ctl/maps/clock.h"
#include "ctl/maps/maps.h"
#include "ctl/maps/ring.h"
#include "reinject.h"
#include "punt_handler.h"

#define PACKETS_AT_A_TIME 64 /* oversize or translated packets in one turn; then the loop handles its other events */

/* Fragments are read in batches with a pause after each batch, so that a flood of them takes a bounded
 * share of the daemon's time. */
#define FRAGMENTS_AT_A_TIME 256
#define FRAGMENTS_PAUSE_USEC 1000

struct punt_handler {
	struct ring_buffer *fragments;
	struct ring_buffer *oversize;
	struct ring_buffer *nat;
	sd_event_source *fragments_readable;
	sd_event_source *oversize_readable;
	sd_event_source *nat_readable;
	sd_event_source *timer; /* the end of a pause, or the deadline of the oldest fragment */
	struct reinject *reinject;
	int fragments_fd; /* the map `fragments` */
	struct held_fragments *waiting;
	size_t turn_count;                             /* records handled in this turn */
	struct fragment_key keys[FRAGMENTS_AT_A_TIME]; /* the datagrams of this turn's fragment records */
	struct oversize_error_rate rate;
	struct punt_counts counts;
};

static bool is_late(const struct punt *punt)
{
	return clock_usec() > (punt->time + PUNT_NSEC) / 1000;
}

/* --- oversize packets */

/* True if all fragments were sent, or punted again because the kernel must find their way to the client. */
static bool fragment(const struct punt_handler *handler, const struct punt *punt)
{
	uint8_t piece[PUNT_FRAME_SIZE];
	struct oversize_fragments cut;
	size_t length;

	if (oversize_fragment_start(&cut, punt))
		return false;
	/* Writes the entry as late as possible, because the next datagram may have the same identification. */
	if (punt->owner.split_by_daemon &&
		bpf_map_update_elem(handler->fragments_fd, &punt->key, &punt->owner, BPF_ANY))
		return false;
	while ((length = oversize_fragment_next(&cut, piece))) {
		int error = reinject_frame(handler->reinject, piece, length, punt->ifindex, &punt->owner);

		if (error && error != -EAGAIN) /* -EAGAIN: the program has punted the fragment to punt_nat */
			return false;
	}
	return true;
}

/* The ICMP error leaves through the interface that the packet arrived on, because the path back may not
 * match our routes. */
static bool answer_sender(struct punt_handler *handler, const struct punt *punt)
{
	uint8_t answer[OVERSIZE_ERROR_SIZE];
	size_t length = oversize_error(punt, answer);

	return length && oversize_error_is_allowed(&handler->rate, clock_usec()) &&
	       !reinject_send(handler->reinject, answer, length, punt->ifindex);
}

/* Returning an error ends the turn. libbpf has consumed the record by then. */
static int on_oversize(void *data, void *record, size_t size)
{
	struct punt_handler *handler = data;
	const struct punt *punt = record;

	(void)size;
	if (is_late(punt))
		handler->counts.late_oversize++;
	else if (oversize_may_fragment(punt) && fragment(handler, punt))
		handler->counts.fragmented++;
	else if (!oversize_may_fragment(punt) && answer_sender(handler, punt))
		handler->counts.answered++;
	else
		handler->counts.refused++;
	return ++handler->turn_count < PACKETS_AT_A_TIME ? 0 : -EAGAIN;
}

static int on_oversize_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct punt_handler *handler = data;

	(void)source;
	(void)fd;
	(void)events;
	handler->turn_count = 0;
	ring_buffer__consume(handler->oversize);
	return 0;
}

/* --- translated packets from backends */

static int on_translated(void *data, void *record, size_t size)
{
	struct punt_handler *handler = data;
	const struct punt *punt = record;

	(void)size;
	if (is_late(punt))
		handler->counts.late_nat++;
	else if (reinject_route(handler->reinject, punt->frame, punt->length))
		handler->counts.unsent_nat++;
	else
		handler->counts.routed_nat++;
	return ++handler->turn_count < PACKETS_AT_A_TIME ? 0 : -EAGAIN;
}

static int on_nat_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct punt_handler *handler = data;

	(void)source;
	(void)fd;
	(void)events;
	handler->turn_count = 0;
	ring_buffer__consume(handler->nat);
	return 0;
}

/* --- early fragments */

/* Has the first fragment of this datagram arrived by now? */
static bool find_first(const struct punt_handler *handler, const struct fragment_key *key, struct fragment *first)
{
	return !bpf_map_lookup_elem(handler->fragments_fd, key, first) &&
	       clock_usec() < (first->seen + FRAGMENT_NSEC) / 1000;
}

static void send_fragment(struct punt_handler *handler, const struct punt *punt, const struct fragment *first)
{
	int error = reinject_frame(handler->reinject, punt->frame, punt->length, punt->ifindex, first);

	if (!error)
		handler->counts.sent++;
	else if (error != -EAGAIN) /* -EAGAIN: the program has punted the frame again, and it will be counted later */
		handler->counts.unsent++;
}

/* If the first fragment of `key` has arrived, sends all fragments that waited for it. */
static void send_waiting(struct punt_handler *handler, const struct fragment_key *key)
{
	const struct punt *punt = held_of(handler->waiting, key);
	struct fragment first;

	if (!punt || !find_first(handler, key, &first))
		return;
	for (; punt; punt = held_of(handler->waiting, key)) {
		send_fragment(handler, punt, &first);
		held_remove(handler->waiting, punt);
	}
}

static void add_fragment(struct punt_handler *handler, const struct punt *punt)
{
	handler->counts.held++;
	switch (held_add(handler->waiting, punt)) {
	case HELD_REPLACED:
		handler->counts.displaced++;
		break;
	case HELD_DUPLICATE:
		handler->counts.duplicates++;
		break;
	case HELD_ADDED:
		break;
	}
}

static int on_fragment(void *data, void *record, size_t size)
{
	struct punt_handler *handler = data;
	const struct punt *punt = record;

	(void)size;
	if (punt->kind == PUNT_FRAGMENT && is_late(punt))
		handler->counts.late_fragments++;
	else if (punt->kind == PUNT_FRAGMENT)
		add_fragment(handler, punt);
	handler->keys[handler->turn_count++] = punt->key;
	return handler->turn_count < FRAGMENTS_AT_A_TIME ? 0 : -EAGAIN;
}

/* Stores all fragments before it sends any. Otherwise a duplicate that arrived together with its original would still
 * be held after its datagram is complete. */
static void take_fragments(struct punt_handler *handler)
{
	handler->turn_count = 0;
	ring_buffer__consume(handler->fragments);
	for (size_t i = 0; i < handler->turn_count; i++)
		send_waiting(handler, &handler->keys[i]);
}

/* Ends the wait of fragments past their deadline. Their first fragment may have arrived without a
 * notification. */
static void expire_waits(struct punt_handler *handler)
{
	const struct punt *punt;
	struct fragment first;

	while ((punt = held_oldest(handler->waiting)) && is_late(punt)) {
		if (find_first(handler, &punt->key, &first))
			send_fragment(handler, punt, &first);
		else
			handler->counts.timed_out++;
		held_remove(handler->waiting, punt);
	}
}

static void wake_up_at(struct punt_handler *handler, uint64_t usec)
{
	sd_event_source_set_time(handler->timer, usec);
	sd_event_source_set_enabled(handler->timer, SD_EVENT_ONESHOT);
}

static int on_fragments_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct punt_handler *handler = data;

	(void)fd;
	(void)events;
	take_fragments(handler);
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	wake_up_at(handler, clock_usec() + FRAGMENTS_PAUSE_USEC);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct punt_handler *handler = data;
	const struct punt *oldest;

	(void)source;
	(void)usec;
	expire_waits(handler);
	oldest = held_oldest(handler->waiting);
	if (oldest)
		wake_up_at(handler, (oldest->time + PUNT_NSEC) / 1000 + 1);
	sd_event_source_set_enabled(handler->fragments_readable, SD_EVENT_ON);
	return 0;
}

/* --- setup and cleanup */

static int join_loop(struct punt_handler *handler, sd_event *event)
{
	int error = sd_event_add_io(event, &handler->fragments_readable, ring_buffer__epoll_fd(handler->fragments),
		EPOLLIN, on_fragments_readable, handler);

	if (error >= 0)
		error = sd_event_add_io(event, &handler->oversize_readable, ring_buffer__epoll_fd(handler->oversize),
			EPOLLIN, on_oversize_readable, handler);
	if (error >= 0)
		error = sd_event_add_io(event, &handler->nat_readable, ring_buffer__epoll_fd(handler->nat), EPOLLIN,
			on_nat_readable, handler);
	if (error >= 0)
		error = sd_event_add_time_relative(event, &handler->timer, CLOCK_MONOTONIC, 0, 1, on_timer, handler);
	return error < 0 ? error : 0;
}

static int open_all(struct punt_handler *handler, const char *directory)
{
	__u64 secret[2];
	int error;

	handler->fragments_fd = maps_open_pin(directory, "fragments");
	if (handler->fragments_fd < 0)
		return handler->fragments_fd;
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -errno;
	handler->waiting = held_new(secret);
	error = reinject_new(&handler->reinject, directory);
	if (!error)
		error = ring_open(&handler->fragments, directory, "punt_fragments", on_fragment, handler);
	if (!error)
		error = ring_open(&handler->oversize, directory, "punt_oversize", on_oversize, handler);
	if (!error)
		error = ring_open(&handler->nat, directory, "punt_nat", on_translated, handler);
	return error;
}

int punt_handler_new(struct punt_handler **out, sd_event *event, const char *directory)
{
	struct punt_handler *handler = allocate(1, sizeof(*handler));
	int error = open_all(handler, directory);

	if (!error)
		error = join_loop(handler, event);
	if (error) {
		punt_handler_free(handler);
		handler = NULL;
	}
	*out = handler;
	return error;
}

void punt_handler_free(struct punt_handler *handler)
{
	if (!handler)
		return;
	sd_event_source_unref(handler->fragments_readable);
	sd_event_source_unref(handler->oversize_readable);
	sd_event_source_unref(handler->nat_readable);
	sd_event_source_unref(handler->timer);
	ring_buffer__free(handler->fragments);
	ring_buffer__free(handler->oversize);
	ring_buffer__free(handler->nat);
	if (handler->fragments_fd >= 0)
		close(handler->fragments_fd);
	reinject_free(handler->reinject);
	held_free(handler->waiting);
	free(handler);
}

struct punt_counts punt_counts(const struct punt_handler *handler)
{
	return handler ? handler->counts : (struct punt_counts){0};
}
