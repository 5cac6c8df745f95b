// SPDX-License-Identifier: GPL-2.0
/* Simulates servers that die and networks that fail, with a clock of its own. Probe results, judgement, tables
 * and plans are real; there are no packets. Measures for each fault how many slots with live calls move, and
 * when a dead server is down. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/health/health.h"
#include "core/health/listening.h"
#include "world.h"

#define MOST 50
#define STEP 20   /* ms of the clock */
#define TICK 1000 /* the longest time between two judgements */
#define WARM 10000
#define SEEDS 4

static const struct contract contract = {
	.version = ABI_VERSION, .slots = 1024, .pools = 4, .services = 8, .backends = 64, .tracked_calls = 1024};

static const struct config_probe defaults = {
	.type = PROBE_OPTIONS, .interval = 2000, .timeout = 1000, .fall = 3, .rise = 2};

/* One server, as its prober sees it. */
struct server {
	struct health_state health;
	uint64_t next;     /* start of the next probe */
	uint64_t began;    /* start of the probe in progress; 0: none */
	uint64_t listened; /* the same by the clock of the judgement */
	uint64_t rtt;
	bool sees;         /* the probe in progress has not been lost yet */
	uint64_t beat;     /* time of the next heartbeat; 0: it sends none */
	bool unread;       /* a heartbeat waits to be read */
	uint64_t heard;    /* when a heartbeat was read last */
	uint64_t from, to; /* the period in which it is unreachable */
	unsigned int loss; /* percentage of lost probes */
};

struct simulation {
	struct world world;
	struct config_probe probe;
	size_t count;
	struct server servers[MOST];
	uint16_t before[1024]; /* the server with the calls of each slot */
	uint64_t start, looked;
	bool stopped; /* the daemon is stopped */
	struct listening clock;
	uint64_t listening;
	uint64_t excused; /* until then heartbeats could not be received */
};

#define HEARTBEAT 1000
#define NODE_TIMEOUT 5000

/* The clock of the judgement. */
static uint64_t listened(const struct simulation *s)
{
	return listening_now(&s->clock, s->world.now);
}

/* --- The pool */

static void load(struct simulation *s, const char *more, enum farm_origin origin)
{
	char text[8192];
	int length = snprintf(text, sizeof(text),
		"interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n"
		"limits: {slots: 1024, pools: 4, services: 8, backends: 64}\n" SERVICE
		"pools: [{name: proxies, record_time: 10s, drain_timeout: 1h, %s%s"
		"probe: {type: options, interval: %ums, timeout: %ums, fall: %u, rise: %u}, backends: [",
		more, *more ? ", " : "", s->probe.interval, s->probe.timeout, s->probe.fall, s->probe.rise);

	for (size_t i = 0; i < s->count; i++)
		length +=
			snprintf(text + length, sizeof(text) - length, "{name: px%zu, address: 10.0.0.%zu},", i, i + 1);
	snprintf(text + length, sizeof(text) - length, "]}]\n");
	world_load(&s->world, text, origin);
	world_set_routes(&s->world, ROUTE_READY);
}

static struct farm_pool *pool(struct simulation *s)
{
	return &s->world.farm->pools[0];
}

static void begin(struct simulation *s, size_t count, const struct config_probe *probe, const char *more)
{
	*s = (struct simulation){.count = count, .probe = *probe};
	s->world = (struct world){.running = image_new(&contract), .desired = desired_new(), .now = 3600000};
	s->clock = listening_begin(s->world.now);
	load(s, more, FARM_RELOAD);
	for (size_t i = 0; i < count; i++) {
		health_begin(&s->servers[i].health, HEALTH_UNKNOWN, &(struct latency){0});
		s->servers[i].next = s->world.now + rand() % probe->interval;
	}
	world_reconcile(&s->world, NULL);
}

static void end(struct simulation *s)
{
	world_end(&s->world);
}

/* --- Time */

static bool reaches(const struct server *server, uint64_t now)
{
	return now < server->from || now >= server->to;
}

