/* SPDX-License-Identifier: GPL-2.0 */
/* Access to the pinned maps: reads their content, carries out the steps of a plan, and sums counters over
 * CPUs. Owns the file descriptors. Only probes, the punt handler and old_abi.c open further pins. */
#pragma once

#include "bpf/abi_guard.h"
#include "core/maps/plan.h"
#include "core/net/route.h"

struct maps;
struct heavy_bucket; /* bpf/abi_observe.h */

#define MAPS_ERROR_SIZE 1024

/* Opens one pinned map or link in `directory`. A descriptor, or -errno. */
int maps_open_pin(const char *directory, const char *name);

/* Opens the maps that the loader has pinned in `directory`. 0, or -errno with the reason in `error`: -ENOENT
 * if nothing is pinned, -EPROTO if the maps have a different ABI version. */
int maps_open(struct maps **out, const char *directory, char error[MAPS_ERROR_SIZE]);
void maps_close(struct maps *maps);

/* Are these maps the ones that are pinned in `directory`? 1 or 0; -errno if that is unknown. */
int maps_are_pinned(const struct maps *maps, const char *directory);

const struct contract *maps_contract(const struct maps *maps);

/* A number that identifies these maps, unique since the machine has booted. */
uint32_t maps_id(const struct maps *maps);

/* Read and set a flag in the maps: the daemon has filled the maps completely at least once. Setting returns 0 or
 * -errno. */
bool maps_are_filled(const struct maps *maps);
int maps_set_filled(struct maps *maps);

/* Changes contract.filled of the maps that are pinned in `directory`, if there are any and it has the value `from`. 0
 * or -errno. */
int maps_change_filled(const char *directory, enum contract_filled from, enum contract_filled to);

/* Replaces the MAC addresses that count as this machine's on each interface in `wanted`. 0 or -errno. */
int maps_set_own_macs(const struct maps *maps, const struct interface_mac *wanted, size_t count);

/* Reads the content of all maps. 0 or -errno. */
int maps_read(const struct maps *maps, struct image **out);

/* Reads only what readiness_check() needs (core/view/readiness.h), which takes a few ms. 0 or -errno. */
int maps_read_readiness(const struct maps *maps, struct image **out);

/* Carries out one step. 0 or -errno. */
int maps_apply(const struct maps *maps, const struct plan_step *step);

/* Writes balancer_state.away_since while no daemon manages the maps in `directory`. 0 or -errno: -EBUSY if a daemon
 * manages them. */
int maps_set_away(const struct maps *maps, const char *directory, uint32_t since);

/* Makes all entries of `nat_flows` invalid. The caller must hold the lock of the daemon. 0 or -errno. */
int maps_raise_nat_generation(const struct maps *maps);

/* Counters, summed over CPUs; all zero on an error. 0 or -errno. The counters of a service and of a backend
 * (bpf/counters.h) begin with packets and bytes; the SIP messages follow. They are cumulative from the time when
 * the id was given to the service or backend. Each struct can be read as an array of __u64 by enum
 * service_counter or enum backend_counter; maps_report.h has a description of each element. */
int maps_verdicts(const struct maps *maps, struct verdict_counters *out);
int maps_service_traffic(const struct maps *maps, uint32_t id, struct service_traffic *out);
int maps_backend_traffic(const struct maps *maps, uint32_t id, struct backend_traffic *out);

/* The same for the packets that backends with `forward: nat` send to clients (bpf/abi_return.h): as an array by enum
 * service_counter or enum backend_return_counter. */
int maps_service_return(const struct maps *maps, uint32_t id, struct service_traffic *out);
int maps_backend_return(const struct maps *maps, uint32_t id, struct backend_return *out);

/* The results of requests to a backend, for passive health; all zero on an error. 0 or -errno. */
int maps_passive_state(const struct maps *maps, uint32_t id, struct passive_state *out);

/* The times in which servers with `forward: nat` respond to the INVITEs of sampled calls; all zero on an error. The
 * number of sampled calls without a response. 0 or -errno. */
