/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by neighbour.c and neighbour_*.c. No other file includes it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <linux/neighbour.h>
#include "core/net/address.h"
#include "neighbour.h"
#include "netlink.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define MILLISECOND UINT64_C(1000)
#define RETRY_TIME (2000 * MILLISECOND) /* for requests that the kernel does not retry by itself */
#define RECHECK_TIME 6000               /* ms: two rounds of three requests */
#define RECHECK_ROUND 3000              /* ms: one round, for a hop that has failed */
#define RECHECK_PAUSE 2000              /* ms between two rechecks if the first one got a reply */

/* Marks our neighbour entries; `ip neigh` shows it. No routing daemon uses this number
 * (/etc/iproute2/rt_protos). */
#define NEIGHBOUR_PROTOCOL 206

#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

enum step {
	STEP_NONE,
	STEP_LOOKUP,  /* watch: look up its route */
	STEP_QUERY,   /* hop: read its current entry */
	STEP_RECHECK, /* hop: clear its MAC address; STEP_MANAGE then resolves it again */
	STEP_MANAGE,  /* hop: request that the kernel resolves it and keeps it fresh */
	STEP_RELEASE, /* hop: request that the kernel no longer keeps it fresh */
};

struct task {
	TAILQ_ENTRY(task) entry;
	enum step step; /* STEP_NONE: the task is in no queue */
};

/* One watched address and its route. */
struct watch {
	struct task task; /* first: a task is cast to it */
	struct address address;
	bool stale;                   /* look up the route again when the burst of changes ends */
	uint8_t type;                 /* of its route, RTN_UNICAST ...; RTN_UNSPEC: see `error` */
	int error;                    /* of the lookup, -errno */
	struct netlink_route unicast; /* the last result of type RTN_UNICAST */
	uint16_t path_mtu;            /* MTU reported by a router on the path; 0: none */
	uint64_t path_until;          /* time at which path_mtu expires */
	struct address path_router;
	struct hop *hop;          /* NULL: no next hop, see neighbour_route.c */
	LIST_ENTRY(watch) member; /* of the hop's watches */
	struct route route;
};

/* Identifies a neighbour. */
struct hop_key {
	uint32_t ifindex;
	struct address address;
};

/* A next hop: either a watched address or a gateway that many watched addresses share. */
struct hop {
	struct task task; /* first, as above */
	struct hop_key key;
	LIST_HEAD(, watch) watches;
	LIST_ENTRY(hop) member;
	enum route_state state; /* derived from the neighbour's replies, or from missing replies */
	struct mac mac;
	int error;           /* of the last request to the kernel, -errno */
	bool stale;          /* read the entry again when the burst of changes ends */
	bool exists;         /* the kernel has an entry */
	bool fixed;          /* an operator has set the entry */
	bool managed;        /* the kernel keeps the entry fresh */
	bool ours;           /* the daemon, not an operator, made the entry managed */
	bool retried;        /* STEP_MANAGE was done again since the last reply */
	bool rechecking;     /* STEP_RECHECK was done; the STEP_MANAGE that starts its first round of requests is due */
	uint64_t recheck_at; /* when STEP_RECHECK was last scheduled, ms of listening_clock_now(); 0: never */
	struct neighbour_replies replies;
};

struct neighbours {
	struct netlink requests;
	struct netlink events;
	sd_event *loop;
	sd_event_source *incoming;
	sd_event_source *work;
	sd_event_source *quiet;
	sd_event_source *retry;
	sd_event_source *report;
	sd_event_source *path[2]; /* ICMP errors of routers, by IPv4 and IPv6 */
	uint64_t reported;        /* when changed() was last called */
	void (*changed)(void *data);
	void (*rerouted)(void *data);
	void *data;
	struct prefix_key *sources; /* see neighbours_set_sources() */
	size_t source_count;
	struct watch **watches; /* sorted by address */
	size_t count;
	bool stale;       /* all routes must be looked up again */
	bool lost;        /* notifications were lost: all state may be wrong */
	bool moved;       /* a notification has reported a change for rerouted() */
	void *links;      /* tree of struct netlink_link by ifindex */
	void *known;      /* tree of the kernel's usable neighbours: struct known_neighbour */
	void *hop_by_key; /* tree of the hops */
	LIST_HEAD(, hop) hops;
	TAILQ_HEAD(, task) tasks;
	TAILQ_HEAD(, task) paced; /* tasks in STEP_MANAGE: see PACE in neighbour_hop.c */
	uint64_t tasks_from;      /* earliest time of the next task */
	uint64_t paced_from;
};

/* --- neighbour.c */

uint64_t neighbour_now(const struct neighbours *n);

/* Starts a stopped timer. A running timer keeps its time. */
void neighbour_start_timer(sd_event_source *timer, uint64_t time);

/* Schedules a call of changed(). */
void neighbour_report(struct neighbours *n);

/* The index of the first watch whose address is not below `address`. */
size_t neighbour_lower_bound(struct watch *const *watches, size_t count, const struct address *address);

/* NULL: the address is not watched. */
struct watch *neighbour_watch_find(const struct neighbours *n, const struct address *address);

/* --- neighbour_path.c */

int neighbour_path_open(struct neighbours *n); /* 0 or -errno */
void neighbour_path_close(struct neighbours *n);

/* Drops expired path MTUs. */
void neighbour_path_age(struct neighbours *n);

/* --- neighbour_events.c */

/* NULL: no such interface, or no notification about it yet. */
struct netlink_link *neighbour_link_find(const struct neighbours *n, uint32_t ifindex);

/* Loads all links. On failure it sets n->lost, and the load is repeated later. */
void neighbour_links_load(struct neighbours *n);
void neighbour_links_free(struct neighbours *n);
void neighbour_known_free(struct neighbours *n);

int neighbour_on_incoming(sd_event_source *source, int fd, uint32_t events, void *data);
int neighbour_on_quiet(sd_event_source *source, uint64_t usec, void *data);
int neighbour_on_retry(sd_event_source *source, uint64_t usec, void *data);

/* --- neighbour_hop.c: the next hops, and the requests to the kernel */

struct hop *neighbour_hop_find(const struct neighbours *n, uint32_t ifindex, const struct address *address);
struct hop *neighbour_hop_make(struct neighbours *n, uint32_t ifindex, const struct address *address);
void neighbour_hop_free(struct neighbours *n, struct hop *hop);

/* True if at least one watch uses the hop. */
bool neighbour_hop_is_wanted(const struct hop *hop);

/* Removes a watch from its hop. After the last watch has been removed, the caller must release the entry of the hop. */
void neighbour_hop_detach(struct neighbours *n, struct watch *watch);

/* Updates a hop from its neighbour entry. */
void neighbour_hop_learn(struct neighbours *n, struct hop *hop, const struct netlink_neighbour *entry);

/* Schedules a step. A task waits for one step only: a later call replaces the step. */
void neighbour_schedule(struct neighbours *n, struct task *task, enum step step);
void neighbour_unschedule(struct neighbours *n, struct task *task);

int neighbour_on_work(sd_event_source *source, uint64_t usec, void *data);

/* --- neighbour_route.c */

/* Derives the watch's route from its lookup, hop and link. Reports the route if it changed. */
void neighbour_update_route(struct neighbours *n, struct watch *watch);
