// SPDX-License-Identifier: GPL-2.0
/* See listening.h. */
#include "listening.h"

struct listening listening_begin(uint64_t now)
{
	return (struct listening){.ms = now, .looked = now};
}

uint64_t listening_now(const struct listening *listening, uint64_t now)
{
	uint64_t elapsed = now - listening->looked;

	return listening->ms + (elapsed < LISTENING_INTERVAL ? elapsed : LISTENING_INTERVAL);
}

uint64_t listening_look(struct listening *listening, uint64_t now)
{
	uint64_t elapsed = now - listening->looked;
	bool late = elapsed > LISTENING_INTERVAL + LISTENING_LATE;

	listening->ms += late ? LISTENING_INTERVAL : elapsed;
	listening->looked = now;
	return late ? elapsed - LISTENING_INTERVAL : 0;
}
