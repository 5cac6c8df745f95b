/* SPDX-License-Identifier: GPL-2.0 */
/* The part of the contract (abi.h) about calls: calls that are tracked during a migration, calls that are counted, and
 * the placement of new calls by `balance:`. docs/design/map-contract.md lists the maps. */
#pragma once

#include "abi.h"

/* tracked_calls: LRU hash. The backend of each call in a migrating slot (pool.migrating). */
struct tracked_key {
	__u64 hash; /* hash of the affinity key; for TCP, of the connection */
	__u32 pool;
	__u32 slot; /* slot of the affinity key; the entries of a slot are removed before its migration starts */
};

enum call_kind {
	CALL_IS_NONE, /* not a call: REGISTER, OPTIONS, a keepalive */
	CALL_IS_INVITE,
	CALL_IS_SUBSCRIPTION,
	CALL_IS_CONNECTION, /* a TCP connection; the balancer does not read its contents */
};

/* The live dialogs of a call (call.h). The call has ended when `pending`, `known` and `overflow` are all 0. */
struct dialogs {
	__u32 pending;   /* hash of the branch of an INVITE without a final response */
	__u32 invite;    /* CSeq number + 1 of the pending or last INVITE; 0: unknown */
	__u32 completed; /* hash of the branch of the last INVITE that was acknowledged */
	__u32 closed;    /* hash of the most recently ended dialog */
	__u32 known[2];  /* hashes of live dialogs */
	__u32 overflow;  /* bits of enum call_overflow */
};

/* What does not fit into struct dialogs: it is unknown which of these are live. */
enum call_overflow {
	CALL_MORE_DIALOGS = 1,
	CALL_MORE_BRANCHES = 2, /* the INVITE has been forked: a different branch of it may be pending, too */
};

/* What the program has read of a message that belongs to a call. */
struct call_message {
	__u32 dialog; /* hash of both tags; 0: To has no tag */
	__u32 branch; /* hash of the branch in the topmost Via; 0: unknown */
	__u32 number; /* CSeq number + 1; 0: unknown */
	__u8 event;   /* enum call_event (call.h) */
	__u8 kind;    /* enum call_kind; CALL_IS_NONE with CALL_NOTHING */
	__u8 pad[2];
};

#define CALL_TEXT_SIZE 24

struct tracked_call {
	__u32 backend;
	__u32 seen;  /* seconds of CLOCK_MONOTONIC */
	__u32 ended; /* time of the end of the call, in the same unit; 0: live */
	__u32 began; /* time of the first message, in the same unit */
	struct dialogs dialogs;
	__u8 kind;   /* enum call_kind */
	__u8 hinted; /* 1: a hint in a message selected the backend, not the slot */
	__u8 placed; /* counted_calls only. 1: `balance:` selected the backend, not the slot */
	union {
		__u8 is_new;  /* counted_calls. 1: the message that made the entry is the only one so far */
		__u8 guessed; /* tracked_calls. 1: not the beginning of the call has selected the backend; a different
				 balancer of the group may have seen it */
	};
	union {
		char call_id[CALL_TEXT_SIZE]; /* the first bytes of the Call-ID, for display */
		struct {
			struct address address;
			__be16 port;
		} source; /* of a connection */
	};
};

/* transactions: LRU hash by tracked_key. The backend of packets that do not belong to a call, or that do not yet belong
 * to one: REGISTER, OPTIONS, keepalives, TCP SYN. This map is separate from tracked_calls, so that a flood of such
 * packets cannot evict calls. */
struct transaction {
	__u32 backend;
	__u32 seen; /* seconds of CLOCK_MONOTONIC */
};

#define TRANSACTIONS 65536

/* counted_calls: hash, struct tracked_key -> struct tracked_call. Calls that INVITE starts, over UDP, with the Call-ID
 * as key:
 *
 * - the sampled calls: those whose hash call_is_sampled() selects, in all pools. They show how many calls each backend
 *   has. Their entry does not affect the choice of the backend.
 * - the placed calls (tracked_call.placed): their entry is the only record of their backend, which need not be the
 *   owner of their slot.
 *
 * The map is not an LRU map, because a full map must not evict a live call. The program adds entries, updates them and
 * deletes those of calls that it refuses; the daemon deletes all others. */
#define CALL_SAMPLE 64 /* one in so many calls is sampled */
#define CALL_SAMPLE_SHIFT 20

_Static_assert(MAX_SLOTS <= 1 << CALL_SAMPLE_SHIFT, "the bits of the sample do not depend on the slot");

static inline bool call_is_sampled(__u64 hash)
{
	return !(hash & (CALL_SAMPLE - 1) << CALL_SAMPLE_SHIFT);
}

/* A limit for the initial INVITEs of all sources together: a token bucket. */
struct surge {
	__u64 full;     /* ns of CLOCK_MONOTONIC: when all tokens are available again, as guard_source.full */
	__u64 interval; /* ns; 0: no limit */
	__u64 window;   /* ns */
	__u32 flags;    /* enum surge_flags; 0 in backend_loads */
	__u32 pad;
};

enum surge_flags {
	SURGE_ENFORCED = 1, /* else only counted */
	SURGE_REFUSED = 2,  /* the answer is 503; else no answer */
};

/* call_changes: ring buffer of struct call_change. The messages that have changed an entry of tracked_calls or of
 * counted_calls, for the other balancers of the group. The program writes it only while punt_reader.active is set. */
