// SPDX-License-Identifier: GPL-2.0
/* Passive health: which backends go down because of their responses. A row has a line for each backend, with the
 * responses of each second. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/health/passive.h"

#define MOST 10

static const struct config_passive config = {.is_set = true, .fall = 3, .window = 10000, .share = 50};

/* A pool, and the part of the kernel that counts responses. */
struct servers {
	size_t count;
	struct passive_member members[MOST];
	struct passive_history histories[MOST];
	struct passive_totals totals[MOST];
	unsigned int min_alive;
	uint64_t now;
	unsigned int down_at[MOST]; /* the second in which the backend went down, from 1; 0: never */
};

static void begin(struct servers *pool, size_t count)
{
	*pool = (struct servers){.count = count, .min_alive = 10, .now = 1000};
	for (size_t i = 0; i < count; i++) {
		pool->members[i] = (struct passive_member){
			&pool->histories[i], PASSIVE_SERVES, PASSIVE_NONE, PASSIVE_INVITE, false};
		passive_sample(&pool->histories[i], &pool->totals[i], &config, pool->now);
	}
}

/* A response to an INVITE: '.' success, 'x' failure; to a REGISTER: 'o' success, 'X' failure. 'i': an INVITE, 'p': a
 * provisional response to it. */
static void respond(struct servers *pool, size_t i, char response)
{
	struct passive_totals *totals = &pool->totals[i];
	enum passive_method method = strchr("oX", response) ? PASSIVE_REGISTER : PASSIVE_INVITE;
	bool failed = response == 'x' || response == 'X';

	totals->invites += response == 'i';
	totals->responses += response == 'p' || response == '.' || response == 'x';
	if (response == 'i' || response == 'p')
		return;
	totals->state.of[method].finals++;
	totals->state.of[method].failures += failed;
	totals->state.of[method].run = failed ? totals->state.of[method].run + 1 : 0;
}

static void end_second(struct servers *pool)
{
	pool->now += 1000;
	for (size_t i = 0; i < pool->count; i++)
		passive_sample(&pool->histories[i], &pool->totals[i], &config, pool->now);
	passive_decide(pool->members, pool->count, &config, pool->min_alive, pool->now);
	for (size_t i = 0; i < pool->count; i++) {
		if (!pool->members[i].fails_alone)
			continue;
		pool->members[i].role = PASSIVE_DOWN;
		if (!pool->down_at[i])
			pool->down_at[i] = pool->now / 1000 - 1;
	}
}

/* Plays lines with the responses of each backend; a space ends a second. */
static void play(struct servers *pool, const char *const lines[])
{
	const char *at[MOST];
	bool more = true;

	for (size_t i = 0; i < pool->count; i++)
		at[i] = lines[i];
	while (more) {
		more = false;
		for (size_t i = 0; i < pool->count; i++) {
			for (; *at[i] && *at[i] != ' '; at[i]++)
				if (*at[i] != '-' && pool->members[i].role == PASSIVE_SERVES)
					respond(pool, i, *at[i]);
			at[i] += *at[i] == ' ';
			more |= *at[i] != '\0';
		}
		end_second(pool);
	}
}

struct row {
	const char *name;
	const char *lines[4];
	unsigned int down_at[4];
};

static void check(const struct row *rows, size_t count)
{
	for (size_t r = 0; r < count; r++) {
		size_t n = 0;
		struct servers pool;

		while (n < 4 && rows[r].lines[n])
			n++;
		begin(&pool, n);
		play(&pool, rows[r].lines);
		for (size_t i = 0; i < n; i++)
			cr_expect_eq(pool.down_at[i], rows[r].down_at[i], "%s: backend %zu went down at %u, not %u",
				rows[r].name, i, pool.down_at[i], rows[r].down_at[i]);
	}
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof(*(rows)))

Test(passive, failures_in_a_row)
{
	static const struct row rows[] = {
		{"no failure", {". . . .", ". . . ."}, {0, 0}},
		{"three in a row, and the other works afterwards", {". xxx x x", ". . . ."}, {3, 0}},
		{"three in a row over several seconds", {". x x x x", ". . . . ."}, {5, 0}},
		{"two in a row", {". xx - - -", ". . . . ."}, {0, 0}},
		{"a success between two failures", {". x.x - .x", ". . . . ."}, {0, 0}},
		{"a success after three failures", {". xxx. . . .", ". . . . . ."}, {0, 0}},
		{"one 503 of a server with few calls", {"- - x - - - - - - -", ". . . . . . . . . ."}, {0, 0}},
		{"three failures of a server with few calls, 11 s apart",
			{"x - - - - - - - - - - x - - - - - - - - - - x -",
				". . . . . . . . . . . . . . . . . . . . . . . ."},
			{24, 0}},
		{"the other server has no calls", {". xxx x x x", ". - - - -"}, {0, 0}},
		{"the other server has its next call later", {". xxx x x x x", ". - - . - -"}, {4, 0}},
	};

	CHECK(rows);
}

