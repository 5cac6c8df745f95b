/* SPDX-License-Identifier: GPL-2.0 */
/* Decides whether backends that stopped responding are dead, or only invisible to the balancer. It judges all
 * backends of a pool together: servers rarely die at the same moment, but a network fault near the balancer
 * silences many at once. docs/design/probes.md has the rules and their limits. No I/O. Times are ms of
 * listening.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The evidence about one backend, from probes, from its neighbour entry, from heartbeats, or combined
 * (evidence_add()). All zeros: none. */
struct evidence {
	bool known;
	bool failing;       /* the last request was not answered */
	bool enough;        /* ... nor were the requests before it: alone, the backend counts as dead */
	bool recovered;     /* it has answered often enough to be up again */
	bool unsteady;      /* it also loses responses now and then */
	uint64_t answered;  /* start of the last answered request; 0: none */
	uint64_t began;     /* while failing: start of the first unanswered request */
	uint64_t failed;    /* while failing: start of the last unanswered request */
	uint32_t detection; /* the longest time from a death to enough evidence */
	uint32_t again;     /* the time from the first to the last failure of enough evidence */
};

/* Combines two kinds of evidence. A failure of either kind counts, unless a later request of the other kind
 * was answered. */
void evidence_add(struct evidence *evidence, const struct evidence *other);

/* A backend of a pool. Starts with zeros, or with the decision of the previous daemon. */
struct outage_member {
	struct evidence evidence; /* in */
	bool excluded;            /* in: in maintenance; judged by its own evidence alone */
	bool down;                /* it counts as dead and owns no slots */
	bool held;                /* it does not respond, and keeps its slots until the decision */
	bool wanted;              /* out: its next result is needed to judge a different member */
	bool failed;              /* it failed at the last judgement */
	uint64_t returned;        /* when it first responded again; 0: never */
};

enum outage_view {
	OUTAGE_NONE,    /* nothing is undecided */
	OUTAGE_PARTIAL, /* some members do not respond; their decision is pending */
	OUTAGE_BLIND,   /* no member responds: the balancer cannot see */
};

#define OUTAGE_NEVER UINT64_MAX

/* A pool. Starts with zeros. */
struct outage {
	enum outage_view view;
	uint64_t blind;    /* when the balancer last could not see; 0: never */
	uint64_t decision; /* when the pending decision is due at the latest; OUTAGE_NEVER while blind */
	size_t members;    /* members that are judged together */
	size_t silent;     /* those of them that do not respond */
	uint32_t spread;   /* time between the first and the last of their failures, ms */
};

struct outage_rules {
	bool believe;       /* also decide that all are dead (min_alive: 0) */
	uint64_t listening; /* since when the daemon has listened */
};

/* Judges all members. Returns when to judge again without new evidence; OUTAGE_NEVER: not at all. */
uint64_t outage_judge(struct outage *outage, struct outage_member *members, size_t count,
	const struct outage_rules *rules, uint64_t now);
