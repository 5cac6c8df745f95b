// SPDX-License-Identifier: GPL-2.0
/* Runtime changes by operators: which of them a reload, a restart and a save keep. */

#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "world.h"

static struct world world;

static void setup(void)
{
	world_setup(&world);
}

static void teardown(void)
{
	world_end(&world);
}

TestSuite(runtime_changes, .init = setup, .fini = teardown);

Test(runtime_changes, an_admin_state_survives_reload_and_restart)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, FARM3);
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_MAINT, error);
	world_reconcile(&world, NULL);
	world_load(&world, FARM3, FARM_RELOAD);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	cr_assert_eq(world_backend(&world, "px2")->record.admin, ADMIN_MAINT);
	world_load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
}

Test(runtime_changes, a_runtime_weight_survives_a_restart_and_ends_with_a_reload)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, FARM3);
	cr_assert_eq(farm_set_weight(world.farm, "proxies", "px1", 5, error), 0);
	world_reconcile(&world, NULL);
	world_load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	cr_assert_eq(world_backend(&world, "px1")->record.weight, 5);
	world_load(&world, FARM3, FARM_RELOAD);
	cr_assert_gt(world_reconcile(&world, NULL), 0);
	cr_assert_eq(world_backend(&world, "px1")->record.weight, 1);
}

Test(runtime_changes, away_survives_reload_restart_and_new_maps)
{
	struct contract larger = world_contract;
	struct image *copy;

	world_start(&world, FARM3);
	farm_set_away(world.farm, 1700000000);
	farm_set_away(world.farm, 1700000009); /* the first time stays */
	world_reconcile(&world, NULL);
	world_load(&world, FARM3, FARM_RELOAD);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	world_load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	cr_assert_eq(world.running->state.away_since, 1700000000);
	larger.backends *= 2;
	copy = image_resized_copy(world.running, &larger);
	cr_assert_eq(copy->state.away_since, 1700000000);
	image_free(copy);
}

Test(runtime_changes, an_added_backend_survives_a_restart_and_ends_with_a_reload)
{
	char error[FARM_ERROR_SIZE];
	struct address address;
	uint16_t id;

	world_start(&world, FARM3);
	address_parse("10.0.0.19", &address);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px9", &address, 2, error), 0);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	id = world_backend(&world, "px9")->id;
	cr_assert_gt(world_slots_of(&world, id), 0);
	world_load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	cr_assert_eq(world_backend(&world, "px9")->id, id);
	world_load(&world, FARM3, FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_assert_null(farm_find_backend(&world.farm->pools[0], "px9"));
	cr_assert_eq(world_slots_of(&world, id), 0);
	cr_assert_not(world_has_backend(world.running, id));
}

Test(runtime_changes, a_removed_backend_stays_removed_after_a_restart_and_returns_with_a_reload)
{
	char error[FARM_ERROR_SIZE];
	uint16_t before[1024];

	world_start(&world, FARM3);
	memcpy(before, image_slots(world.running, 0), sizeof(before));
	cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px3", error), 0);
	world_reconcile(&world, NULL);
	cr_assert_null(farm_find_backend(&world.farm->pools[0], "px3"));
	world_load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	cr_assert_null(farm_find_backend(&world.farm->pools[0], "px3"));
	world_load(&world, FARM3, FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_arr_eq(before, image_slots(world.running, 0), sizeof(before));
}

Test(runtime_changes, a_replaced_backend_stays_replaced_after_a_restart)
{
	char error[FARM_ERROR_SIZE];
	struct address address;

	world_start(&world, FARM3);
	address_parse("10.0.0.33", &address);
	farm_remove_backend(world.farm, "proxies", "px3", error);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px3", &address, 5, error), 0);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	world_load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	cr_assert(address_equal(&world_backend(&world, "px3")->record.address, &address));
	world_load(&world, FARM3, FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_not(address_equal(&world_backend(&world, "px3")->record.address, &address));
}

/* Does the next plan have a line with this text? */
static bool plan_says(const char *text)
{
	struct image *desired;
	struct plan *plan;
	bool says = false;

	world_update_states(&world);
	desired = desired_image(world.desired, world.farm, world.running, world.now);
	plan = plan_new(world.running, desired);
	for (size_t i = 0; i < plan->count; i++)
		says |= plan->steps[i].text && strstr(plan->steps[i].text, text);
	plan_free(plan);
	image_free(desired);
	return says;
}

#define WITHOUT_PX3 HEAD SERVICE POOL(PX(1) "," PX(2))
#define LEAVES "backend proxies/px3: leaving; it is removed when its calls have ended"

/* If the backend left the farm at once, its calls would break, although the plan reports that no calls move. */
static void check_that_he_leaves_without_the_file(enum farm_origin origin)
{
	uint16_t id = world_backend(&world, "px3")->id;
	uint32_t moved;

	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, id), 0);
	world_load(&world, WITHOUT_PX3, origin);
	cr_assert(plan_says(LEAVES));
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0);
	cr_assert_eq(world_backend(&world, "px3")->id, id);
	cr_assert_eq(world_backend(&world, "px3")->record.overrides, OVERRIDE_ADDED | OVERRIDE_LEAVING);
	cr_assert(world.running->backends[id].alive);
	world_load(&world, WITHOUT_PX3, origin);
	cr_assert_eq(world_reconcile(&world, NULL), 0, "loading the file again changes nothing");
	world_load(&world, FARM3, FARM_RELOAD);
	cr_assert(plan_says("backend proxies/px3: ready, was leaving"), "its line is in the file again");
	world_reconcile(&world, NULL);
	cr_assert_eq(world_backend(&world, "px3")->record.overrides, 0);
	cr_assert_gt(world_slots_of(&world, id), 0);
}

