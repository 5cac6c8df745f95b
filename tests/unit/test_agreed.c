// SPDX-License-Identifier: GPL-2.0
/* States and slots when the group of balancers decides, and the votes of this balancer. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/group/config_lines.h"
#include "world.h"

#define PROBED                                                                                                         \
	HEAD SERVICE "pools: [{name: proxies, " AT_ONCE                                                                \
		     ", probe: options, backends: [" PX(1) "," PX(2) "," PX(3) "]}]\n"

static struct world world;

static void setup(void)
{
	world_setup(&world);
	world_start(&world, PROBED);
	for (const char *const *name = (const char *const[]){"px1", "px2", "px3", NULL}; *name; name++)
		world_set_health(&world, *name, HEALTH_UP);
	world_reconcile(&world, NULL);
}

static void teardown(void)
{
	world_end(&world);
}

TestSuite(agreed, .init = setup, .fini = teardown);

static struct farm_backend *agree(const char *name, enum group_verdict verdict)
{
	struct farm_backend *backend = world_backend(&world, name);

	farm_set_agreed(backend, verdict, (struct group_tally){.up = 1, .down = 2});
	world_reconcile(&world, NULL);
	return backend;
}

static const char *reason(const struct farm_backend *backend)
{
	return farm_reason(world.farm, &world.farm->pools[0], backend);
}

/* What the probes of this balancer have found. */
static void probe(struct farm_backend *backend, bool passed)
{
	const struct evidence evidence = {.known = true,
		.failing = !passed,
		.enough = !passed,
		.recovered = passed,
		.answered = passed ? world.now : 0,
		.began = world.now,
		.failed = passed ? 0 : world.now,
		.detection = 1000,
		.again = 500};

	farm_set_probed(backend, passed ? HEALTH_UP : HEALTH_DOWN, &evidence, &(struct latency){0}, "no answer");
}

/* px1 fails alone, and this balancer declares it dead. */
static struct farm_backend *fail_px1(void)
{
	struct farm_backend *backend = world_backend(&world, "px1");

	probe(backend, false);
	probe(world_backend(&world, "px2"), true);
	probe(world_backend(&world, "px3"), true);
	world_reconcile(&world, NULL);
	return backend;
}

Test(agreed, a_backend_is_down_because_the_group_says_so)
{
	struct farm_backend *backend = agree("px1", GROUP_DOWN);

	cr_expect_eq(backend->record.state, STATE_DOWN);
	cr_expect_eq(world_slots_of(&world, backend->id), 0);
	cr_expect_str_eq(reason(backend), "down for 2 of 3 balancers of the group, up for this one");
	agree("px1", GROUP_UP);
	cr_expect_eq(backend->record.state, STATE_UP);
}

Test(agreed, a_backend_that_is_up_for_the_group_keeps_its_slots)
{
	struct farm_backend *backend = world_backend(&world, "px1");
	uint32_t own = world_slots_of(&world, backend->id);

	agree("px1", GROUP_UP);
	fail_px1();
	cr_expect_eq(farm_vote(&world.farm->pools[0], backend), GROUP_VOTE_DOWN);
	cr_expect_eq(backend->record.state, STATE_SUSPECTED);
	cr_expect_eq(world_slots_of(&world, backend->id), own);
	cr_expect_str_eq(reason(backend), "up for 1 of 3 balancers of the group, down for this one: no answer");
	agree("px1", GROUP_OWN);
	cr_expect_eq(backend->record.state, STATE_DOWN, "without the group the own decision applies");
}

Test(agreed, the_last_decision_stays_while_the_group_does_not_decide)
{
	struct farm_backend *backend = agree("px1", GROUP_DOWN);

	agree("px1", GROUP_KEEP);
	cr_expect_eq(backend->record.state, STATE_DOWN);
	agree("px1", GROUP_UP);
	agree("px1", GROUP_KEEP);
	fail_px1();
	cr_expect_eq(backend->record.state, STATE_SUSPECTED);
	cr_expect_str_eq(reason(backend), "down for this balancer; the last decision of its group stays");
}

