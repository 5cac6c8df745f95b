// SPDX-License-Identifier: GPL-2.0
/* Backends that are down by passive health: their slots and calls, their return, and a restart of the daemon. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "world.h"

#define NAT_POOL(more, backends)                                                                                       \
	HEAD SERVICE "pools: [{name: proxies, forward: nat, passive: {fall: 3}, " more "backends: [" backends "]}]\n"
#define PROBED "probe: options, "
#define ALL3 PX(1) "," PX(2) "," PX(3)

static struct world world;
static struct passive_history histories[8];
static uint64_t now; /* ms */

static void setup(void)
{
	world_setup(&world);
	memset(histories, 0, sizeof(histories));
	now = 1000000;
}

static void teardown(void)
{
	world_end(&world);
}

TestSuite(farm_passive, .init = setup, .fini = teardown);

static struct farm_pool *pool(void)
{
	return &world.farm->pools[0];
}

static void probes_pass(const char *name)
{
	const struct evidence passes = {.known = true, .recovered = true, .answered = now, .detection = 1};

	farm_set_probed(world_backend(&world, name), HEALTH_UP, &passes, &(struct latency){0}, "");
}

/* A second of the daemon: a decision with these totals, by position in the pool. */
static bool decide(const struct passive_totals *totals)
{
	struct passive_history *list[8];
	bool changed;

	now += 1000;
	world.now += 1000;
	for (size_t i = 0; i < pool()->count; i++) {
		list[i] = &histories[i];
		passive_sample(&histories[i], &totals[i], &pool()->config->passive, now);
	}
	changed = farm_decide_passive(pool(), list, now, now / 1000);
	world_update_states(&world);
	return changed;
}

/* px1 fails three times, and the others work. */
static void let_px1_fail(void)
{
	struct passive_totals totals[3] = {};

	for (size_t i = 0; i < 3; i++)
		totals[i] = histories[i].totals;
	decide(totals);
	totals[0].state.of[PASSIVE_INVITE].finals += 3;
	totals[0].state.of[PASSIVE_INVITE].failures += 3;
	totals[0].state.of[PASSIVE_INVITE].run += 3;
	decide(totals);
	totals[1].state.of[PASSIVE_INVITE].finals++;
	totals[2].state.of[PASSIVE_INVITE].finals++;
	cr_assert(decide(totals));
}

/* A second without responses. */
static bool wait_second(void)
{
	struct passive_totals totals[3];

	for (size_t i = 0; i < 3; i++)
		totals[i] = histories[i].totals;
	return decide(totals);
}

static void start(const char *text)
{
	world_start(&world, text);
	for (size_t i = 0; i < pool()->count; i++)
		probes_pass(pool()->backends[i].record.name);
	world_reconcile(&world, NULL);
}

static const char *reason_of(const char *name)
{
	return farm_reason(world.farm, pool(), world_backend(&world, name));
}

Test(farm_passive, new_calls_leave_at_once_and_live_calls_stay)
{
	struct farm_backend *px1;
	uint32_t own, moved;

	start(NAT_POOL(PROBED, ALL3));
	px1 = world_backend(&world, "px1");
	own = world_slots_of(&world, px1->id);
	let_px1_fail();
	cr_expect_eq(px1->record.state, STATE_DOWN);
	cr_expect_str_eq(reason_of("px1"), "3 responses to INVITE in a row failed");
	cr_expect(farm_backend_is_failing(pool(), px1));
	world_reconcile(&world, &moved);
	cr_expect_eq(moved, own, "at once");
	cr_expect_eq(world_slots_of(&world, px1->id), 0);
	cr_expect(world.running->pools[0].migrating, "its slots migrate");
	cr_expect(world.running->backends[px1->id].alive, "its calls stay");
	cr_expect_not(pool()->fail_open);
}

Test(farm_passive, a_backend_returns_after_its_hold_time_if_its_probes_pass)
{
	struct farm_backend *px1;

	start(NAT_POOL(PROBED, ALL3));
	px1 = world_backend(&world, "px1");
	let_px1_fail();
	for (int i = 0; i < 9; i++)
		cr_assert_not(wait_second(), "after %d s", i + 1);
	px1->probed.failing = true;
	cr_assert_not(wait_second(), "a probe fails");
	probes_pass("px1");
	cr_assert(wait_second());
	cr_expect_eq(px1->record.state, STATE_UP);
	cr_expect_str_eq(reason_of("px1"), "");
	let_px1_fail();
	cr_expect_eq(px1->record.passive_until, now / 1000 + 20, "twice as long");
}

