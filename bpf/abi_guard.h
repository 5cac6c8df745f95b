/* SPDX-License-Identifier: GPL-2.0 */
/* The part of the contract (abi.h) that belongs to the guard: the maps with its settings, its lists of sources, the
 * state of each source, and the counters of its rules. docs/design/map-contract.md lists the maps.
 *
 * A guard is the set of rules for one or several services. service.guard is the id of its guard; 0: the service has no
 * guard, and its packets need none of these maps.
 *
 * A class contains the limits for the sources of one list in one guard. The classes of a guard are consecutive: the
 * class of list L is guard.first_class + L. List 0 contains all sources that are on no list. */
#pragma once

#include "abi_calls.h"

#define GUARDS 256               /* ids; 0 means "none" */
#define GUARD_CLASSES 4096       /* of all guards together */
#define GUARD_LISTS 256          /* ids, the same in all guards */
#define GUARD_LIST_NONE 0        /* the source is on no list */
#define GUARD_LIST_BLOCKED 1     /* blocked at run time by an operator or a server */
#define GUARD_LIST_TRUSTED 2     /* trusted at run time; the lists of the file follow */
#define GUARD_LIST_FIRST 3       /* first list of the file */
#define GUARD_PREFIXES (1 << 21) /* entries of guard_prefixes; the lists of the file may have half as many */

/* Token buckets of a source. Several of them may apply to one message: an initial INVITE needs a token of PACKETS, of
 * INITIAL and of INVITE. DIALOG and EMERGENCY are ceilings for messages that are exempt from all other limits. */
enum guard_bucket {
	GUARD_BUCKET_PACKETS,   /* every packet that is not exempt */
	GUARD_BUCKET_DIALOG,    /* ceiling: requests with a To tag, ACK, CANCEL, responses, TCP segments other than SYN,
				   ICMP errors, messages whose To header is beyond the search limit */
	GUARD_BUCKET_EMERGENCY, /* ceiling: emergency calls, and requests with a listed Resource-Priority, that a
				   different limit would drop */
	GUARD_BUCKET_INITIAL,   /* initial requests of all methods */
	GUARD_BUCKET_INVITE,    /* initial, as all that follow */
	GUARD_BUCKET_REGISTER,
	GUARD_BUCKET_OPTIONS,
	GUARD_BUCKET_SUBSCRIBE,
	GUARD_BUCKET_MESSAGE,
	GUARD_BUCKET_OTHER,   /* initial requests with a different method */
	GUARD_BUCKET_NOT_SIP, /* neither SIP nor keepalive nor STUN */
	GUARD_BUCKET_TCP_SYN,
	GUARD_BUCKETS,
};

/* Every rule that can drop or refuse a packet. The first GUARD_BUCKETS rules are the buckets. */
enum guard_rule {
	GUARD_RULE_DENIED = GUARD_BUCKETS, /* the source is on a list with the action deny */
	GUARD_RULE_BLOCKED,                /* the source is blocked at run time */
	GUARD_RULE_SCANNER,
	GUARD_RULE_BROKEN,        /* SIP without Call-ID, From, To, CSeq or Via */
	GUARD_RULE_STRANGER,      /* not SIP, from a source that has never sent SIP */
	GUARD_RULE_SERVICE_SURGE, /* too many initial INVITEs for the service */
	GUARD_RULE_BACKEND_SURGE, /* too many initial INVITEs for the backend */
	GUARD_RULES,
};

enum guard_flags {
	GUARD_FLAG_SCANNERS = 1,
	GUARD_FLAG_BROKEN = 2,
	GUARD_FLAG_EMERGENCY = 4, /* guard_emergency has entries */
	GUARD_FLAG_PRIORITY = 8,  /* guard_priorities has entries */
	GUARD_FLAG_SERVICE_SURGE = 16,
	GUARD_FLAG_BACKEND_SURGE = 32,
	GUARD_FLAG_LIMITS =
		64, /* at least one class of the guard has a limit: the program must find the bucket of each message */
};

