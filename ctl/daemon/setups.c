// SPDX-License-Identifier: GPL-2.0
/* See setups.h. */

#include "core/farm/setup_end.h"
#include "ctl/maps/clock.h"
#include "setups.h"

struct sweep {
	const struct maps *maps;
	uint64_t now; /* ns */
};

static bool is_over(const struct setup *setup, void *data)
{
	const struct sweep *sweep = data;
	enum setup_end result = setup_end(setup, sweep->now);

	if (result == SETUP_END_UNANSWERED && setup->backend <= maps_contract(sweep->maps)->backends)
		maps_add_unanswered_call(sweep->maps, setup->backend);
	return result != SETUP_END_NOT_YET;
}

void setups_sweep(struct daemon *daemon)
{
	struct sweep sweep = {.maps = daemon->maps, .now = clock_usec() * 1000};
	int count;

	if (daemon->using_next_maps)
		return;
	if (!(daemon->running->nat.flags & NAT_ACTIVE)) {
		daemon->setups = 0;
		return;
	}
	worker_unlock(daemon->worker);
	count = maps_visit_setups(sweep.maps, is_over, &sweep);
	worker_lock(daemon->worker);
	daemon->setups = count > 0 ? count : 0;
}

bool setups_have_room(const struct daemon *daemon)
{
	return daemon->setups < 0.9 * SETUPS;
}
