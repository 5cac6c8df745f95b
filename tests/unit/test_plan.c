// SPDX-License-Identifier: GPL-2.0
/* Farm, desired image and plan together. Input: a file and the running image. Output: steps and a new image. */

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

Test(plan, a_backend_without_a_mac_address_owns_no_slot)
{
	uint32_t moved;

	world_load(&world, FARM3, FARM_RESTART);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_slots_of(&world, 0), world_contract.slots, "no backend has a route yet");
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, &moved);
	cr_assert_eq(moved, world_contract.slots);
	cr_assert_eq(world_slots_of(&world, 0), 0);
}

Test(plan, a_restart_with_the_same_file_changes_nothing)
{
	world_start(&world, FARM3);
	world_load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0, "before any neighbour has responded");
	world_set_routes(&world, ROUTE_PENDING);
	cr_assert_eq(world_reconcile(&world, NULL), 0, "while requests to the neighbours are pending");
	world_set_routes(&world, ROUTE_READY);
	cr_assert_eq(world_reconcile(&world, NULL), 0, "after they have responded");
}

Test(plan, the_order_of_lines_does_not_matter)
{
	world_start(&world, FARM3);
	world_load(&world, HEAD SERVICE POOL(PX(3) "," PX(1) "," PX(2)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
}

Test(plan, maint_moves_only_the_slots_of_the_backend_and_ready_returns_them)
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

/* Does a step of the plan have this text? */
static bool says(const struct plan *plan, const char *text)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].text && strstr(plan->steps[i].text, text))
			return true;
	return false;
}

/* Computes and applies one plan. Returns its text about moved slots, from "slots move" on; "" if it has none. */
static const char *moves_text(void)
{
	static char text[128];
	struct image *desired;
	struct plan *plan;

	world_update_states(&world);
	desired = desired_image(world.desired, world.farm, world.running, world.now);
	plan = plan_new(world.running, desired);
	*text = 0;
	for (size_t i = 0; i < plan->count; i++) {
		const char *found = plan->steps[i].text ? strstr(plan->steps[i].text, "slots move (") : NULL;

		if (found)
			snprintf(text, sizeof(text), "%s", strchr(found, ')'));
	}
	plan_free(plan);
	image_free(desired);
	world_reconcile(&world, NULL);
	return text;
}

static const char *admin_text(const char *name, enum admin_state admin)
{
	char error[FARM_ERROR_SIZE];

	cr_assert_eq(farm_set_admin(world.farm, "proxies", name, admin, error), 0);
	return moves_text();
}

