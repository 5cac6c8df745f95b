// SPDX-License-Identifier: GPL-2.0
/* The results of `guard stats` and `guard top` (core/view/guard_*.h). */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include "core/base/name.h"
#include "core/view/guard_stats.h"
#include "core/view/guard_top.h"
#include "core/view/rates.h"

#define CPUS 3
#define TEXT(object, key) json_string_value(json_object_get(object, key))
#define NUMBER(object, key) json_integer_value(json_object_get(object, key))

static struct address source(unsigned int number)
{
	return (struct address){{0, 0, htonl(0xffff), htonl(0xcb007100 + number)}}; /* 203.0.113.N */
}

static void put_service(struct image *image, uint16_t id, const char *name, uint16_t guard)
{
	const struct service service = {.id = id, .guard = guard};
	struct service_key key = {.vip = source(id), .port = htons(5060), .protocol = IPPROTO_UDP};

	name_copy(image->service_names[id].name, name);
	hash_map_put(image->maps[IMAGE_SERVICES], &key, &service);
	key.protocol = IPPROTO_TCP;
	hash_map_put(image->maps[IMAGE_SERVICES], &key, &service);
}

static struct image *image(void)
{
	const struct contract sizes = {.version = ABI_VERSION, .slots = 256, .pools = 1, .services = 4, .backends = 1};
	struct image *image = image_new(&sizes);

	name_copy(image->guard_names[1].name, "default");
	name_copy(image->guard_names[2].name, "trunk");
	put_service(image, 0, "sips", 1);
	put_service(image, 1, "sip", 1);
	put_service(image, 2, "trunk", 2);
	return image;
}

static struct guard_counters *element(struct guard_counters *counters, uint32_t rule, int cpu)
{
	return &counters[rule * CPUS + cpu];
}

/* The statistics of guard 1 with three CPUs. */
static json_t *stats(const struct image *image, unsigned int packets)
{
	struct guard_counters counters[GUARD_RULES * CPUS] = {0};
	json_t *stats = guard_stats_new();

	*element(counters, GUARD_BUCKET_INVITE, 0) = (struct guard_counters){
		.dropped = packets, .refused = 2, .bytes = 900, .seen = 2000000000, .source = source(1)};
	*element(counters, GUARD_BUCKET_INVITE, 1) =
		(struct guard_counters){.dropped = 3, .bytes = 100, .seen = 5000000000, .source = source(2)};
	*element(counters, GUARD_BUCKET_INVITE, 2) =
		(struct guard_counters){.observed = 4, .seen = 1000000000, .source = source(2)};
	*element(counters, GUARD_RULE_DENIED, 2) =
		(struct guard_counters){.dropped = 1, .bytes = 60, .seen = 1, .source = source(packets)};
	guard_stats_add(stats, image, 1, counters, CPUS, &(struct guard_exempt){.trusted = 5, .dialog = 6}, 1000);
	return stats;
}

Test(guard_view, stats_have_a_row_for_each_rule_that_has_counted)
{
	struct image *names = image();
	json_t *result = stats(names, 7), *rules = json_object_get(result, "rules"), *row = json_array_get(rules, 0);
	json_t *exempt = json_array_get(json_object_get(result, "exempt"), 0), *wanted;

	cr_expect_eq(json_array_size(rules), 2);
	cr_expect_str_eq(TEXT(row, "guard"), "default");
	cr_expect_str_eq(TEXT(row, "rule"), "invite");
	cr_expect_str_eq(TEXT(row, "text"), "INVITE requests outside a dialog");
	cr_expect_eq(NUMBER(row, "dropped"), 10);
	cr_expect_eq(NUMBER(row, "refused"), 2);
	cr_expect_eq(NUMBER(row, "observed"), 4);
	cr_expect_eq(NUMBER(row, "bytes"), 1000);
	cr_expect_float_eq(json_real_value(json_object_get(row, "last")), 1005, 0.001);
	wanted = json_pack("[s, s]", "203.0.113.2", "203.0.113.1");
	cr_expect(json_equal(json_object_get(row, "sources"), wanted), "the newest source first, each once");
	json_decref(wanted);
	wanted = json_pack("[s, s]", "sip", "sips");
	cr_expect(json_equal(json_object_get(row, "services"), wanted));
	json_decref(wanted);
	cr_expect_eq(NUMBER(exempt, "trusted"), 5);
	cr_expect_eq(NUMBER(exempt, "dialog"), 6);
	cr_expect_eq(NUMBER(exempt, "emergency"), 0);
	json_decref(result);
	image_free(names);
}

