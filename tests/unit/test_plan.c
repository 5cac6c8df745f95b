// SPDX-License-Identifier: GPL-2.0
/* Farm, desired and plan together: a file and what runs in, steps and a new state out. */

#include <criterion/criterion.h>
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

TestSuite(plan, .init = setup, .fini = teardown);

Test(plan, a_first_start_fills_every_slot)
{
	world_start(&world, FARM3);
	cr_assert_eq(world_slots_of(&world, 0), 0);
	cr_assert_eq(hash_map_count(world.running->maps[IMAGE_SERVICES]), 1);
	cr_assert(world_has_backend(world.running, world_backend(&world, "px1")->id));
}

Test(plan, a_backend_without_a_mac_has_no_slot_until_it_answers)
{
	uint32_t moved;

	world_load(&world, FARM3, FARM_RESTART);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, 0), world_contract.slots, "nobody is known yet");
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, world_contract.slots);
	cr_assert_eq(world_slots_of(&world, 0), 0);
}

Test(plan, a_restart_with_the_same_file_changes_nothing)
{
	world_start(&world, FARM3);
	world_load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0, "before anything was heard of a neighbour");
	world_set_routes(&world, ROUTE_PENDING);
	cr_assert_eq(world_reconcile(&world, NULL), 0, "while the neighbours are being asked");
	world_set_routes(&world, ROUTE_READY);
	cr_assert_eq(world_reconcile(&world, NULL), 0, "when they have answered");
}

Test(plan, the_order_of_lines_means_nothing)
{
	world_start(&world, FARM3);
	world_load(&world, HEAD SERVICE POOL(PX(3) "," PX(1) "," PX(2)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
}

Test(plan, maint_moves_only_its_own_slots_and_ready_brings_them_back)
{
	char error[FARM_ERROR_SIZE];
	uint16_t before[1024];
	uint32_t own, moved;

	world_start(&world, FARM3);
	memcpy(before, image_slots(world.running, 0), sizeof(before));
	own = world_slots_of(&world, world_backend(&world, "px2")->id);
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px2", ADMIN_MAINT, error), 0);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, own);
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px2")->id), 0);
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px2", ADMIN_READY, error), 0);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, own);
	cr_assert_arr_eq(before, image_slots(world.running, 0), sizeof(before));
}

Test(plan, an_admin_state_survives_reload_and_restart)
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

Test(plan, a_weight_set_by_hand_survives_a_restart_and_ends_with_a_reload)
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

Test(plan, a_backend_added_by_hand_survives_a_restart_and_ends_with_a_reload)
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

Test(plan, a_backend_removed_by_hand_stays_away_over_a_restart_and_returns_with_a_reload)
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

Test(plan, a_backend_replaced_by_hand_stays_replaced_over_a_restart)
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

/* Has the next plan a line with this text? */
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

/* His calls would be cut, and a plan would say that nothing moves. */
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
	cr_assert_eq(world_reconcile(&world, NULL), 0, "and once more");
	world_load(&world, FARM3, FARM_RELOAD);
	cr_assert(plan_says("backend proxies/px3: ready, was leaving"), "his line has come back");
	world_reconcile(&world, NULL);
	cr_assert_eq(world_backend(&world, "px3")->record.overrides, 0);
	cr_assert_gt(world_slots_of(&world, id), 0);
}

Test(plan, who_is_leaving_goes_on_leaving_without_his_line_in_the_file)
{
	char error[FARM_ERROR_SIZE];

	for (enum farm_origin origin = FARM_RESTART; origin <= FARM_RELOAD; origin++) {
		world_start(&world, FARM3);
		cr_assert_eq(farm_remove_when_drained(world.farm, "proxies", "px3", error), 0);
		cr_assert(plan_says(LEAVES));
		check_that_he_leaves_without_the_file(origin);
	}
}

Test(plan, who_was_drained_is_leaving_when_his_line_is_gone)
{
	char error[FARM_ERROR_SIZE];

	for (enum farm_origin origin = FARM_RESTART; origin <= FARM_RELOAD; origin++) {
		world_start(&world, FARM3);
		cr_assert_eq(farm_set_admin(world.farm, "proxies", "px3", ADMIN_DRAIN, error), 0);
		check_that_he_leaves_without_the_file(origin);
	}
}

Test(plan, who_was_added_and_drains_is_leaving_after_a_reload)
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

Test(plan, a_backend_that_was_removed_and_added_again_is_leaving_after_a_restart)
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

Test(plan, leaving_survives_a_reload_until_the_address_is_another)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, FARM3);
	farm_remove_when_drained(world.farm, "proxies", "px3", error);
	world_reconcile(&world, NULL);
	world_load(&world, FARM3, FARM_RELOAD);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	cr_assert(world_backend(&world, "px3")->record.overrides & OVERRIDE_LEAVING);
	world_load(&world, HEAD SERVICE POOL(PX(1) "," PX(2) ",{name: px3, address: 10.0.0.33}"), FARM_RELOAD);
	cr_assert_eq(world_backend(&world, "px3")->record.overrides, 0, "it is another machine");
}

