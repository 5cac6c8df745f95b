// SPDX-License-Identifier: GPL-2.0
/* The owners of slots with priorities, groups and slow start, during migrations. */

#include <criterion/criterion.h>
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

TestSuite(owners, .init = setup, .fini = teardown);

#define POOL_OF(more) HEAD SERVICE "pools: [{name: proxies, probe: options, min_alive: 0, " more "]}]\n"
#define NAMED(name, number, more) "{name: " name ", address: 10.0.0." number more "}"

static uint32_t slots(const char *name)
{
	return world_slots_of(&world, world_backend(&world, name)->id);
}

static void set_all_up(void)
{
	for (size_t i = 0; i < world.farm->pools[0].count; i++)
		world_set_health(&world, world.farm->pools[0].backends[i].record.name, HEALTH_UP);
	world_reconcile(&world, NULL);
}

/* Advances the time, ms. */
static void wait_for(uint64_t time)
{
	world.now += time;
	world_reconcile(&world, NULL);
}

static const uint32_t all = 1024;

#define TIERS                                                                                                          \
	POOL_OF("record_time: 10s, drain_timeout: 100s, backends: [" NAMED("px1", "11", "") "," NAMED(                 \
		"px2", "12", "") "," NAMED("sb1", "21", ", priority: 2") "," NAMED("sb2", "22", ", priority: 2"))

Test(owners, a_standby_owns_nothing_while_a_lower_priority_is_up)
{
	world_start(&world, TIERS);
	set_all_up();
	cr_assert_eq(slots("sb1") + slots("sb2"), 0);
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_eq(slots("px2"), all);
	world_set_health(&world, "px2", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_eq(slots("sb1") + slots("sb2"), all, "they own all slots at once");
	world_set_health(&world, "px1", HEALTH_UP);
	world_reconcile(&world, NULL);
	cr_assert_eq(slots("sb1") + slots("sb2"), all, "a returning backend waits for the recording");
	wait_for(10000);
	cr_assert_eq(slots("px1"), all);
	cr_assert(world.running->pools[0].migrating, "the standbys keep their calls");
	wait_for(100000);
	cr_assert_not(world.running->pools[0].migrating);
}

Test(owners, a_healthy_standby_takes_over_from_all_others)
{
	world_start(&world, HEAD SERVICE
		"pools: [{name: proxies, probe: options, min_alive: 50, record_time: 0s, drain_timeout: 1s, "
		"backends: [" PX(1) "," PX(2) "," PX(3) "," NAMED("sb1", "21", ", priority: 2") "]}]\n");
	set_all_up();
	for (int i = 0; i < 3; i++)
		world_set_health(&world, (const char *const[]){"px1", "px2", "px3"}[i], HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_not(world.farm->pools[0].fail_open, "one of four, but all of the standbys");
	cr_assert_eq(slots("sb1"), all);
	world_set_health(&world, "px1", HEALTH_UP);
	world_reconcile(&world, NULL);
	cr_assert_not(world.farm->pools[0].fail_open, "one of three, but all of the standbys");
	cr_assert_eq(slots("sb1"), all);
	world_set_health(&world, "sb1", HEALTH_DOWN);
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert(world.farm->pools[0].fail_open);
	cr_assert_eq(slots("sb1"), 0, "none is up: the lowest priority owns all");
}

Test(owners, draining_a_priority_activates_the_standby)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, TIERS);
	set_all_up();
	farm_set_admin(world.farm, "proxies", "px1", ADMIN_DRAIN, error);
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_DRAIN, error);
	world_reconcile(&world, NULL);
	cr_assert_eq(slots("sb1") + slots("sb2"), 0, "recording");
	wait_for(10000);
	cr_assert_eq(slots("sb1") + slots("sb2"), all);
}

#define RACKS                                                                                                          \
	POOL_OF("record_time: 0s, drain_timeout: 1s, groups: [{name: r1, backends: [px1, px2]}, {name: r2, backends: " \
		"[px3, px4]}], backends: [" PX(1) "," PX(2) "," PX(3) "," PX(4))