Test(guard_view, rates_compare_rows_whose_last_source_has_changed)
{
	struct image *names = image();
	json_t *before = stats(names, 7), *after = stats(names, 27), *rates = rates_between(before, after, 2);
	const json_t *row = json_array_get(json_object_get(rates, "rules"), 0);

	cr_expect_float_eq(json_real_value(json_object_get(row, "dropped")), 10, 0.001);
	cr_expect_float_eq(json_real_value(json_object_get(row, "bytes")), 0, 0.001);
	cr_expect_float_eq(json_real_value(json_object_get(row, "last")), 1005, 0.001);
	row = json_array_get(json_object_get(rates, "rules"), 1);
	cr_expect_str_eq(TEXT(row, "rule"), "denied");
	cr_expect_eq(json_real_value(json_object_get(row, "dropped")), 0);
	json_decref(before);
	json_decref(after);
	json_decref(rates);
	image_free(names);
}

Test(guard_view, top_sorts_the_sources_of_all_guards)
{
	struct guard_activity rules[GUARD_RULES] = {0};
	struct guard_top_count count = {.elements = 4096};
	struct guard_source sources[1024] = {0};
	struct image *names = image();
	const uint64_t now = 100000000; /* us */
	const uint32_t ticks = now * 1000 >> GUARD_TICK_SHIFT;
	json_t *top, *rows;

	sources[3].refused = ticks - 1;
	sources[4].refused = ticks - (GUARD_TOP_SECONDS - 1) * 976562;
	sources[5].refused = ticks - (GUARD_TOP_SECONDS + 1) * 976562;
	guard_top_count(&count, sources, 1024, now);
	top = guard_top_new(&count);
	cr_expect_eq(NUMBER(top, "limited"), 8, "2 of 1024 read elements; the map has 4096");
	rules[GUARD_BUCKET_INVITE].observed_rate = 40;
	rules[GUARD_BUCKET_INVITE].sources[0] = (struct guard_activity_source){source(1), 30};
	rules[GUARD_BUCKET_INVITE].sources[1] = (struct guard_activity_source){source(2), 10};
	guard_top_add(top, names, 1, rules);
	rules[GUARD_BUCKET_INVITE] = (struct guard_activity){0};
	rules[GUARD_RULE_SCANNER].dropped_rate = 20;
	rules[GUARD_RULE_SCANNER].sources[0] = (struct guard_activity_source){source(3), 20};
	guard_top_add(top, names, 2, rules);
	rows = json_object_get(guard_top_sort(top), "sources");
	cr_expect_eq(json_array_size(rows), 3);
	cr_expect_str_eq(TEXT(json_array_get(rows, 0), "source"), "203.0.113.1");
	cr_expect_str_eq(TEXT(json_array_get(rows, 0), "mode"), "observe");
	cr_expect_float_eq(json_real_value(json_object_get(json_array_get(rows, 0), "share")), 75, 0.1);
	cr_expect_str_eq(TEXT(json_array_get(rows, 1), "source"), "203.0.113.3");
	cr_expect_str_eq(TEXT(json_array_get(rows, 1), "guard"), "trunk");
	cr_expect_str_eq(TEXT(json_array_get(rows, 1), "rule"), "scanner");
	cr_expect_str_eq(TEXT(json_array_get(rows, 1), "mode"), "enforce");
	cr_expect_str_eq(TEXT(json_array_get(rows, 2), "source"), "203.0.113.2");
	json_decref(top);
	image_free(names);
}