static const char *reload_text(const char *text)
{
	world_load(&world, text, FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	return moves_text();
}

#define STAY                                                                                                           \
	")"                                                                                                            \
	"; calls stay on their backends"

Test(plan, calls_do_not_stay_on_a_backend_that_ends_while_another_one_drains)
{
	world_start(&world, FARM3);
	cr_expect_str_eq(admin_text("px2", ADMIN_DRAIN), STAY);
	cr_expect(world.running->pools[0].migrating);
	cr_expect_str_eq(admin_text("px1", ADMIN_MAINT), ")", "px1 has taken calls in slots of px2");
	cr_expect(world.running->pools[0].migrating, "px2 still has calls");
	cr_expect_str_eq(admin_text("px3", ADMIN_MAINT), ")", "the last one that was ready");
	cr_expect(world.running->pools[0].migrating);
	cr_expect_str_eq(admin_text("px2", ADMIN_READY), STAY, "px2 still has its calls");
}

Test(plan, calls_do_not_stay_on_a_backend_without_a_line_while_another_one_drains)
{
	world_start(&world, FARM3);
	cr_expect_str_eq(admin_text("px2", ADMIN_DRAIN), STAY);
	cr_expect_str_eq(reload_text(HEAD SERVICE POOL(PX(2) "," PX(3))), ")");
	cr_expect(world.running->pools[0].migrating);
}

Test(plan, calls_do_not_stay_on_a_backend_that_dies_while_another_one_drains)
{
	world_start(&world, FARM3);
	cr_expect_str_eq(admin_text("px2", ADMIN_DRAIN), STAY);
	farm_set_route(world_backend(&world, "px1"), &(struct route){.state = ROUTE_FAILED, .ifindex = 2});
	cr_expect_str_eq(moves_text(), "", "the other neighbours may have failed, too");
	world_backend(&world, "px2")->neighbour.answered = world.now;
	world_backend(&world, "px3")->neighbour.answered = world.now;
	cr_expect_str_eq(moves_text(), ")");
	cr_expect_eq(world_slots_of(&world, world_backend(&world, "px1")->id), 0);
	cr_expect(world.running->pools[0].migrating);
}

Test(plan, a_text_has_both_numbers_if_the_calls_of_some_slots_stay)
{
	unsigned int staying, cut, own;

	world_start(&world, FARM3);
	own = world_slots_of(&world, world_backend(&world, "px1")->id);
	cr_assert_eq(sscanf(reload_text(HEAD SERVICE POOL(PX(2) "," PX(3) "," PX(4))),
			     STAY " in %u of these slots, not in %u", &staying, &cut),
		2);
	cr_expect_eq(cut, own, "%u %u", cut, own);
	cr_expect_gt(staying, 0);
}

#define MOVED_PX1 "{name: px1, address: 10.0.0.19}"

/* Returns the plan for a reload from FARM3 to this file. Routes and health of new backends are not known yet. */
static struct plan *plan_of(const char *text, struct image **desired)
{
	world_load(&world, text, FARM_RELOAD);
	for (size_t i = 0; i < world.farm->pools[0].count; i++)
		farm_assume_usable(&world.farm->pools[0].backends[i], world.running);
	world_update_states(&world);
	*desired = desired_image(world.desired, world.farm, world.running, world.now);
	return plan_new(world.running, *desired);
}

/* No outage: calls may have begun at the first backend, so the second one does not get its slots at once. */
Test(plan, after_maint_of_all_backends_slots_are_recorded)
{
	static const char text[] = HEAD SERVICE "pools: [{name: proxies, backends: [" PX(1) "," PX(2) "]}]\n";
	char error[FARM_ERROR_SIZE];
	uint32_t moved;

	world_start(&world, text);
	world.now += 60000;
	world_reconcile(&world, NULL);
	farm_set_admin(world.farm, "proxies", "px1", ADMIN_MAINT, error);
	world_reconcile(&world, NULL);
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_MAINT, error);
	world_reconcile(&world, NULL);
	farm_set_admin(world.farm, "proxies", "px1", ADMIN_READY, error);
	world_reconcile(&world, &moved);
	cr_expect_eq(moved, 1024);
	world.now += 1000;
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_READY, error);
	world_reconcile(&world, &moved);
	cr_expect_eq(moved, 0);
	cr_expect(world.running->pools[0].migrating);
}

Test(plan, a_backend_with_a_new_address_owns_no_slots_until_its_route_is_known)
{
	struct image *desired;
	struct plan *plan;
	uint32_t own, moved;

	world_start(&world, FARM3);
	own = world_slots_of(&world, world_backend(&world, "px1")->id);
	plan = plan_of(HEAD SERVICE POOL(MOVED_PX1 "," PX(2) "," PX(3)), &desired);
	cr_expect_eq(plan->moves[0].moved, own, "%u", plan->moves[0].moved);
	cr_expect(says(plan, "px1: address 10.0.0.19; it receives no packets until the route to it is known"));
	cr_expect_not(says(plan, "next hop is now"));
	plan_free(plan);
	image_free(desired);

	world_load(&world, HEAD SERVICE POOL(MOVED_PX1 "," PX(2) "," PX(3)), FARM_RELOAD);
	world_reconcile(&world, &moved);
	cr_expect_eq(moved, own, "as planned");
}

Test(plan, a_plan_treats_a_new_backend_as_usable)
{
	struct image *desired;
	struct plan *plan;

	world_start(&world, FARM3);
	plan = plan_of(HEAD SERVICE POOL(PX(1) "," PX(2) "," PX(3) "," PX(4)), &desired);
	cr_expect_gt(plan->moves[0].moved + plan->moves[0].waiting, 0);
	cr_expect_not(says(plan, "next hop is now"));
	plan_free(plan);
	image_free(desired);
}

