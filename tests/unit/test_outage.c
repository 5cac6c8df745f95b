// SPDX-License-Identifier: GPL-2.0
/* Outages and dead servers: measures how many slots with live calls move, and how soon a dead server is down.
 * test_outage_combined.c combines several failures. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "simulation.h"

static size_t all_of(size_t count)
{
	return count;
}
static size_t all_but_one_of(size_t count)
{
	return count - 1;
}
static size_t half_of(size_t count)
{
	return count / 2;
}
static size_t rack_of(size_t count)
{
	return count * 3 / 10;
}

static const struct {
	const char *name;
	size_t (*of)(size_t count);
} parts[] = {{"all", all_of}, {"all but one", all_but_one_of}, {"half", half_of}, {"a rack of 3 in 10", rack_of}};

static const size_t pools[] = {2, 4, 10, 50};
static const uint64_t times[] = {1, 3, 5, 8, 15, 40};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Returns the duration, ms, up to which an outage of `silent` servers moves no slots. */
static uint64_t harmless(size_t count, size_t silent)
{
	if (silent == count)
		return UINT64_MAX;
	if (silent == 1) /* it looks dead */
		return (simulation_probe.fall - 1) * simulation_probe.interval * 9 / 10;
	return 2 * health_detection(&simulation_probe) - 2 * simulation_probe.interval;
}

static uint32_t moved_by_outage(size_t count, size_t silent, uint64_t time, bool migrating, unsigned int seed)
{
	struct simulation s;
	char error[FARM_ERROR_SIZE];
	uint32_t moved;

	srand(seed);
	simulation_begin(&s, count, &simulation_probe, "");
	simulation_run(&s, 30000 + rand() % 2000);
	if (migrating) {
		farm_set_weight(s.world.farm, "proxies", "px0", 3, error);
		world_reconcile(&s.world, NULL);
		simulation_run(&s, 5000);
	}
	simulation_remember(&s);
	simulation_cut(&s, silent, time);
	moved = simulation_moved_while(&s, time + 30000, 0);
	for (size_t i = 0; i < count; i++)
		cr_expect_eq(simulation_pool(&s)->backends[i].record.state, STATE_UP,
			"outage of %zu of %zu servers for %lu ms: px%zu is %s", silent, count, time, i,
			farm_state_name(simulation_pool(&s)->backends[i].record.state));
	if (migrating && !moved)
		cr_expect(s.world.running->pools[0].migrating,
			"outage of %zu of %zu servers for %lu ms: the migration has ended", silent, count, time);
	simulation_end(&s);
	return moved;
}

/* With OUTAGE_TABLE set, prints the tables of docs/design/probes.md. */
static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (getenv("OUTAGE_TABLE"))
		vprintf(format, arguments);
	va_end(arguments);
}

static uint32_t most_moved(size_t count, size_t silent, uint64_t time)
{
	uint32_t most = 0;

	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		uint32_t moved = moved_by_outage(count, silent, time, seed % 2, seed);

		if (time <= harmless(count, silent))
			cr_expect_eq(moved, 0,
				"outage of %zu of %zu servers for %lu ms, seed %u: %u of 1024 slots moved", silent,
				count, time, seed, moved);
		most = moved > most ? moved : most;
	}
	return most;
}

Test(outage, network_faults_move_no_calls_within_the_limits)
{
	for (size_t p = 0; p < COUNT(pools); p++)
		for (size_t k = 0; k < COUNT(parts); k++) {
			size_t silent = parts[k].of(pools[p]);

			if (silent)
				say("\n| %zu | %s |", pools[p], parts[k].name);
			for (size_t t = 0; silent && t < COUNT(times); t++)
				say(" %.0f |", most_moved(pools[p], silent, times[t] * 1000) * 100 / 1024.0);
		}
	say("\n");
}

static uint64_t found_after(size_t count, size_t dead, const struct config_probe *probe, unsigned int seed)
{
	struct simulation s;
	uint64_t took;

	srand(seed);
	simulation_begin(&s, count, probe, "");
	simulation_run(&s, WARM + rand() % 2000);
	simulation_remember(&s);
	simulation_cut(&s, dead, UINT64_MAX);
	took = simulation_out_after(&s, dead, 4 * health_detection(probe));
	cr_expect_eq(simulation_moved_while(&s, 10000, dead), 0, "%zu of %zu die: others move", dead, count);
	simulation_end(&s);
	return took;
}

Test(outage, dead_servers_are_detected_in_time_and_other_calls_stay)
{
	for (size_t p = 0; p < COUNT(pools); p++)
		for (size_t k = 1; k < COUNT(parts); k++) {
			size_t count = pools[p], dead = parts[k].of(count);
			bool believed = (count - dead) * 10 >= count; /* min_alive: 10 */
			uint64_t due = (dead > 1 ? 2 : 1) * health_detection(&simulation_probe) + 100, most = 0;

			for (unsigned int seed = 1; dead && seed <= 2 * SEEDS; seed++) {
				uint64_t took = found_after(count, dead, &simulation_probe, seed);

				cr_expect(believed ? took && took <= due : !took,
					"%zu of %zu die, seed %u: out after %lu ms", dead, count, seed, took);
				most = took > most ? took : most;
			}
			if (dead)
				say("| %zu | %s | %.1f s |\n", count, parts[k].name, most / 1000.0);
		}
}

Test(outage, dead_servers_are_detected_in_time_with_other_settings)
{
	for (unsigned int seed = 1; seed <= 60; seed++) {
		struct config_probe probe = simulation_probe;
		size_t count, dead;
		uint64_t due, took;

		srand(seed);
		probe.fall = 1 + rand() % 5;
		probe.rise = 1 + rand() % 3;
		probe.interval = 500 + rand() % 3000;
		probe.timeout = 100 + rand() % (probe.interval - 100);
		count = 2 + rand() % 6;
		dead = 1 + rand() % (count - 1);
		due = (dead > 1 ? 2 : 1) * health_detection(&probe) + 200;
		took = found_after(count, dead, &probe, seed);
		cr_expect(took && took <= due,
			"%zu of %zu servers die: out after %lu ms, limit %lu ms (fall %u, interval %u ms, timeout %u "
			"ms)",
			dead, count, took, due, probe.fall, probe.interval, probe.timeout);
	}
}
