// SPDX-License-Identifier: GPL-2.0
/* Maps of other sizes know whom those before them knew. */

#include <criterion/criterion.h>
#include "core/maps/image.h"
#include "core/base/name.h"

static const struct contract large = {.version = ABI_VERSION, .slots = 256, .pools = 4, .services = 4, .backends = 8};

static void add(struct image *image, __u32 id, const char *name)
{
	name_copy(image->records[id].pool, "proxies");
	name_copy(image->records[id].name, name);
	image->records[id].admin = ADMIN_DRAIN;
	image->backends[id].ifindex = 100 + id;
}

/* Where a name is; 0: nowhere. */
static __u32 id_of(const struct image *image, const char *name)
{
	for (__u32 id = 1; id <= image->contract.backends; id++)
		if (!strcmp(image->records[id].name, name))
			return id;
	return 0;
}

static struct image *first(void)
{
	struct image *image = image_new(&large);

	add(image, 2, "px2");
	add(image, 7, "px7");
	add(image, 8, "px8");
	name_copy(image->pool_names[1].name, "proxies");
	name_copy(image->service_names[3].name, "sip");
	image->pools[1] = (struct pool){.table = 3};
	return image;
}

Test(image, an_heir_knows_everybody_by_the_same_id)
{
	struct contract larger = large;
	struct image *from = first(), *copy;

	larger.backends = 100;
	larger.slots = 512;
	copy = image_resized_copy(from, &larger);
	cr_assert_eq(copy->contract.backends, 100);
	cr_assert_eq(id_of(copy, "px2"), 2);
	cr_assert_eq(id_of(copy, "px8"), 8);
	cr_assert_eq(copy->records[8].admin, ADMIN_DRAIN);
	cr_assert_eq(copy->backends[8].ifindex, 108);
	cr_assert_str_eq(copy->pool_names[1].name, "proxies");
	cr_assert_str_eq(copy->service_names[3].name, "sip");
	cr_assert_eq(copy->pools[1].table, 0, "its tables are empty");
	image_free(copy);
	image_free(from);
}

Test(image, an_heir_of_less_room_gives_new_ids)
{
	struct contract smaller = large;
	struct image *from = first(), *copy;

	smaller.backends = 3;
	smaller.services = 2;
	copy = image_resized_copy(from, &smaller);
	cr_assert_eq(id_of(copy, "px2"), 2, "its own");
	cr_assert_eq(id_of(copy, "px7"), 1);
	cr_assert_eq(id_of(copy, "px8"), 3);
	cr_assert_eq(copy->backends[3].ifindex, 108);
	image_free(copy);
	image_free(from);
}

Test(image, nobody_is_left_behind)
{
	struct contract smaller = large;
	struct image *from = first();

	smaller.backends = 2;
	cr_assert_null(image_resized_copy(from, &smaller));
	image_free(from);
}
