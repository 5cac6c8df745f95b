// SPDX-License-Identifier: GPL-2.0
/* See plan.h. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/config/config.h"
#include "core/base/memory.h"
#include "plan_private.h"

struct plan_step *plan_add_step(struct draft *draft, enum plan_kind kind, uint32_t index, const void *value)
{
	struct plan *plan = draft->plan;

	plan->steps = array_grow(plan->steps, plan->count, sizeof(*plan->steps));
	plan->steps[plan->count] = (struct plan_step){.kind = kind, .index = index, .value = value};
	return &plan->steps[plan->count++];
}

void plan_describe(struct plan_step *step, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&step->text, format, arguments) < 0)
		abort();
	va_end(arguments);
}

/* --- Backends */

static bool exists(const struct backend_record *record)
{
	return record->name[0] && !(record->overrides & OVERRIDE_REMOVED);
}

/* Describes all changes of a backend that is in both images: "weight 1, was 2; drain, was ready". */
static void describe_changes(const struct draft *draft, struct plan_step *step, const struct backend_record *before,
	const struct backend_record *after)
{
	bool loses_route =
		draft->running->backends[step->index].forward && !draft->desired->backends[step->index].forward;
	bool stays = (before->overrides & ~after->overrides) & OVERRIDE_LEAVING;
	char address[ADDRESS_TEXT_SIZE], *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	if (before->admin != after->admin)
		fprintf(out, "; %s, was %s", config_admin_name(after->admin), config_admin_name(before->admin));
	else if (stays)
		fprintf(out, "; %s, was leaving", config_admin_name(after->admin));
	if (!address_equal(&before->address, &after->address))
		fprintf(out, "; address %s%s", address_format(&after->address, address),
			loses_route ? "; it receives no packets until the route to it is known" : "");
	if (before->weight != after->weight)
		fprintf(out, "; weight %u, was %u", after->weight, before->weight);
	fclose(out);
	if (length)
		plan_describe(step, "backend %s/%s: %s", after->pool, after->name, text + strlen("; "));
	free(text);
}

static void describe_record(const struct draft *draft, struct plan_step *step)
{
	const struct backend_record *before = &draft->running->records[step->index];
	const struct backend_record *after = &draft->desired->records[step->index];
	const char *pool = after->name[0] ? after->pool : before->pool;
	const char *name = after->name[0] ? after->name : before->name;
	char address[ADDRESS_TEXT_SIZE];

	if (!exists(after) && !exists(before))
		return; /* only a tombstone changes: an earlier plan has removed the backend */
	if (!exists(after))
		plan_describe(step, "backend %s/%s: remove", pool, name);
	else if (!exists(before))
		plan_describe(step, "backend %s/%s: add, %s, weight %u", pool, name,
			address_format(&after->address, address), after->weight);
	else if ((after->overrides & OVERRIDE_LEAVING) &&
		 ((before->overrides ^ after->overrides) & (OVERRIDE_LEAVING | OVERRIDE_ADDED)))
		plan_describe(step, "backend %s/%s: leaving; it is removed when its calls have ended", pool, name);
	else
		describe_changes(draft, step, before, after);
}

static const char *method_text(enum forward_method forward)
{
	switch (forward) {
	case FORWARD_IPIP:
		return ", by IP-in-IP";
	case FORWARD_GUE:
		return ", by GUE";
	case FORWARD_NAT:
		return ", by NAT";
	default:
		return "";
	}
}

/* Describes a changed route. describe_record() describes new backends. */
static void describe_backend(struct plan_step *step, const struct backend *before, const struct backend_record *record,
	const struct backend *backend)
{
	char mac[MAC_TEXT_SIZE];

	if (before->forward && backend->forward &&
		(memcmp(&before->next_hop, &backend->next_hop, sizeof(before->next_hop)) ||
			before->forward != backend->forward))
		plan_describe(step, "backend %s/%s: next hop is now %s%s", record->pool, record->name,
			mac_format(&backend->next_hop, mac), method_text(backend->forward));
}

static bool same_owner(const struct backend_record *a, const struct backend_record *b)
{
	return !strcmp(a->pool, b->pool) && !strcmp(a->name, b->name);
}

/* If a different backend gets the id of a removed backend, it must not get the calls of the removed backend. Tracked
 * calls have an effect only while a slot migrates. */
