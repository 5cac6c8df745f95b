// SPDX-License-Identifier: GPL-2.0
/* See observers.h. Owns the maps `observers`, `observer_counters` and `observed`. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "core/base/memory.h"
#include "ctl/daemon/log.h"
#include "ctl/maps/clock.h"
#include "ctl/maps/maps.h"
#include "ctl/maps/ring.h"
#include "observer_links.h"
#include "observers.h"

#define OBSERVERS_AT_A_TIME 64 /* records in one turn of the event loop */
#define FAILURES_IN_UPGRADE 3  /* in a row; while sipxdp-loader replaces programs and maps, they are not complete */

_Static_assert(OBSERVERS_ERROR_SIZE >= OBSERVER_LINKS_ERROR_SIZE, "observers_add() passes the reason on");

struct user {
	struct observer filter; /* filter.wants is 0: not in use */
	observers_receive *receive;
	void *data;
	uint64_t since; /* ns of CLOCK_MONOTONIC: older records are for an earlier user of this index */
	struct observer_counters before; /* initial counters of this index; while the maps are closed: counts so far */
};

struct observers {
	sd_event *event;
	const char *directory;
	struct observer_links *links;
	struct user users[OBSERVERS];
	size_t user_count;
	int filters;  /* the map `observers`; -1: the maps are not open */
	int counters; /* the map `observer_counters` */
	uint32_t id;  /* of the map `observers` */
	struct ring_buffer *records;
	sd_event_source *readable;
	size_t turn_count;
	int failures; /* calls of observers_update() in a row that failed; the first one was logged */
	char fault[OBSERVERS_ERROR_SIZE]; /* of the last one that failed */
};

/* --- records */

static int on_record(void *data, void *record, size_t size)
{
	struct observers *observers = data;
	const struct observed *packet = record;

	(void)size;
	for (int i = 0; i < OBSERVERS; i++) {
		const struct user *user = &observers->users[i];

		if (packet->observers >> i & 1 && user->filter.wants && user->receive && packet->time >= user->since)
			user->receive(packet, user->data);
	}
	return ++observers->turn_count < OBSERVERS_AT_A_TIME ? 0 : -EAGAIN;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct observers *observers = data;

	(void)source, (void)fd, (void)events;
	observers->turn_count = 0;
	ring_buffer__consume(observers->records);
	return 0;
}

/* --- maps */

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static struct observer_counters read_counters(const struct observers *observers, uint32_t index)
{
	int cpus = libbpf_num_possible_cpus();
	struct observer_counters sum = {0}, *each = allocate(cpus, sizeof(*each));

	if (!bpf_map_lookup_elem(observers->counters, &index, each))
		for (int i = 0; i < cpus; i++) {
			sum.matched += each[i].matched;
			sum.lost += each[i].lost;
		}
	free(each);
	return sum;
}

struct observer_counters observers_counters(const struct observers *observers, int index)
{
	const struct observer_counters *before = &observers->users[index].before;
	struct observer_counters now = read_counters(observers, index);

	return (struct observer_counters){.matched = now.matched - before->matched, .lost = now.lost - before->lost};
}

static int write_filter(const struct observers *observers, uint32_t index)
{
	return bpf_map_update_elem(observers->filters, &index, &observers->users[index].filter, BPF_ANY) ? -errno : 0;
}

static void close_maps(struct observers *observers)
{
	sd_event_source_disable_unref(observers->readable);
	ring_buffer__free(observers->records);
	if (observers->filters >= 0)
		close(observers->filters);
	if (observers->counters >= 0)
		close(observers->counters);
	observers->readable = NULL;
	observers->records = NULL;
	observers->filters = observers->counters = -1;
}

static int open_records(struct observers *observers)
{
	int err = ring_open(&observers->records, observers->directory, "observed", on_record, observers);

	if (!err)
		err = sd_event_add_io(observers->event, &observers->readable, ring_buffer__epoll_fd(observers->records),
			EPOLLIN, on_readable, observers);
	return err < 0 ? err : 0;
}

