// SPDX-License-Identifier: GPL-2.0
/* The state of a source (bpf/guard_source.h): times, buckets, owners, and two CPUs that use one element. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/guard_source.h"

#define SECOND 1000000000ULL
#define TICK (SECOND / 250)
#define HOUR (3600 * SECOND)
#define WRAP (1ULL << (32 + GUARD_TICK_SHIFT)) /* ns after which the ticks wrap */

static const struct guard guard = {.hash_key = {1, 2}, .ipv4_mask = ~0ULL, .ipv6_mask = {~0ULL, 0}};

static uint64_t hash_of(uint32_t number)
{
	const struct address address = {.word = {0, 0, __builtin_bswap32(0xffff), number}};

	return guard_hash(&guard, 1, &address);
}

static struct guard_class class_of(uint32_t bucket, uint32_t rate, uint32_t burst)
{
	struct guard_class class = {0};

	class.limits[bucket] = guard_limit_of(rate, burst);
	return class;
}

/* The exact test. Returns whether the packet passes. */
static bool pass_exactly(struct guard_source *source, const struct guard_class *class, uint32_t bucket, uint64_t now)
{
	guard_refresh(source, now);
	if (guard_is_over(source, source->owner, class, bucket, guard_ticks(now)))
		return false;
	guard_take(source, class, bucket, ~0u, guard_ticks(now));
	return true;
}

/* As the program processes a packet: first with the clock of the last tick, then exactly. */
static bool pass(struct guard_source *source, const struct guard_class *class, uint32_t bucket, uint64_t now)
{
	uint64_t tick = now - now % TICK;

	if (guard_take_at_once(source, class, bucket, tick))
		return true;
	return !guard_is_certainly_over(source, source->owner, class, bucket, tick) &&
	       pass_exactly(source, class, bucket, now);
}

Test(guard_source, a_burst_passes_and_then_the_rate)
{
	static const uint32_t rates[] = {1, 3, 10, 50, 100, 997, 2000, 4999, 9700};
	static const uint64_t starts[] = {0, 5 * HOUR, WRAP - 3 * SECOND, 7 * WRAP - SECOND / 2, (1ULL << 41) - SECOND};

	for (size_t r = 0; r < sizeof(rates) / sizeof(*rates); r++)
		for (size_t s = 0; s < sizeof(starts) / sizeof(*starts); s++) {
			struct guard_class class = class_of(GUARD_BUCKET_PACKETS, rates[r], 2 * rates[r]);
			struct guard_source source = {0};
			uint32_t burst = 0, passed = 0, seconds = 20;
			uint64_t step = SECOND / rates[r] / 7;

			guard_take_over(&source, 0, 1, starts[s]);
			while (pass(&source, &class, GUARD_BUCKET_PACKETS, starts[s]))
				burst++;
			cr_expect(burst >= 2 * rates[r] && burst <= 2.02 * rates[r], "rate %u, start %zu: burst %u",
				rates[r], s, burst);
			for (uint64_t at = step; at <= seconds * SECOND; at += step)
				passed += pass(&source, &class, GUARD_BUCKET_PACKETS, starts[s] + at);
			cr_expect(passed >= seconds * rates[r] - 1 && passed <= seconds * rates[r] * 1.01 + 1,
				"rate %u, start %zu: %u passed in %u s", rates[r], s, passed, seconds);
		}
}

/* With the same clock, tokens taken at once are the tokens that the exact test takes. */
Test(guard_source, tokens_taken_at_once_are_the_tokens_of_the_exact_test)
{
	uint64_t now = 5 * HOUR;
	uint32_t at_once = 0, passed = 0;
	struct guard_class class;
	struct guard_source source = {0};

	srand(2);
	for (int b = 0; b < GUARD_BUCKETS; b++)
		class.limits[b] =
			b % 4 == 3 ? (struct guard_limit){0} : guard_limit_of(1 + rand() % 100, 1 + rand() % 20);
	guard_take_over(&source, 0, 1, now);
	for (int i = 0; i < 100000; i++) {
		uint32_t bucket = rand() % GUARD_BUCKETS;
		struct guard_source exact = source, untouched = source;
		bool exactly, fast;

		now += rand() % (SECOND / 20);
		exactly = pass_exactly(&exact, &class, bucket, now);
		fast = guard_take_at_once(&source, &class, bucket, now);
		cr_assert(!fast || exactly, "packet %d", i);
		if (!fast)
			cr_assert_arr_eq(source.full, untouched.full, sizeof(source.full), "packet %d", i);
		for (int b = 0; fast && b < GUARD_BUCKETS; b++)
			cr_assert(!class.limits[b].interval || source.full[b] == exact.full[b], "packet %d", i);
		source = exact;
		at_once += fast;
		passed += exactly;
	}
	cr_expect(at_once > passed * 99 / 100 && passed < 90000, "%u of %u packets were admitted at once", at_once,
		passed);
}