/* guards: array by id. */
struct guard {
	__u64 hash_key[2]; /* for guard_sources: random, so that no sender can predict its element */
	__u32 flags;       /* enum guard_flags */
	__u32 enforced;    /* bits by enum guard_rule from GUARD_RULE_SCANNER to GUARD_RULE_STRANGER; 0: only counted
			      (mode observe) */
	__u16 generation;  /* after a change, the program looks up the list of each source again */
	__u16 first_class;
	__u16 retry_after; /* of a 503, in seconds; 0: the response has no Retry-After */
	__u16 pad;
	__u64 ipv4_mask; /* of word[2] and word[3], as one 64-bit word: the prefix that counts as one source */
	__u64 ipv6_mask[2];
	__u64 emergency_starts; /* bits by guard_start() of the texts in guard_emergency; 0: unknown */
};

enum guard_action {
	GUARD_LIMIT,
	GUARD_TRUST, /* the limits for each source do not apply; the limits of service and backend do */
	GUARD_DENY,
};

/* A limit of N packets per second with a burst of B. Times have the unit GUARD_TICK. */
struct guard_limit {
	__u32 interval; /* 1 / N; 0: no limit */
	__u32 window;   /* (B - 1) / N, at most GUARD_WINDOW_MAX */
};

/* Unit of guard_limit and guard_source: 2^GUARD_TICK_SHIFT ns, about 1 us. A 32-bit counter wraps after 73 minutes. */
#define GUARD_TICK_SHIFT 10
#define GUARD_WINDOW_MAX (1u << 30) /* about 18 minutes */

/* guard_classes: array by guard.first_class + list. */
struct guard_class {
	__u8 action; /* enum guard_action */
	__u8 list;
	__u16 pad;
	__u32 enforced; /* bits by enum guard_bucket, GUARD_RULE_DENIED, GUARD_RULE_BLOCKED; 0: only counted */
	__u32 refused;  /* bits by enum guard_bucket: initial INVITEs over this limit are answered with 503 */
	__u32 pad2;
	struct guard_limit limits[GUARD_BUCKETS];
};

/* guard_sources: array by a keyed hash of guard id and source prefix. Each element is one cache line and holds the
 * state of one source. If the element belongs to a different source, the new source takes it over. If the different
 * source was over a limit within the last second, it keeps the element, and only the list of the new source applies to
 * its packets. A flood of forged sources can therefore make the guard forget sources, but it cannot cause packets of
 * other sources to be dropped.
 *
 * A bucket stores only the time at which all of its tokens are available again, if no more are taken (GCRA, ITU-T
 * I.371). A packet conforms if this time is at most `window` ahead of now; the packet then moves the time by
 * `interval`. */
struct guard_source {
	__u64 owner;   /* guard_owner(): hash of the source, generation, list; one store changes all of it */
	__u32 epoch;   /* time of the last guard_refresh(), in units of 2^28 ticks */
	__u32 refused; /* ticks: when the source was last over a limit; 0: never */
	__u32 full[GUARD_BUCKETS];
};

/* guard_prefixes: array of maps with one element, an LPM trie: struct guard_prefix -> __u32 list id. The daemon builds
 * a new trie for new lists and replaces the element, so that every packet sees either all old or all new lists. */
struct guard_prefix {
	__u32 bits;   /* 32 + number of significant bits of the address */
	__be32 guard; /* id of the guard to which the entry belongs; 0: to all of them */
	struct address address;
};

#define GUARD_PREFIX_BITS(address_bits) (32 + (address_bits))

/* guard_blocks: LPM trie, struct guard_prefix -> struct guard_block. The prefixes that operators and servers have
 * blocked or trusted at run time. They take precedence over the lists of the file. The longest prefix decides; of two
 * entries with the same prefix, the one of the guard. */
#define GUARD_BLOCKS 65536 /* the map has room for twice as many: the daemon adds before it removes */
#define GUARD_REASON_SIZE 128