Test(owners, slots_of_a_dead_backend_go_to_its_group)
{
	uint32_t before[4];

	world_start(&world, RACKS);
	set_all_up();
	for (int i = 0; i < 4; i++)
		before[i] = slots((const char *const[]){"px1", "px2", "px3", "px4"}[i]);
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_eq(slots("px2"), before[0] + before[1]);
	cr_assert_eq(slots("px3"), before[2]);
	world_set_health(&world, "px2", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_eq(
		slots("px3") + slots("px4"), all, "without a usable backend in the group the others own the slots");
	cr_assert_gt(slots("px3"), before[2]);
	cr_assert_gt(slots("px4"), before[3]);
	set_all_up();
	cr_assert_eq(slots("px1"), before[0], "px1 owns its slots again");
	cr_assert_eq(slots("px4"), before[3]);
}

Test(owners, groups_change_nothing_while_all_are_up)
{
	uint16_t plain[1024];

	world_start(&world, POOL_OF("record_time: 0s, backends: [" PX(1) "," PX(2) "," PX(3) "," PX(4)));
	set_all_up();
	memcpy(plain, image_slots(world.running, 0), sizeof(plain));
	world_load(&world, RACKS, FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_assert_arr_eq(plain, image_slots(world.running, 0), sizeof(plain));
}

#define SLOW                                                                                                           \
	POOL_OF("record_time: 0s, drain_timeout: 1s, slow_start: 100s, backends: [" PX(1) "," NAMED(                   \
		"px2", "12", ", weight: 3"))

Test(owners, a_returning_backend_starts_slowly)
{
	uint32_t whole, share, last = 0;

	world_start(&world, SLOW);
	set_all_up();
	whole = slots("px1");
	cr_assert_gt(whole, 0, "a first start is not a return");
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert_eq(slots("px1"), 0);
	world_set_health(&world, "px1", HEALTH_UP);
	for (int step = 0; step < 10; step++) {
		wait_for(step ? 10000 : 0);
		share = slots("px1");
		cr_assert_gt(share, last, "step %d: %u after %u", step, share, last);
		cr_assert(share < whole || step == 9, "step %d: %u of %u", step, share, whole);
		last = share;
	}
	cr_assert_eq(last, whole);
	cr_assert_eq(world_backend(&world, "px1")->record.returned, 0);
}

/* While probe results are ignored, all backends have their full weight. A backend that is up must not have a lower
 * weight. */
Test(owners, no_slow_start_while_the_pool_fails_open)
{
	uint32_t whole;

	world_start(&world, HEAD SERVICE "pools: [{name: proxies, probe: options, min_alive: 60, record_time: 0s, "
					 "drain_timeout: 1s, slow_start: 100s, backends: [" PX(1) "," PX(2) "]}]\n");
	set_all_up();
	whole = slots("px1");
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_set_health(&world, "px2", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	cr_assert(world.farm->pools[0].fail_open);
	world_set_health(&world, "px1", HEALTH_UP);
	wait_for(0);
	cr_assert(world.farm->pools[0].fail_open, "one of two");
	cr_assert_eq(slots("px1"), whole);
	world_set_health(&world, "px2", HEALTH_UP);
	wait_for(0);
	wait_for(1000);
	cr_assert_not(world.farm->pools[0].fail_open);
	cr_assert_eq(slots("px1"), whole);
}

Test(owners, a_slow_start_continues_after_a_restart)
{
	uint32_t share;

	world_start(&world, SLOW);
	set_all_up();
	world_set_health(&world, "px1", HEALTH_DOWN);
	world_reconcile(&world, NULL);
	world_set_health(&world, "px1", HEALTH_UP);
	wait_for(0);
	wait_for(30000);
	share = slots("px1");
	world_load(&world, SLOW, FARM_RESTART);
	world_reconcile(&world, NULL);
	cr_assert_eq(slots("px1"), share);
}

/* If the slow start did not end, it would pause until the clock reaches the old time again. */
Test(owners, setting_the_clock_back_ends_a_slow_start)
{
	struct farm_backend *backend;

	world_start(&world, SLOW);
	set_all_up();
	world_set_health(&world, "px1", HEALTH_DOWN);
	wait_for(0);
	world_set_health(&world, "px1", HEALTH_UP);
	wait_for(0);
	backend = world_backend(&world, "px1");
	cr_assert_eq(backend->slow_start_step, 1);
	farm_update_state(world.farm, &world.farm->pools[0], backend, 999);
	cr_assert_eq(backend->slow_start_step, FARM_SLOW_START_STEPS);
	cr_assert_eq(farm_next_slow_start_step(world.farm), 0);
}

Test(owners, a_leaving_backend_is_removed_after_its_migrations)
{
	char error[FARM_ERROR_SIZE];
	uint16_t id;

	world_start(&world, POOL_OF("record_time: 10s, drain_timeout: 100s, backends: [" PX(1) "," PX(2)));
	set_all_up();
	id = world_backend(&world, "px1")->id;
	cr_assert_eq(farm_remove_when_drained(world.farm, "proxies", "px1", error), 0);
	wait_for(0);
	cr_assert_gt(world_slots_of(&world, id), 0);
	wait_for(10000);
	cr_assert_eq(world_slots_of(&world, id), 0);
	cr_assert(world.running->backends[id].alive, "it still has calls");
	/* a daemon that starts now restores it */
	world_load(&world, POOL_OF("record_time: 10s, drain_timeout: 100s, backends: [" PX(1) "," PX(2)), FARM_RESTART);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, id), 0);
	cr_assert_not(farm_backend_is_enabled(world_backend(&world, "px1")));
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px1", ADMIN_READY, error), 0);
	cr_assert(farm_backend_is_enabled(world_backend(&world, "px1")), "the removal is cancelled");
}

/* At the first start there are no calls to lose. */
Test(owners, no_recording_at_the_first_start)
{
	const struct route found = {.state = ROUTE_READY, .ifindex = 2, .mtu = 1500, .next_hop = {{2, 0, 0, 0, 0, 9}}};

	world_load(&world, POOL_OF("record_time: 10s, backends: [" PX(1) "," PX(2)), FARM_RESTART);
	farm_set_route(world_backend(&world, "px1"), &found);
	wait_for(0);
	cr_assert_eq(slots("px1"), all, "px2 has not answered ARP yet");
	farm_set_route(world_backend(&world, "px2"), &found);
	wait_for(2000);
	cr_assert_gt(slots("px2"), 0);
	world_set_health(&world, "px1", HEALTH_UP);
	world_set_health(&world, "px2", HEALTH_UP);
	world_load(&world, POOL_OF("record_time: 10s, backends: [" PX(1) "," PX(2) "," PX(3)), FARM_RELOAD);
	world_set_health(&world, "px3", HEALTH_UP);
	farm_set_route(world_backend(&world, "px3"), &found);
	wait_for(1000);
	cr_assert_eq(slots("px3"), 0, "now there are calls to lose");
	wait_for(10000);
	cr_assert_gt(slots("px3"), 0);
}

#define AWAY(which) set_route(which, &(const struct route){.state = ROUTE_FAILED, .ifindex = 2})
#define FOUND(which) set_route(which, &(const struct route){.state = ROUTE_READY, .ifindex = 2, .mtu = 1500})

static void set_route(const char *name, const struct route *route)
{
	farm_set_route(world_backend(&world, name), route);
}

/* The balancer's own cable fails: live calls remain on their servers. */
Test(owners, unreachable_backends_keep_their_slots_in_a_full_outage)
{
	uint16_t before[1024];

	world_start(&world, HEAD SERVICE "pools: [{name: proxies, probe: options, record_time: 10s, backends: [" PX(
				    1) "," PX(2) "," PX(3) "]}]\n");
	set_all_up();
	memcpy(before, image_slots(world.running, 0), sizeof(before));
	AWAY("px1");
	wait_for(10);
	AWAY("px2"), AWAY("px3");
	for (int second = 0; second < 60; second++)
		wait_for(1000);
	FOUND("px1");
	wait_for(1000);
	FOUND("px2");
	wait_for(1000);
	AWAY("px2");
	wait_for(1000);
	FOUND("px2"), FOUND("px3");
	wait_for(1000);
	cr_assert_arr_eq(before, image_slots(world.running, 0), sizeof(before));
	cr_assert_not(world.running->pools[0].migrating);
}

/* With min_alive: 0 all backends count as dead. */
Test(owners, no_recording_after_a_full_outage)
{
	uint16_t before[1024];

	world_start(&world, POOL_OF("record_time: 10s, backends: [" PX(1) "," PX(2) "," PX(3)));
	set_all_up();
	memcpy(before, image_slots(world.running, 0), sizeof(before));
	AWAY("px1"), AWAY("px2"), AWAY("px3");
	for (int second = 0; second < 30; second++)
		wait_for(1000);
	cr_assert_eq(world_slots_of(&world, 0), all);
	FOUND("px1");
	wait_for(20000);
	cr_assert_eq(slots("px1"), all);
	FOUND("px2"), FOUND("px3");
	wait_for(1000);
	AWAY("px2"), AWAY("px3");
	wait_for(1000);
	FOUND("px2");
	wait_for(2000);
	cr_assert_gt(slots("px2"), 0, "all seemed to be down, so no calls are recorded");
	FOUND("px3");
	wait_for(2000);
	cr_assert_arr_eq(before, image_slots(world.running, 0), sizeof(before));
	cr_assert_not(world.running->pools[0].migrating);
}

Test(owners, recording_again_long_after_a_full_outage)
{
	world_start(&world, POOL_OF("record_time: 10s, backends: [" PX(1) "," PX(2)));
	set_all_up();
	AWAY("px1"), AWAY("px2");
	for (int second = 0; second < 30; second++)
		wait_for(1000);
	cr_assert_eq(world_slots_of(&world, 0), all);
	FOUND("px1");
	wait_for(0);
	wait_for(11000);
	FOUND("px2");
	wait_for(1000);
	cr_assert_eq(slots("px2"), 0, "px1 has new calls");
	wait_for(10000);
	cr_assert_gt(slots("px2"), 0);
}

/* A pool whose servers join: the calls of the first server are new. */
Test(owners, recording_in_a_pool_that_was_empty)
{
	const struct address first = {{0, 0, htonl(0xffff), htonl(0x0a000011)}};
	const struct address second = {{0, 0, htonl(0xffff), htonl(0x0a000012)}};
	const struct route found = {.state = ROUTE_READY, .ifindex = 2, .mtu = 1500, .next_hop = {{2, 0, 0, 0, 0, 9}}};
	char error[FARM_ERROR_SIZE];

	world_load(&world, POOL_OF("record_time: 10s, backends: ["), FARM_RESTART);
	wait_for(0);
	wait_for(1000);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px1", &first, 1, error), 0, "%s", error);
	set_route("px1", &found);
	set_all_up();
	wait_for(0);
	cr_assert_eq(slots("px1"), all);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px2", &second, 1, error), 0, "%s", error);
	set_route("px2", &found);
	set_all_up();
	wait_for(5000);
	cr_assert_eq(slots("px2"), 0);
	wait_for(10000);
	cr_assert_gt(slots("px2"), 0);
}

/* A table without owners may still have live calls. */
Test(owners, ready_after_a_full_drain_moves_no_calls)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, POOL_OF("record_time: 10s, drain_timeout: 100s, backends: [" PX(1) "," PX(2)));
	set_all_up();
	farm_set_admin(world.farm, "proxies", "px1", ADMIN_DRAIN, error);
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_DRAIN, error);
	wait_for(0);
	wait_for(10000);
	cr_assert_eq(world_slots_of(&world, 0), all);
	farm_set_admin(world.farm, "proxies", "px1", ADMIN_READY, error);
	wait_for(1000);
	cr_assert_eq(slots("px1"), all);
	cr_assert(world.running->pools[0].migrating);
}

