/* SPDX-License-Identifier: GPL-2.0 */
/* Decides whether backends that stopped responding are dead, or whether a network fault hides them from the
 * balancer. Decides about all backends of a pool together: servers rarely die at the same moment, but a network fault
 * near the balancer affects many backends at once. docs/design/probes.md has the rules and their limits. No I/O. Times
 * are milliseconds of the clock in core/health/listening.h, which runs only while the daemon can receive packets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The evidence about one backend: from probes, from its neighbour entry, from heartbeats, or a combination of these
 * (evidence_add()). All zeros: no evidence. */
struct evidence {
	bool known;
	bool failing;   /* the last request was not answered */
	bool enough;    /* enough consecutive requests were not answered: the backend counts as dead if no other backend
			   fails */
	bool recovered; /* it answered enough consecutive requests to be up again */
	bool unsteady;  /* it leaves some requests unanswered even while it is up */
	uint64_t answered;  /* start of the last answered request; 0: none */
	uint64_t began;     /* while failing: start of the first unanswered request */
	uint64_t failed;    /* while failing: start of the last unanswered request */
	uint32_t detection; /* the longest time from the death of the backend until `enough` is true */
	uint32_t again;     /* the time from the first failure to the one that sets `enough` */
};

/* Adds evidence of a second kind, for example from heartbeats. A failure of one kind counts, unless the backend
 * answered a later request of the other kind. */
void evidence_add(struct evidence *evidence, const struct evidence *other);

/* A backend of a pool. Initially all zero, or the decision from before a restart of the daemon. */
struct outage_member {
	struct evidence evidence; /* in */
	bool excluded;            /* in: in maintenance; the decision about it uses only its own evidence */
	bool down;                /* it counts as dead and owns no slots */
	bool held;                /* it has stopped responding, but keeps its slots until the decision */
	bool wanted;              /* out: the decision about a different member needs the next result of this member */
	bool failed;              /* `evidence.failing` at the last call */
	uint64_t returned;        /* when it last responded again after a failure; 0: it has never failed */
};

enum outage_view {
	OUTAGE_NONE,    /* nothing is undecided */
	OUTAGE_PARTIAL, /* some members do not respond; the decision about them is pending */
	OUTAGE_BLIND,   /* no member responds: the fault is probably at the balancer */
};

#define OUTAGE_NEVER UINT64_MAX

/* The outage of a pool. Initially all zero. */
struct outage {
	enum outage_view view;
	uint64_t blind;    /* when the balancer was last blind; 0: never */
	uint64_t decision; /* when the pending decision is due; OUTAGE_NEVER while blind */
	size_t members;    /* number of members in the common decision */
	size_t silent;     /* number of these members that do not respond */
	uint32_t spread;   /* time from the earliest to the latest of the first failures of these members, ms */
};

struct outage_rules {
	bool may_all_be_dead; /* all members may be declared dead (min_alive: 0) */
	uint64_t listening;   /* when the daemon started to receive responses */
};

/* Decides about all members. Returns the time of the next call if no new evidence arrives; OUTAGE_NEVER: none is
 * needed. */
uint64_t outage_decide(struct outage *outage, struct outage_member *members, size_t count,
	const struct outage_rules *rules, uint64_t now);
