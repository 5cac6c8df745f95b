// SPDX-License-Identifier: GPL-2.0
/* The names of pools and backends in the maps: found in both directions, and those that the maps get later. */

#include <criterion/criterion.h>
#include "core/base/name.h"
#include "core/farm/call_names.h"
#include "core/farm/farm.h"
#include "core/maps/plan.h"

static const struct contract sizes = {.version = ABI_VERSION, .slots = 256, .pools = 4, .services = 4, .backends = 8};

static struct backend_record record_of(const char *pool, const char *name)
{
	struct backend_record record = {.admin = ADMIN_READY};

	name_copy(record.pool, pool);
	name_copy(record.name, name);
	return record;
}

static struct group_call_target target_of(const char *pool, const char *name)
{
	const struct backend_record record = record_of(pool, name);
	const struct group_key key = farm_record_key(&record);

	return (struct group_call_target){key.pool, key.backend};
}

/* The pools 1 proxies with px2 and px7, and 3 gateways with gw5. */
static struct image *new_image(void)
{
	struct image *image = image_new(&sizes);

	name_copy(image->pool_names[1].name, "proxies");
	name_copy(image->pool_names[3].name, "gateways");
	image->records[2] = record_of("proxies", "px2");
	image->records[7] = record_of("proxies", "px7");
	image->records[5] = record_of("gateways", "gw5");
	return image;
}

static void expect(struct call_names *names, const struct group_call_target target, uint32_t pool, uint32_t backend)
{
	const struct call_ids ids = call_names_find(names, &target);

	cr_expect_eq(ids.pool, pool);
	cr_expect_eq(ids.backend, backend);
}

Test(call_names, a_backend_is_found_with_its_pool)
{
	struct group_call_target target, mixed = target_of("proxies", "px2");
	struct call_names *names = call_names_new();
	struct image *image = new_image();

	cr_expect_not(call_names_at(names, 1, 2, &target));
	expect(names, target_of("proxies", "px2"), 0, 0);
	call_names_fill(names, image);
	expect(names, target_of("proxies", "px2"), 1, 2);
	expect(names, target_of("proxies", "px7"), 1, 7);
	expect(names, target_of("gateways", "gw5"), 3, 5);
	mixed.pool = target_of("gateways", "gw5").pool;
	expect(names, mixed, 0, 0);
	image_free(image);
	call_names_free(names);
}

Test(call_names, ids_have_names_until_other_maps_are_filled_in)
{
	struct call_names *names = call_names_new();
	struct group_call_target target, expected = target_of("gateways", "gw5");
	struct image *image = new_image();

	call_names_fill(names, image);
	image_free(image);
	cr_expect(call_names_at(names, 3, 5, &target));
	cr_expect_eq(target.pool, expected.pool);
	cr_expect_eq(target.backend, expected.backend);
	cr_expect_not(call_names_at(names, 3, 4, &target));
	cr_expect_not(call_names_at(names, 2, 5, &target));
	cr_expect_not(call_names_at(names, 4, 5, &target));
	cr_expect_not(call_names_at(names, 3, 9, &target));
	image = image_new(&sizes);
	call_names_fill(names, image);
	cr_expect_not(call_names_at(names, 3, 5, &target));
	expect(names, expected, 0, 0);
	image_free(image);
	call_names_free(names);
}

Test(call_names, a_missed_name_is_reported_once_when_the_maps_have_it)
{
	struct call_names *names = call_names_new();
	struct image *image = new_image();

	call_names_fill(names, image);
	expect(names, target_of("proxies", "px4"), 0, 0);
	expect(names, target_of("proxies", "px8"), 0, 0);
	image->records[1] = record_of("proxies", "px1");
	cr_expect_not(call_names_fill(names, image), "nobody has asked for px1");
	image->records[4] = record_of("proxies", "px4");
	cr_expect(call_names_fill(names, image));
	cr_expect_not(call_names_fill(names, image));
	image->records[8] = record_of("proxies", "px8");
	cr_expect(call_names_fill(names, image), "missed before px4 was found");
	image_free(image);
	call_names_free(names);
}

Test(call_names, many_missed_names_displace_old_ones)
{
	struct group_call_target random = {1, 1}, last = target_of("proxies", "px4");
	struct call_names *names = call_names_new();
	struct image *image = new_image();

	for (; random.backend <= 3 * CALL_NAMES_MISSED_MAX; random.backend++)
		expect(names, random, 0, 0);
	expect(names, last, 0, 0);
	image->records[4] = record_of("proxies", "px4");
	cr_expect(call_names_fill(names, image));
	image_free(image);
	call_names_free(names);
}

Test(call_names, a_step_renames_if_a_name_or_an_address_changes)
{
	struct image *image = new_image();
	struct backend_record record = image->records[2];
	struct plan_step step = {.kind = PLAN_BACKEND_RECORD, .index = 2, .value = &record};

	record.admin = ADMIN_DRAIN;
	cr_expect_not(plan_step_renames(&step, image));
	record.address.word[3] = 9;
	cr_expect(plan_step_renames(&step, image));
	record = record_of("proxies", "px9");
	cr_expect(plan_step_renames(&step, image));
	record = record_of("gateways", "px2");
	cr_expect(plan_step_renames(&step, image));
	step.kind = PLAN_BACKEND;
	cr_expect_not(plan_step_renames(&step, image));
	step.kind = PLAN_POOL_NAME;
	cr_expect(plan_step_renames(&step, image));
	image_free(image);
}
