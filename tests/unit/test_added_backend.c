// SPDX-License-Identifier: GPL-2.0
/* Backends from `backend add` with all keys that a file can set. */

#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <string.h>
#include "core/config/config_private.h"
#include "core/farm/farm_balance.h"
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

TestSuite(added_backend, .init = setup, .fini = teardown);

#define GROUPED                                                                                                        \
	HEAD SERVICE "pools: [{name: proxies, " AT_ONCE ", backends: [" PX(                                            \
		1) ",{name: px2, address: 10.0.0.12, hints: "                                                          \
		   "[two.example.net], ports: 30000-30009}], groups: [{name: rack1, backends: [px1]}, {name: rack2, "  \
		   "backends: []}]}]\n"

static const struct added_options all = {.hints = "px9.example.net,10.1.1.1:5062",
	.ports = "40000-40009",
	.mac = "02:00:00:00:00:99",
	.group = "rack2",
	.forward = "ipip",
	.priority = 2,
	.max_calls = 400,
	.max_rate = 50};

/* Adds the backend like the daemon: first to a copy of the farm, then to the farm itself. */
static int try_and_add(struct added_config *added, char error[FARM_ERROR_SIZE])
{
	struct farm *trial = farm_trial_copy(world.farm);
	int result = farm_try_described(trial, world.running, "proxies", added, error);

	farm_trial_free(trial);
	if (!result)
		return farm_add_described(world.farm, world.running, "proxies", added, error);
	added_free(added);
	return result;
}

/* Returns 0, or a negative result with `error`. */
static int add(const struct added_options *options, char error[FARM_ERROR_SIZE])
{
	struct faults faults = {0};
	struct address address;
	struct added_config *added;
	int result = -1;

	address_parse("10.0.0.19", &address);
	added = added_new(world.farm->pools[0].config, "px9", &address, 3, options, &faults);
	if (added)
		result = try_and_add(added, error);
	else
		snprintf(error, FARM_ERROR_SIZE, "%s", faults.list[0].message);
	faults_free(&faults);
	return result;
}

static size_t hints_of(uint16_t id)
{
	struct hash_map_entry entry;
	size_t cursor = 0, count = 0;

	while (hash_map_next(world.running->maps[IMAGE_HINTS], &cursor, &entry))
		count += *(const __u32 *)entry.value == id;
	return count;
}

static size_t ranges_of(uint16_t id)
{
	struct hash_map_entry entry;
	size_t cursor = 0, count = 0;

	while (hash_map_next(world.running->maps[IMAGE_RANGES], &cursor, &entry))
		count += ((const struct port_range *)entry.value)->backend == id;
	return count;
}

static uint8_t service_flags(void)
{
	const struct service_key key = {
		.vip = world.farm->config->services[0].vips[0], .port = htons(5060), .protocol = 17};
	const struct service *service = hash_map_find(world.running->maps[IMAGE_SERVICES], &key);

	return service->flags & ~SERVICE_MESSAGES;
}

static void check_all(void)
{
	const struct farm_backend *backend = world_backend(&world, "px9");

	cr_expect_eq(backend->priority, 2);
	cr_expect_eq(backend->group, 2);
	cr_expect_eq(backend->forward, FORWARD_IPIP);
	cr_expect_eq(backend->record.weight, 3);
	cr_expect_eq(backend->record.mac.byte[5], 0x99);
	cr_expect_eq(hints_of(backend->id), 3, "its address and two hints");
	cr_expect_gt(ranges_of(backend->id), 0);
	cr_expect(service_flags() & SERVICE_ROUTE);
	cr_expect_eq(hash_map_count(world.running->maps[IMAGE_ADDED]), 1);
	cr_expect_eq(farm_backend_config(world.farm->pools, backend)->max_calls, 400);
	cr_expect_eq(farm_backend_config(world.farm->pools, backend)->max_rate, 50);
	cr_expect(farm_counts_all_calls(world.farm->pools), "its limit needs exact numbers");
	cr_expect_eq(world.running->pools[0].balanced, BALANCED_ALL);
}

