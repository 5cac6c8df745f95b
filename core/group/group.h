/* SPDX-License-Identifier: GPL-2.0 */
/* A group of balancers: its members, their votes about each backend, and the common decision (docs/design/group.md).
 * The caller passes the events in the order in which corosync delivers them, and sends the messages. The decision
 * depends only on the votes, so members that have received the same events decide the same. No I/O. Times are
 * milliseconds of the clock in core/health/listening.h. */
#pragma once

#include "core/config/config.h"
#include "group_message.h"

#define GROUP_MEMBERS_MAX 32
#define GROUP_SILENCE 3000  /* ms without a message after which a member counts as silent */
#define GROUP_BEAT_LATE 500 /* the same, after which the others place no calls: group_placement() */

struct group;

/* The state of this member. */
enum group_state {
	GROUP_WAITING,  /* not connected or not quorate: the last decision stays */
	GROUP_JOINING,  /* votes of other members are missing: the last decision stays */
	GROUP_ALONE,    /* one of these for longer than `alone_after`: this member decides by itself */
	GROUP_AGREEING, /* the votes decide */
	GROUP_STATE_COUNT,
};

/* What the group says about a backend. */
enum group_verdict {
	GROUP_OWN,      /* this member decides by itself */
	GROUP_KEEP,     /* the last decision stays */
	GROUP_NO_VOTES, /* the votes decide, but there are none yet: the last decision stays */
	GROUP_UP,
	GROUP_DOWN,
};

struct group_settings {
	char node[NAME_SIZE];
	char version[NAME_SIZE]; /* of sipxdp */
	enum config_agree agree;
	uint32_t alone_after; /* ms */
	uint64_t started;     /* seconds since the epoch */
};

/* The state of a member that the others must know completely before they agree. A member sends each part as a set of
 * messages from GROUP_FIRST to GROUP_LAST. */
enum group_set {
	GROUP_SET_VOTES = 1,
	GROUP_SET_SLOTS = 2,   /* the phases of migrating slots (group_slots.h) */
	GROUP_SET_CHANGES = 4, /* the shared state (group_changes.h); only for members that have asked for it */
};

#define GROUP_SETS_NEEDED (GROUP_SET_VOTES | GROUP_SET_SLOTS)

/* A message to all members. */
typedef void group_send(const uint8_t *message, size_t length, void *data);

struct group *group_new(const struct group_settings *settings, group_send *send, void *data, uint64_t now);
void group_free(struct group *group);

/* Changes `agree` and `alone_after` after a reload. */
void group_set(struct group *group, enum config_agree agree, uint32_t alone_after);

/* --- Events from corosync, in its order */

/* This process has joined the group of corosync, as this member. */
void group_connected(struct group *group, struct group_id self, uint64_t now);
void group_disconnected(struct group *group, uint64_t now);
void group_set_quorate(struct group *group, bool quorate, uint64_t now);

/* The members after a change, and among them the ones that have just appeared. */
void group_set_members(struct group *group, const struct group_id *members, size_t count, const struct group_id *joined,
	size_t joined_count, uint64_t now);

/* A message from a member, also from this one. Returns true if it may change a decision. */
bool group_receive(struct group *group, struct group_id from, const uint8_t *message, size_t length, uint64_t now);

/* --- Events from this member */

/* Call this every second, and after each event: sends what is due. */
void group_tick(struct group *group, uint64_t now);

/* The vote of this member about a backend. Call group_tick() afterwards. */
void group_vote(struct group *group, const struct group_key *key, enum group_vote vote);

/* Withdraws the votes about all backends that group_vote() has not named since the previous call: they are removed.
 * Call group_tick() afterwards. */
void group_end_votes(struct group *group);

/* The lines of the running configuration, sorted (config_lines.h). */
void group_set_lines(struct group *group, const uint32_t *lines, size_t count);

