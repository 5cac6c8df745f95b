// SPDX-License-Identifier: GPL-2.0
/* See fragments.h. */

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../core/memory.h"
#include "fragments.h"
#include "maps.h"

#define HELD_MAX 1024        /* frames */
#define HELD_USEC 200000     /* how long each waits; fragments of one datagram are sent together */
#define LOOK_AGAIN_USEC 1000 /* after the first fragments of those that wait */

struct waiting {
	struct held_frame frame;
	uint64_t until; /* usec of CLOCK_MONOTONIC */
};

struct fragments {
	struct ring_buffer *ring;
	int program_fd; /* after an upgrade the one before it, which reads the same maps */
	int table_fd;
	sd_event_source *readable;
	sd_event_source *timer;
	struct waiting *waiting; /* [HELD_MAX], in the order of arrival */
	size_t count;
	struct fragments_counts counts;
};

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

/* Has the first fragment of this one's datagram come by now? */
static bool first_is_known(const struct fragments *fragments, const struct held_frame *frame)
{
	struct fragment first;

	return !bpf_map_lookup_elem(fragments->table_fd, &frame->key, &first) &&
	       now_usec() - first.seen / 1000 < FRAGMENT_SECONDS * 1000000ULL;
}

/* Puts the frame through the program as if it had just arrived where it did. */
static int send_on(struct fragments *fragments, struct held_frame *frame)
{
	struct xdp_md context = {.data_end = frame->length, .ingress_ifindex = frame->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->frame, .data_size_in = frame->length,
		.ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1, .batch_size = 1,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	return bpf_prog_test_run_opts(fragments->program_fd, &options);
}

/* Sends on what can go and gives up what has waited long enough; the rest stays. */
static void look_through(struct fragments *fragments)
{
	uint64_t now = now_usec();
	size_t kept = 0;

	for (size_t i = 0; i < fragments->count; i++) {
		struct waiting *waiting = &fragments->waiting[i];

		if (first_is_known(fragments, &waiting->frame) && !send_on(fragments, &waiting->frame))
			fragments->counts.sent_on++;
		else if (now > waiting->until)
			fragments->counts.given_up++;
		else
			fragments->waiting[kept++] = *waiting;
	}
	fragments->count = kept;
}

static void look_again_later(struct fragments *fragments)
{
	if (!fragments->count)
		return;
	sd_event_source_set_time_relative(fragments->timer, LOOK_AGAIN_USEC);
	sd_event_source_set_enabled(fragments->timer, SD_EVENT_ONESHOT);
}

static int on_frame(void *data, void *frame, size_t size)
{
	struct fragments *fragments = data;
	struct waiting *waiting;

	(void)size;
	fragments->counts.held++;
	if (fragments->count == HELD_MAX) {
		fragments->counts.given_up++;
		return 0;
	}
	waiting = &fragments->waiting[fragments->count++];
	waiting->frame = *(const struct held_frame *)frame;
	waiting->until = now_usec() + HELD_USEC;
	return 0;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct fragments *fragments = data;

	(void)source;
	(void)fd;
	(void)events;
	ring_buffer__consume(fragments->ring);
	look_through(fragments);
	look_again_later(fragments);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	look_through(data);
	look_again_later(data);
	return 0;
}

static int join_loop(struct fragments *fragments, sd_event *event)
{
	int error = sd_event_add_io(
		event, &fragments->readable, ring_buffer__epoll_fd(fragments->ring), EPOLLIN, on_readable, fragments);

	if (error < 0)
		return error;
	error = sd_event_add_time_relative(
		event, &fragments->timer, CLOCK_MONOTONIC, LOOK_AGAIN_USEC, 1, on_timer, fragments);
	return error < 0 ? error : 0;
}

int fragments_new(struct fragments **out, sd_event *event, const char *directory)
{
	struct fragments *fragments = allocate(1, sizeof(*fragments));
	int ring_fd = maps_open_pin(directory, "held_frames");
	int error = 0;

	fragments->waiting = allocate(HELD_MAX, sizeof(*fragments->waiting));
	fragments->program_fd = maps_open_pin(directory, "balancer");
	fragments->table_fd = maps_open_pin(directory, "fragments");
	if (ring_fd < 0 || fragments->program_fd < 0 || fragments->table_fd < 0)
		error = ring_fd < 0 ? ring_fd : -ENOENT;
	if (!error) {
		fragments->ring = ring_buffer__new(ring_fd, on_frame, fragments, NULL);
		error = fragments->ring ? join_loop(fragments, event) : -errno;
	}
	if (ring_fd >= 0)
		close(ring_fd); /* the ring has mapped it */
	if (error) {
		fragments_free(fragments);
		fragments = NULL;
	}
	*out = fragments;
	return error;
}

void fragments_free(struct fragments *fragments)
{
	if (!fragments)
		return;
	sd_event_source_unref(fragments->readable);
	sd_event_source_unref(fragments->timer);
	ring_buffer__free(fragments->ring);
	if (fragments->program_fd >= 0)
		close(fragments->program_fd);
	if (fragments->table_fd >= 0)
		close(fragments->table_fd);
	free(fragments->waiting);
	free(fragments);
}

struct fragments_counts fragments_counts(const struct fragments *fragments)
{
	return fragments ? fragments->counts : (struct fragments_counts){0};
}
