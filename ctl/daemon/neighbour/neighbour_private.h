/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of neighbour.h share: neighbour.c and neighbour_*.c. Only these include
 * it. */
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
#define RETRY_TIME (2000 * MILLISECOND) /* for what the kernel does not retry by itself */
#define RECHECK_TIME 6000               /* ms that two rounds of three requests take */
#define RECHECK_ROUND 3000              /* ms that one round takes, of a hop that has failed */
#define RECHECK_PAUSE 2000              /* ms between two questions, if the first was answered */

/* Whose a neighbour entry is, as `ip neigh` shows it: a number that no routing daemon
 * has (/etc/iproute2/rt_protos). */
#define NEIGHBOUR_PROTOCOL 206

#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

enum step {
	STEP_NONE,
	STEP_LOOKUP,  /* follow: its route */
	STEP_QUERY,   /* hop: its entry as it is now */
	STEP_RECHECK, /* hop: forget its MAC address, and ask for it */
	STEP_MANAGE,  /* hop: have the kernel resolve it and keep it fresh */
	STEP_RELEASE, /* hop: no longer */
};

struct task {
	TAILQ_ENTRY(task) entry;
	enum step step; /* not STEP_NONE while it is in the queue */
};

struct watch {
	struct task task; /* first: a task is cast to it */
	struct address address;
	bool stale;                   /* its route is to be looked up when things have settled */
	uint8_t type;                 /* of its route, RTN_UNICAST ...; RTN_UNSPEC: see `error` */
	int error;                    /* why it could not be looked up */
	struct netlink_route unicast; /* the last one that was RTN_UNICAST */
	uint16_t path_mtu;            /* what a router on the way has said that fits; 0: none has */
	uint64_t path_until;          /* that counts until then */
	struct address path_router;
	struct hop *hop;          /* NULL: its packets leave by no neighbour, see neighbour_route.c */
	LIST_ENTRY(watch) member; /* of the hop's follows */
	struct route route;
};

struct hop_key {
	uint32_t ifindex;
	struct address address;
};

struct hop {
	struct task task; /* first, as above */
	struct hop_key key;
	LIST_HEAD(, watch) watches;
	LIST_ENTRY(hop) member;
	enum route_state state; /* what its answers, or their absence, say */
	struct mac mac;
	int error;             /* why the kernel could not be asked */
	bool stale;            /* its entry is to be asked for when things have settled */
	bool exists;           /* has an entry */
	bool fixed;            /* ... that an operator set */
	bool managed;          /* ... that the kernel keeps fresh */
	bool ours;             /* ... because we said so */
	bool retried;          /* by STEP_MANAGE, since it answered last */
	bool rechecking;       /* by STEP_RECHECK, which a STEP_MANAGE is to follow: the first round of requests */
	uint64_t recheck_at;   /* when STEP_RECHECK was done last, ms of listening_clock_now(); 0: never */
	uint64_t rechecked_at; /* likewise the last one that was answered */
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
	sd_event_source *path[2]; /* words of routers, by IPv4 and IPv6 */
	uint64_t reported;        /* when changed() was last called */
	void (*changed)(void *data);
	void *data;
	struct watch **watches; /* sorted by address */
	size_t count;
	bool stale;       /* all of them */
	bool lost;        /* messages: whatever is known may be wrong */
	void *links;      /* tree of struct netlink_link by ifindex */
	void *hop_by_key; /* tree of the hops */
	LIST_HEAD(, hop) hops;
	TAILQ_HEAD(, task) tasks;
	TAILQ_HEAD(, task) paced; /* STEP_MANAGE only: see PACE in neighbour_queue.c */
	uint64_t tasks_from;      /* when the next may be done */
	uint64_t paced_from;
};

/* --- neighbour.c */

uint64_t neighbour_now(const struct neighbours *n);

/* Starts a timer that does not run; one that does keeps its time. */
void neighbour_start_timer(sd_event_source *timer, uint64_t time);

/* Has changed() called, soon. */
void neighbour_report(struct neighbours *n);

/* The place of the first that is not below `address`. */
size_t neighbour_lower_bound(struct watch *const *watches, size_t count, const struct address *address);

/* NULL: it is not followed. */
struct watch *neighbour_watch_find(const struct neighbours *n, const struct address *address);

/* --- neighbour_path.c */

int neighbour_path_open(struct neighbours *n); /* 0 or -errno */
void neighbour_path_close(struct neighbours *n);

/* Forgets what has been said too long ago. */
void neighbour_path_age(struct neighbours *n);

/* --- neighbour_events.c */

/* NULL: there is none, or nothing is known of it yet. */
struct netlink_link *neighbour_link_find(const struct neighbours *n, uint32_t ifindex);

/* Asks for them all; when that fails, n->lost says so, and it is tried again. */
void neighbour_links_load(struct neighbours *n);
void neighbour_links_free(struct neighbours *n);

int neighbour_on_incoming(sd_event_source *source, int fd, uint32_t events, void *data);
int neighbour_on_quiet(sd_event_source *source, uint64_t usec, void *data);
int neighbour_on_retry(sd_event_source *source, uint64_t usec, void *data);

/* --- neighbour_hop.c */

struct hop *neighbour_hop_find(const struct neighbours *n, uint32_t ifindex, const struct address *address);
struct hop *neighbour_hop_make(struct neighbours *n, uint32_t ifindex, const struct address *address);
void neighbour_hop_free(struct neighbours *n, struct hop *hop);

/* True if at least one watch uses the hop. */
bool neighbour_hop_is_wanted(const struct hop *hop);

/* Takes a watch off its hop. The last one to leave schedules the release of the hop's entry. */
void neighbour_hop_detach(struct neighbours *n, struct watch *watch);

/* Updates a hop from its neighbour entry. */
void neighbour_hop_learn(struct neighbours *n, struct hop *hop, const struct netlink_neighbour *entry);

/* Schedules a step. A task waits for one step only: a later call replaces the step. */
void neighbour_schedule(struct neighbours *n, struct task *task, enum step step);
void neighbour_unschedule(struct neighbours *n, struct task *task);

int neighbour_on_work(sd_event_source *source, uint64_t usec, void *data);

/* --- neighbour_route.c */

/* Puts together what is known, and reports it if that changes the follow's route. */
void neighbour_update_route(struct neighbours *n, struct watch *watch);