static void forget_calls(struct draft *draft)
{
	const struct image *running = draft->running, *desired = draft->desired;
	bool *reassigned = allocate(desired->contract.backends + 1, sizeof(*reassigned)), any = false;

	draft->plan->reassigned = reassigned;
	for (uint32_t id = 1; id <= desired->contract.backends; id++) {
		reassigned[id] =
			desired->records[id].name[0] && !same_owner(&running->records[id], &desired->records[id]);
		any |= reassigned[id];
	}
	if (any && image_is_migrating(running))
		plan_add_step(draft, PLAN_TRACKED_CALLS, 0, reassigned);
	if (any)
		plan_add_step(draft, PLAN_COUNTED_CALLS, 0, reassigned);
}

static void put_backends(struct draft *draft)
{
	const struct image *running = draft->running, *desired = draft->desired;

	for (uint32_t id = 1; id <= desired->contract.backends; id++) {
		const struct backend_record *before = &running->records[id], *after = &desired->records[id];

		if (!after->name[0])
			continue;
		if (memcmp(before, after, sizeof(*after)))
			describe_record(draft, plan_add_step(draft, PLAN_BACKEND_RECORD, id, after));
		if (draft->plan->reassigned[id])
			plan_add_step(draft, PLAN_BACKEND_ZERO, id, NULL);
		if (memcmp(&running->backends[id], &desired->backends[id], sizeof(struct backend)) &&
			desired->backends[id].forward)
			describe_backend(plan_add_step(draft, PLAN_BACKEND, id, &desired->backends[id]),
				&running->backends[id], after, &desired->backends[id]);
	}
}

static void remove_backends(struct draft *draft)
{
	const struct image *running = draft->running, *desired = draft->desired;

	for (uint32_t id = 1; id <= desired->contract.backends; id++) {
		if (running->backends[id].forward && !desired->backends[id].forward)
			plan_add_step(draft, PLAN_BACKEND, id, &desired->backends[id]);
		if (running->records[id].name[0] && !desired->records[id].name[0])
			describe_record(draft, plan_add_step(draft, PLAN_BACKEND_RECORD, id, &desired->records[id]));
	}
}

/* --- Pools */

/* Do calls leave their backends when the slot moves? They can be at its owner and at its previous owner. The kernel
 * finds them there only while the slot migrates. */
static bool calls_move(const struct draft *draft, uint32_t id, uint32_t slot)
{
	const struct image *running = draft->running, *desired = draft->desired;
	const struct slots *previous = desired->previous_owners[id];
	uint16_t before[] = {image_slots(running, id)[slot], image_previous_owners(running, id)[slot]};
	bool migrates =
		desired->pools[id].migrating && (previous ? previous->ids : image_previous_owners(running, id))[slot];

	return (before[0] && !(migrates && desired->backends[before[0]].alive)) ||
	       (before[1] && !(migrates && desired->backends[before[1]].alive));
}

static void count_moves(struct draft *draft, uint32_t id)
{
	const struct slots *before = image_owners(draft->running, id), *wanted = draft->desired->wanted[id];
	const struct slots *after = draft->desired->tables[draft->desired->pools[id].table];
	struct plan *plan = draft->plan;
	struct plan_moves moves = {.pool = id, .slots = draft->desired->contract.slots};

	memcpy(moves.name, draft->desired->pool_names[id].name, sizeof(moves.name));
	after = after ? after : before; /* NULL: the plan has no new table for the pool */
	for (uint32_t slot = 0; slot < moves.slots && (before != after || after != wanted); slot++) {
		bool moved = before->ids[slot] != after->ids[slot];

		moves.moved += moved;
		moves.cut += moved && calls_move(draft, id, slot);
		moves.waiting += after->ids[slot] != wanted->ids[slot];
	}
	plan->moves = reallocate(plan->moves, plan->move_count + 1, sizeof(moves));
	plan->moves[plan->move_count++] = moves;
}

static void add_slots(struct draft *draft, enum plan_kind kind, uint32_t index, struct slots *slots)
{
	if (slots)
		plan_add_step(draft, kind, index, slots->ids)->slots = slots;
}