/* A clock that is late by up to 20 ms: a source that is certainly over its limit is also over it by the exact test, and
 * a flood is nearly always certainly over. */
Test(guard_source, a_source_that_is_certainly_over_its_limit_is_over_it)
{
	const struct guard_class class = class_of(GUARD_BUCKET_INVITE, 10, 100);
	uint64_t now = 5 * HOUR;
	struct guard_source source = {0};
	uint32_t certain = 0, over = 0;

	srand(4);
	guard_take_over(&source, 0, 1, now);
	for (int i = 0; i < 100000; i++) {
		uint64_t late = rand() % (SECOND / 50);
		bool is_certain;

		now += rand() % (i % 5000 ? SECOND / 1000 : 8 * SECOND);
		is_certain = guard_is_certainly_over(&source, source.owner, &class, GUARD_BUCKET_INVITE, now - late);
		if (pass_exactly(&source, &class, GUARD_BUCKET_INVITE, now)) {
			cr_assert_not(is_certain, "packet %d", i);
			continue;
		}
		over++;
		certain += is_certain;
		cr_assert_not(guard_is_certainly_over(&source, source.owner + 1, &class, GUARD_BUCKET_INVITE, now));
	}
	cr_expect(over > 90000 && certain > over * 7 / 10, "%u of %u packets were certainly over", certain, over);
}

/* Whatever the times between packets: a source that respects its limit is never refused. */
Test(guard_source, a_conforming_source_is_never_refused)
{
	srand(1);
	for (int run = 0; run < 300; run++) {
		uint32_t rate = 1 + rand() % 3000, burst = 1 + rand() % 1000;
		struct guard_class class = class_of(GUARD_BUCKET_INVITE, rate, burst);
		struct guard_source source = {0};
		uint64_t now = (uint64_t)rand() << 12;
		double tokens = burst;

		guard_take_over(&source, 0, 1, now);
		for (int i = 0; i < 2000; i++) {
			/* From a nanosecond to days of silence. */
			uint64_t idle = (uint64_t)rand() >> (rand() % 31),
				 longer = rand() % 50 ? 0 : HOUR * (rand() % 80);

			now += idle + longer;
			tokens += (idle + longer) / 1e9 * rate;
			tokens = tokens > burst ? burst : tokens;
			if (tokens < 1)
				continue;
			tokens--;
			cr_assert(pass(&source, &class, GUARD_BUCKET_INVITE, now), "run %d, packet %d", run, i);
		}
	}
}

Test(guard_source, an_idle_source_is_not_refused_at_any_time)
{
	struct guard_class class = class_of(GUARD_BUCKET_PACKETS, 1, 1000);

	for (uint64_t idle = 0; idle < 3 * WRAP; idle += 17 * SECOND) {
		struct guard_source source = {0};
		uint64_t start = 11 * HOUR;

		guard_take_over(&source, 0, 1, start);
		for (int i = 0; i < 1100; i++)
			pass(&source, &class, GUARD_BUCKET_PACKETS, start);
		cr_assert_eq(pass(&source, &class, GUARD_BUCKET_PACKETS, start + SECOND + idle), true, "idle for %lu s",
			idle / SECOND);
	}
}

Test(guard_source, a_lower_limit_does_not_refuse_for_longer_than_it_asks)
{
	struct guard_class large = class_of(GUARD_BUCKET_PACKETS, 1, 1000),
			   small = class_of(GUARD_BUCKET_PACKETS, 10, 2);
	struct guard_source source = {0};

	guard_take_over(&source, 0, 1, SECOND);
	for (int i = 0; i < 1000; i++)
		pass(&source, &large, GUARD_BUCKET_PACKETS, SECOND);
	pass(&source, &small, GUARD_BUCKET_PACKETS, SECOND);
	cr_expect(pass(&source, &small, GUARD_BUCKET_PACKETS, SECOND + SECOND / 10 + 2000));
}

