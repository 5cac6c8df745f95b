/* SPDX-License-Identifier: GPL-2.0 */
/* The desired state: the configuration file, later changes by operators and joining servers, the ids of everything
 * in the maps, and the known routes and health of the backends. No I/O. README.md in this directory explains how
 * farm, image and plan relate. */
#pragma once

#include "core/config/added_backend.h"
#include "core/group/group.h"
#include "core/maps/image.h"
#include "core/health/outage.h"
#include "core/health/passive.h"
#include "core/net/route.h"

#define FARM_SLOW_START_STEPS 10 /* steps from a tenth of the weight to the full weight */

struct farm_backend {
	uint16_t id;
	struct backend_record record; /* name, address, weight, admin state, overrides, health: also kept in the map
					 `backend_records` */
	uint16_t file_weight;         /* the weight in the file, if the backend is in the file */
	uint8_t priority;
	uint16_t group; /* 1 + index into the pool's groups; 0: no group */
	enum forward_method forward;
	uint16_t port;              /* of a backend with FORWARD_NAT, host order; 0: the port of the service */
	struct added_config *added; /* the options with which it was added at runtime; NULL: none */
	struct route route;
	enum health probe_health;  /* the result of its probes alone; farm_decide_outage() decides record.health */
	enum health own_health;    /* the decision of this balancer; record.health is the decision of its group */
	enum group_verdict agreed; /* what the group says */
	struct group_tally tally;  /* the votes of the group */
	bool dead;                 /* the decision that applies: that of the group, or outage.down */
	char agreed_reason[192]; /* how the decision of the group differs from that of this balancer; "": it does not */
	struct evidence probed;  /* the evidence from its probes (outage.h); all zeros: none */
	char probe_reason[128];  /* why its probes failed */
	bool probe_responded;    /* it responded to the last failed probe, but not as it should */
	bool passive_down;       /* down by passive health, for this balancer or for its group */
	char passive_reason[128];          /* why it fails for this balancer; "": not known after a restart */
	bool passive_anew;                 /* only responses from now on count */
	bool passive_works;                /* the responses that this balancer has seen show that it works */
	enum group_verdict agreed_passive; /* what the group says about its responses; GROUP_DOWN: it fails */
	char fails_at[192];                /* "fails at lb1, lb2"; "": at no balancer */
	char probe_trouble[128];           /* why the balancer cannot probe the backend; "": no obstacle */
	bool silent;                       /* it joined by itself, and its heartbeats stopped */
	bool joined_here; /* it joined, and this balancer itself has received a request of it since its start, less than
			     node_timeout ago */
	bool refused;     /* its heartbeats are refused because of its clock */
	uint32_t silent_ms;         /* ms since the last heartbeat of a backend that joined */
	uint64_t unreachable_since; /* when its next hop stopped responding, ms of the clock in listening.h; 0: the next
				       hop responds, or has never responded */
	struct neighbour_replies neighbour; /* how the next hop answers */
	struct outage_member outage;
	unsigned int slow_start_step; /* step of its slow start, 1 to FARM_SLOW_START_STEPS; the last step has the full
					 weight */
};

struct farm_pool {
	uint32_t id;
	const struct config_pool *config;
	struct farm_backend *backends; /* first the backends of the file, in the order of the file; includes tombstones
					  (farm_backend_exists()) */
	size_t count;
	bool has_placed_calls;      /* calls that have not ended, and whose backend `balance` has selected, here or at a
				       member of the group; also silent ones, which do not count */
	bool may_have_placed_calls; /* the same; also true while it is unknown */
	bool unprobed;              /* first start: backends without a probe result count as up */
	bool fail_open;             /* too few backends are up (`min_alive`): probe results are ignored */
	uint64_t enough_since; /* while `fail_open`: when enough backends were up again, ms of the clock in listening.h;
				  0: too few are up */
	size_t tolerated;      /* backends that fail according to passive health, but stay in service */
	struct outage outage;  /* backends that stopped responding together, until their state is decided */
	uint64_t next;         /* time of the next farm_decide_outage(), ms of the clock in listening.h */
};

