/* SPDX-License-Identifier: GPL-2.0 */
/* Simulates servers that die and networks that fail, with a simulated clock. The code for probe results, decisions,
 * tables and plans is the real code; no packets are sent. */
#pragma once

#include "core/health/health.h"
#include "core/health/listening.h"
#include "world.h"

#define MOST 50    /* servers */
#define WARM 10000 /* ms after which every server has answered several probes */
#define SEEDS 4    /* random runs of each case */
#define SIMULATION_SLOTS 1024

#define HEARTBEAT 1000
#define NODE_TIMEOUT 5000

extern const struct config_probe simulation_probe; /* the default settings */

/* One server and the state of its probes. */
struct server {
	struct health_state health;
	uint64_t next;     /* start of the next probe */
	uint64_t began;    /* start of the probe in progress; 0: none */
	uint64_t listened; /* the same time in ms of the clock in listening.h */
	uint64_t rtt;
	bool sees;         /* the probe in progress has not been lost yet */
	uint64_t beat;     /* time of the next heartbeat; 0: it sends none */
	bool unread;       /* a heartbeat has arrived and has not been read yet */
	uint64_t heard;    /* when a heartbeat was read last */
	uint64_t from, to; /* the period in which it is unreachable */
	unsigned int loss; /* percentage of lost probes */
};

struct simulation {
	struct world world;
	struct config_probe probe;
	size_t count;
	struct server servers[MOST];
	uint16_t before[SIMULATION_SLOTS]; /* the server with the calls of each slot */
	uint64_t start, looked;
	bool stopped; /* the daemon is stopped */
	struct listening clock;
	uint64_t listening;
	uint64_t excused; /* last time at which heartbeats could not be received */
};

/* Starts a pool of `count` servers; `more` contains additional keys of the pool. */
void simulation_begin(struct simulation *s, size_t count, const struct config_probe *probe, const char *more);

void simulation_end(struct simulation *s);

/* Loads the configuration again. */
void simulation_load(struct simulation *s, const char *more, enum farm_origin origin);

struct farm_pool *simulation_pool(struct simulation *s);

/* Returns the time of the clock in listening.h, ms. */
uint64_t simulation_listened(const struct simulation *s);

/* Runs for `time` ms. */
void simulation_run(struct simulation *s, uint64_t time);

/* Stores which server currently has the calls of each slot. */
void simulation_remember(struct simulation *s);

/* Runs for `time` ms and returns the number of slots whose calls were taken from a server at any time since
 * simulation_remember(). The first `dead` servers are dead and do not count. */
uint32_t simulation_moved_while(struct simulation *s, uint64_t time, size_t dead);

/* Makes the first `count` servers unreachable for `time` ms; UINT64_MAX: permanently. */
void simulation_cut(struct simulation *s, size_t count, uint64_t time);

/* Runs until none of the first `count` servers owns a slot. Returns the elapsed time in ms; 0: some of them still own
 * slots after `time`. */
uint64_t simulation_out_after(struct simulation *s, size_t count, uint64_t time);
