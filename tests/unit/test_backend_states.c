// SPDX-License-Identifier: GPL-2.0
/* Slots after probes pass or fail, and after neighbours respond or do not. */

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

TestSuite(backend_states, .init = setup, .fini = teardown);

Test(backend_states, a_failed_neighbour_loses_only_its_own_slots)
{
	struct route failed = {.state = ROUTE_FAILED, .ifindex = 2, .reason = "does not answer"};
	uint32_t own, moved;

	world_start(&world, FARM3);
	own = world_slots_of(&world, world_backend(&world, "px1")->id);
	farm_set_route(world_backend(&world, "px1"), &failed);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0, "the other neighbours may have failed, too");
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_SUSPECTED);
	world_backend(&world, "px2")->neighbour.answered = world.now;
	world_backend(&world, "px3")->neighbour.answered = world.now;
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, own);
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_UNREACHABLE);
	cr_assert_str_eq(
		farm_reason(world.farm, &world.farm->pools[0], world_backend(&world, "px1")), "does not answer");
}

#define PROBED(more) HEAD SERVICE "pools: [{name: proxies, " AT_ONCE ", probe: options, " more "]}]\n"

Test(backend_states, a_probed_backend_owns_no_slot_until_it_answers)
{
	uint32_t moved;

	world_start(&world, PROBED("min_alive: 0, backends: [" PX(1) "," PX(2)));
	cr_assert_eq(world_slots_of(&world, 0), 0, "without any result all count as up");
	world_set_health(&world, "px1", HEALTH_UP);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0, "at a first start the first response moves no slots");
	world_set_health(&world, "px2", HEALTH_UP);
	world_load(&world, PROBED("min_alive: 0, backends: [" PX(1) "," PX(2) "," PX(3)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_set_health(&world, "px1", HEALTH_UP);
	world_set_health(&world, "px2", HEALTH_UP);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0, "the added backend has not responded yet");
	world_load(&world, PROBED("min_alive: 0, backends: [" PX(1) "," PX(2)), FARM_RELOAD);
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px2")->id), world_contract.slots);
	cr_assert_str_eq(farm_reason(world.farm, &world.farm->pools[0], world_backend(&world, "px1")), "no answer");
	world_set_health(&world, "px2", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, 0), world_contract.slots, "all are down, and min_alive: 0 accepts that");
}

Test(backend_states, below_min_alive_the_pool_fails_open)
{
	world_start(&world, PROBED("min_alive: 50, backends: [" PX(1) "," PX(2) "," PX(3)));
	cr_assert_eq(world_slots_of(&world, 0), 0, "at a first start no backend has responded");
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_set_health(&world, "px2", HEALTH_UP);
	world_set_health(&world, "px3", HEALTH_UP);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px1")->id), 0, "two of three are enough");
	world_set_health(&world, "px2", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_gt(world_slots_of(&world, world_backend(&world, "px1")->id), 0,
		"one of three is too few: the pool fails open");
	cr_assert_gt(world_slots_of(&world, world_backend(&world, "px2")->id), 0);
	cr_assert(world.farm->pools[0].fail_open);
}

/* If an unprobed backend counted, new servers could make the pool start or stop failing open. Then a dead backend would
 * receive calls, or all other backends would lose their calls. */
Test(backend_states, an_unprobed_backend_does_not_count_for_min_alive)
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

Test(backend_states, new_probes_take_no_backend_out)
{
	world_start(&world, FARM3);
	world_load(&world, PROBED("min_alive: 0, backends: [" PX(1) "," PX(2) "," PX(3)), FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, 0), 0);
}

Test(backend_states, a_new_address_has_no_probe_result)
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

Test(backend_states, a_pause_without_probes_clears_their_results)
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
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_UP, "it serves until probes fail");
}

Test(backend_states, an_unreachable_pool_keeps_its_slots)
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

Test(backend_states, neighbours_that_fail_together_are_down_when_others_respond)
{
	const struct route failed = {.state = ROUTE_FAILED, .ifindex = 2};
	uint32_t moved;

	world_start(&world, FARM3);
	farm_set_route(world_backend(&world, "px1"), &failed);
	farm_set_route(world_backend(&world, "px2"), &failed);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0);
	world_backend(&world, "px3")->neighbour.answered = world.now + 100;
	world.now += 8000;
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0, "the second check of the neighbours is not complete");
	world.now += 2000;
	world_reconcile(&world, &moved);
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px3")->id), world_contract.slots);
	cr_assert_eq(world_backend(&world, "px2")->record.state, STATE_UNREACHABLE);
}

/* The network was away. One neighbour failed, and all others were asked. They answer because the network is back. */
Test(backend_states, neighbours_that_answer_late_do_not_prove_that_the_failed_one_is_dead)
{
	const struct route failed = {.state = ROUTE_FAILED, .ifindex = 2};
	struct farm_backend *px[4];
	uint32_t moved;

	world_start(&world, FARM3);
	for (int i = 1; i <= 3; i++)
		px[i] = world_backend(&world, (char[]){'p', 'x', '0' + i, '\0'});
	world.now += 10000;
	px[1]->neighbour = (struct neighbour_replies){.began = world.now - 3000, .failed = world.now - 3000};
	farm_set_route(px[1], &failed);
	px[2]->neighbour.asked = px[3]->neighbour.asked = world.now;
	world_reconcile(&world, &moved);
	world.now += 1000;
	world_reconcile(&world, &moved);
	cr_assert_eq(world.farm->pools[0].outage.silent, 3, "the first requests to px2 and px3 were not answered");
	world.now += 1000;
	px[2]->neighbour = px[3]->neighbour = (struct neighbour_replies){.answered = world.now - 2000};
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0);
	cr_assert_eq(px[1]->record.state, STATE_SUSPECTED);
	world.now += 4000;
	px[1]->neighbour.failed = world.now - 3000;
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0, "one round after the network returned is not enough");
	world.now += 3000;
	px[1]->neighbour.failed = world.now - 3000;
	world_reconcile(&world, &moved);
	cr_assert_eq(px[1]->record.state, STATE_UNREACHABLE);
}

/* A restarted daemon finds a neighbour entry that failed before, and does not know when. */
Test(backend_states, a_neighbour_must_fail_again_after_the_others_were_asked)
{
	const struct route failed = {.state = ROUTE_FAILED, .ifindex = 2};
	struct farm_backend *px1;
	uint32_t moved;

	world_start(&world, FARM3);
	px1 = world_backend(&world, "px1");
	world.now += 10000;
	px1->neighbour.began = world.now;
	farm_set_route(px1, &failed);
	world_backend(&world, "px2")->neighbour.answered = world.now + 1;
	world_backend(&world, "px3")->neighbour.answered = world.now + 1;
	world.now += 100;
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, 0);
	px1->neighbour.failed = world.now;
	world.now += 3000;
	world_reconcile(&world, &moved);
	cr_assert_eq(px1->record.state, STATE_UNREACHABLE);
	cr_assert(moved);
}

Test(backend_states, dsr_through_a_gateway_is_refused)
{
	struct route route = {.state = ROUTE_READY, .ifindex = 2, .gateway = true, .next_hop = {{2, 0, 0, 0, 0, 9}}};

	world_start(&world, FARM3);
	farm_set_route(world_backend(&world, "px1"), &route);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, world_backend(&world, "px1")->id), 0);
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_UNREACHABLE);
}

Test(backend_states, a_route_through_a_vlan_device_is_refused)
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
	cr_assert_eq(world_backend(&world, "px1")->record.state, STATE_UP,
		"the balancer is attached there: packets leave unchanged");
}