Test(farm_passive, a_quiet_time_shortens_the_next_hold_time)
{
	struct farm_backend *px1;

	start(NAT_POOL(PROBED, ALL3));
	px1 = world_backend(&world, "px1");
	let_px1_fail();
	now += 10000;
	cr_assert(wait_second());
	now += PASSIVE_QUIET * 1000;
	let_px1_fail();
	cr_expect_eq(px1->record.passive_until, now / 1000 + 10);
}

Test(farm_passive, a_clock_that_is_set_back_does_not_prolong_the_hold_time)
{
	start(NAT_POOL(PROBED, ALL3));
	let_px1_fail();
	now -= 700 * 1000;
	memset(histories, 0, sizeof(histories));
	cr_expect(wait_second());
}

Test(farm_passive, without_probes_only_the_hold_time_counts)
{
	start(NAT_POOL("", ALL3));
	let_px1_fail();
	now += 10000;
	cr_expect(wait_second());
	cr_expect_eq(world_backend(&world, "px1")->record.state, STATE_UP);
}

Test(farm_passive, failed_probes_take_the_calls_away)
{
	struct evidence fails = {.known = true, .failing = true, .enough = true, .detection = 1};
	struct farm_backend *px1;

	start(NAT_POOL(PROBED, ALL3));
	px1 = world_backend(&world, "px1");
	let_px1_fail();
	fails.began = fails.failed = world.now;
	farm_set_probed(px1, HEALTH_DOWN, &fails, &(struct latency){0}, "no answer");
	world.now += 1000;
	for (int i = 2; i <= 3; i++) {
		struct evidence passes = {.known = true, .recovered = true, .answered = world.now, .detection = 1};
		char name[8];

		snprintf(name, sizeof(name), "px%d", i);
		farm_set_probed(world_backend(&world, name), HEALTH_UP, &passes, &(struct latency){0}, "");
	}
	world_reconcile(&world, NULL);
	cr_expect_eq(px1->record.state, STATE_DOWN);
	cr_expect_not(farm_backend_is_failing(pool(), px1));
	cr_expect_str_eq(reason_of("px1"), "no answer");
	cr_expect_not(world.running->backends[px1->id].alive);
}

Test(farm_passive, an_operator_takes_it_back)
{
	char error[FARM_ERROR_SIZE];

	start(NAT_POOL(PROBED, ALL3));
	let_px1_fail();
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px1", ADMIN_READY, error), 0);
	world_update_states(&world);
	cr_expect_eq(world_backend(&world, "px1")->record.state, STATE_UP);
	let_px1_fail();
	cr_expect_eq(world_backend(&world, "px1")->record.passive_count, 1);
}

Test(farm_passive, a_different_machine_with_its_name_has_not_failed)
{
	char error[FARM_ERROR_SIZE];
	struct address address;

	start(NAT_POOL(PROBED, ALL3));
	let_px1_fail();
	cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px1", error), 0);
	world_reconcile(&world, NULL);
	address_parse("10.0.0.99", &address);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px1", &address, 1, error), 0);
	world_set_routes(&world, ROUTE_READY);
	probes_pass("px1");
	world_update_states(&world);
	cr_expect_eq(world_backend(&world, "px1")->record.state, STATE_UP);
	cr_expect_eq(world_backend(&world, "px1")->record.passive_cause, PASSIVE_NONE);
}

Test(farm_passive, it_returns_if_no_other_backend_takes_calls)
{
	char error[FARM_ERROR_SIZE];

	start(NAT_POOL(PROBED "min_alive: 0, ", ALL3));
	let_px1_fail();
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_DRAIN, error);
	farm_set_admin(world.farm, "proxies", "px3", ADMIN_MAINT, error);
	world_update_states(&world);
	cr_expect(wait_second());
	cr_expect_eq(world_backend(&world, "px1")->record.state, STATE_UP);
}

Test(farm_passive, a_pool_that_fails_open_uses_it)
{
	char error[FARM_ERROR_SIZE];

	start(NAT_POOL(PROBED, ALL3));
	let_px1_fail();
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_DRAIN, error);
	farm_set_admin(world.farm, "proxies", "px3", ADMIN_MAINT, error);
	world_reconcile(&world, NULL);
	cr_expect(pool()->fail_open);
	cr_expect_gt(world_slots_of(&world, world_backend(&world, "px1")->id), 0);
}

