/* SPDX-License-Identifier: GPL-2.0 */
/* Whether backends that stopped answering are dead, or cannot be seen. Judges all backends
 * of a pool together: servers rarely die at the same moment, but trouble in the network
 * beside the balancer silences many of them at once. What this can tell apart, and what it
 * cannot, is in docs/design/probes.md. Pure: times are ms of the clock of listening.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known about one backend: by its probes, its neighbour entry, its heartbeats, or by
 * all of them (evidence_add). All zeros: nothing. */
struct evidence {
	bool known;
	bool failing;       /* the last question was not answered */
	bool enough;        /* ... nor were those before it: if it is the only one, it is dead */
	bool recovered;     /* it has answered often enough to be taken back */
	bool unsteady;      /* it fails now and then */
	uint64_t answered;  /* when the last question that was answered began; 0: none was */
	uint64_t began;     /* when the first question began that was not answered any more; while failing */
	uint64_t failed;    /* likewise the last one */
	uint32_t detection; /* from a death until there is enough evidence, at most */
	uint32_t again;     /* from the first to the last failure that makes enough evidence */
};

/* Adds what another way of looking says. A failure by any of them counts, unless something
 * that began later was answered. */
void evidence_add(struct evidence *evidence, const struct evidence *other);

/* A backend of a pool. Begins as zeros, or with what a daemon before this one decided. */
struct outage_member {
	struct evidence evidence; /* in */
	bool apart;               /* in: takes no part (maintenance): is judged by its own evidence alone */
	bool down;                /* it is dead, as far as can be told; it has no slots */
	bool held;                /* it does not answer, and keeps its slots until that is decided */
	bool wanted;              /* out: its next answer, or failure, is waited for to judge another one */
	bool failed;              /* failed when it was looked at last */
	uint64_t returned;        /* when it was first seen to answer again; 0: never */
};

enum outage_view {
	OUTAGE_NONE,    /* nothing is undecided */
	OUTAGE_PARTIAL, /* some do not answer, and wait for a decision */
	OUTAGE_BLIND,   /* none answers: the balancer cannot see */
};

#define OUTAGE_NEVER UINT64_MAX

/* A pool. Begins as zeros. */
struct outage {
	enum outage_view view;
	uint64_t blind;    /* when the balancer was last unable to see; 0: never */
	uint64_t decision; /* when the undecided are decided at the latest, OUTAGE_NEVER while blind */
	size_t members;    /* that take part */
	size_t silent;     /* of these do not answer */
	uint32_t spread;   /* within which they began to be silent, ms */
};

struct outage_rules {
	bool believe;       /* also that all are dead (min_alive: 0) */
	uint64_t listening; /* since when the daemon has listened */
};

/* Decides about each member. Returns when to judge again if nothing new is heard until
 * then; OUTAGE_NEVER: not at all. */
uint64_t outage_judge(struct outage *outage, struct outage_member *members, size_t count,
	const struct outage_rules *rules, uint64_t now);
