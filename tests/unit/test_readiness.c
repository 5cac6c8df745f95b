// SPDX-License-Identifier: GPL-2.0
/* When a balancer can serve calls. A case is a change of a working balancer, and the reasons that it causes. */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/view/readiness.h"
#include "world.h"

#define TWO                                                                                                            \
	HEAD "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies, methods: {REGISTER: registrars}},"    \
	     " {name: other, vip: 192.0.2.11, port: 5060, pool: proxies}]\n"                                           \
	     "pools: [{name: proxies, " AT_ONCE                                                                        \
	     ", min_alive: 50, backends: [" PX(1) "," PX(2) "]},"                                                      \
							    " {name: registrars, " AT_ONCE                             \
							    ", backends: [{name: rg1, address: 10.0.0.21}]}]\n"

static struct world world;
static struct messages reasons;

static void setup(void)
{
	world_setup(&world);
	world_start(&world, TWO);
	reasons = (struct messages){0};
}

static void teardown(void)
{
	messages_free(&reasons);
	world_end(&world);
}

TestSuite(readiness, .init = setup, .fini = teardown);

/* Two words: the interface without a balancer, and the interface that is down; NULL: there are none. */
static struct readiness_link link_of(const char *interface, void *troubles)
{
	char detached[16] = "", down[16] = "";

	if (troubles)
		sscanf(troubles, "%15s %15s", detached, down);
	return (struct readiness_link){
		.is_attached = strcmp(interface, detached), .fault = strcmp(interface, down) ? NULL : "is down"};
}

static int check(const char *service, char *troubles)
{
	return readiness_check(world.running, service, link_of, troubles, &reasons);
}

static void expect(size_t count, const char *first)
{
	cr_assert_eq(reasons.count, count, "%zu reasons, first: %s", reasons.count,
		reasons.count ? reasons.list[0] : "none");
	if (count)
		cr_assert_str_eq(reasons.list[0], first);
}

static void admin(const char *pool, const char *backend, enum admin_state state)
{
	char error[FARM_ERROR_SIZE];

	cr_assert_eq(farm_set_admin(world.farm, pool, backend, state, error), 0);
	world_update_states(&world);
	world_reconcile(&world, NULL);
}

Test(readiness, a_working_balancer_gives_no_reason)
{
	cr_assert_eq(check(NULL, NULL), 0);
	expect(0, NULL);
}

Test(readiness, a_balancer_that_waits_for_its_group_is_not_ready_until_a_time)
{
	world.farm->joining_until = 1700000010;
	world_reconcile(&world, NULL);
	readiness_check_joining(world.running, 1700000009, &reasons);
	expect(1, "the balancer is connected with its group again, and waits for its state");
	messages_free(&reasons);
	readiness_check_joining(world.running, 1700000010, &reasons);
	expect(0, NULL);
}

Test(readiness, each_interface_of_the_file_needs_the_balancer)
{
	cr_assert_eq(check(NULL, "eth0"), 0);
	expect(1, "interface eth0: no balancer is attached");
}

Test(readiness, one_interface_that_is_up_is_sufficient)
{
	check(NULL, "- eth0");
	expect(1, "interface eth0 is down");
	messages_free(&reasons);
	strcpy(world.running->state.interfaces[world.running->state.interface_count++], "eth1");
	check(NULL, "- eth0");
	expect(0, NULL);
	check(NULL, "- eth1");
	expect(0, NULL);
}

Test(readiness, a_pool_without_backends_affects_each_service_that_uses_it)
{
	admin("proxies", "px1", ADMIN_MAINT);
	check(NULL, NULL);
	expect(0, NULL);
	admin("proxies", "px2", ADMIN_MAINT);
	check(NULL, NULL);
	expect(2, "service sip: pool proxies: no backend can receive packets");
}

Test(readiness, a_pool_whose_backends_all_drain_takes_no_new_calls)
{
	admin("proxies", "px1", ADMIN_MAINT);
	admin("proxies", "px2", ADMIN_DRAIN);
	check("other", NULL);
	expect(1, "service other: pool proxies: no backend takes new calls");
	cr_expect(world.running->pools[0].migrating, "px2 still receives its calls");
}

Test(readiness, the_pool_of_a_method_counts_too)
{
	admin("registrars", "rg1", ADMIN_MAINT);
	check("other", NULL);
	expect(0, NULL);
	check("sip", NULL);
	expect(1, "service sip: pool registrars: no backend can receive packets");
}

static void set_state(const char *backend, enum backend_state state)
{
	for (uint32_t id = 1; id <= world.running->contract.backends; id++)
		if (!strcmp(world.running->records[id].name, backend))
			world.running->records[id].state = state;
}

Test(readiness, a_pool_that_fails_open_has_no_live_backend)
{
	set_state("rg1", STATE_DOWN);
	check("sip", NULL);
	expect(1, "service sip: pool registrars: its backends are down or suspected (see 'sipxdp-ctl backend list')");
}

Test(readiness, a_pool_whose_backends_all_stopped_answering_has_no_live_backend)
{
	set_state("px1", STATE_SUSPECTED);
	check("other", NULL);
	expect(0, NULL);
	set_state("px2", STATE_SUSPECTED);
	check("other", NULL);
	expect(1, "service other: pool proxies: its backends are down or suspected (see 'sipxdp-ctl backend list')");
}

Test(readiness, a_balancer_without_live_backends_still_forwards)
{
	set_state("px1", STATE_DOWN);
	set_state("px2", STATE_DOWN);
	set_state("rg1", STATE_DOWN);
	world.running->state.is_blind = true;
	readiness_check_forwarding(world.running, link_of, NULL, &reasons);
	expect(0, NULL);
	readiness_check_forwarding(world.running, link_of, "eth0", &reasons);
	expect(1, "interface eth0: no balancer is attached");
	messages_free(&reasons);
	world.running->state.away_since = 1700000000;
	readiness_check_forwarding(world.running, link_of, NULL, &reasons);
	expect(1, "the balancer is away ('sipxdp-ctl back' ends this)");
}

Test(readiness, an_unknown_service_is_an_error)
{
	cr_assert_eq(check("nothing", NULL), -ENOENT);
}

Test(readiness, a_balancer_that_is_away_gives_this_reason_first)
{
	farm_set_away(world.farm, 1700000000);
	world_reconcile(&world, NULL);
	check(NULL, "eth0");
	expect(2, "the balancer is away ('sipxdp-ctl back' ends this)");
	farm_set_away(world.farm, 0);
	world_reconcile(&world, NULL);
	messages_free(&reasons);
	check(NULL, NULL);
	expect(0, NULL);
}

Test(readiness, a_balancer_to_which_no_backend_responds_is_not_ready)
{
	world.farm->is_blind = true;
	world_reconcile(&world, NULL);
	check(NULL, NULL);
	expect(1, "no backend responds to this balancer, but backends respond to other balancers of its group");
}

Test(readiness, the_maps_contain_the_interfaces_of_the_file)
{
	cr_assert_eq(world.running->state.interface_count, 1);
	cr_assert_str_eq(world.running->state.interfaces[0], "eth0");
}
