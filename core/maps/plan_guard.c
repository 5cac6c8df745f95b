// SPDX-License-Identifier: GPL-2.0
/* Guards, their classes and the surges of a plan: see plan.h. A packet always finds complete settings: the classes of
 * a new guard are written before the guard, and the guard before the services that use it. */

#include <string.h>
#include "plan_private.h"

/* --- names */

static bool is_new(const struct draft *draft, uint32_t guard)
{
	return strcmp(draft->running->guard_names[guard].name, draft->desired->guard_names[guard].name);
}

/* Plans the new names, or with `removed` the names that are no longer in use. */
static void plan_names_of(struct draft *draft, enum plan_kind kind, const struct name *running,
	const struct name *desired, uint32_t count, const char *what, bool removed)
{
	for (uint32_t id = 0; id < count; id++) {
		if (!strcmp(running[id].name, desired[id].name) || !desired[id].name[0] != removed)
			continue;
		plan_describe(plan_add_step(draft, kind, id, &desired[id]), "%s %s: %s", what,
			removed ? running[id].name : desired[id].name, removed ? "remove" : "add");
		if (kind == PLAN_GUARD_NAME && !removed)
			plan_add_step(draft, PLAN_GUARD_ZERO, id, NULL);
	}
}

static void plan_all_names(struct draft *draft, bool removed)
{
	const struct image *running = draft->running, *desired = draft->desired;

	plan_names_of(draft, PLAN_GUARD_LIST_NAME, running->guard_list_names, desired->guard_list_names, GUARD_LISTS,
		"list", removed);
	plan_names_of(draft, PLAN_GUARD_NAME, running->guard_names, desired->guard_names, GUARDS, "guard", removed);
}

/* --- classes */

static const char *list_name(const struct draft *draft, uint32_t list)
{
	switch (list) {
	case GUARD_LIST_NONE:
		return "no list";
	case GUARD_LIST_BLOCKED:
		return "the list of blocks";
	case GUARD_LIST_TRUSTED:
		return "the list of prefixes trusted at run time";
	}
	return draft->desired->guard_list_names[list].name;
}

/* Describes the change of a class. A new guard or list is described by its name. */
static void describe_class(struct draft *draft, struct plan_step *step, uint32_t guard, uint32_t list)
{
	const char *name = list_name(draft, list);

	if (is_new(draft, guard) || !name[0] ||
		(list >= GUARD_LIST_FIRST && strcmp(draft->running->guard_list_names[list].name, name)))
		return;
	plan_describe(
		step, "guard %s: new limits or mode for sources on %s", draft->desired->guard_names[guard].name, name);
}

/* The class of a list in the running guard, wherever its classes are; NULL: the guard is new. */
static const struct guard_class *class_before(const struct draft *draft, uint32_t guard, uint32_t list)
{
	uint32_t first = draft->running->guards[guard].first_class;

	return is_new(draft, guard) || first + list >= GUARD_CLASSES ? NULL
								     : &draft->running->guard_classes[first + list];
}

static void plan_classes(struct draft *draft, uint32_t guard)
{
	const uint32_t first = draft->desired->guards[guard].first_class;

	for (uint32_t list = 0; first + list < GUARD_CLASSES; list++) {
		const struct guard_class *class = &draft->desired->guard_classes[first + list], *before;
		struct plan_step *step;

		if (list && class->list != list)
			break;
		if (!memcmp(&draft->running->guard_classes[first + list], class, sizeof(*class)))
			continue;
		step = plan_add_step(draft, PLAN_GUARD_CLASS, first + list, class);
		before = class_before(draft, guard, list);
		if (before && memcmp(before, class, sizeof(*class)))
			describe_class(draft, step, guard, list);
	}
}

/* --- guards and surges */

static void plan_guard(struct draft *draft, uint32_t id)
{
	const struct guard *before = &draft->running->guards[id], *after = &draft->desired->guards[id];
	struct guard moved = *before;
	struct plan_step *step;

	if (!memcmp(before, after, sizeof(*after)))
		return;
	step = plan_add_step(draft, PLAN_GUARD, id, after);
	moved.first_class = after->first_class; /* this change has no effect on packets */
	if (!is_new(draft, id) && memcmp(&moved, after, sizeof(moved)))
		plan_describe(step, "guard %s: new settings", draft->desired->guard_names[id].name);
}

static void plan_surges(struct draft *draft, enum plan_kind kind, const struct surge *running,
	const struct surge *desired, uint32_t count)
{
	for (uint32_t id = 0; id < count; id++) {
		const struct image *image = draft->desired;
		struct plan_step *step;

		if (!memcmp(&running[id], &desired[id], sizeof(*running)))
			continue;
		step = plan_add_step(draft, kind, id, &desired[id]);
		if (kind == PLAN_SERVICE_SURGE && image->service_names[id].name[0])
			plan_describe(step, "service %s: %s", image->service_names[id].name,
				desired[id].interval ? "new surge limit" : "no surge limit");
		if (kind == PLAN_BACKEND_SURGE && image->records[id].name[0])
			plan_describe(step, "backend %s/%s: %s", image->records[id].pool, image->records[id].name,
				desired[id].interval ? "new surge limit" : "no surge limit");
	}
}

void plan_guards(struct draft *draft)
{
	const struct image *running = draft->running, *desired = draft->desired;

	plan_all_names(draft, false);
	plan_surges(draft, PLAN_SERVICE_SURGE, running->service_surges, desired->service_surges,
		desired->contract.services);
	plan_surges(draft, PLAN_BACKEND_SURGE, running->backend_surges, desired->backend_surges,
		desired->contract.backends + 1);
	for (uint32_t id = 1; id < GUARDS; id++) {
		if (!desired->guard_names[id].name[0])
			continue;
		plan_classes(draft, id);
		plan_guard(draft, id);
	}
}

void plan_guards_end(struct draft *draft)
{
	for (uint32_t id = 1; id < GUARDS; id++)
		if (draft->running->guard_names[id].name[0] && !draft->desired->guard_names[id].name[0])
			plan_add_step(draft, PLAN_GUARD, id, &draft->desired->guards[id]);
	plan_all_names(draft, true);
}
