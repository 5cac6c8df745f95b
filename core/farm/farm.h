/* SPDX-License-Identifier: GPL-2.0 */
/* What is to run: the file, what an operator has changed since, the ids that the maps
 * know everything by, and what is known of the way to each backend. Pure. */
#pragma once

#include "core/config/added_backend.h"
#include "core/maps/image.h"
#include "core/health/outage.h"
#include "core/net/route.h"

#define FARM_SLOW_START_STEPS 10 /* of a slow start */

struct farm_backend {
	uint16_t id;
	struct backend_record record; /* name, address, weight, admin state, overrides, health */
	uint16_t file_weight;         /* of a backend that is in the file */
	uint8_t priority;
	uint16_t group; /* 1 + index into the pool's groups; 0: in none */
	enum forward_method forward;
	struct added *added; /* what was said when it was added by hand; NULL: no more than its record */
	struct route route;
	enum health probe_health;   /* by its probes alone; record.health is what follows when the pool is judged */
	struct evidence probed;     /* what they have found; all zeros: nothing */
	char probe_reason[128];     /* why they failed */
	char probe_trouble[128];    /* why the balancer cannot probe it; "": it can */
	bool silent;                /* has joined, and sends no heartbeats */
	uint32_t silent_ms;         /* ms since it was heard of; of one that has joined */
	uint64_t unreachable_since; /* ms of the clock since when it cannot be reached any more; 0: it can, or never
				       could */
	uint64_t neighbour_asked;   /* likewise when the last question began that its neighbour answered; 0: none */
	struct outage_member judged;
	unsigned int slow_start_step; /* of FARM_SLOW_START_STEPS, how much of its weight it has */
};

struct farm_pool {
	uint32_t id;
	const struct config_pool *config;
	struct farm_backend *backends; /* those of the file first, in its order, and those removed by
					* hand too: see farm_backend_exists */
	size_t count;
	bool unprobed;         /* a first start: backends that are not probed yet count as up */
	bool fail_open;        /* too few would be left: what was found is not believed */
	uint64_t enough_since; /* ms of the clock since when enough are up again, while `open`; 0: they are not */
	struct outage outage;  /* several that stopped answering, until it is decided why */
	uint64_t next;         /* when something in it is to be judged anew, ms of the clock */
};

struct farm {
	struct config *config;   /* owned */
	uint32_t *service_ids;   /* [config->service_count] */
	struct farm_pool *pools; /* [config->pool_count] */
};

enum farm_origin {
	FARM_RESTART, /* what an operator changed by hand goes on */
	FARM_RELOAD,  /* the file is the truth again; admin states, health, who has joined and who leaves stay */
};

/* Builds a farm from a file and what runs: whoever is known there keeps its id, its
 * admin state and the way to it. Takes `config` over, also when it fails. NULL, with
 * faults, when the maps are too small for it. */
struct farm *farm_new(
	struct config *config, const struct image *running, enum farm_origin origin, struct faults *faults);
void farm_free(struct farm *farm);

/* A copy to try something on. It shares the configuration, which must outlive it. */
struct farm *farm_sketch(const struct farm *farm);
void farm_sketch_free(struct farm *farm);

/* Does the backend exist for users (and is not a note that it was removed by hand)? */
bool farm_backend_exists(const struct farm_backend *backend);

/* Has it been taken from new calls, so that those that it has may end? */
bool farm_record_is_draining(const struct backend_record *record);

/* Should it have new calls if it were alive? */
bool farm_backend_is_enabled(const struct farm_backend *backend);

/* Is there anybody who should have new calls, and lives as far as is known? */
bool farm_pool_takes_new_calls(const struct farm_pool *pool);

/* May it have new calls? And may it have those that it has? */
bool farm_backend_takes_new_calls(const struct farm_pool *pool, const struct farm_backend *backend);
bool farm_backend_is_alive(const struct farm_pool *pool, const struct farm_backend *backend);

/* Its weight now, in tenths of what is written: less than that while it starts slowly. */
uint16_t farm_backend_weight(const struct farm_backend *backend);

/* Find by name; NULL if there is none. The last finds also what was removed by hand. */
struct farm_pool *farm_find_pool(const struct farm *farm, const char *name);
struct farm_backend *farm_find_backend(const struct farm_pool *pool, const char *name);
struct farm_backend *farm_find_backend_or_tombstone(const struct farm_pool *pool, const char *name);

/* Is there a line for it in the file? */
bool farm_backend_is_in_file(const struct farm_pool *pool, const struct farm_backend *backend);

/* What the file says of a backend of the pool, or an operator said when it was added; NULL where neither
 * says anything. */
const struct config_backend *farm_backend_config(const struct farm_pool *pool, const struct farm_backend *backend);

/* What an operator does by hand, or a server that joins. `error` says in words what stood
 * against it; 0 or -EEXIST, -ENOENT, -EADDRINUSE, -ENOSPC. */
#define FARM_ERROR_SIZE 256

