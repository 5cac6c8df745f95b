// SPDX-License-Identifier: GPL-2.0
/* The results of `guard stats`, `guard top` and `guard why` (core/view/guard_*.h). */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include "bpf/guard_source.h"
#include "core/base/name.h"
#include "core/view/guard_stats.h"
#include "core/view/guard_top.h"
#include "core/view/guard_why.h"
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
	const uint64_t now = 5000000000000; /* ns */
	const uint32_t ticks = guard_ticks(now), epoch = now >> GUARD_EPOCH_SHIFT;
	json_t *top, *rows;

	sources[3] = (struct guard_source){.refused = ticks - 1, .epoch = epoch};
	sources[4] = (struct guard_source){
		.refused = ticks - (GUARD_TOP_SECONDS - 1) * GUARD_TICKS_A_SECOND, .epoch = epoch - 1};
	sources[5] = (struct guard_source){
		.refused = ticks - (GUARD_TOP_SECONDS + 1) * GUARD_TICKS_A_SECOND, .epoch = epoch};
	sources[6] = (struct guard_source){.refused = ticks - 1, .epoch = epoch - 16}; /* 73 minutes ago */
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

/* --- why */

#define SECOND_NSEC 1000000000ULL

/* Guard 1 with the lists "offices" and "apiban"; its limit `invite` is 10 per second, with a burst of 100. */
static struct image *guarded_image(void)
{
	struct image *names = image();
	struct guard *guard = &names->guards[1];

	names->contract.guarded_sources = 1024;
	*guard = (struct guard){
		.hash_key = {1, 2}, .first_class = 10, .generation = 7, .ipv4_mask = ~0ULL, .ipv6_mask = {~0ULL, 0}};
	name_copy(names->guard_list_names[GUARD_LIST_FIRST].name, "offices");
	name_copy(names->guard_list_names[GUARD_LIST_FIRST + 1].name, "apiban");
	names->guard_classes[10] = (struct guard_class){.enforced = 1 << GUARD_BUCKET_INVITE};
	names->guard_classes[10].limits[GUARD_BUCKET_INVITE] = guard_limit_of(10, 100);
	names->guard_classes[10].limits[GUARD_BUCKET_PACKETS] = guard_limit_of(2000, 4000);
	names->guard_classes[10].limits[GUARD_BUCKET_DIALOG] = guard_limit_of(10000, 20000);
	names->guard_classes[10 + GUARD_LIST_BLOCKED] =
		(struct guard_class){.action = GUARD_DENY, .enforced = 1 << GUARD_RULE_BLOCKED};
	names->guard_classes[10 + GUARD_LIST_TRUSTED] = (struct guard_class){.action = GUARD_TRUST};
	names->guard_classes[10 + GUARD_LIST_FIRST] = (struct guard_class){.action = GUARD_TRUST};
	names->guard_classes[10 + GUARD_LIST_FIRST + 1] = (struct guard_class){.action = GUARD_DENY};
	return names;
}

/* An element of the source that has sent `packets` INVITEs at once, `age` ns ago. */
static struct guard_why why_of(const struct image *names, uint32_t list, unsigned int packets, uint64_t age)
{
	const struct guard *guard = &names->guards[1];
	struct guard_why why = {.image = names, .guard = 1, .address = source(9), .now = 3600 * SECOND_NSEC};
	const struct guard_class *class = &names->guard_classes[10];
	struct address address __attribute__((aligned(8))) = source(9);
	uint64_t then = why.now - age, hash = guard_hash(guard, 1, &address);

	guard_take_over(&why.element, 0, guard_owner(hash, 7, list), then);
	for (unsigned int i = 0; i < packets; i++) {
		if (guard_over(&why.element, class, GUARD_BUCKET_INVITE, guard_ticks(then)))
			why.element.refused = guard_ticks(then);
		guard_take(&why.element, class, GUARD_BUCKET_INVITE, ~0u, guard_ticks(then));
	}
	return why;
}

/* Returns the step with this name; "" if there is none. */
static const char *step(const json_t *object, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(object, "steps"), i, item)
	{
		if (!strcmp(TEXT(item, "name"), name))
			return TEXT(item, "text");
	}
	return "";
}

static void expect_steps(const struct guard_why *why, const char *list, const char *block, const char *action,
	const char *state, const char *over)
{
	json_t *object = guard_why_json(why);

	cr_expect_str_eq(step(object, "guard"), "default, of the services sip, sips");
	cr_expect_str_eq(step(object, "list"), list);
	cr_expect_str_eq(step(object, "block"), block);
	cr_expect_str_eq(step(object, "action"), action);
	cr_expect_str_eq(step(object, "state"), state);
	cr_expect_str_eq(step(object, "over"), over);
	json_decref(object);
}

#define LIMITED "limited: the limits below apply"
#define NO_ENTRY "no entry: the guard has received no packet of this source recently"