static void put_pools(struct draft *draft)
{
	const struct image *running = draft->running, *desired = draft->desired;

	for (uint32_t id = 0; id < desired->contract.pools; id++) {
		uint32_t table = desired->pools[id].table;

		if (!desired->pool_names[id].name[0])
			continue;
		if (strcmp(running->pool_names[id].name, desired->pool_names[id].name))
			plan_describe(plan_add_step(draft, PLAN_POOL_NAME, id, &desired->pool_names[id]),
				"pool %s: add", desired->pool_names[id].name);
		count_moves(draft, id);
		add_slots(draft, PLAN_TABLE, table, desired->tables[table]);
		add_slots(draft, PLAN_PREVIOUS_OWNERS, id, desired->previous_owners[id]);
	}
}

static struct plan_step *pool_step(struct draft *draft, uint32_t id, uint32_t table, uint32_t migrating)
{
	struct plan_step *step = plan_add_step(draft, PLAN_POOL, id, NULL);

	step->pool = draft->desired->pools[id];
	step->pool.table = table;
	step->pool.migrating = migrating;
	return step;
}

static void describe_moves(struct plan_step *step, const struct plan_moves *moves, bool migrating)
{
	char calls[96] = "";

	if (migrating && !moves->cut)
		snprintf(calls, sizeof(calls), "; calls stay on their backends");
	else if (migrating && moves->cut < moves->moved)
		snprintf(calls, sizeof(calls), "; calls stay on their backends in %u of these slots, not in %u",
			moves->moved - moves->cut, moves->cut);
	plan_describe(step, "pool %s: %u of %u slots move (%.2f %%)%s", moves->name, moves->moved, moves->slots,
		100.0 * moves->moved / moves->slots, calls);
}

/* The pool's `migrating` flag is set before a slot moves, and cleared after the last one has moved. */
static void swap_pool(struct draft *draft, const struct plan_moves *moves)
{
	const uint32_t id = moves->pool;
	const struct pool *before = &draft->running->pools[id], *after = &draft->desired->pools[id];
	struct plan_step *step = NULL;

	if (after->migrating && (!before->migrating || draft->desired->previous_owners[id])) {
		step = pool_step(draft, id, before->table, true);
		if (moves->waiting)
			plan_describe(step,
				"pool %s: %u of %u slots will move (%.2f %%) after their calls have been recorded",
				moves->name, moves->waiting, moves->slots, 100.0 * moves->waiting / moves->slots);
	}
	if (draft->desired->tables[after->table]) {
		step = pool_step(draft, id, after->table, before->migrating || after->migrating);
		describe_moves(step, moves, after->migrating);
	}
	if (before->migrating && !after->migrating)
		plan_describe(step = pool_step(draft, id, after->table, false), "pool %s: migration done", moves->name);
	if (!step && (before->balanced != after->balanced || before->balanced_since != after->balanced_since))
		pool_step(draft, id, before->table, before->migrating);
}

static void swap_pools(struct draft *draft)
{
	for (size_t i = 0; i < draft->plan->move_count; i++)
		swap_pool(draft, &draft->plan->moves[i]);
}

static void remove_pools(struct draft *draft)
{
	const struct image *running = draft->running, *desired = draft->desired;

	for (uint32_t id = 0; id < desired->contract.pools; id++) {
		if (!running->pool_names[id].name[0] || desired->pool_names[id].name[0])
			continue;
		if (running->pools[id].migrating)
			pool_step(draft, id, running->pools[id].table, false);
		plan_describe(plan_add_step(draft, PLAN_POOL_NAME, id, &desired->pool_names[id]), "pool %s: remove",
			running->pool_names[id].name);
	}
}

/* --- The whole plan */

const char *plan_away_text(bool away)
{
	return away ? "balancer: away; health checks fail, and packets that still arrive are forwarded"
		    : "balancer: back; health checks succeed again if it can serve calls";
}

/* The configuration has a text for changed interfaces. */
static void plan_state(struct draft *draft)
{
	const struct balancer_state *before = &draft->running->state, *after = &draft->desired->state;
	struct plan_step *step;

	if (!memcmp(before, after, sizeof(*after)))
		return;
	step = plan_add_step(draft, PLAN_STATE, 0, after);
	if (before->away_since != after->away_since)
		plan_describe(step, "%s", plan_away_text(after->away_since));
	else if (before->is_blind != after->is_blind)
		plan_describe(step, after->is_blind ? "balancer: health checks fail: no backend responds to it"
						    : "balancer: health checks succeed again: backends respond to it");
	else if (before->joining_until != after->joining_until)
		plan_describe(step, after->joining_until
					    ? "balancer: health checks fail: it waits for the state of its group"
					    : "balancer: health checks no longer wait for the state of its group");
}

