/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the files of the group in this directory. No other file includes it. */
#pragma once

#include "core/maps/hash_map.h"
#include "group.h"
#include "group_changes.h"

/* The votes about one backend, by place of the member. */
struct ballot {
	uint8_t votes[GROUP_MEMBERS_MAX];
};

/* The number of votes for up in one pool, by place of the member. */
struct pool_ups {
	uint32_t ups[GROUP_MEMBERS_MAX];
};

/* A member, and its incomplete sets. Its place in the ballots differs between balancers. */
struct place {
	struct group_member member;
	bool used;
	uint8_t begun;        /* enum group_set: the sets whose first message has arrived */
	struct hash_map *set; /* struct group_key: the backends of the set of votes that is arriving; NULL: none */
	uint64_t reported;    /* when this member last reported it as silent, ms; 0: never */
	bool lines_began;
	uint32_t *lines;              /* of the set that is arriving */
	struct slots_map *slots;      /* the phases of its slots; NULL: none is known */
	struct slots_map *slots_set;  /* of the set that is arriving */
	bool slots_changed;           /* by the change that is arriving */
	struct hash_map *drained;     /* struct group_key -> number of the removal; NULL: none */
	struct hash_map *drained_set; /* of the set that is arriving */
	size_t line_count;
	struct group_shared shared; /* its shared state, for this member */
	uint8_t *shared_bytes;
	size_t shared_length;
};

struct tasks {
	struct group_task *first, **end;
	size_t bytes;
};

/* See group_changes.c. */
struct changes {
	bool in_sync;             /* this member has the shared state, and receives every change of it */
	bool restored;            /* group_set_restored() */
	bool asked;               /* the current question is sent */
	uint64_t asked_at;        /* ms */
	bool collecting;          /* the question has arrived: changes are kept until the states have arrived */
	bool diverged;            /* group_set_diverged(), until it adopts a state */
	bool claimed;             /* a claim of this member is on its way */
	uint64_t view;            /* hash of the members and of the claims that have arrived since they changed */
	uint32_t question;        /* number of the current question */
	uint64_t applied;         /* changes in the shared state, since the start of the group */
	uint64_t history;         /* hash of these changes */
	struct group_shared note; /* the best one since members last appeared or a claim arrived: the state of the group
				     has its origin there; `history` is 0: none */
	bool must_note;           /* it is the own one, and not sent yet */
	uint64_t number;          /* of the last change of this member */
	struct tasks tasks;       /* for the caller */
	struct tasks kept;        /* changes behind the question */
	struct group_outcome *open;
};

/* A vote of this member. */
struct own_vote {
	uint8_t vote;   /* enum group_vote */
	uint32_t round; /* in which it was last given */
};

struct members {
	struct place places[GROUP_MEMBERS_MAX];
	size_t order[GROUP_MEMBERS_MAX]; /* places by ascending id */
	size_t count;
	struct hash_map *ballots; /* struct group_key -> struct ballot */
	struct hash_map *pools;   /* hash of a pool -> struct pool_ups */
	uint64_t slots_version;   /* changes when a slot may continue */
};

struct group {
	struct group_settings settings;
	group_send *send;
	void *data;

	bool connected, quorate, agreeing;
	struct group_id self;
	uint64_t lost; /* when this member last agreed, or its start, ms */
	uint64_t quorate_since;
	uint64_t echoed; /* when a message of this member last returned, ms */
	uint64_t lag;
	uint64_t echo;    /* when the last hello that has returned was sent, ms */
	uint64_t left;    /* when a member last left or became silent, ms; 0: never */
	uint64_t resumed; /* when messages last arrived after a pause, ms */
	uint64_t absences;
	uint64_t greeted; /* last hello, ms; 0: none yet */
	uint64_t beaten;  /* last group_beat(), ms; 0: never */
	uint64_t garbage;
	struct members members;

	struct hash_map *own;        /* struct group_key -> struct own_vote: the votes that are not unknown */
	struct hash_map *news;       /* struct group_key -> uint8_t: the votes that are not sent yet */
	uint32_t round;              /* incremented by group_end_votes() */
	struct slots_map *own_slots; /* the phases of the slots of this member */
	struct hash_map *drained;    /* the list of group_set_drained() */
	uint32_t *lines;
	size_t line_count;
	bool send_all;
	struct changes changes;
};

void members_begin(struct members *members);
void members_end(struct members *members);

/* See group_set_members(). */
void members_set(struct members *members, const struct group_id *ids, size_t count, const struct group_id *joined,
	size_t joined_count, uint64_t now);

/* Are all members in this list? */
bool members_remain(const struct members *members, const struct group_id *ids, size_t count);

/* NULL: not a member. */
struct place *members_find(struct members *members, struct group_id id);

/* Notes the first and the last message of a set. */
void members_note_set(struct place *place, enum group_set set, uint16_t flags);

/* Forgets the votes of a member, which counts again with its next complete set. */
void members_silence(struct members *members, struct group_id id);

void members_take_votes(struct members *members, struct place *place, const struct group_message *message);
void members_take_lines(struct place *place, const struct group_message *message);

/* Of group_slots.c: the phases of the slots of a member, and of this one. */
struct slots_map;

void slots_map_free(struct slots_map *map);
void members_take_slots(struct members *members, struct place *place, const struct group_message *message);
void members_forget_slots(struct members *members, struct place *place);
size_t members_dump_slots(const struct members *members, uint8_t **out, size_t length);
void group_send_slots(struct group *group);

/* Of group_drains.c: the drained backends of a member, and of this one. */
void members_take_drained(struct place *place, const struct group_message *message);
void members_forget_drained(struct place *place);
size_t members_dump_drained(const struct members *members, uint8_t **out, size_t length);
void group_send_drained(struct group *group);

/* --- group_changes.c */

void changes_begin(struct changes *changes, uint64_t started);
void changes_end(struct changes *changes);

/* Need this member no longer wait for the shared state of a member? */
bool changes_have_state(const struct group *group, const struct group_member *member, uint64_t now);

/* Forgets the shared state of the group: this member must ask for it. */
void changes_forget(struct group *group);

/* Asks for the shared state if necessary. */
void changes_tick(struct group *group, uint64_t now);

/* If this member does not have the shared state of the group: adopts it, or claims one. All states have arrived.
 * Returns true if this member has it now. */
bool changes_synchronize(struct group *group);

void changes_receive(struct group *group, struct place *place, const struct group_message *message);

/* The members have changed. The second function: this member is silent and will not answer. */
void changes_members_set(struct group *group, bool joined);
void changes_gone(struct group *group, struct group_id id);