#define OK20 "...................."
#define BAD20 "xx.xx.xx.xx.xx.xx.xx"

Test(passive, share_of_a_window)
{
	static const struct row rows[] = {
		{"60 % of 10 responses", {"xx.x.x.x.x x. x.", "... ... ..."}, {2, 0}},
		{"9 responses are too few", {"xx.x.x.x. - -", "... ... ..."}, {0, 0}},
		{"40 %", {"x.x..x.x.. x.x..x.x.. x.x..x.x.. x.x..x.x..", "... ... ... ..."}, {0, 0}},
		{"failures leave the window",
			{"x.x.x.x.x - - - - - - - - - - - x. -", ". . . . . . . . . . . . . . . . . ."}, {0, 0}},
		{"20 s of success do not outweigh the last 10 s",
			{OK20 " " OK20 " " OK20 " - - - - - - - - - - " BAD20 " " BAD20 " -",
				". . . . . . . . . . . . . . . ."},
			{15, 0}},
	};

	CHECK(rows);
}

Test(passive, methods_are_judged_separately)
{
	static const struct row rows[] = {
		{"INVITEs fail, and REGISTERs between them do not", {"o. oxoxox oxo oxo", "o. o.o. o.o. o.o."}, {3, 0}},
		{"REGISTERs fail", {". .X.X.X .X .X", "o .o .o .o .o"}, {3, 0}},
		{"nothing shows that the other works", {". .X.X.X .X .X", "o . . . ."}, {0, 0}},
		{"each fails for one method", {". xxx x x x", "o XXX X X X"}, {0, 0}},
		{"few INVITEs fail between many REGISTERs",
			{"x.xoooooooooo x.xoooooooooo xx.x.x ooo ooo", ".oo .oo .oo .oo .oo"}, {4, 0}},
	};

	CHECK(rows);
}

#define SECONDS10(text) text text text text text text text text text text
#define SECONDS33(text) SECONDS10(text) SECONDS10(text) SECONDS10(text) text text text

Test(passive, unanswered_invites)
{
	static const struct row rows[] = {
		{"no response for 32 s", {SECONDS33("ii ") "i - -", SECONDS33(". ") ". . ."}, {34, 0}},
		{"an INVITE of one call, with its repetitions",
			{"i i i - i - - - i - - - i - - - i " SECONDS33("- "), SECONDS33(". ") ". . ."}, {0, 0}},
		{"a provisional response after 20 s",
			{SECONDS10("ii ") SECONDS10("ii ") "p " SECONDS10("ii "), SECONDS33(". ")}, {0, 0}},
		{"few calls", {SECONDS10("iiiiiii - - - - - "), SECONDS33(". ") SECONDS33(". ")}, {34, 0}},
		{"both", {SECONDS33("ii ") "i - -", SECONDS33("ii ") "i - -"}, {0, 0}},
	};

	CHECK(rows);
}

/* If the cause is common to all backends, such as a database behind them, none goes down. */
Test(passive, failures_together)
{
	static const struct row rows[] = {
		{"both in the same second", {". xxx x x x x", ". xxx x x x x"}, {0, 0}},
		{"one second apart", {". xxx x x x x", ". . xxx x x x"}, {0, 0}},
		{"few calls: three seconds apart", {". xxx x - x - x", ". - - x x x - x"}, {0, 0}},
		{"three of four", {". xxx x x x x", ". xxx x x x x", ". xxx x x x x", ". . . . . ."}, {0, 0, 0, 0}},
		{"two of four", {". xxx x x x x", ". xxx x x x x", ". . . . . .", ". . . . . ."}, {3, 3, 0, 0}},
		{"two of four, one second apart", {". xxx x x x x", ". . xxx x x x", ". . . . . .", ". . . . . ."},
			{4, 5, 0, 0}},
		{"a gateway behind all of them: half of the responses fail everywhere",
			{"x.x.x.x.x.x. x.x.x.x.x.xxx x.x.x.x.x.x. x.x.x.",
				"x.x.x.x.x.x. x.x.x.x.x.x. x.x.x.x.x.x. x.x.x."},
			{0, 0}},
		{"a third of the responses fail everywhere, and one server has three in a row",
			{"x..x..x..x.. x..x..x..xxx - - -", "x..x..x..x.. x..x..x..x.. x..x.. x.. x.."}, {0, 0}},
		{"only server", {". xxx x x x x x"}, {0}},
	};

	CHECK(rows);
}