Test(plan, who_was_taken_out_at_once_is_gone_with_his_line)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, FARM3);
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_MAINT, error);
	farm_remove_backend(world.farm, "proxies", "px3", error);
	world_reconcile(&world, NULL);
	world_load(&world, HEAD SERVICE POOL(PX(1)), FARM_RELOAD);
	cr_assert_eq(world.farm->pools[0].count, 1);
}

Test(plan, a_removed_backend_is_not_mentioned_when_the_file_drops_it)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, FARM3);
	farm_remove_backend(world.farm, "proxies", "px3", error);
	cr_assert(plan_says("backend proxies/px3: remove"));
	world_reconcile(&world, NULL);
	world_load(&world, WITHOUT_PX3, FARM_RELOAD);
	cr_assert_not(plan_says("px3"));
	cr_assert_eq(world_reconcile(&world, NULL), 1, "its record");
}

Test(plan, who_leaves_is_not_saved)
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

Test(plan, a_neighbour_that_fails_loses_only_its_slots)
{
	struct route failed = {.state = ROUTE_FAILED, .ifindex = 2, .reason = "does not answer"};
	uint32_t own, moved;

	world_start(&world, FARM3);
	own = world_slots_of(&world, world_backend(&world, "px1")->id);
	farm_set_route(world_backend(&world, "px1"), &failed);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0, "the others may be gone as well");
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_SUSPECTED);
	world_backend(&world, "px2")->neighbour_asked = world.now;
	world_backend(&world, "px3")->neighbour_asked = world.now;
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, own);
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_UNREACHABLE);
	cr_assert_str_eq(
		farm_reason(world.farm, &world.farm->pools[0], world_backend(&world, "px1")), "does not answer");
}

#define PROBED(more) HEAD SERVICE "pools: [{name: proxies, " AT_ONCE ", probe: options, " more "]}]\n"

Test(plan, a_probed_backend_has_no_slot_until_it_answers)
{
	uint32_t moved;

	world_start(&world, PROBED("min_alive: 0, backends: [" PX(1) "," PX(2)));
	cr_assert_eq(world_slots_of(&world, 0), 0, "nobody was heard of: all may be there");
	world_set_health(&world, "px1", HEALTH_UP);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0, "at a first start none loses slots to the first that answers");
	world_set_health(&world, "px2", HEALTH_UP);
	world_load(&world, PROBED("min_alive: 0, backends: [" PX(1) "," PX(2) "," PX(3)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_set_health(&world, "px1", HEALTH_UP);
	world_set_health(&world, "px2", HEALTH_UP);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0, "one that is added is still to answer");
	world_load(&world, PROBED("min_alive: 0, backends: [" PX(1) "," PX(2)), FARM_RELOAD);
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px2")->id), world_contract.slots);
	cr_assert_str_eq(farm_reason(world.farm, &world.farm->pools[0], world_backend(&world, "px1")), "no answer");
	world_set_health(&world, "px2", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, 0), world_contract.slots,
		"nobody is left, and with min_alive: 0 that is believed");
}