struct farm {
	struct config *config;   /* owned */
	uint32_t *service_ids;   /* [config->service_count] */
	struct farm_pool *pools; /* [config->pool_count] */
	bool is_blind;           /* backends respond to other balancers of the group, but not to this one */
	uint32_t joining_until;  /* balancer_state.joining_until */
	uint32_t away_since;     /* time of `sipxdp-ctl away`, seconds since the epoch; 0: the balancer is not away */
	bool lists_pending;      /* the map guard_prefixes does not have the lists of this configuration yet */
};

enum farm_origin {
	FARM_RESTART, /* the daemon restarts: changes by operators stay */
	FARM_RELOAD,  /* the file replaces changes by operators; admin states, health, joined backends and pending
			 removals stay */
};

/* Builds a farm from a configuration and the running image. A backend that is already in the maps keeps its id,
 * its admin state and its route. Takes ownership of `config`, even on failure. Returns NULL and adds to
 * `faults` if the maps are too small. */
struct farm *farm_new(
	struct config *config, const struct image *running, enum farm_origin origin, struct faults *faults);
void farm_free(struct farm *farm);

/* Returns a copy on which a change can be tried. It shares the configuration, which must outlive the copy. */
struct farm *farm_trial_copy(const struct farm *farm);
void farm_trial_free(struct farm *farm);

/* Returns false for a tombstone. A tombstone records that an operator has removed a backend that is still in the
 * file, so that a restart does not add the backend again. */
bool farm_backend_exists(const struct farm_backend *backend);

/* Does the backend keep its calls but receive no new calls (`drain`, or a pending removal)? */
bool farm_record_is_draining(const struct backend_record *record);

/* Do the file and the operator allow new calls to the backend? They do if it is `ready`, its weight is not 0, and no
 * removal is pending. Ignores health. */
bool farm_backend_is_enabled(const struct farm_backend *backend);

/* Does the pool have a backend that is up? At the first start a backend without a probe result counts as up. */
bool farm_pool_takes_new_calls(const struct farm_pool *pool);

/* Is the backend enabled, and is it up or treated as up? For existing calls,
 * farm_backend_is_alive() is sufficient: can the backend receive packets (the field `alive` of the map `backends`)? */
bool farm_backend_takes_new_calls(const struct farm_pool *pool, const struct farm_backend *backend);

/* The priority whose backends receive new calls: the lowest number with enough live backends for `min_alive`. While the
 * pool fails open, the lowest number with an enabled backend. 0 if no backend takes new calls. */
unsigned int farm_priority_in_charge(const struct farm_pool *pool);
bool farm_backend_is_alive(const struct farm_pool *pool, const struct farm_backend *backend);

/* Is the backend alive, but down by passive health? It keeps its calls, and new calls go to other backends at once. */
bool farm_backend_is_failing(const struct farm_pool *pool, const struct farm_backend *backend);

/* The current weight of the backend in tenths: 10 for weight 1, less during a slow start. */
uint16_t farm_backend_weight(const struct farm_backend *backend);

/* Find an object by name; NULL if there is none. Only the last function also finds tombstones. */
struct farm_pool *farm_find_pool(const struct farm *farm, const char *name);
struct farm_backend *farm_find_backend(const struct farm_pool *pool, const char *name);
struct farm_backend *farm_find_backend_or_tombstone(const struct farm_pool *pool, const char *name);

/* Is the backend in the file? */
bool farm_backend_is_in_file(const struct farm_pool *pool, const struct farm_backend *backend);

/* The backend's configuration: its line in the file, or the options of the `backend add` that created it; NULL if it
 * has neither. A line with a different address belongs to a different machine, which an operator has replaced. */
const struct config_backend *farm_backend_config(const struct farm_pool *pool, const struct farm_backend *backend);

/* Changes by operators and by joining servers. Each function returns 0, or -EEXIST, -ENOENT, -EADDRINUSE or -ENOSPC
 * with the reason in `error`. */
#define FARM_ERROR_SIZE 256

/* Sets the MAC address, the priority, the group and the forwarding of a backend. NULL: the defaults of its pool. */
void farm_configure(const struct farm_pool *pool, struct farm_backend *backend, const struct config_backend *config);

/* Sets the options of a backend that was added at runtime. Takes ownership of `added`. */
void farm_describe(const struct farm_pool *pool, struct farm_backend *backend, struct added_config *added);