Test(passive, min_alive)
{
	static const char *const lines[] = {". xxx x x x x", ". xxx x x x x", ". . . . . .", ". . . . . ."};
	struct servers pool;

	begin(&pool, 4);
	pool.min_alive = 75;
	play(&pool, lines);
	cr_expect_eq(pool.down_at[0], 3);
	cr_expect_eq(pool.down_at[1], 0, "three of four must stay");
	cr_expect(passive_is_tolerated(&pool.members[1], &config, pool.now + 10000));
	cr_expect_not(passive_is_tolerated(&pool.members[1], &config, pool.now), "not yet for a whole window");
	begin(&pool, 4);
	pool.min_alive = 100;
	play(&pool, lines);
	cr_expect_eq(pool.down_at[0], 0);
}

Test(passive, a_standby_takes_the_calls_of_the_only_primary)
{
	static const char *const lines[] = {". xxx x x", "- - - -"};
	struct servers pool;

	begin(&pool, 2);
	pool.members[1].role = PASSIVE_STANDBY;
	play(&pool, lines);
	cr_expect_eq(pool.down_at[0], 2);
}

Test(passive, backends_that_are_not_observed)
{
	static const char *const lines[] = {". xxx x x x", ". . . . ."};
	struct servers pool;

	begin(&pool, 2);
	pool.members[1].history = NULL;
	play(&pool, lines);
	cr_expect_eq(pool.down_at[0], 0, "nothing shows that the other works");
	begin(&pool, 2);
	pool.members[0].role = PASSIVE_ABSENT;
	play(&pool, lines);
	cr_expect_eq(pool.members[0].cause, PASSIVE_NONE, "its operator decides");
}

Test(passive, new_counters_begin_a_new_history)
{
	static const char *const bad[] = {". xx", ". ."}, *const after[] = {"x x x", ". . ."};
	struct servers pool;

	begin(&pool, 2);
	play(&pool, bad);
	pool.totals[0] = (struct passive_totals){0};
	play(&pool, after);
	cr_expect_eq(pool.histories[0].of[PASSIVE_INVITE].failures, 2,
		"the window begins with the first sample of the new counters");
	cr_expect_not(pool.histories[0].of[PASSIVE_INVITE].worked);
}

/* After its return, a backend is judged by its new responses only. */
Test(passive, a_backend_returns_without_its_history)
{
	static const char *const bad[] = {". xxx x", ". . ."}, *const good[] = {"- . x", ". . ."};
	struct servers pool;

	begin(&pool, 2);
	play(&pool, bad);
	cr_assert_eq(pool.members[0].role, PASSIVE_DOWN);
	end_second(&pool);
	pool.members[0].role = PASSIVE_SERVES;
	play(&pool, good);
	cr_expect_eq(pool.members[0].cause, PASSIVE_NONE);
	cr_expect_eq(pool.members[0].role, PASSIVE_SERVES);
}

Test(passive, hold_time)
{
	struct config_passive slow = {.window = 60000}, fast = {.window = 1500};

	cr_expect_eq(passive_hold(&config, PASSIVE_RUN, 1), 10);
	cr_expect_eq(passive_hold(&config, PASSIVE_RUN, 2), 20);
	cr_expect_eq(passive_hold(&config, PASSIVE_SHARE, 5), 160);
	cr_expect_eq(passive_hold(&config, PASSIVE_SHARE, 6), 300);
	cr_expect_eq(passive_hold(&config, PASSIVE_RUN, 255), 300);
	cr_expect_eq(passive_hold(&config, PASSIVE_UNANSWERED, 1), 32);
	cr_expect_eq(passive_hold(&config, PASSIVE_UNANSWERED, 2), 64);
	cr_expect_eq(passive_hold(&slow, PASSIVE_UNANSWERED, 1), 60);
	cr_expect_eq(passive_hold(&fast, PASSIVE_RUN, 1), 2, "rounded up to whole seconds");
}

Test(passive, texts)
{
	static const char *const run[] = {". xxx", ". ."}, *const share[] = {"xx.xx.xx.xx.", "."};
	char text[PASSIVE_TEXT_SIZE];
	struct servers pool;

	begin(&pool, 2);
	play(&pool, run);
	cr_expect_str_eq(passive_text(&pool.members[0], &config, text), "3 responses to INVITE in a row failed");
	begin(&pool, 2);
	play(&pool, share);
	cr_expect_str_eq(
		passive_text(&pool.members[0], &config, text), "8 of 12 responses to INVITE failed within 10 s");
	cr_expect_str_eq(passive_cause_name(PASSIVE_UNANSWERED), "unanswered");
}

