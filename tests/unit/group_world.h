/* SPDX-License-Identifier: GPL-2.0 */
/* Several members of a group, connected by a corosync without a network. */
#pragma once

#include "core/group/group_changes.h"

#define NODES 5
#define POOLS 2
#define BACKENDS 4 /* in each pool */
#define ALONE_AFTER 5000
#define SHARED 6 /* numbers in the shared state */

struct event;
struct group_world;

struct node {
	struct group_world *world;
	struct group_id id;
	struct group *group; /* NULL: not running */
	bool stopped;
	unsigned int part;
	struct group_id seen[NODES]; /* members of the last change */
	size_t seen_count;
	struct event *first, **last;
	struct group_id from; /* of the message that `on_event` gets */
	uint64_t now;         /* does not run while the process is stopped */
	enum group_vote votes[POOLS][BACKENDS];
	uint32_t shared[SHARED];               /* the maps: they survive the process */
	struct group_task *tasks, **tasks_end; /* that the worker has not carried out yet */
	size_t answered, done;                 /* answers to the last change of this member */
};

struct group_world {
	struct node nodes[NODES];
	size_t count;
	uint64_t stamp;
	uint64_t *states; /* [stamp]: hash of the state of members that agree; 0: none yet */
	size_t room;
	enum config_agree agree;
	/* Called when a member has read an event (`bytes`: of a message, otherwise NULL), and after time has passed
	 * (`stamp` is 0). NULL: none. */
	void (*on_event)(struct node *node, const uint8_t *bytes, size_t length, uint64_t stamp);
	/* What a change does to the shared state. NULL: it sets the number. */
	void (*on_change)(struct node *node, uint32_t index, uint32_t value, uint64_t number);
	/* Carries out a task instead of changing numbers of the shared state. NULL: none. */
	void (*on_task)(struct node *node, const struct group_task *task);
	bool every_part_is_quorate; /* as with two_node of corosync */
};

/* A random number below the limit (rand()). */
unsigned int below(unsigned int limit);

struct group_key key_of(size_t pool, size_t backend);

/* Starts `count` members in one part. */
void group_world_begin(struct group_world *world, enum config_agree agree, size_t count);
void group_world_end(struct group_world *world);

/* Each running member reads some events and sends what is due. */
void group_world_run(struct group_world *world, unsigned int ms);

/* A member reads all its events. Members that agree must have the same state after the same event. */
void node_read_all(struct node *node);

void node_start(struct node *node);
void node_kill(struct node *node);

/* Sends a change to the group; the second function: without answers. */
void node_change(struct node *node, uint32_t index, uint32_t value);
void node_change_silently(struct node *node, uint32_t index, uint32_t value);

/* Carries out some or all tasks. */
void node_work(struct node *node, unsigned int count);
void node_vote(struct node *node, size_t pool, size_t backend, enum group_vote vote);

/* The process of a member sends these bytes to all members of its part. */
void node_send(struct node *node, const uint8_t *bytes, size_t length);

/* Announces the members of a part to its members. Call it for each part after a change of parts. */
void group_world_announce(struct group_world *world, unsigned int part);

/* Runs for this time, ms, in steps of 100 ms. */
void group_world_run_for(struct group_world *world, unsigned int ms);

/* Divides the members at random into so many parts. */
void group_world_divide(struct group_world *world, unsigned int parts);
bool group_world_is_quorate(const struct group_world *world, unsigned int part);