/* A heartbeat also arrives while the daemon is stopped, and is read later. */
static void send_heartbeat(struct simulation *s, struct server *server)
{
	if (!server->beat || s->world.now < server->beat)
		return;
	server->unread |= reaches(server, s->world.now);
	server->beat = s->world.now + HEARTBEAT;
}

/* A response also arrives then, and counts at its arrival. Returns whether a probe has ended. */
static bool run_server(struct simulation *s, struct server *server)
{
	uint64_t now = s->world.now;

	if (server->unread)
		server->heard = listened(s);
	server->unread = false;
	if (!server->began && now >= server->next) {
		server->began = now;
		server->listened = listened(s);
		server->rtt = 1 + rand() % 40;
		server->sees = (unsigned int)rand() % 100 >= server->loss && reaches(server, now);
		server->next = now + health_pause(&s->probe, rand()) / 1000;
	}
	if (server->began && server->sees && now >= server->began + server->rtt &&
		reaches(server, server->began + server->rtt)) {
		health_pass(&server->health, &s->probe, server->listened, 1000);
		server->began = 0;
		return true;
	}
	if (server->began && listened(s) >= server->listened + s->probe.timeout) {
		health_fail(&server->health, &s->probe, server->listened, "no answer");
		server->began = 0;
		return true;
	}
	return false;
}

/* As in join.c: silence is excused while no server answers. */
static void look_at_heartbeats(struct simulation *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct farm_backend *backend = &pool(s)->backends[i];

		if (!s->servers[i].beat)
			continue;
		backend->silent_ms = listened(s) - s->servers[i].heard;
		if (pool(s)->outage.view == OUTAGE_BLIND)
			s->excused = listened(s);
		backend->silent = backend->silent_ms >= NODE_TIMEOUT && listened(s) - s->excused >= NODE_TIMEOUT;
	}
}

/* The daemon's judgement. */
static void look(struct simulation *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct health_state *health = &s->servers[i].health;
		const struct evidence evidence = health_evidence(health, &s->probe);

		farm_set_probed(&pool(s)->backends[i], health->health, &evidence, &(struct latency){0}, health->reason);
	}
	look_at_heartbeats(s);
	s->world.listening = s->listening;
	s->world.paused = s->world.now - listened(s);
	s->looked = s->world.now;
	for (size_t i = 0; i < s->count; i++)
		if (pool(s)->backends[i].judged.wanted)
			s->servers[i].next = s->world.now;
	if (world_update_states(&s->world) || desired_next(s->world.desired) <= s->world.now)
		world_reconcile(&s->world, NULL);
}

static void run(struct simulation *s, uint64_t time)
{
	for (uint64_t end = s->world.now + time; s->world.now < end; s->world.now += STEP) {
		bool heard = false;

		for (size_t i = 0; i < s->count; i++)
			send_heartbeat(s, &s->servers[i]);
		if (!s->stopped && s->world.now >= s->clock.looked + LISTENING_INTERVAL)
			listening_look(&s->clock, s->world.now);
		for (size_t i = 0; i < s->count && !s->stopped; i++)
			heard |= run_server(s, &s->servers[i]);
		if (!s->stopped &&
			(heard || s->world.now >= s->looked + TICK || farm_next_judgement(pool(s)) <= listened(s)))
			look(s);
	}
}

/* --- Calls */

/* The server with the calls that were live before a slot moved. */
static uint16_t holder(struct simulation *s, uint32_t slot)
{
	const uint16_t *previous = image_previous_owners(s->world.running, 0);
	uint16_t id = s->world.running->pools[0].migrating ? previous[slot] : 0;

	return id ? id : image_slots(s->world.running, 0)[slot];
}

static void remember(struct simulation *s)
{
	for (uint32_t slot = 0; slot < contract.slots; slot++)
		s->before[slot] = holder(s, slot);
	s->start = s->world.now;
}

/* Runs for a time and counts the slots whose calls were taken from a server at any time. The first `from`
 * servers are dead and do not count. */