/* The key determines the slot of a call, so a different key cannot wait. */
Test(owners, a_different_hash_key_takes_effect_at_once)
{
	uint32_t moved;

	world_start(&world, POOL_OF("backends: [" PX(1) "," PX(2)));
	set_all_up();
	world_load(&world,
		"interfaces: [eth0]\nhash_key: 100102030405060708090a0b0c0d0e0f\n"
		"limits: {slots: 1024, pools: 4, services: 8, backends: 12}\n" SERVICE
		"pools: [{name: proxies, probe: options, min_alive: 0, backends: [" PX(1) "," PX(2) "]}]\n",
		FARM_RELOAD);
	world_reconcile(&world, &moved);
	cr_assert_gt(moved, 0);
	cr_assert_not(world.running->pools[0].migrating);
}

/* px1 to px3 are primary backends, px4 to px6 standby backends. */
#define STANDBYS                                                                                                       \
	HEAD SERVICE "pools: [{name: proxies, probe: options, " AT_ONCE ", min_alive: 50, backends: [" PX(1) "," PX(   \
		2) "," PX(3) ", {name: px4, address: 10.0.0.14, priority: 2}, {name: px5, address: "                   \
			     "10.0.0.15, priority: 2}, {name: px6, address: 10.0.0.16, priority: 2}]}]\n"