struct call_change {
	struct tracked_key key;
	struct call_message message; /* of a connection, only `kind`, and CALL_ENDS or CALL_GOES_ON */
	__u32 backend;
	__u32 flags; /* enum call_change_flags */
};

enum call_change_flags {
	CALL_CHANGE_NEW = 1,      /* the message has begun the call, or named its backend: the backend is no guess */
	CALL_CHANGE_HINTED = 2,   /* a hint in the message selected the backend */
	CALL_CHANGE_COUNTED = 4,  /* the entry belongs to counted_calls, otherwise to tracked_calls */
	CALL_CHANGE_PLACED = 8,   /* tracked_call.placed */
	CALL_CHANGE_FORGET = 16,  /* the guard has dropped or refused the first INVITE: the call does not count */
	CALL_CHANGE_IGNORED = 32, /* set by call_writer: the slot does not migrate here */
};

#define CALL_CHANGES_BYTES (1 << 20)

/* An entry of tracked_calls or of counted_calls of another balancer. */
struct call_copy {
	struct tracked_key key;
	struct tracked_call call;
	__u32 flags; /* CALL_CHANGE_COUNTED or 0 */
	__u32 pad;
};

/* call_batch: array of one element, which the daemon maps into its memory (BPF_F_MMAPABLE). What other balancers have
 * sent: the daemon fills the element and runs the program call_writer. */
#define CALL_BATCH 1024
#define CALL_COPIES 256

struct call_batch {
	__u32 change_count;
	__u32 copy_count;
	__u32 applied;     /* by the program: changes and copies of counted calls and of migrating slots; it ignores the
			      others (CALL_CHANGE_IGNORED) */
	__u32 keeps_ended; /* 1: a change that ends an unknown call makes an entry, because an older copy may follow */
	__u32 unsearched;  /* by the program: those of placed calls in pools where pool.balanced is 0 */
	__u32 pad;
	__u64 lease; /* for punt_reader.lease; 0: leave it unchanged */
	struct call_change changes[CALL_BATCH];
	struct call_copy copies[CALL_COPIES];
};

/* backend_loads: array by id, which the daemon maps into its memory (BPF_F_MMAPABLE). Both sides change the two numbers
 * of calls only with atomic additions: the program when a call begins, ends or changes its backend, the daemon when it
 * deletes the entry of a live call. A backend has about placed + CALL_SAMPLE * sampled calls. */
struct backend_load {
	struct surge rate; /* `max_rate` */
	__u32 sampled;     /* entries of counted_calls that are live and not placed */
	__u32 placed;      /* entries that are live and placed */
	__u32 full;        /* 1: the backend accepts no new calls */
	__u32 max_calls;   /* of `placed`, for new calls; 0: no limit */
};

/* balances: array by pool id. Only the daemon writes it. The program reads it if pool.balanced is set. */
enum balance_flags {
	BALANCE_BY_TURN = 1,   /* each new call takes the next entry of new_calls */
	BALANCE_MAY_SPILL = 2, /* the backend that owns the slot of a new call may be full or over its max_rate: the
				  call then takes an entry of new_calls that its hash selects */
	BALANCE_REFUSES = 4,   /* if no backend accepts a new call, the answer is 503; otherwise the owner of the slot
				  receives the call */
	BALANCE_COUNTS = 8,    /* a call that the owner of its slot receives also becomes a placed call, so that the
				  number of calls is exact */
	BALANCE_PREPARES = 16, /* the pool has just begun to place calls: with an empty sequence, the program only
				  remembers transactions. Only the daemon reads this flag */
};

struct balance {
	__u32 flags;     /* enum balance_flags; 0: only the calls placed before are steered */
	__u32 new_calls; /* index into new_calls */
};

/* new_calls: array. Pool N owns the elements 2N and 2N + 1. The daemon fills the unused one and then writes its index
 * to balance.new_calls. Each element is the sequence of backends in which new calls are dealt out. After the last entry
 * the program repeats the second half: the first entries even out the differences, the later ones are even shares. If
 * the backend of an entry does not accept a call, the program tries entries of the second half. */
#define NEW_CALLS 4096

struct new_calls {
	__u32 turn; /* number of calls that the program has dealt out */
	__u32 pad;
	__u16 backend[NEW_CALLS]; /* ids; 0: no backend accepts the call */
};

/* balance_counters: per-CPU array by pool id. New calls in pools with pool.balanced. */
struct balance_counters {
	__u64 placed;   /* by turn, or because the owner of the slot was full or over its max_rate */
	__u64 overload; /* no backend accepted the call: it was refused, or went to the owner of its slot */
	__u64 untabled; /* went to the owner of its slot, because counted_calls was full */
};

_Static_assert(sizeof(struct tracked_key) == 16, "tracked_key");
_Static_assert(sizeof(struct tracked_call) == 72, "tracked_call");
_Static_assert(sizeof(struct call_change) == 40, "call_change");
_Static_assert(sizeof(struct call_copy) == 96, "call_copy");
_Static_assert(sizeof(struct surge) == 32, "surge");
_Static_assert(sizeof(struct backend_load) == 48, "backend_load");
_Static_assert(sizeof(struct balance) == 8, "balance");
_Static_assert(sizeof(struct new_calls) == 8 + 2 * NEW_CALLS, "new_calls");
