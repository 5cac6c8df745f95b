// SPDX-License-Identifier: GPL-2.0
/* Farm, desired and plan together: a file and what runs in, steps and a new state out. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../ctl/core/desired.h"
#include "../../ctl/core/plan.h"

/* A balancer without a kernel. */
struct world {
	struct image *running;
	struct farm *farm;
	struct desired *desired;
	uint64_t now; /* ms */
};

static const struct contract contract = {
	.version = ABI_VERSION, .slots = 1024, .pools = 4, .services = 8, .backends = 12};

#define HEAD                                                                                                           \
	"interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n"                                             \
	"limits: {slots: 1024, pools: 4, services: 8, backends: 12}\n"
#define SERVICE "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies}]\n"
#define AT_ONCE "record_time: 0s, drain_timeout: 1s"
#define POOL(backends) "pools: [{name: proxies, " AT_ONCE ", backends: [" backends "]}]\n"
#define PX(n) "{name: px" #n ", address: 10.0.0.1" #n "}"
#define FARM3 HEAD SERVICE POOL(PX(1) "," PX(2) "," PX(3))

static void setup_world(struct world *world)
{
	*world = (struct world){.running = image_new(&contract), .desired = desired_new()};
}

static void end_world(struct world *world)
{
	farm_free(world->farm);
	desired_free(world->desired);
	image_free(world->running);
}

static void load(struct world *world, const char *text, enum farm_origin origin)
{
	struct faults faults = {0};
	struct config *config = config_parse(text, strlen(text), &faults);

	cr_assert(config, "%s", faults.count ? faults.list[0].message : "?");
	farm_free(world->farm);
	world->farm = farm_new(config, world->running, origin, &faults);
	cr_assert(world->farm, "%s", faults.count ? faults.list[0].message : "?");
	faults_free(&faults);
}

static struct farm_backend *backend(struct world *world, const char *name)
{
	struct farm_backend *found = farm_find_backend(&world->farm->pools[0], name);

	cr_assert(found, "no backend %s", name);
	return found;
}

/* What the neighbours would say of everybody. */
static void set_routes(struct world *world, enum route_state state)
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

static void update_states(struct world *world)
{
	for (size_t i = 0; i < world->farm->config->pool_count; i++) {
		for (size_t j = 0; j < world->farm->pools[i].count; j++)
			farm_update_state(world->farm, &world->farm->pools[i], &world->farm->pools[i].backends[j],
				1000 + world->now / 1000);
		farm_update_open(&world->farm->pools[i]);
	}
}

static bool has_backend(const struct image *image, uint16_t id)
{
	return image->backends[id].forward != FORWARD_NONE;
}

/* What must be true of the maps at any moment, also between two steps. */
static void check_invariants(const struct image *image)
{
	struct pair *services = entries_list(image->maps[IMAGE_SERVICES]);

	for (size_t i = 0; i < entries_count(image->maps[IMAGE_SERVICES]); i++) {
		uint32_t pool = ((const struct service *)services[i].value)->pool[METHOD_NONE];
		const uint16_t *slots = image_slots(image, pool);

		if (!((const struct service_key *)services[i].key)->protocol)
			continue; /* marks a VIP */
		cr_assert(image->pool_names[pool].name[0], "a service has a pool that is not there");
		for (uint32_t slot = 0; slot < image->contract.slots; slot++)
			cr_assert(!slots[slot] || has_backend(image, slots[slot]),
				"slot %u belongs to id %u, which is nobody", slot, slots[slot]);
	}
	free(services);
}