/* Sends a hello now. The caller repeats this every 50 ms, so that the others notice at once when this member stops. */
void group_beat(struct group *group, uint64_t now);

/* When the last hello that has returned was sent, ms. */
uint64_t group_echo(const struct group *group);

/* --- Decisions */

enum group_state group_state(const struct group *group, uint64_t now);

/* The votes that count for a backend. */
struct group_tally {
	size_t up, down, unknown;
	size_t works, fails; /* those for up that also judge its responses */
};

/* What the group says about a backend, and with GROUP_UP or GROUP_DOWN the votes. */
enum group_verdict group_verdict(
	const struct group *group, const struct group_key *key, uint64_t now, struct group_tally *tally);

/* The same about the responses of the backend to clients, from the votes of group_verdict(). GROUP_DOWN: it fails.
 * Members that cannot judge do not count; if none can, it does not fail. */
enum group_verdict group_passive_verdict(const struct group *group, const struct group_tally *tally, uint64_t now);

/* Changes when the others may have ended phases of migrations without this member: it was separated from them, its
 * daemon was stopped, or it starts. */
uint64_t group_absences(const struct group *group);

/* For how long, in ms, a balancer may forward packets and not share its calls with this one: a member that has left the
 * group or is late, or this one. At most `alone_after` or GROUP_SILENCE; if this member does not agree, 10 s longer
 * than `alone_after`. 0: there is none, or this member decides by itself. Until then no moving phase ends, and new
 * calls of migrating slots stay at their previous owners, where all balancers find them. */
uint64_t group_separation(const struct group *group, uint64_t now);

/* May this member send new calls of migrating slots to their new owners? The others learn of the calls by messages. */
enum group_placement {
	GROUP_PLACES_NOT,       /* during group_separation() */
	GROUP_PLACES_IF_ECHOED, /* while its own messages return without delay */
	GROUP_PLACES,           /* it decides by itself */
};

enum group_placement group_placement(const struct group *group, uint64_t now);

/* Does a different member agree with the group, by its last hello? */
bool group_others_agree(const struct group *group);

/* Does no backend respond to this member, while backends respond to other members? */
bool group_is_blind(const struct group *group);

/* --- Reports */

bool group_id_equal(struct group_id a, struct group_id b);

struct group_member {
	struct group_id id;
	struct group_hello hello; /* its last one; an empty name: none */
	uint8_t format;           /* version of its messages; 0: none */
	uint8_t sets;             /* enum group_set: the sets that have arrived completely */
	bool is_silent;           /* it has stopped sending, or never sent its sets; its votes are forgotten */
	uint64_t since;           /* when it appeared here, ms */
	uint64_t heard;           /* its last message here, ms */
	uint64_t garbage;         /* number of its messages that are not valid */
	size_t up, down;          /* its votes */
	uint32_t *lines;          /* of its configuration, sorted */
	size_t line_count;
};

/* Members in the order of their ids; NULL behind the last one. */
const struct group_member *group_member_at(const struct group *group, size_t index);
bool group_member_is_compatible(const struct group_member *member);
bool group_member_counts(const struct group_member *member);

/* The next other member behind this id that counts; NULL: none. */
const struct group_member *group_member_after(const struct group *group, struct group_id id);

enum group_vote group_member_vote(const struct group *group, size_t index, const struct group_key *key);

struct group_id group_self(const struct group *group);
bool group_is_connected(const struct group *group);
bool group_is_quorate(const struct group *group);

/* Do the messages of this member return to it? */
bool group_is_echoed(const struct group *group, uint64_t now);

/* Time from sending to receiving the last message of this member, ms. */
uint64_t group_lag(const struct group *group);

/* Number of messages that are not valid. */
uint64_t group_garbage(const struct group *group);

const char *group_state_name(enum group_state state);

/* Writes all that the decisions depend on, in a canonical order. Equal events give equal bytes at all members. The
 * caller frees `*out`. */
size_t group_dump(const struct group *group, uint8_t **out);
