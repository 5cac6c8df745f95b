// SPDX-License-Identifier: GPL-2.0
/* Outages combined with restarts, packet loss, flapping networks, and a daemon that is stopped or busy. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "simulation.h"

/* A pool whose servers have all answered for some time. */
static void warm(struct simulation *s, size_t count, const char *more, unsigned int seed)
{
	srand(seed);
	simulation_begin(s, count, &simulation_probe, more);
	simulation_run(s, WARM);
	simulation_remember(s);
}

/* A restarted daemon knows only the contents of the maps. */
static void restart(struct simulation *s)
{
	s->world.listening = s->listening = simulation_listened(s);
	simulation_load(s, "", FARM_RESTART);
	for (size_t i = 0; i < s->count; i++) {
		const struct backend_record *record = &simulation_pool(s)->backends[i].record;

		health_begin(&s->servers[i].health, record->health, &record->latency);
		s->servers[i].began = 0;
	}
	desired_free(s->world.desired);
	s->world.desired = desired_new();
	world_reconcile(&s->world, NULL);
}

Test(outage_combined, a_restart_during_an_outage_takes_no_server_out)
{
	for (unsigned int seed = 1; seed <= SEEDS; seed++)
		for (size_t silent = 5; silent <= 10; silent += 5) {
			struct simulation s;

			warm(&s, 10, "", seed);
			simulation_cut(&s, silent, silent == 10 ? 40000 : 12000);
			cr_expect_eq(simulation_moved_while(&s, 7000, 0), 0);
			restart(&s);
			cr_expect_eq(simulation_moved_while(&s, 60000, 0), 0, "%zu of 10 were silent, seed %u", silent,
				seed);
			simulation_end(&s);
		}
}

Test(outage_combined, time_while_the_daemon_is_stopped_does_not_count)
{
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct simulation s;

		warm(&s, 10, "", seed);
		simulation_cut(&s, 5, 12000);
		simulation_run(&s, 8000);
		s.stopped = true;
		simulation_run(&s, 30000);
		s.stopped = false;
		cr_expect_eq(simulation_moved_while(&s, 30000, 0), 0, "seed %u", seed);
		simulation_end(&s);
	}
}

/* The limit of min_alive, and the recovery from it. */
Test(outage_combined, outages_beyond_min_alive_move_nothing)
{
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct simulation s;

		warm(&s, 10, "min_alive: 50", seed);
		simulation_cut(&s, 6, 60000);
		cr_expect_eq(simulation_moved_while(&s, 30000, 0), 0, "seed %u", seed);
		cr_expect(simulation_pool(&s)->fail_open);
		cr_expect_eq(simulation_moved_while(&s, 60000, 0), 0, "during the recovery, seed %u", seed);
		cr_expect_not(simulation_pool(&s)->fail_open);
		simulation_end(&s);
	}
}

/* Every second probe of all servers is lost. */
Test(outage_combined, packet_loss_is_not_death)
{
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct simulation s;

		warm(&s, 10, "", seed);
		for (size_t i = 0; i < 10; i++)
			s.servers[i].loss = 50;
		cr_expect_eq(simulation_moved_while(&s, 300000, 0), 0, "seed %u", seed);
		simulation_end(&s);
	}
}

/* A flapping port: servers answer only at times. */
Test(outage_combined, a_flapping_network_moves_nothing)
{
	for (unsigned int seed = 1; seed <= SEEDS; seed++)
		for (size_t silent = 5; silent <= 10; silent += 5) {
			struct simulation s;

			warm(&s, 10, "", seed);
			for (int times = 0; times < 10; times++) {
				simulation_cut(&s, silent, 8000);
				cr_expect_eq(
					simulation_moved_while(&s, 11000, 0), 0, "%zu of 10, seed %u", silent, seed);
			}
			simulation_end(&s);
		}
}