static uint32_t slots_of(const char *first, const char *second, const char *third)
{
	return slots(first) + slots(second) + slots(third);
}

static void set_health(const char *name, enum health health)
{
	world_set_health(&world, name, health);
	world_reconcile(&world, NULL);
}

Test(owners, healthy_standby_backends_receive_calls_before_dead_primary_backends)
{
	const struct farm_pool *pool;

	world_start(&world, STANDBYS);
	set_all_up();
	pool = &world.farm->pools[0];
	cr_expect_eq(slots_of("px1", "px2", "px3"), 1024);
	set_health("px1", HEALTH_DOWN);
	cr_expect_eq(slots("px2") + slots("px3"), 1024, "two of three are enough");
	set_health("px2", HEALTH_DOWN);
	cr_expect_eq(slots_of("px4", "px5", "px6"), 1024, "one of three is not");
	cr_expect_not(pool->fail_open);
	set_health("px3", HEALTH_DOWN);
	set_health("px4", HEALTH_DOWN);
	cr_expect_eq(slots("px5") + slots("px6"), 1024);
	set_health("px5", HEALTH_DOWN);
	cr_expect(pool->fail_open, "no priority has enough");
	cr_expect_eq(slots_of("px1", "px2", "px3"), 1024);
	for (int i = 1; i <= 3; i++)
		set_health((const char *[]){"px1", "px2", "px3"}[i - 1], HEALTH_UP);
	cr_expect_not(pool->fail_open);
	cr_expect_eq(slots_of("px1", "px2", "px3"), 1024);
}
