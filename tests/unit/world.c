// SPDX-License-Identifier: GPL-2.0
/* See world.h. */

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "world.h"

const struct contract world_contract = {
	.version = ABI_VERSION, .slots = 1024, .pools = 4, .services = 8, .backends = 12, .tracked_calls = 1024};

void world_setup(struct world *world)
{
	*world = (struct world){.running = image_new(&world_contract), .desired = desired_new(), .now = 3600000};
}

void world_end(struct world *world)
{
	farm_free(world->farm);
	desired_free(world->desired);
	image_free(world->running);
}

struct farm *world_new_farm(const char *text, const struct image *running, enum farm_origin origin)
{
	struct faults faults = {0};
	struct config *config = config_parse(text, strlen(text), &faults);
	struct farm *farm = config ? farm_new(config, running, origin, &faults) : NULL;

	cr_assert(farm, "%s", faults.count ? faults.list[0].message : "?");
	faults_free(&faults);
	return farm;
}

void world_load(struct world *world, const char *text, enum farm_origin origin)
{
	farm_free(world->farm);
	world->farm = world_new_farm(text, world->running, origin);
}

struct farm_backend *world_backend(struct world *world, const char *name)
{
	struct farm_backend *found = farm_find_backend(&world->farm->pools[0], name);

	cr_assert(found, "no backend %s", name);
	return found;
}

/* Sets the result of the neighbours for all backends. */
void world_set_routes(struct world *world, enum route_state state)
{
	for (size_t i = 0; i < world->farm->config->pool_count; i++)
		for (size_t j = 0; j < world->farm->pools[i].count; j++) {
			struct farm_backend *b = &world->farm->pools[i].backends[j];
			struct route route = {.state = state, .ifindex = 2, .mtu = 1500};

			if (state == ROUTE_READY)
				route.next_hop = (struct mac){{2, 0, 0, 0, 0, b->record.address.word[3] >> 24}};
			farm_set_route(b, &route);
		}
}

bool world_update_states(struct world *world)
{
	bool changed = false;

	for (size_t i = 0; i < world->farm->config->pool_count; i++) {
		struct farm_pool *pool = &world->farm->pools[i];

		farm_decide_outage(world->farm, pool, world->listening, world->now - world->paused);
		for (size_t j = 0; j < pool->count; j++)
			changed |= farm_update_state(world->farm, pool, &pool->backends[j], 1000 + world->now / 1000);
		changed |= farm_update_fail_open(pool, world->now - world->paused);
	}
	return changed;
}

bool world_has_backend(const struct image *image, uint16_t id)
{
	return image->backends[id].forward != FORWARD_NONE;
}

/* The range of a service leads to an entry in services. */
static void check_ranges(const struct image *image)
{
	size_t cursor = 0;
	struct hash_map_entry entry;

	while (hash_map_next(image->maps[IMAGE_RANGES], &cursor, &entry)) {
		const struct port_range_key *key = entry.key;
		const struct port_range *range = entry.value;
		const struct service_key service = {.vip = key->vip, .port = range->port, .protocol = key->protocol};

		cr_assert(range->backend || hash_map_find(image->maps[IMAGE_SERVICES], &service),
			"a range leads to no service");
	}
}

/* The invariants of the maps, which also hold between two steps. */
static void check_invariants(const struct image *image)
{
	size_t cursor = 0;
	struct hash_map_entry entry;

	while (hash_map_next(image->maps[IMAGE_SERVICES], &cursor, &entry)) {
		uint32_t pool = ((const struct service *)entry.value)->pool[METHOD_NONE];
		const uint16_t *slots = image_slots(image, pool);

		cr_assert(image->pool_names[pool].name[0], "a service has a pool that is not there");
		for (uint32_t slot = 0; slot < image->contract.slots; slot++)
			cr_assert(!slots[slot] || world_has_backend(image, slots[slot]),
				"slot %u belongs to id %u, which is no backend", slot, slots[slot]);
	}
	check_ranges(image);
}

/* Computes and applies one plan. */
size_t world_reconcile(struct world *world, uint32_t *moved)
{
	struct image *desired;
	struct plan *plan, *again;
	size_t count;

	world_update_states(world);
	desired = desired_image(world->desired, world->farm, world->running, world->now);
	plan = plan_new(world->running, desired);
	count = plan->count;
	if (moved)
		*moved = plan->move_count ? plan->moves[0].moved : 0;
	check_invariants(world->running);
	for (size_t i = 0; i < plan->count; i++) {
		plan_step_apply(&plan->steps[i], world->running);
		world->changes++;
		check_invariants(world->running);
	}
	plan_free(plan);
	image_free(desired);

	desired = desired_image(world->desired, world->farm, world->running, world->now);
	again = plan_new(world->running, desired);
	cr_assert_eq(again->count, 0, "a plan that was carried out leaves %zu steps", again->count);
	plan_free(again);
	image_free(desired);
	return count;
}

uint32_t world_slots_of(const struct world *world, uint16_t id)
{
	const uint16_t *slots = image_slots(world->running, 0);
	uint32_t count = 0;

	for (uint32_t slot = 0; slot < world_contract.slots; slot++)
		count += slots[slot] == id;
	return count;
}

void world_set_health(struct world *world, const char *name, enum health health)
{
	farm_set_health(world_backend(world, name), health, &(struct latency){0}, "no answer");
}

void world_start(struct world *world, const char *text)
{
	world_load(world, text, FARM_RESTART);
	world_set_routes(world, ROUTE_READY);
	world_reconcile(world, NULL);
}