/* In every failure, responding servers keep their calls, and dead servers are marked as down in time. */
Test(outage_combined, no_fault_moves_calls_of_a_responding_server)
{
	for (unsigned int seed = 1; seed <= 40; seed++) {
		struct simulation s;
		size_t silent;

		srand(seed);
		simulation_begin(&s, 2 + rand() % 15, &simulation_probe, "");
		silent = 1 + rand() % (s.count - 1);
		simulation_run(&s, WARM);
		simulation_remember(&s);
		for (int event = 0; event < 4; event++) {
			for (size_t i = 0; i < silent; i++) {
				s.servers[i].from = s.world.now + rand() % 8000;
				s.servers[i].to = s.servers[i].from + rand() % 30000;
			}
			cr_expect_eq(simulation_moved_while(&s, 25000, silent), 0, "%zu of %zu, seed %u", silent,
				s.count, seed);
			if (rand() % 3 == 0)
				restart(&s);
		}
		simulation_end(&s);
	}
}

/* --- A daemon that is stopped or busy at any moment */

/* Stops the daemon after some time, and later resumes it. */
static uint32_t moved_over_a_pause(struct simulation *s, uint64_t before, uint64_t pause, uint64_t after, size_t dead)
{
	uint32_t moved = simulation_moved_while(s, before, dead);

	s->stopped = true;
	moved += simulation_moved_while(s, pause, dead);
	s->stopped = false;
	return moved + simulation_moved_while(s, after, dead);
}

/* Servers that joined by themselves and send heartbeats. */
static void join(struct simulation *s)
{
	s->world.farm->config->join.node_timeout = NODE_TIMEOUT;
	for (size_t i = 0; i < s->count; i++) {
		simulation_pool(s)->backends[i].record.overrides |= OVERRIDE_JOINED;
		s->servers[i].beat = s->world.now + rand() % HEARTBEAT;
		s->servers[i].heard = simulation_listened(s);
	}
}

Test(outage_combined, an_outage_that_ends_near_a_pause_takes_no_live_server_out)
{
	static const struct config_probe quick = {
		.type = PROBE_OPTIONS, .interval = 500, .timeout = 400, .fall = 3, .rise = 2};

	for (unsigned int seed = 1; seed <= 400; seed++) {
		const struct config_probe *probe = seed % 2 ? &quick : &simulation_probe;
		uint64_t outage, pause, before;
		struct simulation s;
		uint32_t moved;

		srand(seed);
		simulation_begin(&s, 2 + rand() % 8, probe, "");
		if (seed % 4 < 2)
			join(&s);
		simulation_run(&s, WARM + rand() % 2000);
		simulation_remember(&s);
		outage = 1000 + rand() % 8000;
		pause = 200 + rand() % 2800;
		before = outage - (outage < pause ? outage : pause) + rand() % (2 * pause);
		simulation_cut(&s, s.count, outage);
		moved = moved_over_a_pause(&s, before, pause, 20000, 0);
		cr_expect_eq(moved, 0, "seed %u: out of sight for %lu ms, stopped for %lu after %lu: %u slots moved",
			seed, outage, pause, before, moved);
		simulation_end(&s);
	}
}

Test(outage_combined, pauses_hide_no_dead_server_and_take_no_live_server_out)
{
	for (unsigned int seed = 1; seed <= 200; seed++) {
		struct simulation s;
		uint64_t begin_of, took, due, paused = 0;
		size_t dead;

		srand(seed);
		simulation_begin(&s, 4 + rand() % 7, &simulation_probe, "");
		dead = seed % 2 ? 1 : 2 + rand() % (s.count / 2 - 1);
		simulation_run(&s, WARM + rand() % 2000);
		simulation_remember(&s);
		simulation_cut(&s, dead, UINT64_MAX);
		begin_of = s.world.now;
		for (int pauses = 0; pauses < 2; pauses++) {
			uint64_t pause = 200 + rand() % 2800;

			cr_expect_eq(moved_over_a_pause(&s, rand() % 3000, pause, 0, dead), 0, "seed %u", seed);
			paused += pause;
		}
		simulation_out_after(&s, dead, 40000);
		took = s.world.now - begin_of;
		due = (dead > 1 ? 2 : 1) * health_detection(&simulation_probe) + paused + 200;
		cr_expect(took <= due, "%zu of %zu die, seed %u: out after %lu ms, %lu are due", dead, s.count, seed,
			took, due);
		cr_expect_eq(simulation_moved_while(&s, 10000, dead), 0, "seed %u: others move", seed);
		simulation_end(&s);
	}
}