Test(plan, below_min_alive_the_probes_are_not_believed)
{
	world_start(&world, PROBED("min_alive: 50, backends: [" PX(1) "," PX(2) "," PX(3)));
	cr_assert_eq(world_slots_of(&world, 0), 0, "at a first start nobody has answered yet");
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_set_health(&world, "px2", HEALTH_UP);
	world_set_health(&world, "px3", HEALTH_UP);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px1")->id), 0, "two of three is enough");
	world_set_health(&world, "px2", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_gt(world_slots_of(&world, world_backend(&world, "px1")->id), 0, "one of three is not: all are kept");
	cr_assert_gt(world_slots_of(&world, world_backend(&world, "px2")->id), 0);
	cr_assert(world.farm->pools[0].fail_open);
}

/* Else adding servers would make the pool fail open, and give one calls that is known to be
 * dead; or end it, and take them from all the others. */
Test(plan, who_was_not_probed_yet_does_not_count_for_min_alive)
{
	world_start(&world, PROBED("min_alive: 60, backends: [" PX(1) "," PX(2) "," PX(3)));
	world_set_health(&world, "px1", HEALTH_UP);
	world_set_health(&world, "px2", HEALTH_UP);
	world_set_health(&world, "px3", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_not(world.farm->pools[0].fail_open);
	world_load(&world, PROBED("min_alive: 60, backends: [" PX(1) "," PX(2) "," PX(3) "," PX(4) "," PX(5)),
		FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_not(world.farm->pools[0].fail_open, "two of three");
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px3")->id), 0);
	world_set_health(&world, "px4", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert(world.farm->pools[0].fail_open, "two of four");
	world_load(&world, PROBED("min_alive: 60, backends: [" PX(1) "," PX(2) "," PX(3) "," PX(4) "," PX(5) "," PX(6)),
		FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert(world.farm->pools[0].fail_open, "two of four still");
}

Test(plan, probes_that_are_new_take_nobody_out)
{
	world_start(&world, FARM3);
	world_load(&world, PROBED("min_alive: 0, backends: [" PX(1) "," PX(2) "," PX(3)), FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, 0), 0);
}

Test(plan, a_new_address_has_not_answered_yet)
{
	world_start(&world, PROBED("min_alive: 0, backends: [" PX(1) "," PX(2)));
	world_set_health(&world, "px1", HEALTH_UP);
	world_set_health(&world, "px2", HEALTH_UP);
	world_reconcile(&world, NULL);
	world_load(&world, PROBED("min_alive: 0, backends: [{name: px1, address: 10.0.0.19}," PX(2)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_UNKNOWN);
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px1")->id), 0);
	cr_assert_gt(world_slots_of(&world, world_backend(&world, "px2")->id), 0);
}

/* Does a plan say this in one of its steps? */
static bool says(const struct plan *plan, const char *text)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].text && strstr(plan->steps[i].text, text))
			return true;
	return false;
}

#define MOVED_PX1 "{name: px1, address: 10.0.0.19}"

/* What a plan of a file says to FARM3, of backends that nobody has heard of before. */
static struct plan *plan_of(const char *text, struct image **desired)
{
	world_load(&world, text, FARM_RELOAD);
	for (size_t i = 0; i < world.farm->pools[0].count; i++)
		farm_assume_usable(&world.farm->pools[0].backends[i], world.running);
	world_update_states(&world);
	*desired = desired_image(world.desired, world.farm, world.running, world.now);
	return plan_new(world.running, *desired);
}

Test(plan, a_new_address_has_no_slots_until_the_way_is_known_and_that_is_planned)
{
	struct image *desired;
	struct plan *plan;
	uint32_t own, moved;

	world_start(&world, FARM3);
	own = world_slots_of(&world, world_backend(&world, "px1")->id);
	plan = plan_of(HEAD SERVICE POOL(MOVED_PX1 "," PX(2) "," PX(3)), &desired);
	cr_expect_eq(plan->moves[0].moved, own, "%u", plan->moves[0].moved);
	cr_expect(says(plan, "px1: address 10.0.0.19; it receives no packets until the route to it is known"));
	cr_expect_not(says(plan, "reached by"));
	plan_free(plan);
	image_free(desired);

	world_load(&world, HEAD SERVICE POOL(MOVED_PX1 "," PX(2) "," PX(3)), FARM_RELOAD);
	world_reconcile(&world, &moved);
	cr_expect_eq(moved, own, "as planned");
}

Test(plan, a_new_backend_is_planned_as_if_it_were_there)
{
	struct image *desired;
	struct plan *plan;

	world_start(&world, FARM3);
	plan = plan_of(HEAD SERVICE POOL(PX(1) "," PX(2) "," PX(3) "," PX(4)), &desired);
	cr_expect_gt(plan->moves[0].moved + plan->moves[0].waiting, 0);
	cr_expect_not(says(plan, "reached by"));
	plan_free(plan);
	image_free(desired);
}

/* After a restart: what runs is the way until something else is heard. */
Test(plan, a_plan_before_the_neighbours_have_answered_changes_no_way)
{
	struct image *desired;
	struct plan *plan;

	world_start(&world, FARM3);
	plan = plan_of(FARM3, &desired);
	cr_expect_not(says(plan, ""));
	plan_free(plan);
	image_free(desired);
}

Test(plan, what_probes_said_before_a_time_without_them_is_forgotten)
{
	const char *probed = PROBED("min_alive: 0, backends: [" PX(1) "," PX(2) "," PX(3));

	world_start(&world, probed);
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_set_health(&world, "px2", HEALTH_UP);
	world_reconcile(&world, NULL);
	world_load(&world, FARM3, FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_UP);
	world_load(&world, probed, FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_UP, "it serves until they say otherwise");
}

Test(plan, a_pool_that_cannot_be_reached_keeps_its_slots)
{
	struct route failed = {.state = ROUTE_FAILED, .ifindex = 2};
	uint32_t moved;

	world_start(&world, FARM3);
	farm_set_route(world_backend(&world, "px1"), &failed);
	farm_set_route(world_backend(&world, "px2"), &failed);
	farm_set_route(world_backend(&world, "px3"), &failed);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0);
	world.now += 3600000;
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0);
	cr_assert_eq(world_backend(&world, "px2")->record.state, STATE_SUSPECTED);
}

