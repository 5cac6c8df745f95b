// SPDX-License-Identifier: GPL-2.0
/* See slow_path.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../core/memory.h"
#include "../core/oversize.h"
#include "clock.h"
#include "maps.h"
#include "slow_path.h"

#define HELD_MAX 1024        /* frames */
#define HELD_USEC 200000     /* how long each waits; fragments of one datagram are sent together */
#define LOOK_AGAIN_USEC 1000 /* after the first fragments of those that wait */
#define AT_A_TIME 64         /* frames, then the rest of the daemon has its turn */

struct waiting {
	struct held_frame frame;
	uint64_t until; /* usec of CLOCK_MONOTONIC */
};

struct slow_path {
	struct ring_buffer *ring;
	int program_fd; /* after an upgrade the one before it, which reads the same maps */
	int table_fd;
	int packet_fd; /* answers to senders leave by it */
	sd_event_source *readable;
	sd_event_source *timer;
	struct waiting *waiting; /* [HELD_MAX], in the order of arrival */
	size_t count;
	size_t turn; /* frames taken in this one */
	struct answer_rate rate;
	struct slow_path_counts counts;
};

/* Puts a frame through the program as if it had just arrived by the interface. */
static int send_on(const struct slow_path *path, const void *frame, uint32_t length, uint32_t ifindex)
{
	struct xdp_md context = {.data_end = length, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length, .ctx_in = &context,
		.ctx_size_in = sizeof(context), .repeat = 1, .batch_size = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	return bpf_prog_test_run_opts(path->program_fd, &options);
}

/* --- packets that do not fit */

/* True when all of its pieces are on their way. */
static bool cut_up(const struct slow_path *path, const struct held_frame *held)
{
	uint8_t piece[HELD_FRAME_SIZE];
	struct cut cut;
	size_t length;

	if (cut_start(&cut, held))
		return false;
	/* Not earlier: the datagram behind it may have the same identification, if it has any. */
	if (held->owner.whole && bpf_map_update_elem(path->table_fd, &held->key, &held->owner, BPF_ANY))
		return false;
	while ((length = cut_next(&cut, piece)))
		if (send_on(path, piece, length, held->ifindex))
			return false;
	return true;
}

/* The answer leaves as it came in: the way back may lead past our routes. */
static bool tell(struct slow_path *path, const struct held_frame *held)
{
	struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_ifindex = held->ifindex};
	uint8_t answer[OVERSIZE_ANSWER_SIZE];
	size_t length = oversize_answer(held, answer);

	return length && answer_rate_take(&path->rate, clock_usec()) &&
	       sendto(path->packet_fd, answer, length, MSG_DONTWAIT, (struct sockaddr *)&link, sizeof(link)) > 0;
}

static void take_oversize(struct slow_path *path, const struct held_frame *held)
{
	if (oversize_may_be_cut(held)) {
		if (cut_up(path, held))
			path->counts.cut++;
		else
			path->counts.refused++;
	} else if (tell(path, held)) {
		path->counts.told++;
	} else {
		path->counts.refused++;
	}
}

/* --- fragments that came too early */

/* Has the first fragment of this one's datagram come by now? */
static bool first_is_known(const struct slow_path *path, const struct held_frame *frame)
{
	struct fragment first;

	return !bpf_map_lookup_elem(path->table_fd, &frame->key, &first) &&
	       clock_usec() - first.seen / 1000 < FRAGMENT_SECONDS * 1000000ULL;
}

static bool send_fragment(const struct slow_path *path, const struct held_frame *held)
{
	return first_is_known(path, held) && !send_on(path, held->frame, held->length, held->ifindex);
}

/* Sends on what can go and gives up what has waited long enough; the rest stays. */
static void look_through(struct slow_path *path)
{
	uint64_t now = clock_usec();
	size_t kept = 0;

	for (size_t i = 0; i < path->count; i++) {
		struct waiting *waiting = &path->waiting[i];

		if (send_fragment(path, &waiting->frame))
			path->counts.sent_on++;
		else if (now > waiting->until)
			path->counts.given_up++;
		else
			path->waiting[kept++] = *waiting;
	}
	path->count = kept;
}

static void look_again_later(struct slow_path *path)
{
	if (!path->count)
		return;
	sd_event_source_set_time_relative(path->timer, LOOK_AGAIN_USEC);
	sd_event_source_set_enabled(path->timer, SD_EVENT_ONESHOT);
}

static void take_fragment(struct slow_path *path, const struct held_frame *held)
{
	struct waiting *waiting;

	path->counts.held++;
	if (path->count == HELD_MAX) {
		path->counts.given_up++;
		return;
	}
	waiting = &path->waiting[path->count++];
	waiting->frame = *held;
	waiting->until = clock_usec() + HELD_USEC;
}

/* --- the ring buffer */

/* An error ends this turn; the frame counts as taken. */
static int on_frame(void *data, void *frame, size_t size)
{
	struct slow_path *path = data;
	const struct held_frame *held = frame;

	(void)size;
	if (held->mtu)
		take_oversize(path, held);
	else
		take_fragment(path, held);
	return ++path->turn < AT_A_TIME ? 0 : -EAGAIN;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct slow_path *path = data;

	(void)source;
	(void)fd;
	(void)events;
	path->turn = 0;
	ring_buffer__consume(path->ring);
	look_through(path);
	look_again_later(path);
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

/* --- life */

static int join_loop(struct slow_path *path, sd_event *event)
{
	int error =
		sd_event_add_io(event, &path->readable, ring_buffer__epoll_fd(path->ring), EPOLLIN, on_readable, path);

	if (error < 0)
		return error;
	error = sd_event_add_time_relative(event, &path->timer, CLOCK_MONOTONIC, LOOK_AGAIN_USEC, 1, on_timer, path);
	return error < 0 ? error : 0;
}

static int open_ring(struct slow_path *path, const char *directory)
{
	int fd = maps_open_pin(directory, "held_frames");

	if (fd < 0)
		return fd;
	path->ring = ring_buffer__new(fd, on_frame, path, NULL);
	close(fd); /* the ring has mapped it */
	return path->ring ? 0 : -errno;
}

/* What it takes to send. The packet socket receives nothing: it is of no protocol. */
static int open_ways(struct slow_path *path, const char *directory)
{
	path->program_fd = maps_open_pin(directory, "balancer");
	path->table_fd = maps_open_pin(directory, "fragments");
	path->packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (path->packet_fd < 0)
		return -errno;
	if (path->program_fd < 0)
		return path->program_fd;
	return path->table_fd < 0 ? path->table_fd : 0;
}

int slow_path_new(struct slow_path **out, sd_event *event, const char *directory)
{
	struct slow_path *path = allocate(1, sizeof(*path));
	int error = open_ways(path, directory);

	path->waiting = allocate(HELD_MAX, sizeof(*path->waiting));
	if (!error)
		error = open_ring(path, directory);
	if (!error)
		error = join_loop(path, event);
	if (error) {
		slow_path_free(path);
		path = NULL;
	}
	*out = path;
	return error;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void slow_path_free(struct slow_path *path)
{
	if (!path)
		return;
	sd_event_source_unref(path->readable);
	sd_event_source_unref(path->timer);
	ring_buffer__free(path->ring);
	close_if_open(path->program_fd);
	close_if_open(path->table_fd);
	close_if_open(path->packet_fd);
	free(path->waiting);
	free(path);
}

struct slow_path_counts slow_path_counts(const struct slow_path *path)
{
	return path ? path->counts : (struct slow_path_counts){0};
}