int maps_service_setup_times(const struct maps *maps, uint32_t id, struct setup_times *out);
int maps_backend_setup_times(const struct maps *maps, uint32_t id, struct setup_times *out);
int maps_unanswered_calls(const struct maps *maps, uint32_t id, uint64_t *out);

/* Calls `visit` for every sampled call that is being set up, and deletes it if `visit` returns true. The number of
 * calls that were in the map, or -errno. */
typedef bool maps_visit_setup(const struct setup *setup, void *data);
int maps_visit_setups(const struct maps *maps, maps_visit_setup *visit, void *data);

/* Adds 1 to the number of sampled calls of this backend that are without a response. 0 or -errno. */
int maps_add_unanswered_call(const struct maps *maps, uint32_t id);

/* Calls `visit` for every tracked call. The number of calls, or -errno. */
typedef void maps_visit_tracked_call(const struct tracked_key *key, const struct tracked_call *tracked, void *data);
int maps_visit_tracked_calls(const struct maps *maps, maps_visit_tracked_call *visit, void *data);

/* The backend of the tracked call, or of the tracked transaction, with this hash. 0, or -ENOENT. */
int maps_tracked(const struct maps *maps, uint32_t pool, uint64_t hash, uint32_t slot, uint32_t *backend);

/* Whether the program writes the changes of calls to `call_changes`, for the other balancers of the group. Then the
 * number of changes for which that ring buffer had no room. 0 or -errno. */
int maps_share_calls(const struct maps *maps, bool active);
uint64_t maps_lost_changes(const struct maps *maps);

/* The live calls of a backend in counted_calls. */
struct maps_load {
	uint32_t sampled; /* each of them stands for CALL_SAMPLE calls */
	uint32_t placed;
};

struct maps_load maps_load(const struct maps *maps, uint32_t backend);

/* Adds to these numbers, together with the additions of the program in the kernel. */
void maps_add_load(const struct maps *maps, uint32_t backend, int32_t sampled, int32_t placed);

/* Reads the next part of counted_calls, at most COUNTED_BATCH entries. *cursor is 0 before the first part and at the
 * end. The number of entries, or -errno. */
#define COUNTED_BATCH 4096
int maps_next_counted_calls(
	const struct maps *maps, uint64_t *cursor, struct tracked_key *keys, struct tracked_call *calls);

/* The same for tracked_calls. */
int maps_next_tracked_calls(
	const struct maps *maps, uint64_t *cursor, struct tracked_key *keys, struct tracked_call *calls);

/* The backend of the placed call with this hash; 0: there is none. */
uint32_t maps_placed(const struct maps *maps, uint32_t pool, uint64_t hash, uint32_t slot);

/* Calls `visit` for every counted call. 0 or -errno. */
int maps_visit_counted_calls(const struct maps *maps, maps_visit_tracked_call *visit, void *data);

/* What happens to a counted call. */
enum counted_fate {
	COUNTED_STAYS,
	COUNTED_SILENT, /* it no longer counts, but keeps its backend; its next message makes it count again */
	COUNTED_OVER,   /* its entry is deleted */
};

/* Does to a counted call what `fate_of(call, data)` says about its current content, and corrects the load of its
 * backend. */
typedef enum counted_fate maps_counted_fate(const struct tracked_call *call, const void *data);
void maps_settle_counted_call(
	const struct maps *maps, const struct tracked_key *key, maps_counted_fate *fate_of, const void *data);

/* Whether the backend accepts new calls. */
void maps_set_full(const struct maps *maps, uint32_t backend, bool full);

/* How many live calls the backend accepts, and how many new calls per second; 0: no limit. The burst is a quarter of a
 * second. */
void maps_set_limits(const struct maps *maps, uint32_t backend, uint32_t calls, uint32_t rate);

/* Has the backend just received as many new calls as this rate permits? */
bool maps_is_over_rate(const struct maps *maps, uint32_t backend);

/* Reads and writes how a pool chooses the backends of new calls. maps_put_new_calls() writes the element of new_calls
 * that the pool does not use, and then makes the pool use it: it changes balance->new_calls. 0 or -errno. */