Test(plan, neighbours_that_fail_together_are_gone_when_others_answer)
{
	const struct route failed = {.state = ROUTE_FAILED, .ifindex = 2};
	uint32_t moved;

	world_start(&world, FARM3);
	farm_set_route(world_backend(&world, "px1"), &failed);
	farm_set_route(world_backend(&world, "px2"), &failed);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0);
	world_backend(&world, "px3")->neighbour_asked = world.now + 100;
	world.now += 11000;
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0, "two rounds of requests have not passed twice");
	world.now += 2000;
	world_reconcile(&world, &moved);
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px3")->id), world_contract.slots);
	cr_assert_eq(world_backend(&world, "px2")->record.state, STATE_UNREACHABLE);
}

Test(plan, dsr_does_not_go_through_a_gateway)
{
	struct route route = {.state = ROUTE_READY, .ifindex = 2, .gateway = true, .next_hop = {{2, 0, 0, 0, 0, 9}}};

	world_start(&world, FARM3);
	farm_set_route(world_backend(&world, "px1"), &route);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px1")->id), 0);
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_UNREACHABLE);
}

Test(plan, xdp_does_not_redirect_to_a_vlan_device)
{
	struct route route = {.state = ROUTE_READY,
		.ifindex = 3,
		.virtual_link = true,
		.interface = "eth0.7",
		.next_hop = {{2, 0, 0, 0, 0, 9}}};

	world_start(&world, FARM3);
	farm_set_route(world_backend(&world, "px1"), &route);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_UNREACHABLE);
	strcpy(route.interface, "eth0");
	farm_set_route(world_backend(&world, "px1"), &route);
	world_reconcile(&world, NULL);
	cr_assert_eq(
		world_backend(&world, "px1")->record.state, STATE_UP, "it is one of ours: packets leave as they came");
}

