// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "simulation.h"

#define STEP 20   /* ms of the clock */
#define TICK 1000 /* the longest time between two decisions, ms */

static const struct contract contract = {.version = ABI_VERSION,
	.slots = SIMULATION_SLOTS,
	.pools = 4,
	.services = 8,
	.backends = 64,
	.tracked_calls = 1024};

const struct config_probe simulation_probe = {
	.type = PROBE_OPTIONS, .interval = 2000, .timeout = 1000, .fall = 3, .rise = 2};

uint64_t simulation_listened(const struct simulation *s)
{
	return listening_now(&s->clock, s->world.now);
}

/* --- the pool */

void simulation_load(struct simulation *s, const char *more, enum farm_origin origin)
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

struct farm_pool *simulation_pool(struct simulation *s)
{
	return &s->world.farm->pools[0];
}

void simulation_begin(struct simulation *s, size_t count, const struct config_probe *probe, const char *more)
{
	*s = (struct simulation){.count = count, .probe = *probe};
	s->world = (struct world){.running = image_new(&contract), .desired = desired_new(), .now = 3600000};
	s->clock = listening_begin(s->world.now);
	simulation_load(s, more, FARM_RELOAD);
	for (size_t i = 0; i < count; i++) {
		health_begin(&s->servers[i].health, HEALTH_UNKNOWN, &(struct latency){0});
		s->servers[i].next = s->world.now + rand() % probe->interval;
	}
	world_reconcile(&s->world, NULL);
}

void simulation_end(struct simulation *s)
{
	world_end(&s->world);
}

/* --- time */

static bool reaches(const struct server *server, uint64_t now)
{
	return now < server->from || now >= server->to;
}

/* A heartbeat can also arrive while the daemon is stopped; the daemon then reads it later. */
static void send_heartbeat(struct simulation *s, struct server *server)
{
	if (!server->beat || s->world.now < server->beat)
		return;
	server->unread |= reaches(server, s->world.now);
	server->beat = s->world.now + HEARTBEAT;
}

/* A response can also arrive while the daemon is stopped; the time of arrival then counts. Returns true if a probe has
 * ended. */
static bool run_server(struct simulation *s, struct server *server)
{
	uint64_t now = s->world.now;

	if (server->unread)
		server->heard = simulation_listened(s);
	server->unread = false;
	if (!server->began && now >= server->next) {
		server->began = now;
		server->listened = simulation_listened(s);
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
	if (server->began && simulation_listened(s) >= server->listened + s->probe.timeout) {
		health_fail(&server->health, &s->probe, server->listened, "no answer");
		server->began = 0;
		return true;
	}
	return false;
}

/* As in join.c: silence does not count while no server answers. */
static void look_at_heartbeats(struct simulation *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct farm_backend *backend = &simulation_pool(s)->backends[i];

		if (!s->servers[i].beat)
			continue;
		backend->silent_ms = simulation_listened(s) - s->servers[i].heard;
		if (simulation_pool(s)->outage.view == OUTAGE_BLIND)
			s->excused = simulation_listened(s);
		backend->silent =
			backend->silent_ms >= NODE_TIMEOUT && simulation_listened(s) - s->excused >= NODE_TIMEOUT;
	}
}

/* The daemon's decision. */
static void look(struct simulation *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct health_state *health = &s->servers[i].health;
		const struct evidence evidence = health_evidence(health, &s->probe);

		farm_set_probed(&simulation_pool(s)->backends[i], health->health, &evidence, &(struct latency){0},
			health->reason);
	}
	look_at_heartbeats(s);
	s->world.listening = s->listening;
	s->world.paused = s->world.now - simulation_listened(s);
	s->looked = s->world.now;
	for (size_t i = 0; i < s->count; i++)
		if (simulation_pool(s)->backends[i].outage.wanted)
			s->servers[i].next = s->world.now;
	if (world_update_states(&s->world) || desired_next(s->world.desired) <= s->world.now)
		world_reconcile(&s->world, NULL);
}

void simulation_run(struct simulation *s, uint64_t time)
{
	for (uint64_t end = s->world.now + time; s->world.now < end; s->world.now += STEP) {
		bool heard = false;

		for (size_t i = 0; i < s->count; i++)
			send_heartbeat(s, &s->servers[i]);
		if (!s->stopped && s->world.now >= s->clock.looked + LISTENING_INTERVAL)
			listening_look(&s->clock, s->world.now);
		for (size_t i = 0; i < s->count && !s->stopped; i++)
			heard |= run_server(s, &s->servers[i]);
		if (!s->stopped && (heard || s->world.now >= s->looked + TICK ||
					   farm_next_decision(simulation_pool(s)) <= simulation_listened(s)))
			look(s);
	}
}

/* --- calls */

/* Returns the server of the calls that were live before the slot moved. */
static uint16_t holder(struct simulation *s, uint32_t slot)
{
	const uint16_t *previous = image_previous_owners(s->world.running, 0);
	uint16_t id = s->world.running->pools[0].migrating ? previous[slot] : 0;

	return id ? id : image_slots(s->world.running, 0)[slot];
}

void simulation_remember(struct simulation *s)
{
	for (uint32_t slot = 0; slot < SIMULATION_SLOTS; slot++)
		s->before[slot] = holder(s, slot);
	s->start = s->world.now;
}

uint32_t simulation_moved_while(struct simulation *s, uint64_t time, size_t dead)
{
	bool moved[1024] = {0};
	uint64_t seen = UINT64_MAX; /* changes */
	uint32_t count = 0;

	for (uint64_t end = s->world.now + time; s->world.now < end;) {
		simulation_run(s, 50);
		if (seen == s->world.changes)
			continue;
		seen = s->world.changes;
		for (uint32_t slot = 0; slot < SIMULATION_SLOTS; slot++)
			moved[slot] |= holder(s, slot) != s->before[slot];
	}
	for (uint32_t slot = 0; slot < SIMULATION_SLOTS; slot++)
		for (size_t i = dead; i < s->count; i++)
			count += moved[slot] && s->before[slot] == simulation_pool(s)->backends[i].id;
	return count;
}

void simulation_cut(struct simulation *s, size_t count, uint64_t time)
{
	for (size_t i = 0; i < count; i++) {
		s->servers[i].from = s->world.now;
		s->servers[i].to = time == UINT64_MAX ? time : s->world.now + time;
	}
}

uint64_t simulation_out_after(struct simulation *s, size_t count, uint64_t time)
{
	uint64_t begin = s->world.now;

	for (; s->world.now < begin + time; simulation_run(s, 50)) {
		uint32_t slots = 0;

		for (size_t i = 0; i < count; i++)
			slots += world_slots_of(&s->world, simulation_pool(s)->backends[i].id);
		if (!slots)
			return s->world.now - begin;
	}
	return 0;
}