/* After a restart the routes in the maps stay in use until the neighbours respond. */
Test(plan, a_plan_before_neighbours_respond_changes_no_route)
{
	struct image *desired;
	struct plan *plan;

	world_start(&world, FARM3);
	plan = plan_of(FARM3, &desired);
	cr_expect_not(says(plan, ""));
	plan_free(plan);
	image_free(desired);
}

Test(plan, a_plan_does_not_reuse_an_id_that_it_frees)
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

Test(plan, a_changed_mac_address_moves_no_slot)
{
	struct route route = {.state = ROUTE_READY, .ifindex = 2, .mtu = 1500, .next_hop = {{2, 9, 9, 9, 9, 9}}};
	uint32_t moved;

	world_start(&world, FARM3);
	farm_set_route(world_backend(&world, "px1"), &route);
	cr_assert_eq(world_reconcile(&world, &moved), 1);
	cr_assert_eq(moved, 0);
	cr_assert_eq(world.running->backends[world_backend(&world, "px1")->id].next_hop.byte[1], 9);
}

Test(plan, services_and_pools_are_added_and_removed)
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

Test(plan, ports_of_a_range_always_have_a_service)
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

Test(plan, a_pool_that_is_added_again_starts_empty)
{
	world_start(&world, TWO_POOLS(PX(1) "," PX(2)));
	world_load(&world, TWO_POOLS(PX(1) "," PX(2) "," PX(3)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_neq(desired_next(world.desired), MIGRATION_NEVER, "calls are recorded");
	world_load(&world, HEAD SERVICE "pools: [{name: proxies, backends: [" PX(4) "]}]\n", FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_assert_eq(desired_next(world.desired), MIGRATION_NEVER, "a removed pool needs no next step");
	cr_assert_eq(world.running->pools[1].migrating, 0);
	world_load(&world, TWO_POOLS(PX(2) "," PX(1)), FARM_RELOAD);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_assert_eq(world.running->pools[1].migrating, 0, "there are no calls yet");
	cr_assert_eq(desired_next(world.desired), MIGRATION_NEVER);
}

Test(plan, a_saved_file_describes_the_running_state)
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

/* The index of the step that deletes the tracked calls of an id; -1: none. */
static int step_that_forgets(const struct plan *plan, uint16_t id)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].kind == PLAN_TRACKED_CALLS && ((const bool *)plan->steps[i].value)[id])
			return i;
	return -1;
}

/* An id is reused only after its tracked calls are deleted. Otherwise these calls would go to the new backend. */
Test(plan, a_reused_id_does_not_inherit_tracked_calls)
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
	cr_assert_lt(step_that_forgets(plan, world_backend(&world, "px4")->id + 2), 0, "px2 keeps its id");
	plan_free(plan);
	image_free(desired);
}

/* Random changes; the invariants are checked after each step. */
Test(plan, random_changes_keep_the_invariants)
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

Test(plan, a_refused_change_has_a_reason_and_changes_nothing)
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

Test(plan, an_error_names_each_map_that_is_too_small)
{
	struct faults faults = {0};
	const char *text = "interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n" SERVICE POOL(PX(1));

	cr_assert_null(farm_new(config_parse(text, strlen(text), &faults), world.running, FARM_RESTART, &faults));
	cr_assert(strstr(faults.list[0].message, "slots is 262144"));
	faults_free(&faults);
}

Test(plan, the_error_for_too_many_hints_contains_their_number)
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

/* One server in a different network: only it is behind a router, and only it needs a tunnel. */
Test(plan, a_backend_can_have_its_own_forward_method)
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

/* `admin:` is the initial state of a new server, and a reload sets this state. A restart keeps the running state. */
Test(plan, admin_in_the_file_counts_at_start_and_reload)
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
	cr_expect_eq(world_backend(&world, "px2")->record.admin, ADMIN_DRAIN, "a file without admin: keeps it");
}