Test(agreed, a_restarted_daemon_keeps_the_last_decision)
{
	agree("px1", GROUP_DOWN);
	world_load(&world, PROBED, FARM_RESTART);
	world_set_routes(&world, ROUTE_READY);
	cr_expect_eq(agree("px1", GROUP_KEEP)->record.state, STATE_DOWN);
	cr_expect_eq(agree("px2", GROUP_KEEP)->record.state, STATE_UP);
}

Test(agreed, a_new_backend_does_not_wait_for_the_group)
{
	char error[FARM_ERROR_SIZE];
	struct address address;

	cr_assert_eq(address_parse("10.0.0.19", &address), 0);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px9", &address, 1, error), 0);
	world_set_routes(&world, ROUTE_READY);
	probe(world_backend(&world, "px9"), true);
	cr_expect_eq(agree("px9", GROUP_KEEP)->record.state, STATE_UP);
}

Test(agreed, a_group_without_votes_about_a_new_backend_waits_for_the_first_one)
{
	char error[FARM_ERROR_SIZE];
	struct address address;

	cr_assert_eq(address_parse("10.0.0.19", &address), 0);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px9", &address, 1, error), 0);
	world_set_routes(&world, ROUTE_READY);
	probe(world_backend(&world, "px9"), true);
	cr_expect_eq(agree("px9", GROUP_NO_VOTES)->record.state, STATE_UNKNOWN);
	cr_expect_eq(farm_vote(&world.farm->pools[0], world_backend(&world, "px9")), GROUP_VOTE_UP);
	cr_expect_eq(agree("px9", GROUP_UP)->record.state, STATE_UP);
}

Test(agreed, votes)
{
	const struct farm_pool *pool = &world.farm->pools[0];
	struct farm_backend *backend = world_backend(&world, "px1");

	cr_expect_eq(farm_vote(pool, backend), GROUP_VOTE_UNKNOWN, "no probe has finished");
	fail_px1();
	cr_expect_eq(farm_vote(pool, backend), GROUP_VOTE_DOWN);
	cr_expect_eq(farm_vote(pool, world_backend(&world, "px2")), GROUP_VOTE_UP);
	farm_set_trouble(backend, "no free descriptors");
	cr_expect_eq(farm_vote(pool, backend), GROUP_VOTE_UNKNOWN, "the balancer cannot probe it");
}

Test(agreed, a_balancer_without_any_response_does_not_vote)
{
	const struct farm_pool *pool = &world.farm->pools[0];

	for (size_t i = 0; i < pool->count; i++)
		probe(&pool->backends[i], false);
	world_reconcile(&world, NULL);
	cr_assert_eq(pool->outage.view, OUTAGE_BLIND);
	for (size_t i = 0; i < pool->count; i++)
		cr_expect_eq(farm_vote(pool, &pool->backends[i]), GROUP_VOTE_UNKNOWN);
}

Test(agreed, backends_that_respond_and_fail_are_no_network_fault)
{
	const struct farm_pool *pool = &world.farm->pools[0];
	char text[FARM_OUTAGE_SIZE];

	for (size_t i = 0; i < pool->count; i++)
		probe(&pool->backends[i], false);
	world_reconcile(&world, NULL);
	cr_expect_str_eq(farm_outage_text(pool, world.now, text),
		"3 of 3 backends stopped answering within 0.0 s (px1: no answer): a network fault is suspected; all "
		"keep their slots until one answers");
	for (size_t i = 0; i < pool->count; i++) {
		pool->backends[i].probe_responded = true;
		strcpy(pool->backends[i].probe_reason, "certificate: certificate has expired");
	}
	cr_expect_str_eq(farm_outage_text(pool, world.now, text),
		"3 of 3 backends respond, but fail their probes (px1: certificate: certificate has expired): all keep "
		"their slots until one passes");
	pool->backends[2].probe_responded = false;
	cr_expect_str_eq(farm_outage_text(pool, world.now, text),
		"3 of 3 backends stopped answering within 0.0 s (px1: certificate: certificate has expired): a network "
		"fault is suspected; all keep their slots until one answers");
}

