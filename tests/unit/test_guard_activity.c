// SPDX-License-Identifier: GPL-2.0
/* The activity of the guard's rules (core/guard/activity.h), with simulated counters. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include "core/guard/activity.h"
#include "core/net/address.h"

#define CPUS 2

/* One rule, and the time. */
struct world {
	struct guard_activity activity;
	struct guard_counters counters[CPUS];
	uint64_t before[CPUS];
	uint64_t now; /* ms */
};

static struct address source(unsigned int number)
{
	return (struct address){{0, 0, htonl(0xffff), htonl(0xcb007100 + number)}}; /* 203.0.113.N */
}

static void sample(struct world *world)
{
	world->now += 1000;
	guard_activity_update(&world->activity, world->counters, world->before, CPUS, world->now);
}

static void drop(struct world *world, int cpu, unsigned int packets, unsigned int from)
{
	world->counters[cpu].dropped += packets;
	world->counters[cpu].seen = world->now * 1000000 + cpu;
	world->counters[cpu].source = source(from);
}

static void observe(struct world *world, int cpu, unsigned int packets, unsigned int from)
{
	drop(world, cpu, 0, from);
	world->counters[cpu].observed += packets;
}

static struct world begin(void)
{
	struct world world = {.now = 1000000};

	sample(&world);
	return world;
}

Test(guard_activity, the_sum_has_the_source_of_the_last_packet)
{
	const struct guard_counters counters[] = {
		{.dropped = 5, .refused = 1, .bytes = 500, .seen = 20, .source = source(1)},
		{.dropped = 3, .observed = 4, .bytes = 700, .seen = 10, .source = source(2)},
	};
	struct guard_counters sum = guard_counters_sum(counters, 2);

	cr_expect_eq(sum.dropped, 8);
	cr_expect_eq(sum.refused, 1);
	cr_expect_eq(sum.observed, 4);
	cr_expect_eq(sum.bytes, 1200);
	cr_expect_eq(sum.seen, 20);
	cr_expect(address_equal(&sum.source, &counters[0].source));
}

Test(guard_activity, a_rule_is_active_while_it_counts_packets)
{
	struct world world = begin();

	cr_expect_eq(world.activity.since, 0);
	for (int i = 0; i <= GUARD_ACTIVITY_LONG / 1000; i++) {
		cr_expect_not(guard_activity_is_long(&world.activity), "second %d", i);
		drop(&world, 0, 1, 1);
		sample(&world);
	}
	drop(&world, 0, 1, 1);
	sample(&world);
	cr_expect(guard_activity_is_long(&world.activity));
	for (int i = 0; i < GUARD_ACTIVITY_GAP / 1000; i++)
		sample(&world);
	cr_expect(guard_activity_is_long(&world.activity), "a short gap does not end the activity");
	sample(&world);
	cr_expect_not(guard_activity_is_long(&world.activity));
}

Test(guard_activity, rates_follow_the_counters)
{
	struct world world = begin();

	for (int i = 0; i < 60; i++) {
		drop(&world, i % CPUS, 100, 1);
		observe(&world, i % CPUS, 50, 1);
		sample(&world);
	}
	cr_expect_float_eq(world.activity.dropped_rate, 100, 3);
	cr_expect_float_eq(world.activity.observed_rate, 50, 3);
	for (int i = 0; i < 60; i++)
		sample(&world);
	cr_expect_lt(world.activity.dropped_rate, 3);
}

Test(guard_activity, a_heavy_source_is_found_among_many)
{
	struct world world = begin();

	/* Source 1 sends 3 of 4 packets. Each of the others sends one packet. */
	for (unsigned int i = 0; i < 200; i++) {
		drop(&world, 0, 1000, i % 2 ? 1 : 2 + i);
		drop(&world, 1, 1000, 1);
		sample(&world);
	}
	cr_expect(address_equal(&world.activity.sources[0].address, &(struct address[]){source(1)}[0]));
	cr_expect_float_eq(guard_activity_share(&world.activity, &world.activity.sources[0]), 0.75, 0.1);
	for (size_t i = 1; i < GUARD_ACTIVITY_SOURCES; i++)
		cr_expect_leq(world.activity.sources[i].rate, world.activity.sources[i - 1].rate);
	for (int i = 0; i < 300; i++)
		sample(&world);
	cr_expect_eq(world.activity.sources[0].rate, 0, "without packets the list becomes empty");
}

