// SPDX-License-Identifier: GPL-2.0
/* See sources.h. */
#include <stdlib.h>
#include <string.h>
#include "core/base/memory.h"
#include "ctl/maps/clock.h"
#include "ctl/daemon/trace/observers.h"
#include "log.h"
#include "sources.h"

#define REQUEST_MS 5000 /* counting continues for this time after the last request */
#define ROWS 200        /* maximum number of sources, and of Call-IDs, in a reply */
#define NONE (-1)       /* no observer */

struct sources {
	int observer;          /* counts all packets; NONE: not counting */
	int suspects;          /* the observer that counts the suspects; NONE: not counting */
	uint64_t wanted_until; /* ms */
	bool suspects_wanted;
	bool is_new_filter;               /* `suspects` still has the previous filter */
	struct observer filter;           /* selects the suspects */
	char error[OBSERVERS_ERROR_SIZE]; /* why counting is impossible; "" if it is possible */

	uint32_t maps;      /* id of the maps of the current interval */
	uint64_t began;     /* ms */
	bool with_suspects; /* the current interval counts the suspects */

	/* the last interval that has ended; 0: none */
	uint32_t interval;
	double seconds;
	bool had_suspects;
	struct heaviest heaviest, call_ids;
};

struct sources *sources_new(void)
{
	struct sources *sources = allocate(1, sizeof(*sources));

	sources->observer = sources->suspects = NONE;
	return sources;
}

/* --- intervals */

static void forget_interval(struct sources *sources)
{
	heaviest_free(&sources->heaviest);
	heaviest_free(&sources->call_ids);
	sources->interval = 0;
	sources->had_suspects = false;
}

static int collect(const struct maps *maps, uint32_t interval, struct heaviest *out,
	int (*read)(const struct maps *maps, uint32_t interval, struct heavy_bucket **buckets))
{
	struct heavy_bucket *buckets;
	int error = read(maps, interval, &buckets);

	if (error)
		return error;
	heaviest_collect(buckets, interval, out);
	free(buckets);
	return 0;
}

static int read_interval(struct sources *sources, const struct maps *maps, uint32_t interval, uint64_t now)
{
	int error = collect(maps, interval, &sources->heaviest, maps_heavy_sources);

	if (!error)
		error = collect(maps, interval, &sources->call_ids, maps_heavy_call_ids);
	if (error)
		return error;
	sources->interval = interval;
	sources->seconds = (now - sources->began) / 1000.0;
	sources->had_suspects = sources->with_suspects;
	return 0;
}

/* Ends the current interval, reads it unless it belongs to other maps, and begins the next one. */
static void next_interval(struct sources *sources, const struct maps *maps)
{
	uint64_t now = clock_msec();
	uint32_t ended;
	int error = maps_begin_interval(maps, &ended);

	forget_interval(sources);
	if (!error && sources->began && sources->maps == maps_id(maps))
		error = read_interval(sources, maps, ended, now);
	sources->maps = maps_id(maps);
	sources->began = now;
	sources->with_suspects = sources->suspects != NONE;
	if (error)
		log_error("cannot count the packets of sources: %s", strerror(-error));
}

/* --- observers */

static int add_observer(struct sources *sources, struct daemon *daemon, struct observer filter, uint32_t wants)
{
	int index;

	filter.wants = wants;
	index = observers_add(daemon->observers, &filter, NULL, NULL, sources->error);
	if (index >= 0)
		*sources->error = '\0';
	return index < 0 ? NONE : index;
}

static void remove_observer(struct daemon *daemon, int *observer)
{
	if (*observer != NONE)
		observers_remove(daemon->observers, *observer);
	*observer = NONE;
}

static void begin(struct sources *sources, struct daemon *daemon)
{
	if (sources->observer == NONE)
		sources->observer = add_observer(sources, daemon, (struct observer){0}, OBSERVER_SOURCES);
	if (sources->observer != NONE && sources->suspects_wanted && sources->suspects == NONE)
		sources->suspects = add_observer(sources, daemon, sources->filter, OBSERVER_SUSPECTS);
}

static void end(struct sources *sources, struct daemon *daemon)
{
	remove_observer(daemon, &sources->suspects);
	remove_observer(daemon, &sources->observer);
	forget_interval(sources);
	sources->began = 0;
}

/* --- users */

void sources_update(struct sources *sources, struct daemon *daemon)
{
	bool wanted = sources->suspects_wanted || clock_msec() < sources->wanted_until;

	if (!wanted) {
		end(sources, daemon);
		return;
	}
	if (!sources->suspects_wanted || sources->is_new_filter)
		remove_observer(daemon, &sources->suspects);
	sources->is_new_filter = false;
	begin(sources, daemon);
	if (sources->observer != NONE)
		next_interval(sources, daemon->maps);
}

json_t *sources_answer(struct sources *sources, struct daemon *daemon)
{
	const struct heaviest *heaviest = &sources->heaviest;

	sources->wanted_until = clock_msec() + REQUEST_MS;
	if (sources->observer == NONE)
		sources_update(sources, daemon);
	if (sources->observer == NONE)
		return protocol_error(NULL, "cannot count the packets of sources: %s", sources->error);
	return protocol_ok(json_pack("{s:I, s:f, s:I, s:I, s:o, s:o}", "interval", (json_int_t)sources->interval,
		"seconds", sources->seconds, "packets", (json_int_t)heaviest->packets, "error",
		(json_int_t)heaviest->error, "sources", heaviest_sources_json(heaviest, ROWS), "call_ids",
		heaviest_call_ids_json(&sources->call_ids, ROWS)));
}

void sources_begin_suspects(struct sources *sources, const struct observer *filter)
{
	sources->filter = *filter;
	sources->suspects_wanted = sources->is_new_filter = true;
	sources->with_suspects = sources->had_suspects = false;
}

void sources_end_suspects(struct sources *sources)
{
	sources->suspects_wanted = false;
}

bool sources_suspects(const struct sources *sources, struct sources_suspects *out)
{
	*out = (struct sources_suspects){&sources->heaviest, &sources->call_ids, sources->seconds};
	return sources->had_suspects;
}

void sources_free(struct sources *sources, struct daemon *daemon)
{
	if (daemon->observers)
		end(sources, daemon);
	forget_interval(sources);
	free(sources);
}