static uint32_t moved_while(struct simulation *s, uint64_t time, size_t dead)
{
	bool moved[1024] = {0};
	uint32_t count = 0;

	for (uint64_t end = s->world.now + time; s->world.now < end;) {
		run(s, 50);
		for (uint32_t slot = 0; slot < contract.slots; slot++)
			moved[slot] |= holder(s, slot) != s->before[slot];
	}
	for (uint32_t slot = 0; slot < contract.slots; slot++)
		for (size_t i = dead; i < s->count; i++)
			count += moved[slot] && s->before[slot] == pool(s)->backends[i].id;
	return count;
}

/* Makes the first servers unreachable for this time. */
static void cut(struct simulation *s, size_t count, uint64_t time)
{
	for (size_t i = 0; i < count; i++) {
		s->servers[i].from = s->world.now;
		s->servers[i].to = time == UINT64_MAX ? time : s->world.now + time;
	}
}

/* ms until none of the first servers owns a slot; 0: not within the time. */
static uint64_t out_after(struct simulation *s, size_t count, uint64_t time)
{
	uint64_t begin = s->world.now;

	for (; s->world.now < begin + time; run(s, 50)) {
		uint32_t slots = 0;

		for (size_t i = 0; i < count; i++)
			slots += world_slots_of(&s->world, pool(s)->backends[i].id);
		if (!slots)
			return s->world.now - begin;
	}
	return 0;
}

static uint64_t detection(const struct config_probe *probe)
{
	return health_detection(probe);
}

/* --- The matrix */

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

/* The longest outage of some servers that certainly moves nothing, ms. */
static uint64_t harmless(size_t count, size_t silent)
{
	if (silent == count)
		return UINT64_MAX;
	if (silent == 1) /* it looks dead */
		return (defaults.fall - 1) * defaults.interval * 9 / 10;
	return 2 * detection(&defaults) - 2 * defaults.interval;
}

static uint32_t moved_by_outage(size_t count, size_t silent, uint64_t time, bool migrating, unsigned int seed)
{
	struct simulation s;
	char error[FARM_ERROR_SIZE];
	uint32_t moved;

	srand(seed);
	begin(&s, count, &defaults, "");
	run(&s, 30000 + rand() % 2000);
	if (migrating) {
		farm_set_weight(s.world.farm, "proxies", "px0", 3, error);
		world_reconcile(&s.world, NULL);
		run(&s, 5000);
	}
	remember(&s);
	cut(&s, silent, time);
	moved = moved_while(&s, time + 30000, 0);
	for (size_t i = 0; i < count; i++)
		cr_expect_eq(pool(&s)->backends[i].record.state, STATE_UP, "%zu of %zu for %lu ms: px%zu is %s", silent,
			count, time, i, farm_state_name(pool(&s)->backends[i].record.state));
	if (migrating && !moved)
		cr_expect(s.world.running->pools[0].migrating, "%zu of %zu for %lu ms: the migration has ended", silent,
			count, time);
	end(&s);
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
			cr_expect_eq(moved, 0, "%zu of %zu for %lu ms, seed %u: %u of 1024 slots moved", silent, count,
				time, seed, moved);
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
	begin(&s, count, probe, "");
	run(&s, WARM + rand() % 2000);
	remember(&s);
	cut(&s, dead, UINT64_MAX);
	took = out_after(&s, dead, 4 * detection(probe));
	cr_expect_eq(moved_while(&s, 10000, dead), 0, "%zu of %zu die: others move", dead, count);
	end(&s);
	return took;
}