/* Takes the road once. Returns the number of steps; *moved is that of the first pool. */
static size_t settle(struct world *world, uint32_t *moved)
{
	struct image *desired;
	struct plan *plan, *again;
	size_t count;

	update_states(world);
	desired = desired_image(world->desired, world->farm, world->running, world->now);
	plan = plan_new(world->running, desired);
	count = plan->count;
	if (moved)
		*moved = plan->move_count ? plan->moves[0].moved : 0;
	check_invariants(world->running);
	for (size_t i = 0; i < plan->count; i++) {
		plan_step_apply(&plan->steps[i], world->running);
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

static uint32_t slots_of(const struct world *world, uint16_t id)
{
	const uint16_t *slots = image_slots(world->running, 0);
	uint32_t count = 0;

	for (uint32_t slot = 0; slot < contract.slots; slot++)
		count += slots[slot] == id;
	return count;
}

static struct world world;

static void setup(void)
{
	setup_world(&world);
}

static void teardown(void)
{
	end_world(&world);
}

/* What probes have found. */
static void set_health(const char *name, enum health health)
{
	farm_set_health(backend(&world, name), health, &(struct latency){0}, "no answer");
}

static void start(const char *text)
{
	load(&world, text, FARM_RESTART);
	set_routes(&world, ROUTE_READY);
	settle(&world, NULL);
}

TestSuite(plan, .init = setup, .fini = teardown);

Test(plan, a_first_start_fills_every_slot)
{
	start(FARM3);
	cr_assert_eq(slots_of(&world, 0), 0);
	cr_assert_eq(entries_count(world.running->maps[IMAGE_SERVICES]), 2, "the service, and its VIP");
	cr_assert(has_backend(world.running, backend(&world, "px1")->id));
}

Test(plan, a_backend_without_a_mac_has_no_slot_until_it_answers)
{
	uint32_t moved;

	load(&world, FARM3, FARM_RESTART);
	settle(&world, NULL);
	cr_assert_eq(slots_of(&world, 0), contract.slots, "nobody is known yet");
	set_routes(&world, ROUTE_READY);
	settle(&world, &moved);
	cr_assert_eq(moved, contract.slots);
	cr_assert_eq(slots_of(&world, 0), 0);
}

Test(plan, a_restart_with_the_same_file_changes_nothing)
{
	start(FARM3);
	load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(settle(&world, NULL), 0, "before anything was heard of a neighbour");
	set_routes(&world, ROUTE_PENDING);
	cr_assert_eq(settle(&world, NULL), 0, "while the neighbours are being asked");
	set_routes(&world, ROUTE_READY);
	cr_assert_eq(settle(&world, NULL), 0, "when they have answered");
}

Test(plan, the_order_of_lines_means_nothing)
{
	start(FARM3);
	load(&world, HEAD SERVICE POOL(PX(3) "," PX(1) "," PX(2)), FARM_RELOAD);
	set_routes(&world, ROUTE_READY);
	cr_assert_eq(settle(&world, NULL), 0);
}

Test(plan, maint_moves_only_its_own_slots_and_ready_brings_them_back)
{
	char error[FARM_ERROR_SIZE];
	uint16_t before[1024];
	uint32_t own, moved;

	start(FARM3);
	memcpy(before, image_slots(world.running, 0), sizeof(before));
	own = slots_of(&world, backend(&world, "px2")->id);
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px2", ADMIN_MAINT, error), 0);
	settle(&world, &moved);
	cr_assert_eq(moved, own);
	cr_assert_eq(slots_of(&world, backend(&world, "px2")->id), 0);
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px2", ADMIN_READY, error), 0);
	settle(&world, &moved);
	cr_assert_eq(moved, own);
	cr_assert_arr_eq(before, image_slots(world.running, 0), sizeof(before));
}

Test(plan, an_admin_state_survives_reload_and_restart)
{
	char error[FARM_ERROR_SIZE];

	start(FARM3);
	farm_set_admin(world.farm, "proxies", "px2", ADMIN_MAINT, error);
	settle(&world, NULL);
	load(&world, FARM3, FARM_RELOAD);
	cr_assert_eq(settle(&world, NULL), 0);
	cr_assert_eq(backend(&world, "px2")->record.admin, ADMIN_MAINT);
	load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(settle(&world, NULL), 0);
}

Test(plan, a_weight_set_by_hand_survives_a_restart_and_ends_with_a_reload)
{
	char error[FARM_ERROR_SIZE];

	start(FARM3);
	cr_assert_eq(farm_set_weight(world.farm, "proxies", "px1", 5, error), 0);
	settle(&world, NULL);
	load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(settle(&world, NULL), 0);
	cr_assert_eq(backend(&world, "px1")->record.weight, 5);
	load(&world, FARM3, FARM_RELOAD);
	cr_assert_gt(settle(&world, NULL), 0);
	cr_assert_eq(backend(&world, "px1")->record.weight, 1);
}

Test(plan, a_backend_added_by_hand_survives_a_restart_and_ends_with_a_reload)
{
	char error[FARM_ERROR_SIZE];
	struct address address;
	uint16_t id;

	start(FARM3);
	address_parse("10.0.0.19", &address);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px9", &address, 2, error), 0);
	set_routes(&world, ROUTE_READY);
	settle(&world, NULL);
	id = backend(&world, "px9")->id;
	cr_assert_gt(slots_of(&world, id), 0);
	load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(settle(&world, NULL), 0);
	cr_assert_eq(backend(&world, "px9")->id, id);
	load(&world, FARM3, FARM_RELOAD);
	settle(&world, NULL);
	cr_assert_null(farm_find_backend(&world.farm->pools[0], "px9"));
	cr_assert_eq(slots_of(&world, id), 0);
	cr_assert_not(has_backend(world.running, id));
}

Test(plan, a_backend_removed_by_hand_stays_away_over_a_restart_and_returns_with_a_reload)
{
	char error[FARM_ERROR_SIZE];
	uint16_t before[1024];

	start(FARM3);
	memcpy(before, image_slots(world.running, 0), sizeof(before));
	cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px3", error), 0);
	settle(&world, NULL);
	cr_assert_null(farm_find_backend(&world.farm->pools[0], "px3"));
	load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(settle(&world, NULL), 0);
	cr_assert_null(farm_find_backend(&world.farm->pools[0], "px3"));
	load(&world, FARM3, FARM_RELOAD);
	set_routes(&world, ROUTE_READY);
	settle(&world, NULL);
	cr_assert_arr_eq(before, image_slots(world.running, 0), sizeof(before));
}

Test(plan, a_backend_replaced_by_hand_stays_replaced_over_a_restart)
{
	char error[FARM_ERROR_SIZE];
	struct address address;

	start(FARM3);
	address_parse("10.0.0.33", &address);
	farm_remove_backend(world.farm, "proxies", "px3", error);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px3", &address, 5, error), 0);
	set_routes(&world, ROUTE_READY);
	settle(&world, NULL);
	load(&world, FARM3, FARM_RESTART);
	cr_assert_eq(settle(&world, NULL), 0);
	cr_assert(address_equal(&backend(&world, "px3")->record.address, &address));
	load(&world, FARM3, FARM_RELOAD);
	set_routes(&world, ROUTE_READY);
	settle(&world, NULL);
	cr_assert_not(address_equal(&backend(&world, "px3")->record.address, &address));
}

Test(plan, a_neighbour_that_fails_loses_only_its_slots)
{
	struct route failed = {.state = ROUTE_FAILED, .ifindex = 2, .reason = "does not answer"};
	uint32_t own, moved;

	start(FARM3);
	own = slots_of(&world, backend(&world, "px1")->id);
	farm_set_route(backend(&world, "px1"), &failed);
	settle(&world, &moved);
	cr_assert_eq(moved, own);
	cr_assert_eq(backend(&world, "px1")->record.state, STATE_UNREACHABLE);
	cr_assert_str_eq(farm_reason(world.farm, &world.farm->pools[0], backend(&world, "px1")), "does not answer");
}

#define PROBED(more) HEAD SERVICE "pools: [{name: proxies, " AT_ONCE ", probe: options, " more "]}]\n"

Test(plan, a_probed_backend_has_no_slot_until_it_answers)
{
	start(PROBED("min_alive: 0, backends: [" PX(1) "," PX(2)));
	cr_assert_eq(slots_of(&world, 0), 0, "nobody was heard of: all may be there");
	set_health("px1", HEALTH_UP);
	settle(&world, NULL);
	cr_assert_eq(slots_of(&world, backend(&world, "px1")->id), contract.slots, "the other is still to answer");
	set_health("px1", HEALTH_DOWN);
	set_health("px2", HEALTH_UP);
	settle(&world, NULL);
	cr_assert_eq(slots_of(&world, backend(&world, "px2")->id), contract.slots);
	cr_assert_str_eq(farm_reason(world.farm, &world.farm->pools[0], backend(&world, "px1")), "no answer");
	set_health("px2", HEALTH_DOWN);
	settle(&world, NULL);
	cr_assert_eq(slots_of(&world, 0), contract.slots, "nobody is left, and with min_alive: 0 that is believed");
}

Test(plan, below_min_alive_the_probes_are_not_believed)
{
	start(PROBED("min_alive: 50, backends: [" PX(1) "," PX(2) "," PX(3)));
	cr_assert_eq(slots_of(&world, 0), 0, "at a first start nobody has answered yet");
	set_health("px1", HEALTH_DOWN);
	set_health("px2", HEALTH_UP);
	set_health("px3", HEALTH_UP);
	settle(&world, NULL);
	cr_assert_eq(slots_of(&world, backend(&world, "px1")->id), 0, "two of three is enough");
	set_health("px2", HEALTH_DOWN);
	settle(&world, NULL);
	cr_assert_gt(slots_of(&world, backend(&world, "px1")->id), 0, "one of three is not: all are kept");
	cr_assert_gt(slots_of(&world, backend(&world, "px2")->id), 0);
	cr_assert(world.farm->pools[0].open);
}

Test(plan, probes_that_are_new_take_nobody_out)
{
	start(FARM3);
	load(&world, PROBED("min_alive: 0, backends: [" PX(1) "," PX(2) "," PX(3)), FARM_RELOAD);
	settle(&world, NULL);
	cr_assert_eq(slots_of(&world, 0), 0);
}

Test(plan, a_pool_that_cannot_be_reached_is_empty)
{
	struct route failed = {.state = ROUTE_FAILED, .ifindex = 2};

	start(FARM3);
	farm_set_route(backend(&world, "px1"), &failed);
	farm_set_route(backend(&world, "px2"), &failed);
	farm_set_route(backend(&world, "px3"), &failed);
	settle(&world, NULL);
	cr_assert_eq(slots_of(&world, 0), contract.slots);
}

Test(plan, dsr_does_not_go_through_a_gateway)
{
	struct route route = {.state = ROUTE_READY, .ifindex = 2, .gateway = true, .next_hop = {{2, 0, 0, 0, 0, 9}}};

	start(FARM3);
	farm_set_route(backend(&world, "px1"), &route);
	settle(&world, NULL);
	cr_assert_eq(slots_of(&world, backend(&world, "px1")->id), 0);
	cr_assert_eq(backend(&world, "px1")->record.state, STATE_UNREACHABLE);
}

Test(plan, xdp_does_not_redirect_to_a_vlan_device)
{
	struct route route = {.state = ROUTE_READY,
		.ifindex = 3,
		.virtual_link = true,
		.interface = "eth0.7",
		.next_hop = {{2, 0, 0, 0, 0, 9}}};

	start(FARM3);
	farm_set_route(backend(&world, "px1"), &route);
	settle(&world, NULL);
	cr_assert_eq(backend(&world, "px1")->record.state, STATE_UNREACHABLE);
	strcpy(route.interface, "eth0");
	farm_set_route(backend(&world, "px1"), &route);
	settle(&world, NULL);
	cr_assert_eq(backend(&world, "px1")->record.state, STATE_UP, "it is one of ours: packets leave as they came");
}

Test(plan, an_id_is_not_given_away_in_the_plan_that_frees_it)
{
	uint16_t old;

	start(FARM3);
	old = backend(&world, "px1")->id;
	load(&world, HEAD SERVICE POOL(PX(4) "," PX(2) "," PX(3)), FARM_RELOAD);
	set_routes(&world, ROUTE_READY);
	cr_assert_neq(backend(&world, "px4")->id, old);
	settle(&world, NULL);
	cr_assert_not(has_backend(world.running, old));
}

Test(plan, a_mac_that_changes_moves_no_slot)
{
	struct route route = {.state = ROUTE_READY, .ifindex = 2, .mtu = 1500, .next_hop = {{2, 9, 9, 9, 9, 9}}};
	uint32_t moved;

	start(FARM3);
	farm_set_route(backend(&world, "px1"), &route);
	cr_assert_eq(settle(&world, &moved), 1);
	cr_assert_eq(moved, 0);
	cr_assert_eq(world.running->backends[backend(&world, "px1")->id].next_hop.byte[1], 9);
}

Test(plan, services_and_pools_come_and_go)
{
	start(FARM3);
	load(&world,
		HEAD "services:\n"
		     "- {name: sip, vip: [192.0.2.10, '2001:db8::10'], port: 0, pool: others}\n"
		     "- {name: more, vip: 192.0.2.11, port: 5060, pool: proxies}\n"
		     "pools:\n"
		     "- {name: others, backends: [{name: a, address: 10.0.1.1}]}\n"
		     "- {name: proxies, backends: [" PX(1) "]}\n",
		FARM_RELOAD);
	set_routes(&world, ROUTE_READY);
	settle(&world, NULL);
	cr_assert_eq(entries_count(world.running->maps[IMAGE_SERVICES]), 6);
	load(&world, FARM3, FARM_RELOAD);
	set_routes(&world, ROUTE_READY);
	settle(&world, NULL);
	cr_assert_eq(entries_count(world.running->maps[IMAGE_SERVICES]), 2, "the service, and its VIP");
	cr_assert_eq(world.running->pool_names[1].name[0], '\0');
}

Test(plan, what_is_saved_reads_back_as_what_runs)
{
	char error[FARM_ERROR_SIZE], *text;
	struct config *config;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	start(FARM3);
	farm_set_weight(world.farm, "proxies", "px1", 7, error);
	farm_remove_backend(world.farm, "proxies", "px2", error);
	settle(&world, NULL);
	config = farm_config(world.farm);
	config_write(config, out);
	fclose(out);
	config_free(config);
	load(&world, text, FARM_RELOAD);
	set_routes(&world, ROUTE_READY);
	update_states(&world);
	cr_assert_eq(backend(&world, "px1")->record.weight, 7);
	cr_assert_null(farm_find_backend(&world.farm->pools[0], "px2"));
	free(text);
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

	start(FARM3);
	for (int i = 0; i < 300; i++) {
		enum farm_origin origin = rand_r(&seed) % 2 ? FARM_RELOAD : FARM_RESTART;
		char error[FARM_ERROR_SIZE], name[8];

		snprintf(name, sizeof(name), "px%d", 1 + rand_r(&seed) % 5);
		switch (rand_r(&seed) % 5) {
		case 0:
			load(&world, files[rand_r(&seed) % 5], origin);
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
			set_routes(&world, ROUTE_READY + rand_r(&seed) % 2);
			break;
		}
		settle(&world, NULL);
	}
}

Test(plan, what_stands_against_a_change_is_said_and_changes_nothing)
{
	char error[FARM_ERROR_SIZE];
	struct address taken, vip;

	start(FARM3);
	address_parse("10.0.0.11", &taken);
	address_parse("192.0.2.10", &vip);
	cr_assert_lt(farm_set_weight(world.farm, "none", "px1", 1, error), 0);
	cr_assert(strstr(error, "no pool 'none'"));
	cr_assert_lt(farm_remove_backend(world.farm, "proxies", "px8", error), 0);
	cr_assert(strstr(error, "no backend 'px8'"));
	cr_assert_lt(farm_add_backend(world.farm, world.running, "proxies", "px1", &taken, 1, error), 0);
	cr_assert(strstr(error, "already"));
	cr_assert_lt(farm_add_backend(world.farm, world.running, "proxies", "new", &taken, 1, error), 0);
	cr_assert(strstr(error, "px1"));
	cr_assert_lt(farm_add_backend(world.farm, world.running, "proxies", "new", &vip, 1, error), 0);
	cr_assert(strstr(error, "VIP"));
	cr_assert_eq(settle(&world, NULL), 0);
}

Test(plan, maps_that_are_too_small_are_named)
{
	struct faults faults = {0};
	const char *text = "interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n" SERVICE POOL(PX(1));

	cr_assert_null(farm_new(config_parse(text, strlen(text), &faults), world.running, FARM_RESTART, &faults));
	cr_assert(strstr(faults.list[0].message, "slots is 262144"));
	faults_free(&faults);
}
