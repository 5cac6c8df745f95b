/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the file descriptors of the pinned maps: reads what they hold, carries out the
 * steps of a plan, sums counters up over CPUs. Nobody else touches a map. */
#pragma once

#include "core/maps/plan.h"
#include "core/net/route.h"

struct maps;

#define MAPS_ERROR_SIZE 1024

/* A descriptor of one thing that is pinned under `directory`, or -errno. */
int maps_open_pin(const char *directory, const char *name);

/* Opens what the loader has pinned under `directory`. 0, or -errno with the reason in
 * words: -ENOENT when nothing is pinned, -EPROTO when it is of another contract. */
int maps_open(struct maps **out, const char *directory, char error[MAPS_ERROR_SIZE]);
void maps_close(struct maps *maps);

/* Are the maps that we hold the ones that are pinned there? 1 or 0; -errno when that cannot be
 * found out. */
int maps_are_pinned(const struct maps *maps, const char *directory);

const struct contract *maps_contract(const struct maps *maps);

/* A number that no other maps have had since the machine started. */
uint32_t maps_id(const struct maps *maps);

/* Whether they hold all that FILE asks for, or did so once, is noted in them. 0 or -errno. */
bool maps_are_filled(const struct maps *maps);
int maps_say_filled(struct maps *maps);

/* The MAC addresses of frames for this machine: all of these, and of their interfaces no others.
 * 0 or -errno. */
int maps_set_own_macs(const struct maps *maps, const struct interface_mac *wanted, size_t count);

/* Reads all that the maps hold. 0 or -errno. */
int maps_read(const struct maps *maps, struct image **out);

/* Carries out one step. 0 or -errno. */
int maps_apply(const struct maps *maps, const struct plan_step *step);

/* Counters, summed up over CPUs. 0 or -errno. */
int maps_verdicts(const struct maps *maps, struct verdict_counters *out);
int maps_service_traffic(const struct maps *maps, uint32_t id, struct traffic *out);
int maps_backend_traffic(const struct maps *maps, uint32_t id, struct traffic *out);

/* Shows every tracked call to `visit`. Returns how many there are, or -errno. */
typedef void maps_visit_tracked_call(const struct tracked_key *key, const struct tracked_call *tracked, void *data);
int maps_visit_tracked_calls(const struct maps *maps, maps_visit_tracked_call *visit, void *data);

/* The backend that is noted for a call, or whatever else has this hash, in a slot of a pool. 0, or -ENOENT. */
int maps_tracked(const struct maps *maps, uint32_t pool, uint64_t hash, uint32_t slot, uint32_t *backend);

/* How a balancer is attached to an interface: "native", "generic" or "none"; "unknown" when that
 * cannot be found out. */
const char *maps_attach_mode(const struct maps *maps, const char *interface);
