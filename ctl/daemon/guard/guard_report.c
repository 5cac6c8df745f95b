// SPDX-License-Identifier: GPL-2.0
/* See guard_report.h. */
#include <string.h>
#include "core/view/guard_why.h"
#include "ctl/maps/clock.h"
#include "ctl/maps/maps_report.h"
#include "guard_blocks.h"
#include "guard_lists.h"
#include "guard_report.h"
#include "guard_watch.h"

json_t *guard_report_stats(struct daemon *daemon, const struct request *request)
{
	json_t *reply;

	(void)request;
	worker_unlock(daemon->worker);
	reply = maps_report_guard_stats(daemon->maps, daemon->running);
	worker_lock(daemon->worker);
	return reply;
}

json_t *guard_report_top(struct daemon *daemon, const struct request *request)
{
	(void)request;
	return guard_watch_top(daemon->guard_watch, daemon);
}

/* Adds the block or the entry of a list that applies to the source. */
static void add_lists(const struct daemon *daemon, struct guard_why *why)
{
	why->block = blocks_match(
		guard_blocks_entries(daemon), &why->address, daemon->running->guard_names[why->guard].name);
	why->block_rest = why->block ? guard_blocks_rest(why->block) : 0;
	why->knows_lists = guard_lists_are_known(daemon);
	if (!guard_lists_find(daemon, &why->address, &why->prefix, &why->list))
		why->list = GUARD_LIST_NONE;
}

json_t *guard_report_why(struct daemon *daemon, const struct request *request)
{
	json_t *list = json_array();

	for (uint32_t guard = 1; guard < GUARDS; guard++) {
		struct guard_why why = {.image = daemon->running, .guard = guard, .address = request->address};
		int error;

		if (!daemon->running->guard_names[guard].name[0])
			continue;
		add_lists(daemon, &why);
		error = maps_guard_source(daemon->maps, guard_why_index(why.image, guard, &why.address), &why.element);
		if (error) {
			json_decref(list);
			return protocol_error(NULL, "cannot read the map of guarded sources: %s", strerror(-error));
		}
		why.now = clock_usec() * 1000;
		json_array_append_new(list, guard_why_json(&why));
		worker_yield(daemon->worker);
	}
	return protocol_ok(list);
}