Test(outage, dead_servers_are_detected_in_time_and_no_others_move)
{
	for (size_t p = 0; p < COUNT(pools); p++)
		for (size_t k = 1; k < COUNT(parts); k++) {
			size_t count = pools[p], dead = parts[k].of(count);
			bool believed = (count - dead) * 10 >= count; /* min_alive: 10 */
			uint64_t due = (dead > 1 ? 2 : 1) * detection(&defaults) + 100, most = 0;

			for (unsigned int seed = 1; dead && seed <= 2 * SEEDS; seed++) {
				uint64_t took = found_after(count, dead, &defaults, seed);

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
		struct config_probe probe = defaults;
		size_t count, dead;
		uint64_t due, took;

		srand(seed);
		probe.fall = 1 + rand() % 5;
		probe.rise = 1 + rand() % 3;
		probe.interval = 500 + rand() % 3000;
		probe.timeout = 100 + rand() % (probe.interval - 100);
		count = 2 + rand() % 6;
		dead = 1 + rand() % (count - 1);
		due = (dead > 1 ? 2 : 1) * detection(&probe) + 200;
		took = found_after(count, dead, &probe, seed);
		cr_expect(took && took <= due, "%zu of %zu die: out after %lu ms, %lu are due (%u every %u ms, %u ms)",
			dead, count, took, due, probe.fall, probe.interval, probe.timeout);
	}
}

/* --- Combined faults */

/* A pool whose servers have all answered for some time. */
static void warm(struct simulation *s, size_t count, const char *more, unsigned int seed)
{
	srand(seed);
	begin(s, count, &defaults, more);
	run(s, WARM);
	remember(s);
}

/* A restarted daemon knows only the contents of the maps. */
static void restart(struct simulation *s)
{
	s->world.listening = s->listening = listened(s);
	load(s, "", FARM_RESTART);
	for (size_t i = 0; i < s->count; i++) {
		const struct backend_record *record = &pool(s)->backends[i].record;

		health_begin(&s->servers[i].health, record->health, &record->latency);
		s->servers[i].began = 0;
	}
	desired_free(s->world.desired);
	s->world.desired = desired_new();
	world_reconcile(&s->world, NULL);
}

Test(outage, a_restart_during_an_outage_takes_no_server_out)
{
	for (unsigned int seed = 1; seed <= SEEDS; seed++)
		for (size_t silent = 5; silent <= 10; silent += 5) {
			struct simulation s;

			warm(&s, 10, "", seed);
			cut(&s, silent, silent == 10 ? 40000 : 12000);
			cr_expect_eq(moved_while(&s, 7000, 0), 0);
			restart(&s);
			cr_expect_eq(moved_while(&s, 60000, 0), 0, "%zu of 10 were silent, seed %u", silent, seed);
			end(&s);
		}
}

Test(outage, time_while_the_daemon_is_stopped_does_not_count)
{
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct simulation s;

		warm(&s, 10, "", seed);
		cut(&s, 5, 12000);
		run(&s, 8000);
		s.stopped = true;
		run(&s, 30000);
		s.stopped = false;
		cr_expect_eq(moved_while(&s, 30000, 0), 0, "seed %u", seed);
		end(&s);
	}
}

/* The limit of min_alive, and the recovery from it. */
Test(outage, outages_beyond_min_alive_move_nothing)
{
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct simulation s;

		warm(&s, 10, "min_alive: 50", seed);
		cut(&s, 6, 60000);
		cr_expect_eq(moved_while(&s, 30000, 0), 0, "seed %u", seed);
		cr_expect(pool(&s)->fail_open);
		cr_expect_eq(moved_while(&s, 60000, 0), 0, "during the recovery, seed %u", seed);
		cr_expect_not(pool(&s)->fail_open);
		end(&s);
	}
}

/* Every second probe of all servers is lost. */
Test(outage, packet_loss_is_not_death)
{
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct simulation s;

		warm(&s, 10, "", seed);
		for (size_t i = 0; i < 10; i++)
			s.servers[i].loss = 50;
		cr_expect_eq(moved_while(&s, 300000, 0), 0, "seed %u", seed);
		end(&s);
	}
}

/* A flapping port: servers answer now and then. */
Test(outage, a_flapping_network_moves_nothing)
{
	for (unsigned int seed = 1; seed <= SEEDS; seed++)
		for (size_t silent = 5; silent <= 10; silent += 5) {
			struct simulation s;

			warm(&s, 10, "", seed);
			for (int times = 0; times < 10; times++) {
				cut(&s, silent, 8000);
				cr_expect_eq(moved_while(&s, 11000, 0), 0, "%zu of 10, seed %u", silent, seed);
			}
			end(&s);
		}
}