Test(runtime_changes, a_pending_removal_survives_the_removal_of_the_line)
{
	char error[FARM_ERROR_SIZE];

	for (enum farm_origin origin = FARM_RESTART; origin <= FARM_RELOAD; origin++) {
		world_start(&world, FARM3);
		cr_assert_eq(farm_remove_when_drained(world.farm, "proxies", "px3", error), 0);
		cr_assert(plan_says(LEAVES));
		check_that_he_leaves_without_the_file(origin);
	}
}

/* The server cannot receive packets in a different form. */
Test(runtime_changes, a_leaving_backend_without_a_line_keeps_its_method)
{
	static const struct {
		const char *method, *changed_pool;
		enum forward_method forward;
		uint16_t port;
	} rows[] = {
		{"forward: ipip", "forward: dsr", FORWARD_IPIP, 0},
		{"forward: nat, port: 5070", "forward: dsr", FORWARD_NAT, 5070},
		{"forward: nat, port: 5070", "forward: nat, port: 5080", FORWARD_NAT, 5070},
		{"weight: 1", "forward: ipip", FORWARD_DSR, 0},
	};
	char error[FARM_ERROR_SIZE], with[512], without[512];

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		const enum farm_origin origin = i % 2 ? FARM_RELOAD : FARM_RESTART;
		const struct backend *entry;

		snprintf(with, sizeof(with), HEAD SERVICE POOL(PX(1) ",{name: px3, address: 10.0.0.13, %s}"),
			rows[i / 2].method);
		snprintf(without, sizeof(without),
			HEAD SERVICE "pools: [{name: proxies, %s, " AT_ONCE ", backends: [" PX(1) "]}]\n",
			rows[i / 2].changed_pool);
		world_start(&world, with);
		entry = &world.running->backends[world_backend(&world, "px3")->id];
		cr_assert_eq(farm_remove_when_drained(world.farm, "proxies", "px3", error), 0);
		world_reconcile(&world, NULL);
		world_load(&world, without, origin);
		world_reconcile(&world, NULL);
		world_load(&world, without, FARM_RESTART);
		world_reconcile(&world, NULL);
		cr_expect_eq(entry->forward, rows[i / 2].forward, "%zu", i);
		cr_expect_eq(ntohs(entry->port), rows[i / 2].port, "%zu", i);
		cr_expect(entry->alive, "%zu", i);
	}
}