Test(guard_source, a_message_takes_tokens_of_all_its_buckets_or_of_none)
{
	struct guard_class class = {0};
	struct guard_source source = {0};
	struct guard_source before;

	class.limits[GUARD_BUCKET_PACKETS] = guard_limit_of(1, 9);
	class.limits[GUARD_BUCKET_INITIAL] = guard_limit_of(1, 5);
	class.limits[GUARD_BUCKET_INVITE] = guard_limit_of(1, 3);
	class.limits[GUARD_BUCKET_DIALOG] = guard_limit_of(1, 1);
	guard_take_over(&source, 0, 1, SECOND);
	for (int i = 0; i < 3; i++)
		cr_expect(pass(&source, &class, GUARD_BUCKET_INVITE, SECOND));
	before = source;
	cr_expect_not(pass(&source, &class, GUARD_BUCKET_INVITE, SECOND));
	cr_expect_arr_eq(&source, &before, sizeof(source));
	cr_expect_eq(guard_over(&source, &class, GUARD_BUCKET_INVITE, guard_ticks(SECOND)), 1 << GUARD_BUCKET_INVITE);
	for (int i = 0; i < 2; i++)
		cr_expect(pass(&source, &class, GUARD_BUCKET_REGISTER, SECOND));
	cr_expect_eq(
		guard_over(&source, &class, GUARD_BUCKET_REGISTER, guard_ticks(SECOND)), 1 << GUARD_BUCKET_INITIAL);
	for (int i = 0; i < 4; i++)
		cr_expect(pass(&source, &class, GUARD_BUCKET_NOT_SIP, SECOND));
	cr_expect_not(pass(&source, &class, GUARD_BUCKET_PACKETS, SECOND));
	cr_expect(pass(&source, &class, GUARD_BUCKET_DIALOG, SECOND), "calls need none of these tokens");
	cr_expect_not(pass(&source, &class, GUARD_BUCKET_DIALOG, SECOND));
}

Test(guard_source, the_most_specific_rule_is_named)
{
	for (uint32_t bucket = 0; bucket < GUARD_BUCKETS; bucket++)
		cr_expect_eq(guard_rule_of(guard_buckets(bucket), bucket), bucket);
	cr_expect_eq(guard_rule_of(1 << GUARD_BUCKET_INITIAL | 1 << GUARD_BUCKET_PACKETS, GUARD_BUCKET_INVITE),
		GUARD_BUCKET_INITIAL);
	cr_expect_eq(guard_rule_of(1 << GUARD_BUCKET_PACKETS, GUARD_BUCKET_INVITE), GUARD_BUCKET_PACKETS);
}

/* --- owners */

Test(guard_source, an_owner_has_its_list_and_its_generation)
{
	for (uint32_t list = 0; list < GUARD_LISTS; list++) {
		uint64_t owner = guard_owner(hash_of(list), 7, list);

		cr_expect_eq(guard_owner_list(owner), list);
		cr_expect(guard_owner_is_current(owner, hash_of(list), 7));
		cr_expect_not(guard_owner_is_current(owner, hash_of(list), 8));
		cr_expect_not(guard_owner_is(owner, hash_of(list + 1)));
	}
}

Test(guard_source, a_source_over_a_limit_keeps_its_element_for_a_second)
{
	struct guard_source source = {0};
	uint64_t now = 3 * HOUR, owner;

	owner = guard_take_over(&source, 0, guard_owner(hash_of(1), 1, 0), now);
	cr_expect(guard_is_free(&source, owner, now));
	source.refused = guard_ticks(now);
	cr_expect_not(guard_is_free(&source, owner, now + SECOND / 2));
	cr_expect(guard_is_free(&source, owner, now + SECOND + 2000));
	cr_expect_not(guard_is_free(&source, GUARD_OWNER_BUSY, now + HOUR));
}

Test(guard_source, a_new_owner_has_empty_buckets)
{
	struct guard_class class = class_of(GUARD_BUCKET_PACKETS, 1, 2);
	struct guard_source source = {0};
	uint64_t first, second;

	first = guard_take_over(&source, 0, guard_owner(hash_of(1), 1, 3), SECOND);
	while (pass(&source, &class, GUARD_BUCKET_PACKETS, SECOND))
		;
	second = guard_take_over(&source, first, guard_owner(hash_of(2), 1, 4), SECOND);
	cr_expect_neq(second, 0);
	cr_expect_eq(guard_owner_list(source.owner), 4);
	cr_expect(pass(&source, &class, GUARD_BUCKET_PACKETS, SECOND));
	cr_expect_eq(guard_take_over(&source, first, guard_owner(hash_of(3), 1, 5), SECOND), 0, "a stale word");
	cr_expect_eq(source.owner, second);
	cr_expect_neq(guard_take_over(&source, second, guard_owner(hash_of(1), 1, 3), SECOND), first,
		"a new sequence number");
}

