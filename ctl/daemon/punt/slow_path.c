// SPDX-License-Identifier: GPL-2.0
/* See slow_path.h. */

#include <errno.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "core/base/memory.h"
#include "core/net/oversize.h"
#include "core/net/waiting.h"
#include "ctl/daemon/clock.h"
#include "ctl/maps/maps.h"
#include "resend.h"
#include "slow_path.h"

#define OVERSIZE_AT_A_TIME 64 /* packets, then the rest of the daemon has its turn */

/* Fragments are read so many at a time, once in so long: a flood of them gets no more of the
 * daemon's time than that, and wakes it no more often. */
#define FRAGMENTS_AT_A_TIME 256
#define FRAGMENTS_PAUSE_USEC 1000

struct slow_path {
	struct ring_buffer *fragments;
	struct ring_buffer *oversize;
	sd_event_source *fragments_readable;
	sd_event_source *oversize_readable;
	sd_event_source *timer; /* the end of a pause, or of the wait of the oldest fragment */
	struct resend *resend;
	int first_fd; /* the map `fragments` */
	struct waiting *waiting;
	size_t turn;                                   /* records taken in this one */
	struct fragment_key keys[FRAGMENTS_AT_A_TIME]; /* of those, where they are about fragments */
	struct answer_rate rate;
	struct slow_path_counts counts;
};

static bool is_late(const struct punt *punt)
{
	return clock_usec() > (punt->time + PUNT_NSEC) / 1000;
}

/* --- packets that do not fit */

/* True when all of its pieces are on their way. */
static bool cut_up(const struct slow_path *path, const struct punt *punt)
{
	uint8_t piece[PUNT_FRAME_SIZE];
	struct cut cut;
	size_t length;

	if (cut_start(&cut, punt))
		return false;
	/* Not earlier: the datagram behind it may have the same identification, if it has any. */
	if (punt->owner.whole && bpf_map_update_elem(path->first_fd, &punt->key, &punt->owner, BPF_ANY))
		return false;
	while ((length = cut_next(&cut, piece)))
		if (resend_frame(path->resend, piece, length, punt->ifindex, punt->owner.backend))
			return false;
	return true;
}

/* The answer leaves as it came in: the way back may lead past our routes. */
static bool tell(struct slow_path *path, const struct punt *punt)
{
	uint8_t answer[OVERSIZE_ANSWER_SIZE];
	size_t length = oversize_answer(punt, answer);

	return length && answer_rate_take(&path->rate, clock_usec()) &&
	       !resend_out(path->resend, answer, length, punt->ifindex);
}

/* An error ends this turn; the record counts as taken. */
static int on_oversize(void *data, void *record, size_t size)
{
	struct slow_path *path = data;
	const struct punt *punt = record;

	(void)size;
	if (is_late(punt))
		path->counts.late_oversize++;
	else if (oversize_may_be_cut(punt) && cut_up(path, punt))
		path->counts.cut++;
	else if (!oversize_may_be_cut(punt) && tell(path, punt))
		path->counts.told++;
	else
		path->counts.refused++;
	return ++path->turn < OVERSIZE_AT_A_TIME ? 0 : -EAGAIN;
}

static int on_oversize_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct slow_path *path = data;

	(void)source;
	(void)fd;
	(void)events;
	path->turn = 0;
	ring_buffer__consume(path->oversize);
	return 0;
}

/* --- fragments that came too early */

/* Has the first fragment of this datagram come by now? */
static bool find_first(const struct slow_path *path, const struct fragment_key *key, struct fragment *first)
{
	return !bpf_map_lookup_elem(path->first_fd, key, first) && clock_usec() < (first->seen + FRAGMENT_NSEC) / 1000;
}

static void send_fragment(struct slow_path *path, const struct punt *punt, const struct fragment *first)
{
	int error = resend_frame(path->resend, punt->frame, punt->length, punt->ifindex, first->backend);

	if (!error)
		path->counts.sent_on++;
	else if (error != -EAGAIN) /* which comes, and is counted, once more */
		path->counts.unsent++;
}

/* Sends all that wait for a first fragment which has come. */
static void wake(struct slow_path *path, const struct fragment_key *key)
{
	const struct punt *punt = waiting_of(path->waiting, key);
	struct fragment first;

	if (!punt || !find_first(path, key, &first))
		return;
	for (; punt; punt = waiting_of(path->waiting, key)) {
		send_fragment(path, punt, &first);
		waiting_remove(path->waiting, punt);
	}
}

static void add_fragment(struct slow_path *path, const struct punt *punt)
{
	path->counts.held++;
	switch (waiting_add(path->waiting, punt)) {
	case WAITING_REPLACED:
		path->counts.displaced++;
		break;
	case WAITING_DUPLICATE:
		path->counts.duplicates++;
		break;
	case WAITING_ADDED:
		break;
	}
}