Test(guard_activity, counters_that_begin_again_belong_to_a_new_guard)
{
	struct world world = begin();
	char text[GUARD_ACTIVITY_TEXT_SIZE];

	drop(&world, 0, 1000, 1);
	sample(&world);
	world.counters[0] = (struct guard_counters){.dropped = 5, .source = source(2)};
	sample(&world);
	cr_expect_eq(world.activity.since, 0);
	cr_expect_eq(world.activity.dropped_rate, 0);
	drop(&world, 0, 2, 2);
	sample(&world);
	cr_expect(guard_activity_report(&world.activity, GUARD_BUCKET_INVITE, world.now, text));
	cr_expect_str_eq(text, "rule invite dropped 7 packets; the last source is 203.0.113.2");
}

Test(guard_activity, at_most_one_report_a_minute_and_none_without_packets)
{
	struct world world = {.now = 1000000};
	char text[GUARD_ACTIVITY_TEXT_SIZE];
	int reports = 0;

	drop(&world, 0, 100, 9);
	sample(&world);
	cr_expect_not(guard_activity_report(&world.activity, GUARD_BUCKET_INVITE, world.now, text),
		"packets from before the first sample");
	for (int i = 0; i < 180; i++) {
		drop(&world, 0, 10, 1);
		sample(&world);
		reports += guard_activity_report(&world.activity, GUARD_BUCKET_INVITE, world.now, text);
	}
	cr_expect_eq(reports, 3);
	cr_expect_str_eq(text, "rule invite dropped 600 packets; the last source is 203.0.113.1");
	for (int i = 0; i < 180; i++) {
		sample(&world);
		reports += guard_activity_report(&world.activity, GUARD_BUCKET_INVITE, world.now, text);
	}
	cr_expect_eq(reports, 4, "the packets since the last report, then nothing");
}

Test(guard_activity, texts)
{
	struct world world = begin();
	char text[GUARD_ACTIVITY_TEXT_SIZE];

	drop(&world, 0, 3, 1);
	world.counters[0].refused = 2;
	observe(&world, 0, 4, 1);
	sample(&world);
	guard_activity_report(&world.activity, GUARD_RULE_SERVICE_SURGE, world.now, text);
	cr_expect_str_eq(text, "rule service_surge dropped 3 packets, 2 of them passed to the daemon for a 503 and "
			       "would drop 4 packets "
			       "(mode observe); the last source is 203.0.113.1");
	for (int i = 0; i < 130; i++) {
		observe(&world, 0, 10, 1);
		sample(&world);
	}
	cr_expect_str_eq(guard_activity_describe(&world.activity, GUARD_BUCKET_INVITE, world.now, text),
		"rule invite would drop 10.0 packets per second (mode observe), for 2 min: INVITE requests outside a "
		"dialog; 203.0.113.1 sends about 100 % of them");
	for (unsigned int i = 0; i < 100; i++) {
		drop(&world, 0, 20, i);
		sample(&world);
	}
	cr_expect_str_eq(guard_activity_describe(&world.activity, GUARD_BUCKET_INVITE, world.now, text),
		"rule invite drops 20.0 packets per second, for 3 min: INVITE requests outside a dialog; no source "
		"sends more than 10 % of them");
}

Test(guard_rules, each_rule_has_a_name_and_a_text)
{
	for (uint32_t rule = 0; rule < GUARD_RULES; rule++) {
		cr_expect_eq(guard_rule_find(guard_rule_name(rule)), rule);
		cr_expect_str_not_empty(guard_rule_text(rule));
	}
	cr_expect_eq(guard_rule_find("none"), GUARD_RULES);
	cr_expect_str_eq(guard_rule_name(GUARD_RULES), "?");
}
