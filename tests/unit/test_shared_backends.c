// SPDX-License-Identifier: GPL-2.0
/* The differences of a farm from its file, as members of a group exchange them: a balancer that takes those of a
 * different one has the same differences, and keeps the ids of backends that stay. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "core/control/shared_backends.h"
#include "world.h"

#define ROUNDS 2000

static struct world from, to;

static void setup(void)
{
	world_setup(&from);
	world_setup(&to);
	world_start(&from, FARM3);
	world_start(&to, FARM3);
}

static void teardown(void)
{
	world_end(&from);
	world_end(&to);
}

TestSuite(shared_backends, .init = setup, .fini = teardown);

static unsigned int below(unsigned int limit)
{
	return rand() % limit;
}

static void add(struct world *world, const char *name)
{
	const struct added_options options = {
		.priority = -1, .hints = below(2) ? "px.example.net" : "px.example.org", .mac = NULL};
	struct address address;
	struct faults faults = {0};
	struct added_config *added;
	char error[FARM_ERROR_SIZE], text[32];

	snprintf(text, sizeof(text), "10.0.0.%u", 11 + below(8));
	address_parse(text, &address);
	if (below(2)) {
		farm_add_backend(world->farm, world->running, "proxies", name, &address, 1 + below(3), error);
		return;
	}
	added = added_new(world->farm->pools[0].config, name, &address, 1 + below(3), &options, &faults);
	cr_assert_not_null(added);
	farm_add_described(world->farm, world->running, "proxies", added, error);
}

/* A change by an operator; some of them are refused. */
static void change(struct world *world)
{
	char error[FARM_ERROR_SIZE], name[NAME_SIZE];

	snprintf(name, sizeof(name), "px%u", 1 + below(6));
	switch (below(6)) {
	case 0:
		farm_remove_backend(world->farm, "proxies", name, error);
		break;
	case 1:
		farm_remove_when_drained(world->farm, "proxies", name, error);
		break;
	case 2:
		farm_set_weight(world->farm, "proxies", name, below(4), error);
		break;
	case 3:
		farm_set_admin(world->farm, "proxies", name, below(3), error);
		break;
	default:
		add(world, name);
	}
}

static bool take(struct world *world, const json_t *list)
{
	struct messages errors = {0};
	bool changed = shared_backends_take(world->farm, world->running, list, &errors);

	cr_assert_eq(errors.count, 0, "%s", errors.count ? errors.list[0] : "");
	messages_free(&errors);
	return changed;
}

/* As after a transfer between two machines. */
static json_t *transferred(const struct world *world)
{
	json_t *list = shared_backends_write(world->farm), *copy;
	char *text = json_dumps(list, 0);

	copy = json_loads(text, 0, NULL);
	free(text);
	json_decref(list);
	return copy;
}

/* The order of added backends depends on the history. */
static bool have_same_items(const json_t *a, const json_t *b)
{
	for (size_t i = 0; i < json_array_size(a); i++) {
		size_t j = 0;

		while (j < json_array_size(b) && !json_equal(json_array_get(a, i), json_array_get(b, j)))
			j++;
		if (j == json_array_size(b))
			return false;
	}
	return json_array_size(a) == json_array_size(b);
}

static void check_transfer(void)
{
	json_t *wanted = transferred(&from), *before = transferred(&to), *now;
	bool changed = take(&to, wanted);
	char *a, *b;

	cr_assert_not(take(&to, wanted), "a second time changes nothing");
	now = transferred(&to);
	a = json_dumps(wanted, JSON_SORT_KEYS);
	b = json_dumps(now, JSON_SORT_KEYS);
	cr_assert(have_same_items(wanted, now), "%s and %s", a, b);
	cr_assert(changed || have_same_items(before, now), "the caller does not learn of %s", b);
	free(a);
	free(b);
	json_decref(wanted);
	json_decref(before);
	json_decref(now);
}

Test(shared_backends, random_changes_are_transferred, .timeout = 120)
{
	srand(1);
	for (int i = 0; i < ROUNDS; i++) {
		for (unsigned int j = below(4); j; j--)
			change(&from);
		for (unsigned int j = below(4); j; j--)
			change(&to);
		check_transfer();
	}
}

Test(shared_backends, a_backend_that_both_have_keeps_its_id)
{
	char error[FARM_ERROR_SIZE];
	struct address address;
	uint16_t id;

	address_parse("10.0.0.15", &address);
	farm_add_backend(from.farm, from.running, "proxies", "px5", &address, 1, error);
	address_parse("10.0.0.14", &address);
	farm_add_backend(to.farm, to.running, "proxies", "px4", &address, 1, error);
	address_parse("10.0.0.15", &address);
	farm_add_backend(to.farm, to.running, "proxies", "px5", &address, 1, error);
	id = world_backend(&to, "px5")->id;
	farm_set_weight(from.farm, "proxies", "px5", 3, error);
	check_transfer();
	cr_expect_eq(world_backend(&to, "px5")->id, id);
	cr_expect_eq(world_backend(&to, "px5")->record.weight, 3);
	cr_expect_null(farm_find_backend(&to.farm->pools[0], "px4"));
}

/* A server that only the maps contain may have left at a different member. */
Test(shared_backends, a_server_that_has_joined_stays_if_its_requests_come_here)
{
	char error[FARM_ERROR_SIZE];
	json_t *none = json_array();
	struct address address;

	address_parse("10.0.0.14", &address);
	farm_add_backend(to.farm, to.running, "proxies", "px4", &address, 1, error);
	world_backend(&to, "px4")->record.overrides |= OVERRIDE_JOINED;
	farm_set_admin(to.farm, "proxies", "px4", ADMIN_DRAIN, error);
	world_backend(&to, "px4")->joined_here = true;
	take(&to, none);
	cr_assert_not_null(farm_find_backend(&to.farm->pools[0], "px4"));
	cr_expect_eq(world_backend(&to, "px4")->record.admin, ADMIN_READY, "the change of an operator ends");
	world_backend(&to, "px4")->joined_here = false;
	take(&to, none);
	cr_expect_null(farm_find_backend(&to.farm->pools[0], "px4"));
	json_decref(none);
}

Test(shared_backends, lists_that_are_not_valid_change_nothing)
{
	static const char *const lists[] = {"{}", "[1, null, \"x\", [], {}]",
		"[{\"pool\": \"proxies\", \"name\": \"px1\", \"presence\": \"gone\", \"address\": \"\", \"weight\": 1, "
		"\"leaving\": false}]",
		"[{\"pool\": \"proxies\", \"name\": \"px1\", \"presence\": \"file\", \"address\": \"\", \"weight\": "
		"70000, "
		"\"leaving\": false}]",
		"[{\"pool\": \"other\", \"name\": \"px1\", \"presence\": \"removed\", \"address\": \"\", \"weight\": "
		"1, "
		"\"leaving\": false}]",
		"[{\"pool\": \"proxies\", \"name\": \"p x\", \"presence\": \"added\", \"address\": \"10.0.0.9\", "
		"\"weight\": 1, "
		"\"leaving\": false}]",
		"[{\"pool\": \"proxies\", \"name\": \"px9\", \"presence\": \"added\", \"address\": \"0.0.0.0\", "
		"\"weight\": 1, "
		"\"leaving\": false}]"};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		json_t *list = json_loads(lists[i], 0, NULL);

		cr_expect_not(take(&to, list), "%s", lists[i]);
		json_decref(list);
	}
}