static int on_fragment(void *data, void *record, size_t size)
{
	struct slow_path *path = data;
	const struct punt *punt = record;

	(void)size;
	if (punt->kind == PUNT_FRAGMENT && is_late(punt)) {
		path->counts.late_fragments++;
		return 0;
	}
	if (punt->kind == PUNT_FRAGMENT)
		add_fragment(path, punt);
	path->keys[path->turn++] = punt->key;
	return path->turn < FRAGMENTS_AT_A_TIME ? 0 : -EAGAIN;
}

/* All that has come first waits, and then goes: a duplicate that came with its original does not
 * outlive its datagram. */
static void take_fragments(struct slow_path *path)
{
	path->turn = 0;
	ring_buffer__consume(path->fragments);
	for (size_t i = 0; i < path->turn; i++)
		wake(path, &path->keys[i]);
}

/* Of those that have waited long enough. Their first fragment may have come without a word. */
static void end_waits(struct slow_path *path)
{
	const struct punt *punt;
	struct fragment first;

	while ((punt = waiting_oldest(path->waiting)) && is_late(punt)) {
		if (find_first(path, &punt->key, &first))
			send_fragment(path, punt, &first);
		else
			path->counts.given_up++;
		waiting_remove(path->waiting, punt);
	}
}

static void wake_up_at(struct slow_path *path, uint64_t usec)
{
	sd_event_source_set_time(path->timer, usec);
	sd_event_source_set_enabled(path->timer, SD_EVENT_ONESHOT);
}

static int on_fragments_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct slow_path *path = data;

	(void)fd;
	(void)events;
	take_fragments(path);
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	wake_up_at(path, clock_usec() + FRAGMENTS_PAUSE_USEC);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct slow_path *path = data;
	const struct punt *oldest;

	(void)source;
	(void)usec;
	end_waits(path);
	oldest = waiting_oldest(path->waiting);
	if (oldest)
		wake_up_at(path, (oldest->time + PUNT_NSEC) / 1000 + 1);
	sd_event_source_set_enabled(path->fragments_readable, SD_EVENT_ON);
	return 0;
}

/* --- life */

static int join_loop(struct slow_path *path, sd_event *event)
{
	int error = sd_event_add_io(event, &path->fragments_readable, ring_buffer__epoll_fd(path->fragments), EPOLLIN,
		on_fragments_readable, path);

	if (error >= 0)
		error = sd_event_add_io(event, &path->oversize_readable, ring_buffer__epoll_fd(path->oversize), EPOLLIN,
			on_oversize_readable, path);
	if (error >= 0)
		error = sd_event_add_time_relative(event, &path->timer, CLOCK_MONOTONIC, 0, 1, on_timer, path);
	return error < 0 ? error : 0;
}

static int open_ring(struct ring_buffer **ring, const char *directory, const char *name,
	ring_buffer_sample_fn on_record, struct slow_path *path)
{
	int fd = maps_open_pin(directory, name), error = 0;

	if (fd < 0)
		return fd;
	*ring = ring_buffer__new(fd, on_record, path, NULL);
	if (!*ring)
		error = -errno;
	close(fd); /* the ring has mapped it */
	return error;
}

static int open_all(struct slow_path *path, const char *directory)
{
	__u64 secret[2];
	int error;

	path->first_fd = maps_open_pin(directory, "fragments");
	if (path->first_fd < 0)
		return path->first_fd;
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -errno;
	path->waiting = waiting_new(secret);
	error = resend_new(&path->resend, directory);
	if (!error)
		error = open_ring(&path->fragments, directory, "punt_fragments", on_fragment, path);
	if (!error)
		error = open_ring(&path->oversize, directory, "punt_oversize", on_oversize, path);
	return error;
}

int slow_path_new(struct slow_path **out, sd_event *event, const char *directory)
{
	struct slow_path *path = allocate(1, sizeof(*path));
	int error = open_all(path, directory);

	if (!error)
		error = join_loop(path, event);
	if (error) {
		slow_path_free(path);
		path = NULL;
	}
	*out = path;
	return error;
}

void slow_path_free(struct slow_path *path)
{
	if (!path)
		return;
	sd_event_source_unref(path->fragments_readable);
	sd_event_source_unref(path->oversize_readable);
	sd_event_source_unref(path->timer);
	ring_buffer__free(path->fragments);
	ring_buffer__free(path->oversize);
	if (path->first_fd >= 0)
		close(path->first_fd);
	resend_free(path->resend);
	waiting_free(path->waiting);
	free(path);
}

struct slow_path_counts slow_path_counts(const struct slow_path *path)
{
	return path ? path->counts : (struct slow_path_counts){0};
}