Test(guard_why, a_source_without_an_element)
{
	struct image *names = guarded_image();
	struct guard_why why = {.image = names, .guard = 1, .address = source(9), .now = SECOND_NSEC};

	expect_steps(&why, "unknown: the daemon has not read the lists yet, or their files have a fault", "", LIMITED,
		NO_ENTRY, "");
	why.knows_lists = true;
	expect_steps(&why, "none", "", LIMITED, NO_ENTRY, "");
	why.element.owner = ~0ULL;
	expect_steps(&why, "none", "", LIMITED, NO_ENTRY, "");
	image_free(names);
}

Test(guard_why, a_source_over_a_limit)
{
	struct image *names = guarded_image();
	struct guard_why why = why_of(names, GUARD_LIST_NONE, 100, 0);
	json_t *object = guard_why_json(&why), *limits = json_object_get(object, "limits");
	json_t *invite = json_array_get(limits, 2);

	expect_steps(&why, "none", "", LIMITED, "", "the limit invite: the next packet conforms in 0.1 s");
	cr_expect_str_eq(TEXT(object, "source"), "203.0.113.9");
	cr_expect_eq(json_array_size(limits), 3, "only the limits that the class has");
	cr_expect_str_eq(TEXT(invite, "limit"), "invite");
	cr_expect_eq(NUMBER(invite, "rate"), 10);
	cr_expect_eq(NUMBER(invite, "burst"), 100);
	cr_expect_eq(NUMBER(invite, "used"), 100);
	cr_expect_str_eq(TEXT(invite, "mode"), "enforce");
	cr_expect_str_eq(TEXT(json_array_get(limits, 0), "mode"), "observe");
	cr_expect_eq(NUMBER(json_array_get(limits, 0), "rate"), 2000);
	cr_expect_eq(NUMBER(json_array_get(limits, 0), "burst"), 4000);
	cr_expect_eq(NUMBER(json_array_get(limits, 1), "rate"), 10000);
	cr_expect_eq(NUMBER(json_array_get(limits, 1), "burst"), 20000);
	cr_expect_eq(NUMBER(json_array_get(limits, 1), "used"), 0);
	json_decref(object);
	why = why_of(names, GUARD_LIST_NONE, 101, 5 * SECOND_NSEC);
	expect_steps(&why, "none", "", LIMITED, "over no limit now; it was 5.0 s ago", "");
	why = why_of(names, GUARD_LIST_NONE, 101, 3000 * SECOND_NSEC);
	expect_steps(&why, "none", "", LIMITED, "over no limit now", "");
	image_free(names);
}

Test(guard_why, rates_and_bursts_are_those_of_the_configuration)
{
	static const uint32_t rates[] = {1, 2, 3, 7, 10, 50, 100, 333, 400, 1000, 2000, 5000, 10000};
	struct image *names = guarded_image();
	struct guard_why why = why_of(names, GUARD_LIST_NONE, 0, 0);

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		json_t *object, *invite;

		names->guard_classes[10].limits[GUARD_BUCKET_INVITE] = guard_limit_of(rates[i], 2 * rates[i]);
		object = guard_why_json(&why);
		invite = json_array_get(json_object_get(object, "limits"), 2);
		cr_expect_eq(NUMBER(invite, "rate"), rates[i]);
		cr_expect_eq(NUMBER(invite, "burst"), 2 * rates[i]);
		json_decref(object);
	}
	image_free(names);
}

Test(guard_why, lists_and_blocks)
{
	struct image *names = guarded_image();
	struct guard_why why = why_of(names, GUARD_LIST_FIRST, 1, 0);
	struct block block = {.value = {.list = GUARD_LIST_BLOCKED, .who = "root", .reason = "password guessing"}};
	const char *trusted =
		"trusted: the limits for each source do not apply, and the guard does not search for scanners";

	expect_steps(&why, "offices", "", trusted, "over no limit now", "");
	why.knows_lists = true;
	why.list = GUARD_LIST_FIRST + 1;
	prefix_parse("203.0.113.0/24", &why.prefix);
	expect_steps(&why, "apiban, entry 203.0.113.0/24", "",
		"denied in mode observe: the packets are counted, and forwarded", "over no limit now", "");
	prefix_parse("203.0.113.8/30", &block.prefix);
	why.block = &block;
	expect_steps(&why, "", "203.0.113.8/30 is blocked by the operator root until it is removed: password guessing",
		"denied: all packets are dropped", "over no limit now", "");
	block.value.by_server = true;
	block.value.list = GUARD_LIST_TRUSTED;
	why.block_rest = 90500;
	expect_steps(&why, "", "203.0.113.8/30 is trusted by the server root for another 90 s: password guessing",
		trusted, "over no limit now", "");
	image_free(names);
}

Test(guard_why, an_ipv6_source_is_a_prefix)
{
	struct image *names = guarded_image();
	struct guard_why why = {.image = names, .guard = 1, .now = SECOND_NSEC}, other = why;
	json_t *object;

	address_parse("2001:db8::1", &why.address);
	address_parse("2001:db8::ffff:2", &other.address);
	cr_expect_eq(guard_why_index(names, 1, &why.address), guard_why_index(names, 1, &other.address));
	object = guard_why_json(&why);
	cr_expect_str_eq(TEXT(object, "source"), "2001:db8::/64");
	json_decref(object);
	image_free(names);
}