Test(added_backend, all_keys_take_effect_and_survive_a_restart)
{
	char error[FARM_ERROR_SIZE] = "";
	uint16_t id;

	world_start(&world, GROUPED);
	cr_assert_eq(add(&all, error), 0, "%s", error);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	check_all();
	id = world_backend(&world, "px9")->id;

	world_load(&world, GROUPED, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0, "nothing changes");
	cr_assert_eq(world_backend(&world, "px9")->id, id);
	check_all();

	world_load(&world, GROUPED, FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_expect_eq(hints_of(id) + ranges_of(id), 0, "a reload ends it");
	cr_expect_eq(hash_map_count(world.running->maps[IMAGE_ADDED]), 0);
	cr_expect_eq(world.running->pools[0].balanced, BALANCED_NOT);
}

Test(added_backend, a_saved_file_contains_the_backend)
{
	char error[FARM_ERROR_SIZE] = "", *text = NULL;
	struct config *config;
	size_t length;
	FILE *out;

	world_start(&world, GROUPED);
	cr_assert_eq(add(&all, error), 0, "%s", error);
	config = farm_config(world.farm);
	out = open_memstream(&text, &length);
	config_write(config, out);
	fclose(out);
	cr_expect(strstr(text, "{name: px9, address: 10.0.0.19, weight: 3, priority: 2, mac: '02:00:00:00:00:99', "
			       "hints: [px9.example.net, '10.1.1.1:5062'], ports: 40000-40009, forward: ipip, "
			       "max_calls: 400, max_rate: 50}"),
		"%s", text);
	cr_expect(strstr(text, "{name: rack2, backends: [px9]}"), "%s", text);
	free(text);
	config_free(config);
}

Test(added_backend, a_removal_also_removes_the_keys)
{
	char error[FARM_ERROR_SIZE] = "";

	world_start(&world, GROUPED);
	cr_assert_eq(add(&all, error), 0, "%s", error);
	world_reconcile(&world, NULL);
	cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px9", error), 0);
	world_reconcile(&world, NULL);
	cr_expect_eq(hash_map_count(world.running->maps[IMAGE_ADDED]), 0);
	cr_expect_eq(world.running->pools[0].balanced, BALANCED_NOT);
	world_load(&world, GROUPED, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
}

/* The keys of the file take effect again only after the added backend has been removed. */
Test(added_backend, a_backend_of_the_file_can_be_replaced)
{
	struct added_options words = {.hints = "new.example.net", .priority = -1};
	char error[FARM_ERROR_SIZE] = "";
	struct faults faults = {0};
	struct address address;

	world_start(&world, GROUPED);
	address_parse("10.0.0.12", &address);
	cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px2", error), 0);
	cr_assert_eq(try_and_add(added_new(world.farm->pools[0].config, "px2", &address, 1, &words, &faults), error), 0,
		"%s", error);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	cr_expect_eq(ranges_of(world_backend(&world, "px2")->id), 0);
	world_load(&world, GROUPED, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	cr_expect_eq(hints_of(world_backend(&world, "px2")->id), 2);
	world_load(&world, GROUPED, FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_expect_gt(ranges_of(world_backend(&world, "px2")->id), 0);
}

/* --- a backend of the file that is removed and added again */

#define EVERY_KEY                                                                                                      \
	HEAD SERVICE "pools: [{name: proxies, " AT_ONCE ", backends: [" PX(                                            \
		1) ",{name: px2, address: 10.0.0.12, "                                                                 \
		   "mac: '02:00:00:00:00:77', priority: 2, forward: ipip, hints: [two.example.net], "                  \
		   "ports: 30000-30009, max_calls: 200}], groups: [{name: rack1, backends: [px2]}]}]\n"

/* Removes px2 and adds it again. `options` NULL: `backend add` without options. */
static void replace_px2(const char *address_text, const struct added_options *options)
{
	char error[FARM_ERROR_SIZE] = "";
	struct faults faults = {0};
	struct address address;
	int result;

	cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px2", error), 0, "%s", error);
	world_reconcile(&world, NULL);
	address_parse(address_text, &address);
	result = options ? try_and_add(
				   added_new(world.farm->pools[0].config, "px2", &address, 1, options, &faults), error)
			 : farm_add_backend(world.farm, world.running, "proxies", "px2", &address, 1, error);
	cr_assert_eq(result, 0, "%s", error);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
}

static void check_px2(bool as_in_file)
{
	const struct farm_backend *backend = world_backend(&world, "px2");
	const struct backend *entry = &world.running->backends[backend->id];

	cr_expect_eq(entry->next_hop.byte[5], as_in_file ? 0x77 : backend->record.address.word[3] >> 24);
	cr_expect_eq(entry->forward, as_in_file ? FORWARD_IPIP : FORWARD_DSR);
	cr_expect_eq(backend->priority, as_in_file ? 2 : 1);
	cr_expect_eq(backend->group, as_in_file ? 1 : 0);
	cr_expect_eq(hints_of(backend->id), as_in_file ? 2 : 1, "its address counts");
	cr_expect_eq(ranges_of(backend->id) > 0, as_in_file);
	cr_expect_eq(farm_counts_all_calls(world.farm->pools), as_in_file, "max_calls");
}

/* A restart makes no difference, so that the members of a group remain equal. */
static void check_px2_and_restart(bool as_in_file)
{
	check_px2(as_in_file);
	world_load(&world, EVERY_KEY, FARM_RESTART);
	cr_expect_eq(world_reconcile(&world, NULL), 0, "a restart changes nothing");
	check_px2(as_in_file);
}

Test(added_backend, a_different_machine_has_no_keys_of_the_line)
{
	world_start(&world, EVERY_KEY);
	check_px2(true);
	replace_px2("10.0.0.99", NULL);
	check_px2_and_restart(false);
	replace_px2("10.0.0.12", NULL);
	check_px2_and_restart(true);
	cr_expect_eq(world_backend(&world, "px2")->record.overrides, 0, "as in the file");
}

Test(added_backend, a_backend_that_is_added_again_as_in_the_file_has_the_keys_of_its_line)
{
	static const struct added_options options = {
		.mac = "02:00:00:00:00:55", .forward = "gue", .priority = 3, .max_calls = 400};

	world_start(&world, EVERY_KEY);
	replace_px2("10.0.0.12", &options);
	cr_expect_eq(world_backend(&world, "px2")->priority, 3);
	cr_expect_eq(world_backend(&world, "px2")->record.mac.byte[5], 0x55);
	replace_px2("10.0.0.12", NULL);
	check_px2_and_restart(true);
}

/* `backend add` without --weight. No option of the command gives `admin:`. */
Test(added_backend, a_backend_that_is_added_again_has_the_weight_and_the_admin_state_of_its_line)
{
	static const struct {
		const char *address;
		int weight, result;
		enum admin_state admin;
	} rows[] = {
		{"10.0.0.12", FARM_USUAL_WEIGHT, 3, ADMIN_DRAIN},
		{"10.0.0.12", 5, 5, ADMIN_DRAIN},
		{"10.0.0.99", FARM_USUAL_WEIGHT, 1, ADMIN_READY},
		{"10.0.0.12", FARM_USUAL_WEIGHT, 3, ADMIN_DRAIN},
	};
	char error[FARM_ERROR_SIZE];
	struct address address;

	world_start(&world, HEAD SERVICE POOL(PX(1) ",{name: px2, address: 10.0.0.12, weight: 3, admin: drain}"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct backend_record *record;

		cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px2", error), 0);
		address_parse(rows[i].address, &address);
		cr_assert_eq(
			farm_add_backend(world.farm, world.running, "proxies", "px2", &address, rows[i].weight, error),
			0, "%s", error);
		record = &world_backend(&world, "px2")->record;
		cr_expect_eq(record->weight, rows[i].result, "%zu: %u", i, record->weight);
		cr_expect_eq(record->admin, rows[i].admin, "%zu", i);
	}
	cr_expect_eq(world_backend(&world, "px2")->record.overrides, 0, "as in the file");
}

/* The MAC address of an earlier `backend add` is not used until the real one is known. */
Test(added_backend, a_backend_that_is_added_again_without_a_mac_waits_for_its_own)
{
	static const struct added_options options = {.mac = "02:00:00:00:00:55", .priority = -1};
	char error[FARM_ERROR_SIZE] = "";
	struct address address;

	world_start(&world, GROUPED);
	replace_px2("10.0.0.12", &options);
	cr_expect_eq(world_backend(&world, "px2")->route.next_hop.byte[5], 0x55);
	cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px2", error), 0);
	address_parse("10.0.0.12", &address);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px2", &address, 1, error), 0);
	world_set_routes(&world, ROUTE_PENDING);
	cr_expect_eq(world_backend(&world, "px2")->route.next_hop.byte[5], 0);
}

Test(added_backend, a_hint_makes_the_program_read_only_the_parts_that_can_contain_it)
{
	static const struct {
		const char *hints;
		uint8_t flags;
	} rows[] = {
		{NULL, 0},
		{"a.example.net", SERVICE_ROUTE},
		{";node=px9", SERVICE_ROUTE | SERVICE_PARAMETER},
		{"tag=px9-", SERVICE_TAG},
		{"tag=px9-,a.example.net", SERVICE_TAG | SERVICE_ROUTE},
	};
	char error[FARM_ERROR_SIZE] = "";

	world_start(&world, HEAD SERVICE "pools: [{name: proxies, backends: [" PX(1) "]}]\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct added_options words = {.hints = rows[i].hints, .priority = -1};

		cr_assert_eq(add(&words, error), 0, "%s", error);
		world_reconcile(&world, NULL);
		cr_expect_eq(service_flags(), rows[i].flags, "%s: %x", rows[i].hints, service_flags());
		cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px9", error), 0);
		world_reconcile(&world, NULL);
	}
}

/* With new maps of a different size, ids may change; the keys are kept. */
Test(added_backend, new_maps_inherit_the_keys)
{
	struct contract smaller = world_contract;
	char error[FARM_ERROR_SIZE] = "";
	struct image *copy;

	world_start(&world, GROUPED);
	cr_assert_eq(add(&all, error), 0, "%s", error);
	world_reconcile(&world, NULL);
	cr_assert_eq(world_backend(&world, "px9")->id, 3);
	cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px1", error), 0);
	smaller.backends = 2;
	world.running->records[1] = (struct backend_record){0}; /* its id is free */
	copy = image_resized_copy(world.running, &smaller);
	cr_assert(copy);
	cr_expect_str_eq(copy->records[1].name, "px9");
	cr_expect(hash_map_find(copy->maps[IMAGE_ADDED], &(__u32){1}));
	image_free(copy);
}

/* Options, and the reason why they are refused. */
static const struct {
	struct added_options words;
	const char *error;
} refused[] = {
	{{.hints = "two.example.net", .priority = -1}, "two.example.net"},
	{{.hints = "10.0.0.12", .priority = -1}, "10.0.0.12"},
	{{.hints = "", .priority = -1}, "'hints' of backend px9"},
	{{.hints = "a b", .priority = -1}, "'hints' of backend px9 must be a host as in SIP"},
	{{.hints = "'], weight: 5, mac: [", .priority = -1}, "'hints' of backend px9 must be"},
	{{.ports = "30005-30015", .priority = -1}, "30005"},
	{{.ports = "5060", .priority = -1}, "5060"},
	{{.ports = "x", .priority = -1}, "'ports' of backend px9 must be"},
	{{.mac = "02", .priority = -1}, "'mac' of backend px9 must be"},
	{{.group = "rack3", .priority = -1}, "pool proxies has no group 'rack3'"},
	{{.forward = "gre", .priority = -1}, "'forward' of backend px9 must be"},
	{{.max_calls = 1 << 30, .priority = -1}, "'max_calls' of backend px9 must be"},
	{{.max_rate = 1000001, .priority = -1}, "'max_rate' of backend px9 must be"},
};

Test(added_backend, values_that_a_file_may_not_have_are_refused_without_effect)
{
	char error[FARM_ERROR_SIZE], *long_hints = calloc(2000, 1);
	struct added_options words = {.hints = long_hints, .priority = -1};

	world_start(&world, GROUPED);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		strcpy(error, "");
		cr_expect_neq(add(&refused[i].words, error), 0, "%zu is not refused", i);
		cr_expect(strstr(error, refused[i].error), "%zu: '%s'", i, error);
	}
	for (int i = 0; i < 60; i++)
		sprintf(long_hints + strlen(long_hints), "%spx9-%d.example.net", i ? "," : "", i);
	cr_expect_neq(add(&words, error), 0);
	cr_expect(strstr(error, "too long to survive a restart of the daemon"), "%s", error);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	free(long_hints);
}
