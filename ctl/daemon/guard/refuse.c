// SPDX-License-Identifier: GPL-2.0
/* See refuse.h. */

#include <errno.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include "core/base/memory.h"
#include "core/sip/refusal.h"
#include "ctl/daemon/punt/reinject.h"
#include "ctl/maps/clock.h"
#include "ctl/maps/ring.h"
#include "refuse.h"

#define REFUSALS_AT_A_TIME 64 /* INVITEs; after these, the loop handles its other events */

struct refuser {
	struct ring_buffer *ring;
	sd_event_source *readable;
	struct reinject *reinject;
	__u64 key[2];      /* of the To tags */
	size_t turn_count; /* records handled in this turn */
	struct refuse_counts counts;
};

static void answer(struct refuser *refuser, const struct punt *punt)
{
	struct refuse_counts *counts = &refuser->counts;
	uint8_t frame[PUNT_FRAME_SIZE];
	size_t length;

	switch (refusal_compose(punt, refuser->key, frame, &length)) {
	case 0:
		if (reinject_send(refuser->reinject, frame, length, punt->ifindex))
			counts->unsent++;
		else
			counts->answered++;
		break;
	case -EMSGSIZE:
		counts->too_large++;
		break;
	default:
		counts->unusable++;
	}
}

/* An error stops this turn; the record counts as read. */
static int on_invite(void *data, void *record, size_t size)
{
	struct refuser *refuser = data;
	const struct punt *punt = record;

	(void)size;
	if (clock_usec() > (punt->time + PUNT_NSEC) / 1000)
		refuser->counts.late++;
	else
		answer(refuser, punt);
	return ++refuser->turn_count < REFUSALS_AT_A_TIME ? 0 : -EAGAIN;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct refuser *refuser = data;

	(void)source;
	(void)fd;
	(void)events;
	refuser->turn_count = 0;
	ring_buffer__consume(refuser->ring);
	return 0;
}

/* --- setup and cleanup */

/* The To tags depend on a random key, as RFC 3261 section 19.3 demands. After a restart of the daemon, a retransmitted
 * INVITE therefore gets a response with a different tag. Its sender accepts that: it matches responses by the branch
 * (section 17.1.3). */
static int open_all(struct refuser *refuser, sd_event *event, const char *directory)
{
	int error;

	if (getrandom(refuser->key, sizeof(refuser->key), 0) != sizeof(refuser->key))
		return -errno;
	error = reinject_new(&refuser->reinject, directory);
	if (!error)
		error = ring_open(&refuser->ring, directory, "punt_refusals", on_invite, refuser);
	if (!error)
		error = sd_event_add_io(
			event, &refuser->readable, ring_buffer__epoll_fd(refuser->ring), EPOLLIN, on_readable, refuser);
	return error < 0 ? error : 0;
}

int refuse_new(struct refuser **out, sd_event *event, const char *directory)
{
	struct refuser *refuser = allocate(1, sizeof(*refuser));
	int error = open_all(refuser, event, directory);

	if (error) {
		refuse_free(refuser);
		refuser = NULL;
	}
	*out = refuser;
	return error;
}

void refuse_free(struct refuser *refuser)
{
	if (!refuser)
		return;
	sd_event_source_unref(refuser->readable);
	ring_buffer__free(refuser->ring);
	reinject_free(refuser->reinject);
	free(refuser);
}

struct refuse_counts refuse_counts(const struct refuser *refuser)
{
	return refuser ? refuser->counts : (struct refuse_counts){0};
}