Test(guard_source, a_renewed_list_keeps_the_buckets)
{
	struct guard_class class = class_of(GUARD_BUCKET_PACKETS, 1, 2);
	struct guard_source source = {0};
	uint64_t owner = guard_take_over(&source, 0, guard_owner(hash_of(1), 1, 3), SECOND) | GUARD_OWNER_HAS_SIP;

	source.owner = owner;
	while (pass(&source, &class, GUARD_BUCKET_PACKETS, SECOND))
		;
	owner = guard_renew(&source, owner, guard_owner(hash_of(1), 2, 5));
	cr_expect_neq(owner, 0);
	cr_expect_eq(guard_owner_list(owner), 5);
	cr_expect(owner & GUARD_OWNER_HAS_SIP);
	cr_expect_not(pass(&source, &class, GUARD_BUCKET_PACKETS, SECOND));
}

/* --- two CPUs */

#define SOURCES 3
#define DENIED 2 /* source 2 is on the denied list */
#define ROUNDS 400000

static struct guard_source shared;
static struct guard_class shared_class;

struct cpu {
	uint32_t seed;
	uint64_t denied[SOURCES], refused[SOURCES], certain[SOURCES], passed[SOURCES];
};

/* Source 0 sends one packet in a million ns, which its limit always allows; source 1 floods. Both use one element, with
 * a source whose list denies it. */
static void *run_cpu(void *data)
{
	struct cpu *cpu = data;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint32_t number = rand_r(&cpu->seed) % SOURCES, list = number == DENIED ? 7 : 0;
		uint64_t now = HOUR + i * 100, hash = hash_of(number), owner = guard_read(shared.owner);

		if (!guard_owner_is_current(owner, hash, 1)) {
			if (!guard_is_free(&shared, owner, now))
				continue;
			owner = guard_take_over(&shared, owner, guard_owner(hash, 1, list), now);
			if (!owner)
				continue;
		}
		if (guard_owner_list(owner) == 7) {
			cpu->denied[number]++;
			continue;
		}
		if (guard_is_certainly_over(
			    &shared, owner, &shared_class, number ? GUARD_BUCKET_INVITE : GUARD_BUCKET_OPTIONS, now)) {
			cpu->certain[number]++;
			continue;
		}
		if (guard_is_over(&shared, owner, &shared_class, number ? GUARD_BUCKET_INVITE : GUARD_BUCKET_OPTIONS,
			    guard_ticks(now))) {
			cpu->refused[number]++;
			continue;
		}
		guard_take(&shared, &shared_class, number ? GUARD_BUCKET_INVITE : GUARD_BUCKET_OPTIONS, ~0u,
			guard_ticks(now));
		cpu->passed[number]++;
	}
	return NULL;
}

Test(guard_source, the_list_of_one_source_never_judges_a_different_one)
{
	struct cpu cpus[2] = {{.seed = 1}, {.seed = 2}};
	pthread_t threads[2];

	shared_class.limits[GUARD_BUCKET_INVITE] = guard_limit_of(1000, 2);
	shared_class.limits[GUARD_BUCKET_OPTIONS] = guard_limit_of(1000000 / 1024, 1 << 20);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, run_cpu, &cpus[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(cpus[i].denied[0] + cpus[i].denied[1], 0);
		cr_expect_gt(cpus[i].denied[DENIED], 0);
		cr_expect_eq(cpus[i].refused[0] + cpus[i].certain[0], 0, "the flood of source 1 has refused source 0");
		cr_expect_gt(cpus[i].passed[0], 0);
	}
}

/* --- limits of a service */

Test(guard_source, a_service_takes_its_burst_and_then_its_rate)
{
	struct surge surge = {.interval = SECOND / 400, .window = 399 * (SECOND / 400)};
	uint32_t burst = 0, passed = 0;

	while (guard_surge_take(&surge, HOUR))
		burst++;
	cr_expect_eq(burst, 400);
	for (uint64_t at = 0; at < 10 * SECOND; at += SECOND / 3000)
		passed += guard_surge_take(&surge, HOUR + at);
	cr_expect(passed >= 3999 && passed <= 4001, "%u", passed);
}