int maps_balance(const struct maps *maps, uint32_t pool, struct balance *out);
int maps_put_balance(const struct maps *maps, uint32_t pool, const struct balance *balance);
int maps_put_new_calls(
	const struct maps *maps, uint32_t pool, struct balance *balance, const struct new_calls *new_calls);

/* The counters of a pool, summed over CPUs; all zero on an error. 0 or -errno. */
int maps_balance_counters(const struct maps *maps, uint32_t pool, struct balance_counters *out);

/* Begins the next interval of `heavy_sources` and `heavy_call_ids`. `ended` receives the number of the interval that
 * this ends. 0 or -errno. */
int maps_begin_interval(const struct maps *maps, uint32_t *ended);

/* Reads the HEAVY_BUCKETS buckets of an interval that has ended. Each of the two lists must be freed. 0 or -errno. */
int maps_heavy_sources(const struct maps *maps, uint32_t interval, struct heavy_bucket **out);
int maps_heavy_call_ids(const struct maps *maps, uint32_t interval, struct heavy_bucket **out);

/* The number of elements that a per-CPU map has for each key. */
size_t maps_cpus(const struct maps *maps);

/* Reads the counters of a guard: GUARD_RULES * maps_cpus() elements, those of rule 0 first. 0 or -errno. */
int maps_guard_counters(const struct maps *maps, uint32_t guard, struct guard_counters *out);

/* Reads the sums over CPUs. 0 or -errno. */
int maps_guard_exempt(const struct maps *maps, uint32_t guard, struct guard_exempt *out);

/* Read one element of `guard_sources`, or several consecutive elements, at most GUARD_BATCH. 0 or -errno. */
#define GUARD_BATCH 1024
int maps_guard_source(const struct maps *maps, uint32_t index, struct guard_source *out);
int maps_guard_sources(const struct maps *maps, uint32_t first, uint32_t count, struct guard_source *out);

/* Writes one element of `guards`. 0 or -errno. */
int maps_put_guard(const struct maps *maps, uint32_t id, const struct guard *guard);

/* Make a trie with the lists of the guard: maps_new_trie() returns a descriptor or -errno, and the caller adds the id
 * of a list (struct guard_class) for each prefix. The kernel uses the trie after maps_set_trie(). Until the first one,
 * and after maps_remove_trie(), all lists are empty. 0 or -errno. */
int maps_new_trie(void);
int maps_add_to_trie(int trie, const struct prefix_key *prefix, uint32_t list);
int maps_set_trie(const struct maps *maps, int trie);
int maps_remove_trie(const struct maps *maps);
bool maps_have_trie(const struct maps *maps);

/* Change an entry of `guard_blocks`. Guard 0: of all guards. 0 or -errno. */
int maps_put_block(
	const struct maps *maps, uint32_t guard, const struct prefix_key *prefix, const struct guard_block *block);
int maps_remove_block(const struct maps *maps, uint32_t guard, const struct prefix_key *prefix);

/* Call `visit` for every entry of `guard_blocks`: in opened maps, or in maps pinned in a directory, which may have a
 * different ABI version. 0 or -errno: -EPROTO if the entries have a different layout. */
typedef void maps_visit_block(
	uint32_t guard, const struct prefix_key *prefix, const struct guard_block *block, void *data);
int maps_visit_blocks(const struct maps *maps, maps_visit_block *visit, void *data);
int maps_visit_pinned_blocks(const char *directory, maps_visit_block *visit, void *data);

/* The name that this interface has now: if no interface has the given name, the one that had it when the loader
 * attached the balancer to it may have been renamed. Returns `name` or `interface`. */
const char *maps_current_name(const char *directory, const char *interface, char name[INTERFACE_SIZE]);

/* The mode in which the balancer whose pins are in this directory is attached to an interface, which may have been
 * renamed: "native", "generic", "none" (also for a foreign program, or a balancer with older maps), or "unknown" if the
 * kernel does not report it. */
const char *maps_attach_mode(const struct maps *maps, const char *directory, const char *interface);

/* Why no packet can pass the interface: it "is down" or "has no carrier". NULL: it is up, or there is no such
 * interface. Asks the kernel. */
const char *maps_link_fault(const char *interface);
