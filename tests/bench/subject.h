/* SPDX-License-Identifier: GPL-2.0 */
/* A program to be timed. The bench loads it and fills its maps itself, without daemon and interface. Its services, for
 * UDP (and TCP on the first address):
 *
 *   192.0.2.10:5060, 2001:db8::10:5060    service 0, pool 0
 *   10.200.0.0:5060 and the following     services 1 and up (the setup has the number), spread over its pools
 *
 * On the first address each backend has 512 media ports, starting at 32768. Service 0 also has the ports 6144 to 6399.
 * Pings are answered. */
#pragma once

#include <stdint.h>
#include <bpf/libbpf.h>
#include "bpf/abi_calls.h"
#include "bpf/abi_observe.h"
#include "messages.h"

enum subject_migration {
	MIGRATION_NONE,
	MIGRATION_ELSEWHERE, /* pools are migrating, but no slot of the frames */
	MIGRATION_HERE,      /* all slots are migrating */
};

#define BALANCE_NONE (1u << 31)

enum subject_observer {
	OBSERVER_NONE,
	OBSERVER_OTHER_SOURCE, /* selects a different source */
	OBSERVER_OTHER_CALL,   /* selects a different Call-ID */
	OBSERVER_COUNTS,       /* counts all packets by source and Call-ID */
	OBSERVER_ALL,          /* selects all packets; nothing reads their records, so the ring buffer is soon full */
};

enum subject_guard {
	GUARDED_NOT,
	GUARDED_OBSERVE,  /* the default limits, only counted */
	GUARDED_ENFORCE,  /* limits that no packet exceeds */
	GUARDED_SCANNERS, /* ... and the search for scanners */
	GUARDED_DENY,     /* the source is on a list with the action deny */
	GUARDED_TRUST,    /* ... with the action trust */
	GUARDED_LIMIT,    /* the source is over its limit */
	GUARDED_MILLION,  /* as GUARDED_ENFORCE, with 1,000,000 prefixes on a list */
};

struct subject_setup {
	const char *object;  /* "bpf/balancer": path below the build directory, without .bpf.o */
	const char *program; /* name of the program in the object */
	uint32_t backends;   /* [64] */
	uint32_t slots;      /* [DEFAULT_SLOTS] */
	uint32_t services;   /* besides the first; power of two [1] */
	uint32_t pools;      /* power of two [1] */
	enum affinity affinity;
	uint32_t hints; /* names of backends (MESSAGE_NAME), besides their addresses; 0: the service has no hints at all
			 */
	bool route;     /* requests may name a backend */
	bool tag;       /* the start of a tag is a hint, too */
	bool methods;   /* pools differ by method */
	bool counters;  /* message_counters: true */
	enum subject_migration migration;
	uint32_t balance;               /* enum balance_flags of all pools; BALANCE_NONE: pool.balanced without flags */
	uint32_t counted_calls;         /* entries of the map [DEFAULT_COUNTED_CALLS] */
	enum subject_observer observer; /* of packets */
	enum subject_guard guard;       /* of all services */
	enum forward_method forward;    /* [FORWARD_DSR] */
	bool ipv6_backends;
	uint32_t ifindex; /* interface of the backends [1: the one on which BPF_PROG_TEST_RUN receives frames] */
	uint32_t warm;    /* runs before the first sample of a load [2,000] */
	uint32_t stage;
	enum message copied; /* the message after the corpus [MESSAGE_TYPICAL] */
	/* The constants of tests/bench/drive.h, by name. */
	uint32_t idle, undo, rewrite, letters, words, sources, several_services, messages, first, run;
};

struct subject {
	struct bpf_object *object;
	int program;
	uint32_t verified; /* instructions that the verifier processed */
	uint32_t jited;    /* bytes of machine code */
};

/* Loads a program below a build directory and fills its maps. 0, or -errno after printing the reason. */
int subject_load(struct subject *subject, const struct subject_setup *setup, const char *build);

void subject_unload(struct subject *subject);

/* Reads a verdict's counter, summed over the CPUs; 0 for a program without verdicts. */
uint64_t subject_verdict(const struct subject *subject, enum verdict verdict);

/* The bytes of memory that the maps of a program occupy. */
uint64_t subject_memory(const struct subject *subject);