Test(plan, an_id_is_not_given_away_in_the_plan_that_frees_it)
{
	uint16_t old;

	world_start(&world, FARM3);
	old = world_backend(&world, "px1")->id;
	world_load(&world, HEAD SERVICE POOL(PX(4) "," PX(2) "," PX(3)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	cr_assert_neq(world_backend(&world, "px4")->id, old);
	world_reconcile(&world, NULL);
	cr_assert_not(world_has_backend(world.running, old));
}

Test(plan, a_mac_that_changes_moves_no_slot)
{
	struct route route = {.state = ROUTE_READY, .ifindex = 2, .mtu = 1500, .next_hop = {{2, 9, 9, 9, 9, 9}}};
	uint32_t moved;

	world_start(&world, FARM3);
	farm_set_route(world_backend(&world, "px1"), &route);
	cr_assert_eq(world_reconcile(&world, &moved), 1);
	cr_assert_eq(moved, 0);
	cr_assert_eq(world.running->backends[world_backend(&world, "px1")->id].next_hop.byte[1], 9);
}

Test(plan, services_and_pools_come_and_go)
{
	world_start(&world, FARM3);
	world_load(&world,
		HEAD "services:\n"
		     "- {name: sip, vip: [192.0.2.10, '2001:db8::10'], port: 0, pool: others}\n"
		     "- {name: more, vip: 192.0.2.11, port: 5060, pool: proxies}\n"
		     "pools:\n"
		     "- {name: others, backends: [{name: a, address: 10.0.1.1}]}\n"
		     "- {name: proxies, backends: [" PX(1) "]}\n",
		FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_eq(hash_map_count(world.running->maps[IMAGE_SERVICES]), 3);
	cr_assert_eq(hash_map_count(world.running->maps[IMAGE_VIPS]), 3);
	world_load(&world, FARM3, FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_eq(hash_map_count(world.running->maps[IMAGE_SERVICES]), 1);
	cr_assert_eq(hash_map_count(world.running->maps[IMAGE_VIPS]), 1);
	cr_assert_eq(world.running->pool_names[1].name[0], '\0');
}

#define RANGE(range) HEAD "services: [{name: sip, vip: 192.0.2.10, port: 0, pool: proxies}" range "]\n" POOL(PX(1))

Test(plan, ports_of_a_range_are_somebodys_at_any_moment)
{
	world_start(&world, RANGE(""));
	world_load(&world, RANGE(", {name: more, vip: 192.0.2.10, port: 5060-5069, pool: proxies}"), FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_assert_gt(hash_map_count(world.running->maps[IMAGE_RANGES]), 0);
	world_load(&world, RANGE(""), FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_assert_eq(hash_map_count(world.running->maps[IMAGE_RANGES]), 0);
}

#define TWO_POOLS(backends)                                                                                            \
	HEAD SERVICE "pools: [{name: proxies, backends: [" PX(4) "]}, {name: others, backends: [" backends "]}]\n"

Test(plan, a_pool_that_comes_again_begins_anew)
{
	world_start(&world, TWO_POOLS(PX(1) "," PX(2)));
	world_load(&world, TWO_POOLS(PX(1) "," PX(2) "," PX(3)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_neq(desired_next(world.desired), MIGRATION_NEVER, "calls are recorded");
	world_load(&world, HEAD SERVICE "pools: [{name: proxies, backends: [" PX(4) "]}]\n", FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_assert_eq(desired_next(world.desired), MIGRATION_NEVER, "who is gone wants no next step");
	cr_assert_eq(world.running->pools[1].migrating, 0);
	world_load(&world, TWO_POOLS(PX(2) "," PX(1)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_eq(world.running->pools[1].migrating, 0, "nobody has calls yet");
	cr_assert_eq(desired_next(world.desired), MIGRATION_NEVER);
}

Test(plan, what_is_saved_reads_back_as_what_runs)
{
	char error[FARM_ERROR_SIZE], *text;
	struct config *config;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	world_start(&world, FARM3);
	farm_set_weight(world.farm, "proxies", "px1", 7, error);
	farm_remove_backend(world.farm, "proxies", "px2", error);
	world_reconcile(&world, NULL);
	config = farm_config(world.farm);
	config_write(config, out);
	fclose(out);
	config_free(config);
	world_load(&world, text, FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_update_states(&world);
	cr_assert_eq(world_backend(&world, "px1")->record.weight, 7);
	cr_assert_null(farm_find_backend(&world.farm->pools[0], "px2"));
	free(text);
}

/* Where the step is that forgets the notes of an id; -1: nowhere. */
static int step_that_forgets(const struct plan *plan, uint16_t id)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].kind == PLAN_TRACKED_CALLS && ((const bool *)plan->steps[i].value)[id])
			return i;
	return -1;
}

/* Else calls that are noted for who had the id before would be its own. */
Test(plan, who_gets_an_id_while_calls_are_noted_gets_no_calls_with_it)
{
	struct image *desired;
	struct plan *plan;
	uint16_t id;
	int forgets;

	world_start(&world, HEAD SERVICE "pools: [{name: proxies, backends: [" PX(1) "," PX(2) "]}]\n");
	id = world_backend(&world, "px1")->id;
	world_load(&world, HEAD SERVICE "pools: [{name: proxies, backends: [" PX(2) "," PX(3) "]}]\n", FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert(world.running->pools[0].migrating);
	world_load(&world, TWO_POOLS(PX(5)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_update_states(&world);
	desired = desired_image(world.desired, world.farm, world.running, world.now);
	plan = plan_new(world.running, desired);
	cr_assert_str_eq(desired->records[id].name, "px4");
	forgets = step_that_forgets(plan, id);
	cr_assert_geq(forgets, 0);
	for (int i = 0; i < forgets; i++)
		cr_assert(plan->steps[i].kind != PLAN_BACKEND_RECORD && plan->steps[i].kind != PLAN_BACKEND);
	cr_assert_lt(step_that_forgets(plan, world_backend(&world, "px4")->id + 2), 0, "px2 stays who it is");
	plan_free(plan);
	image_free(desired);
}

/* A number of changes in random order; the invariants are checked after each step. */
Test(plan, no_order_of_changes_breaks_what_must_hold)
{
	static const char *const files[] = {
		FARM3,
		HEAD SERVICE POOL(PX(3) "," PX(4)),
		HEAD SERVICE POOL(PX(1)),
		HEAD "services: []\n" POOL(PX(1) "," PX(2)),
		HEAD "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: x}]\npools: [{name: x, " AT_ONCE
		     ", backends: [" PX(5) "]}, {name: proxies, backends: [" PX(1) "," PX(2) "]}]\n",
	};
	unsigned int seed = 7;

	world_start(&world, FARM3);
	for (int i = 0; i < 300; i++) {
		enum farm_origin origin = rand_r(&seed) % 2 ? FARM_RELOAD : FARM_RESTART;
		char error[FARM_ERROR_SIZE], name[8];

		snprintf(name, sizeof(name), "px%d", 1 + rand_r(&seed) % 5);
		switch (rand_r(&seed) % 5) {
		case 0:
			world_load(&world, files[rand_r(&seed) % 5], origin);
			break;
		case 1:
			farm_set_admin(
				world.farm, "proxies", name, rand_r(&seed) % 2 ? ADMIN_MAINT : ADMIN_READY, error);
			break;
		case 2:
			farm_remove_backend(world.farm, "proxies", name, error);
			break;
		case 3:
			farm_set_weight(world.farm, "proxies", name, rand_r(&seed) % 4, error);
			break;
		case 4:
			world_set_routes(&world, ROUTE_READY + rand_r(&seed) % 2);
			break;
		}
		world_reconcile(&world, NULL);
	}
}

Test(plan, what_stands_against_a_change_is_said_and_changes_nothing)
{
	char error[FARM_ERROR_SIZE];
	struct address taken, vip;

	world_start(&world, FARM3);
	address_parse("10.0.0.11", &taken);
	address_parse("192.0.2.10", &vip);
	cr_assert_lt(farm_set_weight(world.farm, "none", "px1", 1, error), 0);
	cr_assert(strstr(error, "no pool 'none'"));
	cr_assert_lt(farm_remove_backend(world.farm, "proxies", "px8", error), 0);
	cr_assert(strstr(error, "no backend 'px8'"));
	cr_assert_lt(farm_add_backend(world.farm, world.running, "proxies", "px1", &taken, 1, error), 0);
	cr_assert(strstr(error, "already"));
	farm_remove_when_drained(world.farm, "proxies", "px1", error);
	cr_assert_lt(farm_add_backend(world.farm, world.running, "proxies", "px1", &taken, 1, error), 0);
	cr_assert(strstr(error, "is leaving: 'sipxdp-ctl backend ready proxies px1'"));
	farm_set_admin(world.farm, "proxies", "px1", ADMIN_READY, error);
	cr_assert_lt(farm_add_backend(world.farm, world.running, "proxies", "new", &taken, 1, error), 0);
	cr_assert(strstr(error, "px1"));
	cr_assert_lt(farm_add_backend(world.farm, world.running, "proxies", "new", &vip, 1, error), 0);
	cr_assert(strstr(error, "VIP"));
	cr_assert_eq(world_reconcile(&world, NULL), 0);
}

Test(plan, maps_that_are_too_small_are_named)
{
	struct faults faults = {0};
	const char *text = "interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n" SERVICE POOL(PX(1));

	cr_assert_null(farm_new(config_parse(text, strlen(text), &faults), world.running, FARM_RESTART, &faults));
	cr_assert(strstr(faults.list[0].message, "slots is 262144"));
	faults_free(&faults);
}

Test(plan, hosts_that_there_is_no_room_for_are_refused_with_their_number)
{
	struct faults faults = {0};
	size_t length;
	char *text;
	FILE *file = open_memstream(&text, &length);
	struct config *config;

	fputs(HEAD SERVICE "pools: [{name: proxies, backends: [{name: px1, address: 10.0.0.11, hints: [", file);
	for (int i = 0; i < HINTS; i++)
		fprintf(file, "h%d.example.net,", i);
	fputs("]}]}]\n", file);
	fclose(file);
	config = config_parse(text, length, &faults);
	cr_assert(config, "%s", faults.count ? faults.list[0].message : "");
	cr_assert_null(farm_new(config, world.running, FARM_RESTART, &faults));
	cr_assert_eq(faults.count, 1);
	cr_assert(strstr(faults.list[0].message, "262145 addresses and names"), "%s", faults.list[0].message);
	faults_free(&faults);
	free(text);
}

/* One server in another network: only it is behind a router, and only it has a tunnel. */
Test(plan, forward_of_one_backend_is_its_own)
{
	const char *mixed = HEAD SERVICE POOL(PX(1) ",{name: px2, address: 10.0.0.12, forward: ipip}," PX(3));
	const struct route routed = {.state = ROUTE_READY,
		.gateway = true,
		.ifindex = 2,
		.mtu = 1500,
		.next_hop = {{2, 0, 0, 0, 0, 1}},
		.source = {{0, 0, 0xffff0000, 0x0100000a}}};
	const struct backend *backend;

	world_start(&world, mixed);
	farm_set_route(world_backend(&world, "px2"), &routed);
	farm_set_route(world_backend(&world, "px3"), &routed);
	world_reconcile(&world, NULL);
	cr_expect_eq(world_backend(&world, "px2")->record.state, STATE_UP);
	cr_expect_eq(world_backend(&world, "px3")->record.state, STATE_UNREACHABLE, "direct server return");
	backend = &world.running->backends[world_backend(&world, "px2")->id];
	cr_expect_eq(backend->forward, FORWARD_IPIP);
	cr_expect(!address_equal(&backend->source, &(struct address){{0}}));
	backend = &world.running->backends[world_backend(&world, "px1")->id];
	cr_expect_eq(backend->forward, FORWARD_DSR);
	cr_expect(address_equal(&backend->source, &(struct address){{0}}));
}

/* `admin:` is where a new server begins, and what a reload sets; a restart keeps what ran. */
Test(plan, admin_of_the_file)
{
	const char *drained = HEAD SERVICE POOL(PX(1) ",{name: px2, address: 10.0.0.12, admin: drain}," PX(3));
	char error[FARM_ERROR_SIZE];

	world_start(&world, drained);
	cr_expect_eq(world_backend(&world, "px2")->record.admin, ADMIN_DRAIN, "at the first start");
	cr_expect_eq(world_slots_of(&world, world_backend(&world, "px2")->id), 0);
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_READY, error);
	world_reconcile(&world, NULL);
	world_load(&world, drained, FARM_RESTART);
	cr_expect_eq(world_backend(&world, "px2")->record.admin, ADMIN_READY, "a restart keeps it");
	world_load(&world, drained, FARM_RELOAD);
	cr_expect_eq(world_backend(&world, "px2")->record.admin, ADMIN_DRAIN, "a reload sets it");
	world_reconcile(&world, NULL);
	world_load(&world, FARM3, FARM_RELOAD);
	cr_expect_eq(world_backend(&world, "px2")->record.admin, ADMIN_DRAIN, "a file that is silent keeps it");
}
