/* SPDX-License-Identifier: GPL-2.0 */
/* A balancer without a kernel: the input is a file and the running image, the output is the steps and a new image. */
#pragma once

#include "core/farm/desired.h"
#include "core/maps/plan.h"

struct world {
	struct image *running;
	uint64_t changes; /* number of changes of the running image */
	struct farm *farm;
	struct desired *desired;
	uint64_t now;       /* ms */
	uint64_t listening; /* when the daemon started to listen, ms */
	uint64_t paused;    /* ms of `now` in which the daemon did not listen */
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

/* The farm of a valid file. */
struct farm *world_new_farm(const char *text, const struct image *running, enum farm_origin origin);

/* Loads a valid file. */
void world_load(struct world *world, const char *text, enum farm_origin origin);

/* Loads a valid file, makes all backends reachable, and applies the plan. */
void world_start(struct world *world, const char *text);

/* An existing backend of the first pool. */
struct farm_backend *world_backend(struct world *world, const char *name);

/* Set the result of the neighbours for all backends, and of the probes for one. */
void world_set_routes(struct world *world, enum route_state state);
void world_set_health(struct world *world, const char *name, enum health health);

/* Computes and applies one plan. Returns the number of steps; *moved is the number of moved slots in the first
 * pool. */
size_t world_reconcile(struct world *world, uint32_t *moved);

/* The number of slots of the first pool that an id owns. */
uint32_t world_slots_of(const struct world *world, uint16_t id);

/* Does the backend have a route in the image? */
bool world_has_backend(const struct image *image, uint16_t id);

/* Evaluates all backends and updates their states, as the daemon does. True if any state changed. */
bool world_update_states(struct world *world);
