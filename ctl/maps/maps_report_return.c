// SPDX-License-Identifier: GPL-2.0
/* The packets of servers with `forward: nat`, and the times in which they respond to INVITEs, as JSON. See
 * maps_report.h.
 */

#include "core/view/setup_summary.h"
#include "core/view/setup_rows.h"
#include "maps_report.h"

#define COUNTER_NAME(name, kind, label, detail, text) #name,
static const char *const counter_names[BACKEND_RETURN_COUNT] = {BACKEND_RETURN_COUNTERS(COUNTER_NAME)};
#undef COUNTER_NAME

json_t *maps_report_returned(const struct maps *maps, uint32_t id)
{
	struct backend_return counters;
	uint64_t unanswered;
	json_t *object;

	if (maps_backend_return(maps, id, &counters) || maps_unanswered_calls(maps, id, &unanswered))
		return NULL;
	object = json_object();
	for (int i = 0; i < BACKEND_RETURN_COUNT; i++)
		json_object_set_new(object, counter_names[i], json_integer((json_int_t)((const __u64 *)&counters)[i]));
	json_object_set_new(object, "unanswered_sampled", json_integer((json_int_t)unanswered));
	return object;
}

/* --- setup times */

/* Adds a row for each event that has happened. `labels` names the service or the backend. */
static void add_rows(json_t *list, json_t *labels, const struct setup_times *times)
{
	for (int event = 0; event < SETUP_EVENTS; event++) {
		json_t *row;

		if (!setup_summary(times, event).calls)
			continue;
		row = setup_row(times, event);
		json_object_update(row, labels);
		json_array_append_new(list, row);
	}
	json_decref(labels);
}

void maps_report_add_service_setup(json_t *list, const struct maps *maps, uint32_t id, const char *name)
{
	struct setup_times times;

	if (!maps_service_setup_times(maps, id, &times))
		add_rows(list, json_pack("{s:s}", "service", name), &times);
}

void maps_report_add_backend_setup(
	json_t *list, const struct maps *maps, uint32_t id, const struct backend_record *record)
{
	struct setup_times times;

	if (!maps_backend_setup_times(maps, id, &times))
		add_rows(list, json_pack("{s:s, s:s}", "pool", record->pool, "name", record->name), &times);
}