struct guard_block {
	__u64 expires;  /* ms of CLOCK_BOOTTIME; 0: never */
	__u64 since;    /* seconds since the epoch */
	__u8 list;      /* GUARD_LIST_BLOCKED or GUARD_LIST_TRUSTED */
	__u8 by_server; /* 1: a server; 0: an operator */
	__u8 bits;      /* of the address in the key: the program compares the entries of the guard and of all guards */
	__u8 pad[5];
	char who[NAME_SIZE];     /* name of the server, or login name of the operator */
	char service[NAME_SIZE]; /* "": for all services, with guard id 0 */
	char reason[GUARD_REASON_SIZE];
};

/* guard_scanners: LPM trie, start of a User-Agent in lower case -> unused value. guard_emergency: the same for
 * Request-URIs: the user part of a SIP URI or a tel URI, or a whole URN. guard_priorities: namespaces of
 * Resource-Priority (RFC 4412). An entry of the last two maps ends with a NUL byte, because it must match the whole
 * text. An entry with a URN has no NUL byte, because it also matches sub-services ("urn:service:sos.fire"). */
#define GUARD_TEXT_SIZE 32
#define GUARD_TEXTS 1024

struct guard_text {
	__u32 bits;
	char text[GUARD_TEXT_SIZE];
};

/* service_surges, backend_surges: arrays of struct surge (abi.h) by service id and backend id. Limits for the initial
 * INVITEs of all sources together. */

/* guard_refusals: LRU hash, hash of Call-ID, branch and CSeq number -> struct guard_refusal. The INVITEs that were
 * refused with 503: the guard refuses their retransmissions and drops their ACKs. An ACK for a 2xx response has a
 * different branch (RFC 3261 section 17.1.1.3). If more than GUARD_REFUSALS are refused within GUARD_REFUSAL_NSEC, the
 * oldest are forgotten: their ACKs then reach a backend, which ignores them. */
#define GUARD_REFUSALS 65536
#define GUARD_REFUSAL_NSEC 32000000000ULL /* timer H of RFC 3261 */
#define GUARD_REFUSALS_A_SECOND 1000      /* for each CPU */
#define GUARD_REFUSALS_BURST 100

struct guard_refusal {
	__u64 time; /* of the first response, ns of CLOCK_MONOTONIC */
	__u32 rule; /* enum guard_rule */
	__u32 pad;
};

/* guard_refusing: array by guard id -> time at which the guard last added an element to guard_refusals, ns of
 * CLOCK_MONOTONIC; 0: never. The program searches guard_refusals only within GUARD_REFUSAL_NSEC of this time. */

/* guard_clocks: per-CPU array of one element. All times are ns of CLOCK_MONOTONIC. */
struct guard_clock {
	__u64 jiffies;
	__u64 now;           /* the clock of the kernel's last tick, as read at this jiffy */
	__u64 refusals_full; /* when all GUARD_REFUSALS_BURST tokens are available again (as guard_source.full) */
};

/* guard_counters: per-CPU array by guard id * GUARD_RULES + enum guard_rule. */
struct guard_counters {
	__u64 dropped;         /* packets */
	__u64 refused;         /* of `dropped`: answered with 503 */
	__u64 observed;        /* packets that mode `enforce` would have dropped */
	__u64 bytes;           /* of all these packets */
	__u64 seen;            /* time of the last one, ns of CLOCK_MONOTONIC */
	struct address source; /* of the last one */
};

/* guard_exempt: per-CPU array by guard id. Packets that are exempt from limits. */
struct guard_exempt {
	__u64 trusted;
	__u64 dialog;
	__u64 emergency; /* initial requests that a limit would have dropped */
};

_Static_assert(sizeof(struct guard) == 64, "guard");
_Static_assert(sizeof(struct guard_class) == 16 + GUARD_BUCKETS * 8, "guard_class");
_Static_assert(sizeof(struct guard_source) == 64, "guard_source");
_Static_assert(sizeof(struct guard_prefix) == 24, "guard_prefix");
_Static_assert(sizeof(struct guard_block) == 280, "guard_block");
_Static_assert(sizeof(struct guard_text) == 36, "guard_text");
_Static_assert(sizeof(struct guard_refusal) == 16, "guard_refusal");
_Static_assert(sizeof(struct guard_counters) == 56, "guard_counters");
_Static_assert(GUARD_RULES <= 32, "bits of rules");
