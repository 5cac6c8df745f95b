/* SPDX-License-Identifier: GPL-2.0 */
/* Changes that all members of a group apply in the same order, and the shared state to which they lead
 * (docs/design/group.md). This file decides which changes a member applies, from which member it adopts the state when
 * it joins, and when all members have answered. The caller carries out the tasks in their order, and knows the content
 * of changes and of the state. No I/O. */
#pragma once

#include "group.h"

#define GROUP_ANSWER_TIME 3000              /* ms until a member counts as not answering */
#define GROUP_CHANGE_MAX 12288              /* bytes of a change */
#define GROUP_RESULT_MAX 512                /* bytes of a result; a longer one is cut */
#define GROUP_SHARED_MAX ((size_t)32 << 20) /* bytes of a shared state */

enum group_task_kind {
	GROUP_TASK_APPLY,    /* apply the change in `bytes`, and call group_send_result() */
	GROUP_TASK_DESCRIBE, /* write the shared state as it is after the tasks before, and call group_send_shared() */
	GROUP_TASK_ADOPT,    /* replace the shared state by the one in `bytes` */
};

struct group_task {
	struct group_task *next;
	enum group_task_kind kind;
	struct group_id from; /* the member that requests the change or the description */
	uint64_t number;      /* of the change or of the question, at that member; 0: a change without answers */
	uint64_t applied;     /* changes since the start of the group, with this one. GROUP_TASK_DESCRIBE: for
				 group_send_shared(), as the next three */
	uint64_t history;
	uint64_t origin;
	bool in_sync;
	char node[NAME_SIZE]; /* of a change: name of the member, and of the user there */
	char user[NAME_SIZE];
	size_t length;
	uint8_t bytes[];
};

/* Returns the next task, which the caller frees with free(); NULL: none. The number of tasks that wait here is bounded:
 * do not take more than can be carried out soon. */
struct group_task *group_next_task(struct group *group);

/* Does this member have the shared state, and receive the changes that it sends? It may not agree for a moment, because
 * corosync delivers its messages late. */
bool group_has_state(const struct group *group);

/* Is there a task GROUP_TASK_ADOPT? */
bool group_will_adopt(const struct group *group);

/* Sends a change to all members, including this one. Returns its number. Call it only while the state is
 * GROUP_AGREEING, with at most GROUP_CHANGE_MAX bytes. */
uint64_t group_send_change(struct group *group, const char *user, const void *bytes, size_t length, uint64_t now);

/* The same without answers; in any state in which corosync delivers messages. */
void group_send_event(struct group *group, const void *bytes, size_t length);

/* Answers a task GROUP_TASK_APPLY. `text`: why the change was refused. */
void group_send_result(struct group *group, const struct group_task *task, bool done, const char *text);

/* Answers a task GROUP_TASK_DESCRIBE. */
void group_send_shared(struct group *group, const struct group_task *task, const void *bytes, size_t length);

/* The shared state of this member comes from the maps of a balancer that was running. */
void group_set_restored(struct group *group);

/* An operator has changed the shared state of this member alone. It adopts that of the group when it agrees again. */
void group_set_diverged(struct group *group);
bool group_is_diverged(const struct group *group);

enum group_answer_state {
	GROUP_ANSWER_NONE, /* not in time */
	GROUP_ANSWER_DONE,
	GROUP_ANSWER_REFUSED,
	GROUP_ANSWER_GONE, /* the member has left the group or is silent */
};

struct group_answer {
	struct group_id id;
	char node[NAME_SIZE];
	enum group_answer_state state;
	char text[GROUP_RESULT_MAX + 1];
};

/* The answers of all members that counted when a change was sent. */
struct group_outcome {
	struct group_outcome *next;
	uint64_t number; /* of the change */
	uint64_t sent;   /* ms */
	size_t count;
	struct group_answer answers[];
};

/* Returns the outcome of a change of this member that all members have answered, or whose time is over. The caller
 * frees it with free(); NULL: none. */
struct group_outcome *group_next_outcome(struct group *group, uint64_t now);
