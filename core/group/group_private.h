/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by group.c and group_members.c. No other file includes it. */
#pragma once

#include "core/maps/hash_map.h"
#include "group.h"

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
	bool votes_began; /* the first message of a set has arrived */
	bool lines_began;
	uint32_t *lines; /* of the set that is arriving */
	size_t line_count;
};

struct members {
	struct place places[GROUP_MEMBERS_MAX];
	size_t order[GROUP_MEMBERS_MAX]; /* places by ascending id */
	size_t count;
	struct hash_map *ballots; /* struct group_key -> struct ballot */
	struct hash_map *pools;   /* hash of a pool -> struct pool_ups */
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
	uint64_t greeted; /* last hello, ms; 0: none yet */
	uint64_t garbage;
	struct members members;

	struct hash_map *own;  /* struct group_key -> uint8_t: the votes of this member */
	struct hash_map *news; /* the same: the votes that are not sent yet */
	uint32_t *lines;
	size_t line_count;
	bool send_all;
};

bool group_id_equal(struct group_id a, struct group_id b);
void members_begin(struct members *members);
void members_end(struct members *members);

/* See group_set_members(). */
void members_set(struct members *members, const struct group_id *ids, size_t count, const struct group_id *joined,
	size_t joined_count, uint64_t now);

/* NULL: not a member. */
struct place *members_find(struct members *members, struct group_id id);

/* Forgets the votes of a member, which counts again with its next complete set. */
void members_silence(struct members *members, struct group_id id);

void members_take_votes(struct members *members, struct place *place, const struct group_message *message);
void members_take_lines(struct place *place, const struct group_message *message);