Test(runtime_changes, a_draining_backend_without_a_line_is_leaving)
{
	char error[FARM_ERROR_SIZE];

	for (enum farm_origin origin = FARM_RESTART; origin <= FARM_RELOAD; origin++) {
		world_start(&world, FARM3);
		cr_assert_eq(farm_set_admin(world.farm, "proxies", "px3", ADMIN_DRAIN, error), 0);
		check_that_he_leaves_without_the_file(origin);
	}
}

Test(runtime_changes, an_added_backend_that_drains_is_leaving_after_a_reload)
{
	char error[FARM_ERROR_SIZE];
	struct address address;

	world_start(&world, WITHOUT_PX3);
	address_parse("10.0.0.13", &address);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px3", &address, 1, error), 0);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px3", ADMIN_DRAIN, error), 0);
	world_reconcile(&world, NULL);
	world_load(&world, WITHOUT_PX3, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0, "a restart changes nothing");
	check_that_he_leaves_without_the_file(FARM_RELOAD);
}

Test(runtime_changes, a_backend_that_was_removed_and_added_again_is_leaving_after_a_restart)
{
	struct address address;
	char error[FARM_ERROR_SIZE];

	address_parse("10.0.0.13", &address);
	for (uint16_t weight = 1; weight <= 2; weight++) {
		world_start(&world, FARM3);
		cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px3", error), 0);
		world_reconcile(&world, NULL);
		cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px3", &address, weight, error), 0);
		world_set_routes(&world, ROUTE_READY);
		world_reconcile(&world, NULL);
		cr_assert_eq(world_backend(&world, "px3")->record.overrides, weight == 1 ? 0 : OVERRIDE_WEIGHT);
		cr_assert_eq(farm_remove_when_drained(world.farm, "proxies", "px3", error), 0);
		world_reconcile(&world, NULL);
		world_load(&world, FARM3, FARM_RESTART);
		cr_assert_eq(world_reconcile(&world, NULL), 0, "a restart changes nothing");
		cr_assert(world_backend(&world, "px3")->record.overrides & OVERRIDE_LEAVING);
		cr_assert_eq(world_backend(&world, "px3")->record.weight, weight);
	}
}

Test(runtime_changes, a_pending_removal_survives_a_reload_unless_the_address_changes)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, FARM3);
	farm_remove_when_drained(world.farm, "proxies", "px3", error);
	world_reconcile(&world, NULL);
	world_load(&world, FARM3, FARM_RELOAD);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	cr_assert(world_backend(&world, "px3")->record.overrides & OVERRIDE_LEAVING);
	world_load(&world, HEAD SERVICE POOL(PX(1) "," PX(2) ",{name: px3, address: 10.0.0.33}"), FARM_RELOAD);
	cr_assert_eq(world_backend(&world, "px3")->record.overrides, 0, "a new address is a different machine");
}

Test(runtime_changes, a_backend_in_maint_is_removed_with_its_line)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, FARM3);
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_MAINT, error);
	farm_remove_backend(world.farm, "proxies", "px3", error);
	world_reconcile(&world, NULL);
	world_load(&world, HEAD SERVICE POOL(PX(1)), FARM_RELOAD);
	cr_assert_eq(world.farm->pools[0].count, 1);
}

Test(runtime_changes, a_plan_does_not_mention_a_tombstone_that_the_file_drops)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, FARM3);
	farm_remove_backend(world.farm, "proxies", "px3", error);
	cr_assert(plan_says("backend proxies/px3: remove"));
	world_reconcile(&world, NULL);
	world_load(&world, WITHOUT_PX3, FARM_RELOAD);
	cr_assert_not(plan_says("px3"));
	cr_assert_eq(world_reconcile(&world, NULL), 1, "only its record is removed");
}

Test(runtime_changes, a_leaving_backend_is_not_saved)
{
	char error[FARM_ERROR_SIZE];
	struct config *config;

	world_start(&world, FARM3);
	farm_remove_when_drained(world.farm, "proxies", "px2", error);
	config = farm_config(world.farm);
	cr_assert_eq(config->pools[0].backend_count, 2);
	cr_assert_null(config_find_backend(&config->pools[0], "px2"));
	config_free(config);
}
