// SPDX-License-Identifier: GPL-2.0
/* Maps of a different size inherit the names, records and ids of the previous maps. */

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

/* The id of a name; 0: none. */
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

Test(image, larger_maps_inherit_all_ids)
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

Test(image, smaller_maps_assign_new_ids)
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

Test(image, maps_without_room_for_all_backends_are_refused)
{
	struct contract smaller = large;
	struct image *from = first();

	smaller.backends = 2;
	cr_assert_null(image_resized_copy(from, &smaller));
	image_free(from);
}
