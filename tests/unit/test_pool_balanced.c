// SPDX-License-Identifier: GPL-2.0
/* balanced and balanced_since of a pool in the maps: which calls have an entry that selects their backend, and since
 * when. */

#include <criterion/criterion.h>
#include "world.h"

#define FARM(keys) HEAD SERVICE "pools: [{name: proxies, " AT_ONCE keys ", backends: [" PX(1) "," PX(2) "]}]\n"

static struct world world;

static void setup(void)
{
	world_setup(&world);
}

static void teardown(void)
{
	world_end(&world);
}

TestSuite(pool_balanced, .init = setup, .fini = teardown);

/* Reloads the file 100 s after the last one. */
static void reload(const char *text)
{
	world.now += 100000;
	world_load(&world, text, FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
}

static void expect(enum pool_balanced balanced, uint32_t since)
{
	cr_expect_eq(world.running->pools[0].balanced, balanced, "balanced is %u", world.running->pools[0].balanced);
	cr_expect_eq(world.running->pools[0].balanced_since, since, "since %u", world.running->pools[0].balanced_since);
}

Test(pool_balanced, a_new_pool_has_no_earlier_calls)
{
	world_start(&world, FARM(", balance: least-calls"));
	expect(BALANCED_ALL, 0);
	reload(FARM(", balance: round-robin"));
	expect(BALANCED_ALL, 0);
}

Test(pool_balanced, a_reload_that_adds_more_placed_calls_begins_a_new_period)
{
	world_start(&world, FARM(""));
	expect(BALANCED_NOT, 0);
	reload(FARM(", balance: bounded"));
	expect(BALANCED_SOME, 3700);
	reload(FARM(", max_rate: 10"));
	expect(BALANCED_SOME, 3700);
	reload(FARM(", max_calls: 10"));
	expect(BALANCED_ALL, 3900);
	reload(FARM(", balance: bounded"));
	expect(BALANCED_SOME, 3900);
	reload(FARM(""));
	expect(BALANCED_NOT, 3900);
	reload(FARM(", max_rate: 10"));
	expect(BALANCED_SOME, 4200);
}

Test(pool_balanced, placed_calls_keep_their_entries_until_they_have_ended)
{
	world_start(&world, FARM(", balance: least-calls"));
	world.now += 100000;
	world_load(&world, FARM(""), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world.farm->pools[0].may_have_placed_calls = true;
	world_reconcile(&world, NULL);
	expect(BALANCED_ENDING, 0);
	world.farm->pools[0].may_have_placed_calls = false;
	world_reconcile(&world, NULL);
	expect(BALANCED_NOT, 0);
	world.farm->pools[0].may_have_placed_calls = true;
	world_reconcile(&world, NULL);
	expect(BALANCED_NOT, 0);
}

Test(pool_balanced, a_pool_that_places_no_calls_has_those_of_a_different_balancer)
{
	world_start(&world, FARM(""));
	expect(BALANCED_NOT, 0);
	world.now += 100000;
	world.farm->pools[0].has_placed_calls = true;
	world_reconcile(&world, NULL);
	expect(BALANCED_ENDING, 3700);
	world.farm->pools[0].has_placed_calls = false;
	world_reconcile(&world, NULL);
	expect(BALANCED_NOT, 3700);
}

Test(pool_balanced, a_daemon_that_starts_with_a_changed_file_knows_what_the_pool_did_before)
{
	world_start(&world, FARM(""));
	desired_free(world.desired);
	world.desired = desired_new();
	world.now += 100000;
	world_load(&world, FARM(", balance: least-calls"), FARM_RESTART);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	expect(BALANCED_ALL, 3700);
	desired_free(world.desired);
	world.desired = desired_new();
	world_load(&world, FARM(", balance: least-calls"), FARM_RESTART);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	expect(BALANCED_ALL, 3700);
}

/* Replaces the maps with new ones, as an upgrade does. */
static void upgrade(const char *text, bool has_placed_calls)
{
	struct image *inherited = image_resized_copy(world.running, &world_contract);

	world.now += 100000;
	farm_free(world.farm);
	world.farm = world_new_farm(text, inherited, FARM_RESTART);
	desired_inherit(world.desired, world.farm, inherited, world.now);
	image_free(world.running);
	image_free(inherited);
	world.running = image_new(&world_contract);
	world_set_routes(&world, ROUTE_READY);
	world.farm->pools[0].has_placed_calls = has_placed_calls;
	world_reconcile(&world, NULL);
}

Test(pool_balanced, new_maps_inherit_it)
{
	world_start(&world, FARM(""));
	reload(FARM(", balance: least-calls"));
	upgrade(FARM(", balance: least-calls"), false);
	expect(BALANCED_ALL, 3700);
	upgrade(FARM(""), true);
	expect(BALANCED_ENDING, 3700);
	upgrade(FARM(""), true);
	expect(BALANCED_ENDING, 3700);
	upgrade(FARM(""), false);
	expect(BALANCED_NOT, 3700);
	upgrade(FARM(", balance: round-robin"), false);
	expect(BALANCED_ALL, 4200);
}