Test(agreed, the_name_of_a_backend_does_not_depend_on_its_place)
{
	struct group_key px2 = farm_group_key(world_backend(&world, "px2"));
	struct group_key px3 = farm_group_key(world_backend(&world, "px3")), again;

	cr_expect_eq(px2.pool, px3.pool);
	cr_expect_neq(px2.backend, px3.backend);
	world_load(&world, HEAD SERVICE POOL(PX(3) "," PX(2)), FARM_RELOAD);
	again = farm_group_key(world_backend(&world, "px2"));
	cr_expect_eq(px2.backend, again.backend);
}

/* --- lines of the configuration */

static struct config_line *lines_of(const char *text, size_t *count)
{
	struct faults faults = {0};
	struct config *config = config_parse(text, strlen(text), &faults);
	struct config_line *lines;

	cr_assert(config, "%s", faults.count ? faults.list[0].message : "");
	lines = config_lines(config, count);
	config_free(config);
	return lines;
}

/* The lines of `a` that `b` does not have, each followed by '|'. */
static void check_difference(const char *a, const char *b, const char *expected)
{
	size_t count_a, count_b;
	struct config_line *lines_a = lines_of(a, &count_a), *lines_b = lines_of(b, &count_b);
	uint32_t *hashes = calloc(count_b, sizeof(*hashes));
	char found[4096] = "";

	for (size_t i = 0; i < count_b; i++)
		hashes[i] = lines_b[i].hash;
	for (size_t i = 0; i < count_a; i++)
		if (!config_lines_contain(hashes, count_b, lines_a[i].hash))
			strcat(strcat(found, lines_a[i].text), "|");
	cr_expect_str_eq(found, expected, "%s", found);
	free(hashes);
	config_lines_free(lines_a, count_a);
	config_lines_free(lines_b, count_b);
}

#define FILE_WITH(interface, key, backends, more)                                                                      \
	"interfaces: [" interface "]\nhash_key: " key "\n" SERVICE "pools: [{name: proxies, backends: [" backends      \
	"]}]\n" more
#define KEY "000102030405060708090a0b0c0d0e0f"

Test(agreed, lines_that_differ)
{
	const char *file = FILE_WITH("eth0", KEY, PX(1), "group: {name: edge, node: lb1}\n");

	check_difference(file, file, "");
	check_difference(file,
		FILE_WITH("eth1", KEY, PX(1), "group: {name: edge, node: lb2}\nmetrics: {listen: '10.0.0.1:1'}\n"), "");
	check_difference(FILE_WITH("eth0", KEY, PX(1) "," PX(2), ""), FILE_WITH("eth0", KEY, PX(1), ""),
		"pools: proxies: backends: - {name: px2, address: 10.0.0.12, weight: 1}|");
	check_difference(FILE_WITH("eth0", KEY, PX(1), "group: {name: edge, node: lb1, agree: any}\n"), file,
		"group: agree: any|");
}

#define JOIN(secret) "join: {listen: '10.0.0.2:7946', secret: " secret "}\n"

Test(agreed, secrets_are_compared_and_not_shown)
{
	check_difference(FILE_WITH("eth0", KEY, PX(1), ""),
		FILE_WITH("eth0", "f00102030405060708090a0b0c0d0e0f", PX(1), ""), "hash_key|");
	check_difference(FILE_WITH("eth0", KEY, PX(1), JOIN("0123456789abcdef")),
		FILE_WITH("eth0", KEY, PX(1), JOIN("0123456789abcdee")), "join: secret: hidden|");
}