struct plan *plan_new(const struct image *running, const struct image *desired)
{
	struct draft draft = {.running = running, .desired = desired, .plan = allocate(1, sizeof(struct plan))};

	plan_names(&draft);
	forget_calls(&draft);
	plan_nat(&draft);
	put_backends(&draft);
	put_pools(&draft);
	swap_pools(&draft);
	plan_texts(&draft);
	plan_guards(&draft);
	plan_entries(&draft);
	plan_guards_end(&draft);
	remove_pools(&draft);
	remove_backends(&draft);
	plan_nat_end(&draft);
	plan_state(&draft);
	return draft.plan;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->count; i++)
		free(plan->steps[i].text);
	free(plan->steps);
	free(plan->moves);
	free(plan->reassigned);
	messages_free(&plan->disruptions);
	free(plan);
}

/* Frees the table and the previous owners that the pool no longer uses. Before its first PLAN_POOL step a pool
 * has no table of its own, so there is nothing to free. */
static void apply_pool(struct image *running, uint32_t id, const struct pool *pool)
{
	uint32_t before = running->pools[id].table;

	if (before != pool->table && before / 2 == id)
		slots_replace(&running->tables[before], NULL);
	if (!pool->migrating)
		slots_replace(&running->previous_owners[id], NULL);
	running->pools[id] = *pool;
}

bool plan_step_renames(const struct plan_step *step, const struct image *running)
{
	const struct backend_record *before, *after = step->value;

	if (step->kind != PLAN_BACKEND_RECORD)
		return step->kind == PLAN_POOL_NAME;
	before = &running->records[step->index];
	return !same_owner(before, after) || memcmp(&before->address, &after->address, sizeof(after->address));
}

void plan_step_apply(const struct plan_step *step, struct image *running)
{
	switch (step->kind) {
	case PLAN_BACKEND_RECORD:
		running->records[step->index] = *(const struct backend_record *)step->value;
		break;
	case PLAN_SERVICE_NAME:
		running->service_names[step->index] = *(const struct name *)step->value;
		break;
	case PLAN_POOL_NAME:
		running->pool_names[step->index] = *(const struct name *)step->value;
		break;
	case PLAN_BACKEND:
		running->backends[step->index] = *(const struct backend *)step->value;
		break;
	case PLAN_TABLE:
		slots_replace(&running->tables[step->index], step->slots);
		break;
	case PLAN_PREVIOUS_OWNERS:
		slots_replace(&running->previous_owners[step->index], step->slots);
		break;
	case PLAN_POOL:
		apply_pool(running, step->index, &step->pool);
		break;
	case PLAN_ENTRY:
		hash_map_put(running->maps[step->index], step->key, step->value);
		break;
	case PLAN_ENTRY_REMOVE:
		hash_map_remove(running->maps[step->index], step->key);
		break;
	case PLAN_PASSIVE:
		running->passive[step->index] = *(const struct passive_rule *)step->value;
		break;
	case PLAN_STATE:
		running->state = *(const struct balancer_state *)step->value;
		break;
	case PLAN_NAT:
		running->nat = *(const struct nat_settings *)step->value;
		break;
	case PLAN_GUARD:
		running->guards[step->index] = *(const struct guard *)step->value;
		break;
	case PLAN_GUARD_CLASS:
		running->guard_classes[step->index] = *(const struct guard_class *)step->value;
		break;
	case PLAN_GUARD_NAME:
		running->guard_names[step->index] = *(const struct name *)step->value;
		break;
	case PLAN_GUARD_LIST_NAME:
		running->guard_list_names[step->index] = *(const struct name *)step->value;
		break;
	case PLAN_SERVICE_SURGE:
		running->service_surges[step->index] = *(const struct surge *)step->value;
		break;
	case PLAN_BACKEND_SURGE:
		running->backend_surges[step->index] = *(const struct surge *)step->value;
		break;
	case PLAN_TRACKED_CALLS:
	case PLAN_COUNTED_CALLS:
	case PLAN_BACKEND_ZERO:
	case PLAN_SERVICE_ZERO:
	case PLAN_GUARD_ZERO:
		break; /* calls and counters are not part of the image */
	}
}