/* Opens the maps and writes all filters. The counters of different maps start at different values. */
static int open_maps(struct observers *observers)
{
	int err = 0;

	observers->filters = maps_open_pin(observers->directory, "observers");
	observers->counters = maps_open_pin(observers->directory, "observer_counters");
	if (observers->filters < 0)
		err = observers->filters;
	else if (observers->counters < 0)
		err = observers->counters;
	if (!err)
		err = open_records(observers);
	for (uint32_t i = 0; i < OBSERVERS && !err; i++) {
		const struct observer_counters start = read_counters(observers, i);

		observers->users[i].before.matched = start.matched - observers->users[i].before.matched;
		observers->users[i].before.lost = start.lost - observers->users[i].before.lost;
		err = write_filter(observers, i);
	}
	observers->id = map_id(observers->filters);
	if (err)
		close_maps(observers);
	return err;
}

/* Call this before the maps are closed. It sets `before` to the number of packets so far; open_maps() later converts
 * this number to a start value again. */
static void leave_maps(struct observers *observers)
{
	for (int i = 0; i < OBSERVERS && observers->counters >= 0; i++)
		observers->users[i].before = observers_counters(observers, i);
	close_maps(observers);
}

/* Are the opened maps the pinned ones? */
static bool has_pinned_maps(const struct observers *observers)
{
	int fd = maps_open_pin(observers->directory, "observers");
	bool same = fd >= 0 && observers->filters >= 0 && map_id(fd) == observers->id;

	if (fd >= 0)
		close(fd);
	return same;
}

/* Opens the pinned maps unless they are open, and activates the observer. */
static int follow(struct observers *observers, char error[OBSERVERS_ERROR_SIZE])
{
	int err = 0;

	if (!has_pinned_maps(observers)) {
		leave_maps(observers);
		err = open_maps(observers);
		if (err)
			snprintf(error, OBSERVERS_ERROR_SIZE, "cannot open the maps of observers in %s: %s",
				observers->directory, strerror(-err));
	}
	return err ? err : observer_links_observe(observers->links, observers->directory, error);
}

/* --- the observers */

static void end(struct observers *observers)
{
	observer_links_restore(observers->links);
	close_maps(observers);
	log_debug("packets are not observed any more");
}

int observers_add(struct observers *observers, const struct observer *filter, observers_receive *receive, void *data,
	char error[OBSERVERS_ERROR_SIZE])
{
	struct user *user = observers->users;
	int index, err;

	while (user < observers->users + OBSERVERS && user->filter.wants)
		user++;
	index = user - observers->users;
	if (index == OBSERVERS) {
		snprintf(error, OBSERVERS_ERROR_SIZE,
			"the maximum number of observers of packets, %d, is already in use", OBSERVERS);
		return -EUSERS;
	}
	/* The maps come first: the kernel needs the filter before the program processes a packet. */
	*user = (struct user){.filter = *filter, .receive = receive, .data = data, .since = clock_usec() * 1000};
	if (has_pinned_maps(observers)) {
		user->before = read_counters(observers, index);
		write_filter(observers, index);
	}
	observers->user_count++;
	err = follow(observers, error);
	if (err) {
		observers_remove(observers, index);
		return err;
	}
	return index;
}

void observers_remove(struct observers *observers, int index)
{
	observers->users[index] = (struct user){0};
	if (observers->filters >= 0)
		write_filter(observers, index);
	if (--observers->user_count == 0)
		end(observers);
}

void observers_update(struct observers *observers)
{
	if (!observers)
		return;
	if (!observers->user_count || !follow(observers, observers->fault))
		observers->failures = 0;
	else if (observers->failures++ == 0)
		log_warning("%s; trying again every second", observers->fault);
}

const char *observers_fault(const struct observers *observers)
{
	return observers->failures > FAILURES_IN_UPGRADE ? observers->fault : NULL;
}

struct observers *observers_new(sd_event *event, const char *directory)
{
	struct observers *observers = allocate(1, sizeof(*observers));

	*observers = (struct observers){.event = sd_event_ref(event),
		.directory = directory,
		.links = observer_links_new(),
		.filters = -1,
		.counters = -1};
	observer_links_restore_left(directory);
	return observers;
}

void observers_free(struct observers *observers)
{
	if (!observers)
		return;
	observer_links_free(observers->links);
	close_maps(observers);
	sd_event_unref(observers->event);
	free(observers);
}
