/* SPDX-License-Identifier: GPL-2.0 */
/* Passive health: decides from the responses of the backends to clients which backends of a pool fail. All backends of
 * a pool are judged together: if the others fail too, the cause is common to all of them, and a different backend would
 * not do better. docs/design/passive.md has the rules and their limits. No I/O. Times are ms of one clock. */
#pragma once

#include "bpf/abi_return.h"
#include "core/config/config.h"

#define PASSIVE_MARKS 11      /* start and end of ten parts of the window */
#define PASSIVE_RESPONSES 10  /* fewer responses in the window prove nothing by their share */
#define PASSIVE_TIMEOUT 32000 /* ms without a response: timer B (RFC 3261, section 17.1.1.2) */
#define PASSIVE_REPEATS 7     /* a client sends an unanswered INVITE this often until timer B ends (timer A) */
#define PASSIVE_HOLD_MAX 300  /* seconds: the longest hold time */
#define PASSIVE_QUIET 600     /* seconds in service until the hold time is short again */

/* The responses of a backend since its counters were 0. INVITE and REGISTER are judged separately. */
struct passive_totals {
	struct passive_state state; /* as counted by the kernel */
	uint64_t invites;           /* initial INVITEs to the backend, repetitions included */
	uint64_t responses;         /* responses to INVITE, provisional ones included */
	uint64_t unanswered;        /* INVITEs without a response for PASSIVE_TIMEOUT, of one in CALL_SAMPLE calls */
};

/* The totals at a time. */
struct passive_mark {
	uint64_t time;
	uint64_t finals, failures;
	uint64_t unanswered; /* only of INVITE */
};

/* The responses to one method. */
struct passive_series {
	struct passive_mark marks[PASSIVE_MARKS]; /* a ring; `newest` is an index into it */
	unsigned int newest;
	uint64_t finals, failures; /* in the window that ends with the last sample; `lost` is part of both */
	uint64_t unanswered;       /* sampled requests without a response in this window */
	uint64_t lost;             /* lower bound of all requests without a response, from these */
	uint32_t old_run;          /* failures from before this history in the current run */
	uint64_t worked;           /* the last sample with a successful response; 0: none */
};

/* The history of a backend while it is in service. Initially all zero. */
struct passive_history {
	struct passive_totals totals; /* at the last sample */
	struct passive_series of[PASSIVE_METHODS];
	uint64_t begun;        /* the first sample; 0: none */
	uint64_t silent_from;  /* the first sample with an INVITE after the last response to INVITE; 0: none */
	uint64_t unanswered;   /* INVITEs since then */
	uint64_t failing_from; /* the first sample of the current failure; 0: the backend does not fail */
};

/* Adds a sample. Restarts the history if the totals have decreased. */
void passive_sample(struct passive_history *history, const struct passive_totals *totals,
	const struct config_passive *config, uint64_t now);

/* Forgets all responses up to the last sample. */
void passive_begin_anew(struct passive_history *history, uint64_t now);

enum passive_role {
	PASSIVE_ABSENT,  /* the operator does not let it take new calls */
	PASSIVE_SERVES,  /* takes new calls */
	PASSIVE_STANDBY, /* up, and has a lower priority than the backends that take new calls */
	PASSIVE_DOWN,    /* down, for any reason */
};

/* A backend of a pool. */
struct passive_member {
	struct passive_history *history; /* in; NULL: its responses do not pass the balancer */
	enum passive_role role;          /* in */
	enum passive_cause cause;        /* out: why it fails; PASSIVE_NONE: it does not fail */
	enum passive_method method;      /* out: the method of the failed responses */
	bool fails_alone;                /* out: the other backends work, so it must go down */
};

/* Sets the results of all members. `min_alive` in per cent. */
void passive_decide(struct passive_member *members, size_t count, const struct config_passive *config,
	unsigned int min_alive, uint64_t now);

/* Do its responses in the window show that a backend that serves and does not fail works? */
bool passive_works(const struct passive_history *history, const struct config_passive *config, uint64_t now);

/* A backend that the operator lets take new calls, for a decision of all balancers of a group. */
struct passive_candidate {
	size_t index;          /* in: any number of the caller */
	unsigned int priority; /* in */
	uint64_t key;          /* in: equal at all balancers */
	bool up;               /* in: it passes its probes */
	bool fails;            /* in: its responses show that it fails */
	bool goes_down;        /* out: it fails, and others can take its calls */
};

/* Decides about all backends of a pool, and sorts them. Depends on nothing but the list, so that all balancers decide
 * the same. */
void passive_agree(struct passive_candidate *list, size_t count, unsigned int min_alive);

/* Has the backend failed for a whole window without going down? */
bool passive_is_tolerated(const struct passive_member *member, const struct config_passive *config, uint64_t now);

/* The time for which a backend is down after its failure number `count`, from 1; seconds. */
uint32_t passive_hold(const struct config_passive *config, enum passive_cause cause, unsigned int count);

/* Describes the failure of a member that fails. Returns `text`. */
#define PASSIVE_TEXT_SIZE 128
const char *passive_text(
	const struct passive_member *member, const struct config_passive *config, char text[PASSIVE_TEXT_SIZE]);

/* The same without numbers, and the name of the cause for JSON; "" for PASSIVE_NONE. */
const char *passive_cause_text(enum passive_cause cause);
const char *passive_cause_name(enum passive_cause cause);