/* Can a new backend of the pool use this address? 0 or -EADDRINUSE. */
int farm_check_address(const struct farm *farm, const struct farm_pool *pool, const struct address *address,
	char error[FARM_ERROR_SIZE]);

/* `sipxdp-ctl away` and `back`. `away`: the time, seconds since the epoch; 0: back. A second `away` changes nothing. */
void farm_set_away(struct farm *farm, uint32_t away);

/* Adds a backend with the keys of its line, if the file has a line with this name and address; otherwise with the
 * default values. */
#define FARM_USUAL_WEIGHT (-1) /* the weight of the line, or 1 */
int farm_add_backend(struct farm *farm, const struct image *running, const char *pool, const char *name,
	const struct address *address, int weight, char error[FARM_ERROR_SIZE]);
/* Add a backend with any options that a line in the file can contain. First call farm_try_described() on a copy.
 * That function also checks that a file with all backends of the farm would be valid, which is slow for a large
 * file. farm_add_described() takes ownership of `added`, even on failure. */
int farm_try_described(struct farm *trial, const struct image *running, const char *pool, struct added_config *added,
	char error[FARM_ERROR_SIZE]);
int farm_add_described(struct farm *farm, const struct image *running, const char *pool, struct added_config *added,
	char error[FARM_ERROR_SIZE]);
int farm_remove_backend(struct farm *farm, const char *pool, const char *name, char error[FARM_ERROR_SIZE]);
/* Stops new calls to the backend. The backend is removed once it is neither owner nor previous owner of any slot. */
int farm_remove_when_drained(struct farm *farm, const char *pool, const char *name, char error[FARM_ERROR_SIZE]);
int farm_set_weight(
	struct farm *farm, const char *pool, const char *name, uint16_t weight, char error[FARM_ERROR_SIZE]);
int farm_set_admin(
	struct farm *farm, const char *pool, const char *name, enum admin_state admin, char error[FARM_ERROR_SIZE]);

/* The running state as a configuration, for `sipxdp-ctl save`. Free it with config_free(). */
struct config *farm_config(const struct farm *farm);

/* Updates the route to a backend. Keeps known values that the new result lacks. For example, the old MAC address
 * stays in use during a new ARP request. */
void farm_set_route(struct farm_backend *backend, const struct route *route);

/* Sets the health of a backend directly, without farm_decide_outage(). `reason` says why the backend is down. */
void farm_set_health(
	struct farm_backend *backend, enum health health, const struct latency *latency, const char *reason);

/* Sets the evidence from its probes, for farm_decide_outage(). */
void farm_set_probed(struct farm_backend *backend, enum health found, const struct evidence *evidence,
	const struct latency *latency, const char *reason);

/* Decides which backends of a pool are dead, from the evidence about all its backends (outage.h). A backend that
 * does not respond may be alive: the fault may be in the network near the balancer. `listening` is the time at which
 * the daemon started to receive responses. Both times are ms of the clock in listening.h. Call farm_update_state()
 * afterwards. */
void farm_decide_outage(const struct farm *farm, struct farm_pool *pool, uint64_t listening, uint64_t now);

/* Set what the group of balancers says about a backend, for farm_decide_outage(). */
void farm_set_agreed(struct farm_backend *backend, enum group_verdict agreed, struct group_tally tally);
void farm_set_agreed_passive(struct farm_backend *backend, enum group_verdict agreed, const char *fails_at);

/* The same, as the group decides now. `group` NULL: this balancer is not a member. */
void farm_report_group(struct farm_backend *backend, const struct group *group, uint64_t now);

/* Gives the group the votes of this balancer about all backends. */
void farm_give_votes(const struct farm *farm, struct group *group, uint64_t now);

/* The vote of this balancer about a backend, and the name of the backend in messages of the group. */
enum group_vote farm_vote(const struct farm_pool *pool, const struct farm_backend *backend);
struct group_key farm_group_key(const struct farm_backend *backend);

/* The name of the pool in messages of the group: group_key.pool of its backends. */
uint64_t farm_pool_key(const struct farm_pool *pool);
/* The same by the record of a backend, and by the name of a pool. */
struct group_key farm_record_key(const struct backend_record *record);
uint64_t farm_pool_name_key(const char *name);

