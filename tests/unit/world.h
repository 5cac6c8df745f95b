/* SPDX-License-Identifier: GPL-2.0 */
/* A balancer without a kernel: a file and what runs in, steps and a new state out. */
#pragma once

#include "core/farm/desired.h"
#include "core/maps/plan.h"

struct world {
	struct image *running;
	struct farm *farm;
	struct desired *desired;
	uint64_t now;       /* ms */
	uint64_t listening; /* since when the daemon has listened */
	uint64_t paused;    /* ms of `now` in which it did not listen */
};

extern const struct contract world_contract;

#define HEAD                                                                                                           \
	"interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n"                                             \
	"limits: {slots: 1024, pools: 4, services: 8, backends: 12}\n"
#define SERVICE "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies}]\n"
#define AT_ONCE "record_time: 0s, drain_timeout: 1s"
#define POOL(backends) "pools: [{name: proxies, " AT_ONCE ", backends: [" backends "]}]\n"
#define PX(n) "{name: px" #n ", address: 10.0.0.1" #n "}"
#define FARM3 HEAD SERVICE POOL(PX(1) "," PX(2) "," PX(3))

void world_setup(struct world *world);
void world_end(struct world *world);

/* Takes a file over; it must be right. */
void world_load(struct world *world, const char *text, enum farm_origin origin);

/* The same, with the way to every backend known, and carried out. */
void world_start(struct world *world, const char *text);

/* A backend of the first pool; it must be there. */
struct farm_backend *world_backend(struct world *world, const char *name);

/* What the neighbours would say of everybody, and probes of one. */
void world_set_routes(struct world *world, enum route_state state);
void world_set_health(struct world *world, const char *name, enum health health);

/* Takes the road once. Returns the number of steps; *moved is that of the first pool. */
size_t world_reconcile(struct world *world, uint32_t *moved);

/* How many slots of the first pool an id has. */
uint32_t world_slots_of(const struct world *world, uint16_t id);

/* Is there a way to the backend? */
bool world_has_backend(const struct image *image, uint16_t id);

/* Judges all backends, and brings their states up to date, as the daemon does;
 * true if any has changed. */
bool world_update_states(struct world *world);
