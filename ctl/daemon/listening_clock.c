// SPDX-License-Identifier: GPL-2.0
/* See listening_clock.h. */

#include "core/health/listening.h"
#include "ctl/maps/clock.h"
#include "listening_clock.h"

#define ACCURACY_USEC 1000

static struct {
	struct listening clock;
	uint64_t stall;
} state;

/* Runs before all other events, because their handlers use this clock. */
static int on_look(sd_event_source *source, uint64_t now, void *data)
{
	uint64_t stall = listening_look(&state.clock, clock_msec());

	(void)now;
	(void)data;
	if (stall > state.stall)
		state.stall = stall;
	return sd_event_source_set_time_relative(source, LISTENING_INTERVAL * 1000)
		       ?: sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int listening_clock_start(sd_event *event)
{
	sd_event_source *timer;
	int error = sd_event_add_time_relative(
		event, &timer, CLOCK_MONOTONIC, LISTENING_INTERVAL * 1000, ACCURACY_USEC, on_look, NULL);

	if (error < 0)
		return error;
	state.clock = listening_begin(clock_msec());
	error = sd_event_source_set_priority(timer, SD_EVENT_PRIORITY_IMPORTANT - 1);
	if (error >= 0)
		error = sd_event_source_set_floating(timer, true);
	sd_event_source_unref(timer);
	return error < 0 ? error : 0;
}

uint64_t listening_clock_now(void)
{
	return state.clock.looked ? listening_now(&state.clock, clock_msec()) : clock_msec();
}

uint64_t listening_clock_stall(void)
{
	uint64_t stall = state.stall;

	state.stall = 0;
	return stall;
}