/* Random responses of random pools: whatever happens, the rules hold. */
Test(passive, properties)
{
	for (unsigned int seed = 1; seed <= 300; seed++) {
		size_t count = 1 + seed % MOST;
		unsigned int quality[MOST], calls[MOST];
		struct servers pool;

		srand(seed);
		begin(&pool, count);
		pool.min_alive = seed % 4 * 25;
		for (int second = 0; second < 120; second++) {
			size_t serving = 0;

			for (size_t i = 0; i < count; i++) {
				if (second % 20 == 0) {
					quality[i] = rand() % 3 * 50;
					calls[i] = rand() % 12;
				}
				for (unsigned int call = 0; call < calls[i]; call++)
					if (pool.members[i].role == PASSIVE_SERVES)
						respond(&pool, i, (unsigned int)rand() % 100 < quality[i] ? 'x' : '.');
			}
			end_second(&pool);
			for (size_t i = 0; i < count; i++)
				serving += pool.members[i].role == PASSIVE_SERVES;
			cr_assert(serving, "seed %u: the last backend went down", seed);
			cr_assert_geq(serving * 100, count * pool.min_alive, "seed %u: min_alive", seed);
			if (rand() % 10)
				continue;
			for (size_t i = 0; i < count; i++)
				pool.members[i].role = PASSIVE_SERVES;
		}
	}
}

Test(passive, no_backend_of_random_pools_goes_down_if_all_fail)
{
	for (unsigned int seed = 1; seed <= 300; seed++) {
		size_t count = 2 + seed % (MOST - 1);
		unsigned int calls[MOST];
		struct servers pool;

		srand(seed);
		begin(&pool, count);
		for (size_t i = 0; i < count; i++)
			calls[i] = 1 + rand() % 30;
		for (int second = 0; second < 60; second++) {
			for (size_t i = 0; i < count; i++)
				for (unsigned int call = rand() % calls[i] + 1; call; call--)
					respond(&pool, i, second >= 20 ? 'x' : '.');
			end_second(&pool);
		}
		for (size_t i = 0; i < count; i++)
			cr_assert_eq(pool.down_at[i], 0, "seed %u: backend %zu of %zu", seed, i, count);
	}
}

/* Two servers respond to 10 and 40 INVITEs a second. After `quiet` seconds, the first one leaves `sample` sampled
 * INVITEs unanswered, one a second. Returns the second in which it goes down, from the first of these INVITEs; 0: it
 * does not.
 */
static unsigned int lose(unsigned int quiet, unsigned int sample)
{
	struct servers pool;

	begin(&pool, 2);
	for (unsigned int second = 0; second < quiet + sample + 5; second++) {
		for (int i = 0; i < 10; i++)
			respond(&pool, 0, '.');
		for (int i = 0; i < 40; i++)
			respond(&pool, 1, '.');
		pool.totals[0].unanswered += second >= quiet && second < quiet + sample;
		end_second(&pool);
	}
	cr_expect_eq(pool.down_at[1], 0);
	return pool.down_at[0] ? pool.down_at[0] - quiet : 0;
}

Test(passive, unanswered_invites_are_part_of_the_share)
{
	cr_expect_eq(lose(40, 7), 0, "seven of a sample: at least 64 of 164");
	cr_expect_eq(lose(40, 10), 9, "eight of a sample: at least 128 of 228");
	cr_expect_eq(lose(10, 10), 0, "the server may have received them before this history");
}

/* All servers drop the INVITEs of a scanner without a response, and each server receives the same number of them. The
 * numbers in the sample differ by chance. */
Test(passive, no_backend_goes_down_because_of_chance_in_the_sample)
{
	for (unsigned int seed = 1; seed <= 60; seed++) {
		unsigned int scans; /* a second */
		struct servers pool;

		srand(seed);
		scans = 1 + rand() % 60;
		begin(&pool, 2 + seed % 4);
		for (int second = 0; second < 300; second++) {
			for (size_t i = 0; i < pool.count; i++) {
				respond(&pool, i, '.');
				for (unsigned int scan = 0; scan < scans; scan++)
					pool.totals[i].unanswered += rand() % CALL_SAMPLE == 0;
			}
			end_second(&pool);
		}
		for (size_t i = 0; i < pool.count; i++)
			cr_expect_eq(pool.down_at[i], 0, "seed %u, %u scans: backend %zu of %zu went down at %u", seed,
				scans, i, pool.count, pool.down_at[i]);
	}
}