/* Takes over what is said of a backend that was added. */
void farm_describe(const struct farm_pool *pool, struct farm_backend *backend, struct added *added);

/* May one more backend of the pool have this address? 0 or -EADDRINUSE. */
int farm_check_address(const struct farm *farm, const struct farm_pool *pool, const struct address *address,
	char error[FARM_ERROR_SIZE]);

int farm_add_backend(struct farm *farm, const struct image *running, const char *pool, const char *name,
	const struct address *address, uint16_t weight, char error[FARM_ERROR_SIZE]);
/* The same of all that the file can say. To be tried on a sketch before: that looks whether a file with all
 * that runs and this backend would contradict itself, which takes long for a large one. The second takes
 * `added` over, also when it fails. */
int farm_try_described(struct farm *sketch, const struct image *running, const char *pool, struct added *added,
	char error[FARM_ERROR_SIZE]);
int farm_add_described(struct farm *farm, const struct image *running, const char *pool, struct added *added,
	char error[FARM_ERROR_SIZE]);
int farm_remove_backend(struct farm *farm, const char *pool, const char *name, char error[FARM_ERROR_SIZE]);
/* Takes it from new calls; it is removed when it has no slot any more, nor had one that is migrating. */
int farm_remove_when_drained(struct farm *farm, const char *pool, const char *name, char error[FARM_ERROR_SIZE]);
int farm_set_weight(
	struct farm *farm, const char *pool, const char *name, uint16_t weight, char error[FARM_ERROR_SIZE]);
int farm_set_admin(
	struct farm *farm, const char *pool, const char *name, enum admin_state admin, char error[FARM_ERROR_SIZE]);

/* The running state as a file: what `sipxdp-ctl save` prints. To be given to config_free. */
struct config *farm_config(const struct farm *farm);

/* Notes what was found of the way to a backend. What is known stays where the new
 * finding does not say otherwise: a MAC address that is being asked for again goes on
 * to serve. */
void farm_set_route(struct farm_backend *backend, const struct route *route);

/* Takes a backend's health for decided. `reason` says why it is down. */
void farm_set_health(
	struct farm_backend *backend, enum health health, const struct latency *latency, const char *reason);

/* Notes what probes have found, for farm_judge. */
void farm_set_probed(struct farm_backend *backend, enum health found, const struct evidence *evidence,
	const struct latency *latency, const char *reason);

/* Decides which backends of a pool are dead, and which only cannot be seen, by what was noted
 * about all of them (outage.h). `listening`: since when the daemon listens; both are
 * ms of the clock of listening.h. States change with farm_update_state. */
void farm_judge(const struct farm *farm, struct farm_pool *pool, uint64_t listening, uint64_t now);

/* When the pool is to be judged again if nothing is heard before, ms of the clock; OUTAGE_NEVER
 * if nothing waits for a time. */
uint64_t farm_next_judgement(const struct farm_pool *pool);

/* ms from the death of a backend of the pool until it shows, at most. */
uint32_t farm_detection(const struct farm_pool *pool);

/* Takes over what is undecided from the farm before this one: an outage goes on. */
void farm_take_over(struct farm *farm, const struct farm *before);

/* What is undecided in a pool, for people: "" if nothing is. */
#define FARM_OUTAGE_SIZE 160
const char *farm_outage_text(const struct farm_pool *pool, uint64_t now, char text[FARM_OUTAGE_SIZE]);

/* Notes that the balancer cannot probe it, and why; "": it can. */
void farm_set_trouble(struct farm_backend *backend, const char *trouble);

/* For a preview, which is about what is meant: takes a backend that the maps do not have yet to be
 * reachable and alive. True if that is no more than an assumption. A backend that serves and gets
 * another address is no such one: it has no packets until the way there is known. */
bool farm_assume_usable(struct farm_backend *backend, const struct image *running);

/* Brings the record's state up to date at a time, seconds since the epoch; true if it changed. */
bool farm_update_state(
	const struct farm *farm, const struct farm_pool *pool, struct farm_backend *backend, uint32_t now);

/* Decides at a time, ms of the clock, whether what was found in a pool is believed; true if
 * that changed. */
bool farm_update_fail_open(struct farm_pool *pool, uint64_t now);

/* When a pool that fails open, and of which enough are up again, does so no more, ms of the
 * clock; OUTAGE_NEVER for others. */
uint64_t farm_fail_open_end(const struct farm_pool *pool);

/* Is there no way to it any more, but its last MAC address? */
bool farm_backend_is_lost(const struct farm *farm, const struct farm_backend *backend);

/* When a slow start takes its next step, seconds since the epoch; 0 if none is going on. */
uint32_t farm_next_slow_start_step(const struct farm *farm);

const char *farm_state_name(enum backend_state state);

/* "ready", "drain", "maint", or "leaving" during a pending removal. */
const char *farm_admin_name(const struct backend_record *record);

/* Why it is not up, or cannot be probed, for people; "" if all is well. */
const char *farm_reason(const struct farm *farm, const struct farm_pool *pool, const struct farm_backend *backend);