/* When to call farm_decide_outage() again if no new evidence arrives, ms of the clock in listening.h; OUTAGE_NEVER: not
 * at all. */
uint64_t farm_next_decision(const struct farm_pool *pool);

/* The longest time from the death of a backend to its detection, ms. */
uint32_t farm_detection_time(const struct farm_pool *pool);

/* Does passive health (core/health/passive.h) apply to the backend? It needs FORWARD_NAT and `passive:` of the pool. */
bool farm_backend_is_observed(const struct farm_pool *pool, const struct farm_backend *backend);

/* The entry of the backend in the map `passive_rules`. */
struct passive_rule farm_passive_rule(const struct farm_pool *pool, const struct farm_backend *backend);

/* Decides for this balancer which backends fail alone, and which may return: their hold time is over, and their probes
 * pass. `histories`: of each backend of the pool; NULL for a backend that is not observed. Returns true if it has
 * decided differently than before. `now` is in ms of any clock, `date` in seconds since the epoch. */
bool farm_decide_passive(
	struct farm_pool *pool, struct passive_history *const histories[], uint64_t now, uint32_t date);

/* Puts the backends down that fail for the group of balancers, or without a group for this balancer. Called by
 * farm_decide_outage(). */
void farm_conclude_passive(struct farm_pool *pool);

/* Does the backend fail for this balancer? */
bool farm_backend_fails_here(const struct farm_backend *backend);

/* Why the backend is down by passive health. */
const char *farm_passive_reason(const struct farm_backend *backend);

/* Ends the failure of a backend: it may return at once. */
void farm_passive_forget(struct farm_backend *backend);

/* Describes the backends that fail but stay in service; "" if there are none. */
#define FARM_PASSIVE_SIZE 192
const char *farm_passive_text(const struct farm_pool *pool, char text[FARM_PASSIVE_SIZE]);

/* Copies undecided outages from the previous farm, so that a reload does not restart them. */
void farm_take_over(struct farm *farm, const struct farm *before);

/* Describes an undecided outage of the pool; "" if there is none. */
#define FARM_OUTAGE_SIZE 384
const char *farm_outage_text(const struct farm_pool *pool, uint64_t now, char text[FARM_OUTAGE_SIZE]);

/* Sets the reason why the balancer cannot probe the backend; "" if there is no obstacle. */
void farm_set_trouble(struct farm_backend *backend, const char *trouble);

/* For a preview: treats a backend that is not in the maps yet as reachable and up. Returns true if the backend's
 * real state is unknown. Does not change a running backend whose address changes: that backend receives no packets
 * until its new route is known, and the preview must report this. */
bool farm_assume_usable(struct farm_backend *backend, const struct image *running);

/* Updates the state in the backend's record; `now` is in seconds since the epoch. Returns true if the state changed. */
bool farm_update_state(
	const struct farm *farm, const struct farm_pool *pool, struct farm_backend *backend, uint32_t now);

/* Decides whether the pool fails open; `now` is in ms of the clock in listening.h. Returns true if the decision
 * changed. */
bool farm_update_fail_open(struct farm_pool *pool, uint64_t now);

/* When the pool will stop failing open, ms of the clock in listening.h; OUTAGE_NEVER if it does not fail open or too
 * few backends are up. */
uint64_t farm_fail_open_end(const struct farm_pool *pool);

/* The entry of the backend in the map `backends`. All bytes are 0 while the next hop of the backend is unknown. */
struct backend farm_backend_entry(const struct farm_pool *pool, const struct farm_backend *backend);

/* Has the next hop of the backend stopped responding? Its last MAC address may then be invalid. */
bool farm_backend_is_lost(const struct farm *farm, const struct farm_backend *backend);

/* When the next step of a slow start is due, seconds since the epoch; 0 if no slow start is in progress. */
uint32_t farm_next_slow_start_step(const struct farm *farm);

const char *farm_state_name(enum backend_state state);

/* "ready", "drain", "maint", or "leaving" during a pending removal. */
const char *farm_admin_name(const struct backend_record *record);

/* The reason why the backend is not up or cannot be probed; "" if there is none. */
const char *farm_reason(const struct farm *farm, const struct farm_pool *pool, const struct farm_backend *backend);