/* In every fault, responding servers keep their calls, and dead servers are down in time. */
Test(outage, no_fault_moves_calls_of_a_responding_server)
{
	for (unsigned int seed = 1; seed <= 40; seed++) {
		struct simulation s;
		size_t silent;

		srand(seed);
		begin(&s, 2 + rand() % 15, &defaults, "");
		silent = 1 + rand() % (s.count - 1);
		run(&s, WARM);
		remember(&s);
		for (int event = 0; event < 4; event++) {
			for (size_t i = 0; i < silent; i++) {
				s.servers[i].from = s.world.now + rand() % 8000;
				s.servers[i].to = s.servers[i].from + rand() % 30000;
			}
			cr_expect_eq(moved_while(&s, 25000, silent), 0, "%zu of %zu, seed %u", silent, s.count, seed);
			if (rand() % 3 == 0)
				restart(&s);
		}
		end(&s);
	}
}

/* --- A daemon that is stopped or busy at any moment */

/* Stops the daemon after some time, and continues it. */
static uint32_t moved_over_a_pause(struct simulation *s, uint64_t before, uint64_t pause, uint64_t after, size_t dead)
{
	uint32_t moved = moved_while(s, before, dead);

	s->stopped = true;
	moved += moved_while(s, pause, dead);
	s->stopped = false;
	return moved + moved_while(s, after, dead);
}

/* Servers that joined by themselves and send heartbeats. */
static void join(struct simulation *s)
{
	s->world.farm->config->join.node_timeout = NODE_TIMEOUT;
	for (size_t i = 0; i < s->count; i++) {
		pool(s)->backends[i].record.overrides |= OVERRIDE_JOINED;
		s->servers[i].beat = s->world.now + rand() % HEARTBEAT;
		s->servers[i].heard = listened(s);
	}
}

Test(outage, an_outage_that_ends_near_a_pause_takes_no_live_server_out)
{
	static const struct config_probe quick = {
		.type = PROBE_OPTIONS, .interval = 500, .timeout = 400, .fall = 3, .rise = 2};

	for (unsigned int seed = 1; seed <= 400; seed++) {
		const struct config_probe *probe = seed % 2 ? &quick : &defaults;
		uint64_t outage, pause, before;
		struct simulation s;
		uint32_t moved;

		srand(seed);
		begin(&s, 2 + rand() % 8, probe, "");
		if (seed % 4 < 2)
			join(&s);
		run(&s, WARM + rand() % 2000);
		remember(&s);
		outage = 1000 + rand() % 8000;
		pause = 200 + rand() % 2800;
		before = outage - (outage < pause ? outage : pause) + rand() % (2 * pause);
		cut(&s, s.count, outage);
		moved = moved_over_a_pause(&s, before, pause, 20000, 0);
		cr_expect_eq(moved, 0, "seed %u: out of sight for %lu ms, stopped for %lu after %lu: %u slots moved",
			seed, outage, pause, before, moved);
		end(&s);
	}
}

Test(outage, pauses_neither_hide_dead_servers_nor_convict_others)
{
	for (unsigned int seed = 1; seed <= 200; seed++) {
		struct simulation s;
		uint64_t begin_of, took, due, paused = 0;
		size_t dead;

		srand(seed);
		begin(&s, 4 + rand() % 7, &defaults, "");
		dead = seed % 2 ? 1 : 2 + rand() % (s.count / 2 - 1);
		run(&s, WARM + rand() % 2000);
		remember(&s);
		cut(&s, dead, UINT64_MAX);
		begin_of = s.world.now;
		for (int pauses = 0; pauses < 2; pauses++) {
			uint64_t pause = 200 + rand() % 2800;

			cr_expect_eq(moved_over_a_pause(&s, rand() % 3000, pause, 0, dead), 0, "seed %u", seed);
			paused += pause;
		}
		out_after(&s, dead, 40000);
		took = s.world.now - begin_of;
		due = (dead > 1 ? 2 : 1) * detection(&defaults) + paused + 200;
		cr_expect(took <= due, "%zu of %zu die, seed %u: out after %lu ms, %lu are due", dead, s.count, seed,
			took, due);
		cr_expect_eq(moved_while(&s, 10000, dead), 0, "seed %u: others move", seed);
		end(&s);
	}
}