Test(passive, the_text_names_unanswered_invites)
{
	struct passive_history history = {.of[PASSIVE_INVITE] = {.finals = 292, .failures = 192, .lost = 192}};
	struct passive_member member = {.history = &history, .cause = PASSIVE_SHARE, .method = PASSIVE_INVITE};
	char text[PASSIVE_TEXT_SIZE];

	cr_expect_str_eq(passive_text(&member, &config, text),
		"at least 192 of 292 INVITE requests failed or had no response within 10 s");
}

/* --- the decision of a group */

#define CANDIDATES 8

static size_t count_at(const struct passive_candidate *list, size_t count, unsigned int priority, bool before)
{
	size_t up = 0;

	for (size_t i = 0; i < count; i++)
		up += list[i].priority == priority && list[i].up && (before || !list[i].goes_down);
	return up;
}

static size_t count_all(const struct passive_candidate *list, size_t count, unsigned int priority)
{
	size_t all = 0;

	for (size_t i = 0; i < count; i++)
		all += list[i].priority == priority;
	return all;
}

static void check_agreed(const struct passive_candidate *list, size_t count, unsigned int min_alive)
{
	for (size_t i = 0; i < count; i++) {
		size_t left = count_at(list, count, list[i].priority, false);
		size_t healthy = 0;

		cr_assert(!list[i].goes_down || (list[i].up && list[i].fails));
		for (size_t j = 0; j < count; j++)
			healthy += list[j].up && !list[j].goes_down && list[j].priority >= list[i].priority;
		cr_assert(!list[i].goes_down || healthy, "the last one stays");
		if (list[i].goes_down && left)
			cr_assert_geq(left * 100, count_all(list, count, list[i].priority) * min_alive);
	}
}

/* The balancers know the same votes, and may have the backends in a different order. */
Test(passive, a_group_keeps_min_alive_and_decides_the_same_everywhere)
{
	size_t down = 0, kept = 0;

	for (unsigned int seed = 0; seed < 20000; seed++) {
		struct passive_candidate list[CANDIDATES], other[CANDIDATES];
		unsigned int min_alive;
		size_t count;

		srand(seed);
		min_alive = rand() % 101;
		count = 1 + rand() % CANDIDATES;
		for (size_t i = 0; i < count; i++) {
			list[i] = (struct passive_candidate){.index = i,
				.priority = 1 + rand() % 2,
				.key = rand(),
				.up = rand() % 4,
				.fails = rand() % 2};
			other[count - 1 - i] = list[i];
		}
		passive_agree(list, count, min_alive);
		passive_agree(other, count, min_alive);
		for (size_t i = 0; i < count; i++) {
			cr_assert_eq(list[i].key, other[i].key);
			cr_assert_eq(list[i].goes_down, other[i].goes_down, "seed %u", seed);
			down += list[i].goes_down;
			kept += list[i].up && list[i].fails && !list[i].goes_down;
		}
		check_agreed(list, count, min_alive);
	}
	cr_expect_gt(down, 1000);
	cr_expect_gt(kept, 1000);
}

Test(passive, a_group_of_backends)
{
	static const struct {
		const char *backends; /* u up, f fails, d down; after '/': of the next priority */
		unsigned int min_alive;
		const char *result; /* x goes down */
	} rows[] = {
		{"fuu", 50, "x--"},
		{"ffu", 50, "x--"},
		{"ffu", 30, "xx-"},
		{"fff", 0, "xx-"},
		{"f", 0, "-"},
		{"fd", 0, "--"},
		{"fud", 50, "---"},
		{"f/u", 50, "x-"},
		{"f/f", 50, "--"},
		{"fu/f", 50, "x--"},
		{"u/fu", 50, "-x-"},
	};

	for (size_t row = 0; row < sizeof(rows) / sizeof(*rows); row++) {
		struct passive_candidate list[CANDIDATES];
		unsigned int priority = 1;
		size_t count = 0;

		for (const char *backend = rows[row].backends; *backend; backend++) {
			if (*backend == '/') {
				priority++;
				continue;
			}
			list[count] = (struct passive_candidate){
				.priority = priority, .key = count, .up = *backend != 'd', .fails = *backend == 'f'};
			count++;
		}
		passive_agree(list, count, rows[row].min_alive);
		for (size_t i = 0; i < count; i++)
			cr_expect_eq(list[i].goes_down, rows[row].result[i] == 'x', "%s %u: %zu", rows[row].backends,
				rows[row].min_alive, i);
	}
}