Test(farm_passive, a_restart_and_a_reload_keep_it_down)
{
	struct farm_backend *px1;
	const char *text = NAT_POOL(PROBED, ALL3);
	struct farm *before;

	start(text);
	let_px1_fail();
	world_reconcile(&world, NULL);
	world_load(&world, text, FARM_RESTART);
	world_reconcile(&world, NULL);
	px1 = world_backend(&world, "px1");
	cr_expect_eq(px1->record.state, STATE_DOWN);
	cr_expect_eq(px1->record.passive_count, 1);
	cr_expect_str_eq(reason_of("px1"), "responses in a row failed");
	cr_expect(world.running->backends[px1->id].alive, "its calls stay");
	cr_expect_eq(world_slots_of(&world, px1->id), 0);
	before = world.farm;
	world.farm = world_new_farm(text, world.running, FARM_RELOAD);
	farm_take_over(world.farm, before);
	farm_free(before);
	world_update_states(&world);
	cr_expect_eq(world_backend(&world, "px1")->record.state, STATE_DOWN);
}

Test(farm_passive, a_reload_without_the_key_lets_it_return)
{
	start(NAT_POOL(PROBED, ALL3));
	let_px1_fail();
	world_reconcile(&world, NULL);
	world_load(&world, HEAD SERVICE "pools: [{name: proxies, forward: nat, backends: [" ALL3 "]}]\n", FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_expect_eq(world_backend(&world, "px1")->record.state, STATE_UP);
}

Test(farm_passive, only_nat)
{
	start(NAT_POOL("", "{name: px1, address: 10.0.0.11, forward: dsr}," PX(2)));
	cr_expect_not(farm_backend_is_observed(pool(), world_backend(&world, "px1")));
	cr_expect(farm_backend_is_observed(pool(), world_backend(&world, "px2")));
}

Test(farm_passive, tolerated_failures_have_a_text)
{
	struct passive_totals totals[3] = {};
	char text[FARM_PASSIVE_SIZE];

	start(NAT_POOL(PROBED, ALL3));
	decide(totals);
	for (int second = 0; second < 15; second++) {
		for (size_t i = 0; i < 3; i++)
			totals[i] = (struct passive_totals){.state.of = {{second, second, second, 0}}};
		cr_assert_not(decide(totals));
	}
	cr_expect_eq(pool()->tolerated, 3);
	cr_expect(strstr(farm_passive_text(pool(), text), "3 backends"), "%s", text);
}

/* --- in a group of balancers */

static void agree(const char *name, enum group_verdict verdict, const char *fails_at)
{
	for (size_t i = 0; i < pool()->count; i++)
		if (pool()->backends[i].agreed == GROUP_OWN) {
			farm_set_agreed(&pool()->backends[i], GROUP_UP, (struct group_tally){.up = 3});
			farm_set_agreed_passive(&pool()->backends[i], GROUP_UP, "");
		}
	farm_set_agreed_passive(world_backend(&world, name), verdict, fails_at);
	world_update_states(&world);
}

Test(farm_passive, a_group_decides_for_a_balancer_that_has_seen_no_failure)
{
	struct farm_backend *px1;
	uint32_t own, moved;

	start(NAT_POOL(PROBED, ALL3));
	px1 = world_backend(&world, "px1");
	own = world_slots_of(&world, px1->id);
	agree("px1", GROUP_DOWN, "fails at lb1, lb2");
	cr_expect_eq(px1->record.state, STATE_DOWN);
	cr_expect_str_eq(reason_of("px1"), "fails at lb1, lb2");
	cr_expect(farm_backend_is_failing(pool(), px1), "its calls stay");
	cr_expect_eq(farm_vote(pool(), px1), GROUP_VOTE_UP, "it has no opinion of its own");
	world_reconcile(&world, &moved);
	cr_expect_eq(moved, own);
	cr_expect_not(wait_second(), "it has no hold time");
	cr_expect_eq(px1->record.state, STATE_DOWN);
	agree("px1", GROUP_UP, "");
	cr_expect_eq(px1->record.state, STATE_UP);
	cr_expect_eq(px1->record.passive_cause, PASSIVE_NONE);
}

Test(farm_passive, a_failure_at_one_balancer_is_only_its_vote)
{
	struct farm_backend *px1;

	start(NAT_POOL(PROBED, ALL3));
	px1 = world_backend(&world, "px1");
	agree("px1", GROUP_UP, "");
	let_px1_fail();
	cr_expect_eq(px1->record.state, STATE_UP);
	cr_expect_eq(farm_vote(pool(), px1), GROUP_VOTE_FAILS);
	cr_expect_eq(farm_vote(pool(), world_backend(&world, "px2")), GROUP_VOTE_WORKS);
	for (int i = 0; i < 9; i++)
		cr_assert_not(wait_second(), "its hold time: %d s", i + 1);
	cr_expect_eq(farm_vote(pool(), px1), GROUP_VOTE_FAILS);
	cr_expect(wait_second());
	cr_expect_eq(farm_vote(pool(), px1), GROUP_VOTE_UP, "no responses since");
	cr_expect_eq(farm_vote(pool(), world_backend(&world, "px2")), GROUP_VOTE_UP, "none in the window");
}

Test(farm_passive, few_failures_are_no_opinion)
{
	struct passive_totals totals[3] = {};

	start(NAT_POOL(PROBED, ALL3));
	decide(totals);
	totals[0] = (struct passive_totals){.state.of = {{4, 2, 2, 0}}};
	totals[1] = (struct passive_totals){.state.of = {{5, 2, 2, 0}}};
	decide(totals);
	cr_expect_eq(farm_vote(pool(), world_backend(&world, "px1")), GROUP_VOTE_UP);
	cr_expect_eq(farm_vote(pool(), world_backend(&world, "px2")), GROUP_VOTE_WORKS);
	cr_expect_eq(farm_vote(pool(), world_backend(&world, "px3")), GROUP_VOTE_UP);
}

Test(farm_passive, the_last_decision_stays_without_the_group_and_over_a_restart)
{
	const char *text = NAT_POOL(PROBED, ALL3);

	start(text);
	let_px1_fail();
	agree("px1", GROUP_UP, "");
	agree("px2", GROUP_DOWN, "fails at lb2");
	world_reconcile(&world, NULL);
	world_load(&world, text, FARM_RESTART);
	for (size_t i = 0; i < pool()->count; i++) {
		farm_set_agreed(&pool()->backends[i], GROUP_KEEP, (struct group_tally){0});
		farm_set_agreed_passive(&pool()->backends[i], GROUP_KEEP, "");
	}
	world_reconcile(&world, NULL);
	cr_expect_eq(world_backend(&world, "px1")->record.state, STATE_UP, "the group had said so");
	cr_expect_eq(world_backend(&world, "px2")->record.state, STATE_DOWN);
	cr_expect_str_eq(reason_of("px2"), "fails at other balancers of the group");
	for (size_t i = 0; i < pool()->count; i++) {
		farm_set_agreed(&pool()->backends[i], GROUP_OWN, (struct group_tally){0});
		farm_set_agreed_passive(&pool()->backends[i], GROUP_OWN, "");
	}
	world_update_states(&world);
	cr_expect_eq(world_backend(&world, "px1")->record.state, STATE_DOWN, "alone, the own judgement applies");
	cr_expect_eq(world_backend(&world, "px2")->record.state, STATE_UP);
}

Test(farm_passive, min_alive_holds_for_the_decision_of_a_group)
{
	start(NAT_POOL(PROBED "min_alive: 60, ", ALL3));
	agree("px1", GROUP_DOWN, "fails at lb1");
	agree("px2", GROUP_DOWN, "fails at lb2");
	cr_expect_eq((world_backend(&world, "px1")->record.state == STATE_DOWN) +
			     (world_backend(&world, "px2")->record.state == STATE_DOWN),
		1);
}

Test(farm_passive, in_a_group_a_failing_backend_that_is_suspected_here_loses_its_slots_too)
{
	struct farm_backend *px1;

	start(NAT_POOL(PROBED, ALL3));
	px1 = world_backend(&world, "px1");
	agree("px1", GROUP_DOWN, "fails at lb1");
	px1->outage.down = true;
	px1->record.health = HEALTH_UP;
	farm_update_state(world.farm, pool(), px1, 1);
	cr_expect_eq(px1->record.state, STATE_DOWN);
	cr_expect(farm_backend_is_failing(pool(), px1), "its calls stay");
}

/* A member of a group may take it down before the others have seen enough failures. */
Test(farm_passive, failures_before_an_operator_takes_it_back_do_not_count)
{
	struct passive_totals totals[3] = {};
	char error[FARM_ERROR_SIZE];

	start(NAT_POOL(PROBED, ALL3));
	decide(totals);
	totals[0] = (struct passive_totals){.state.of = {{3, 3, 3, 0}}};
	cr_assert_not(decide(totals), "no other backend works");
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px1", ADMIN_READY, error), 0);
	totals[1] = totals[2] = (struct passive_totals){.state.of = {{1, 0, 0, 0}}};
	cr_assert_not(decide(totals));
	cr_expect_eq(world_backend(&world, "px1")->record.state, STATE_UP);
}

Test(farm_passive, an_operator_takes_it_back_in_a_group)
{
	char error[FARM_ERROR_SIZE];

	start(NAT_POOL(PROBED, ALL3));
	agree("px1", GROUP_DOWN, "fails at lb1");
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px1", ADMIN_READY, error), 0);
	world_update_states(&world);
	cr_expect_eq(world_backend(&world, "px1")->record.state, STATE_UP, "also in a preview");
}
