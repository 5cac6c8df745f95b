// SPDX-License-Identifier: GPL-2.0
/* See group_changes.h. A member that does not have the shared state of the group asks all members for theirs. The
 * question has a place in the order of all messages: each member describes its state as it is at this place, and the
 * asking member keeps all changes behind it until it has adopted one of the states.
 *
 * If one of the members has the state of the group, the asking member adopts that. Otherwise (all start, or halves
 * without a quorum meet) it claims the best one: the first claim in the order of all messages counts, and all other
 * members ask again. If two halves with different states meet (each may have a quorum of its own), each member sends a
 * note of its state. All remember the best note: a member with a different state asks, and a state with a different
 * origin is not the state of the group.
 */

#include <string.h>
#include "core/base/memory.h"
#include "core/base/name.h"
#include "group_private.h"

/* ms that members have for their states. A member that agrees with others has more time: a long reload may delay it. */
#define STATES_LATE 30000

#define COLLECTED_LATE (STATES_LATE + ASK_AGAIN) /* ms until a member that has not adopted a state asks again */
#define ASK_AGAIN 5000 /* ms until a question is repeated: other members ignore it before they have its sets */
#define KEPT_MAX ((size_t)16 << 20) /* bytes of changes that wait; a member asks again if there are more */

/* --- tasks */

static void append(struct tasks *tasks, struct group_task *task)
{
	task->next = NULL;
	*tasks->end = task;
	tasks->end = &task->next;
	tasks->bytes += sizeof(*task) + task->length;
}

static struct group_task *take_first(struct tasks *tasks)
{
	struct group_task *task = tasks->first;

	if (!task)
		return NULL;
	tasks->first = task->next;
	if (!tasks->first)
		tasks->end = &tasks->first;
	tasks->bytes -= sizeof(*task) + task->length;
	return task;
}

static void forget_tasks(struct tasks *tasks)
{
	struct group_task *task;

	while ((task = take_first(tasks)))
		free(task);
}

static struct group_task *new_task(
	enum group_task_kind kind, struct group_id from, uint64_t number, const void *bytes, size_t length)
{
	struct group_task *task = allocate(1, sizeof(*task) + length);

	*task = (struct group_task){.kind = kind, .from = from, .number = number, .length = length};
	if (length)
		memcpy(task->bytes, bytes, length);
	return task;
}

struct group_task *group_next_task(struct group *group)
{
	return take_first(&group->changes.tasks);
}

bool group_has_state(const struct group *group)
{
	return group->connected && group->changes.in_sync;
}

bool group_will_adopt(const struct group *group)
{
	const struct group_task *task = group->changes.tasks.first;

	while (task && task->kind != GROUP_TASK_ADOPT)
		task = task->next;
	return task;
}

/* --- the state that a member adopts */

static void forget_states(struct group *group)
{
	for (size_t i = 0; i < group->members.count; i++) {
		struct place *place = &group->members.places[group->members.order[i]];

		place->begun &= ~GROUP_SET_CHANGES;
		place->member.sets &= ~GROUP_SET_CHANGES;
		free(place->shared_bytes);
		place->shared_bytes = NULL;
		place->shared_length = 0;
	}
}

void changes_forget(struct group *group)
{
	struct changes *changes = &group->changes;

	changes->must_note = false;
	changes->in_sync = changes->asked = changes->collecting = changes->claimed = false;
	changes->question++;
	forget_tasks(&changes->kept);
	forget_states(group);
}

/* A member describes its state as it was at the question. A better note may have arrived since, of a half that this
 * member did not know. Members of the previous release do not send the origin. */
static bool is_of_group(const struct changes *changes, const struct group_shared *state)
{
	return state->in_sync && (!state->view || state->view == changes->note.history);
}

/* The state of the group wins, then the one with the most changes of the group, then one that a running balancer had,
 * then that of the lowest node. */
static bool is_better(
	const struct changes *changes, const struct group_shared *first, const struct group_shared *second)
{
	bool of_group = is_of_group(changes, first);

	if (of_group != is_of_group(changes, second))
		return of_group;
	if (first->applied != second->applied)
		return first->applied > second->applied;
	return !of_group && first->restored && !second->restored;
}

static const struct place *find_best(const struct group *group)
{
	const struct place *best = NULL;

	for (size_t i = 0; i < group->members.count; i++) {
		const struct place *place = &group->members.places[group->members.order[i]];

		if ((place->member.sets & GROUP_SET_CHANGES) &&
			(!best || is_better(&group->changes, &place->shared, &best->shared)))
			best = place;
	}
	return best;
}

static void count_and_append(struct changes *changes, struct group_task *task)
{
	task->applied = ++changes->applied;
	changes->history = group_hash(changes->history, task->bytes, task->length);
	append(&changes->tasks, task);
}

static void adopt(struct group *group, const struct place *best)
{
	struct changes *changes = &group->changes;
	struct group_task *task;

	changes->applied = best->shared.applied;
	changes->history = is_of_group(changes, &best->shared) ? best->shared.history : changes->view;
	if (!group_id_equal(best->member.id, group->self)) {
		task = new_task(GROUP_TASK_ADOPT, best->member.id, 0, best->shared_bytes, best->shared_length);
		name_copy(task->node, best->member.hello.node);
		append(&changes->tasks, task);
	}
	while ((task = take_first(&changes->kept)))
		count_and_append(changes, task);
	changes->in_sync = true;
	changes->collecting = changes->claimed = changes->diverged = false;
	forget_states(group);
}

static void claim(struct group *group)
{
	const struct group_shared claim = {.asker = group->self, .view = group->changes.view};
	uint8_t message[GROUP_MESSAGE_SIZE];

	group->changes.claimed = true;
	group->send(message, group_encode_shared(&claim, NULL, 0, GROUP_CLAIM, message), group->data);
}

bool changes_synchronize(struct group *group)
{
	struct changes *changes = &group->changes;
	const struct place *best = changes->in_sync ? NULL : find_best(group);

	if (best && is_of_group(changes, &best->shared))
		adopt(group, best);
	else if (best && !changes->claimed)
		claim(group);
	return changes->in_sync;
}

/* A member had this state when members last appeared. The half with the most changes keeps its state. The hash only
 * makes the choice the same for all. Also a member without a state remembers the best note: it may just receive the
 * state of the half that loses. */
static void receive_note(struct group *group, const struct group_shared *other)
{
	struct group_shared *best = &group->changes.note;

	if (other->view != best->view || other->applied < best->applied ||
		(other->applied == best->applied && other->history <= best->history))
		return;
	best->applied = other->applied;
	best->history = other->history;
	if (!group->changes.in_sync)
		return;
	group->agreeing = false;
	changes_forget(group);
}

static void receive_claim(struct group *group, struct group_id from, uint64_t view)
{
	struct changes *changes = &group->changes;
	bool own = group_id_equal(from, group->self) && changes->claimed;
	const struct place *best = own ? find_best(group) : NULL;

	if (view != changes->view) {
		changes->claimed &= !own; /* the members have changed since: claim again */
		return;
	}
	changes->view = group_hash(view, "claim", 5);
	/* Notes from before do not count. */
	changes->note = (struct group_shared){.asker = group->self, .view = changes->view, .history = changes->view};
	if (best) {
		adopt(group, best);
		return;
	}
	group->agreeing = false;
	changes_forget(group);
}

/* The state of one member that has the state of the group is sufficient. */
bool changes_have_state(const struct group *group, const struct group_member *member, uint64_t now)
{
	const struct changes *changes = &group->changes;
	const struct place *best = changes->in_sync ? NULL : find_best(group);

	return changes->in_sync || (member->sets & GROUP_SET_CHANGES) ||
	       (best && is_of_group(changes, &best->shared)) ||
	       (changes->asked && now >= changes->asked_at + STATES_LATE && member->hello.state != GROUP_AGREEING);
}

void changes_tick(struct group *group, uint64_t now)
{
	struct group_shared question = {.asker = group->self};
	uint8_t message[GROUP_MESSAGE_SIZE];

	if (group->changes.must_note)
		group->send(
			message, group_encode_shared(&group->changes.note, NULL, 0, GROUP_NOTE, message), group->data);
	group->changes.must_note = false;
	/* A member that did not count at that moment may have ignored the question or the claim. */
	if (group->changes.collecting && now >= group->changes.asked_at + COLLECTED_LATE)
		changes_forget(group);
	if (!group->quorate || group->changes.in_sync || group->changes.collecting ||
		(group->changes.asked && now < group->changes.asked_at + ASK_AGAIN))
		return;
	question.question = group->changes.question;
	group->changes.asked = true;
	group->changes.asked_at = now;
	group->send(message, group_encode_shared(&question, NULL, 0, GROUP_ASK, message), group->data);
}

void group_set_restored(struct group *group)
{
	group->changes.restored = true;
}

void group_set_diverged(struct group *group)
{
	group->changes.diverged = true;
	changes_forget(group);
}

bool group_is_diverged(const struct group *group)
{
	return group->changes.diverged;
}

void group_send_shared(struct group *group, const struct group_task *task, const void *bytes, size_t length)
{
	const struct group_shared shared = {.asker = task->from,
		.question = task->number,
		.applied = task->applied,
		.history = task->history,
		.view = task->origin,
		.in_sync = task->in_sync,
		.restored = group->changes.restored};
	uint8_t message[GROUP_MESSAGE_SIZE];
	uint16_t flags = GROUP_FIRST;
	size_t sent = 0, part;

	do {
		part = length - sent < GROUP_PART_MAX ? length - sent : GROUP_PART_MAX;
		flags |= sent + part == length ? GROUP_LAST : 0;
		group->send(message, group_encode_shared(&shared, (const uint8_t *)bytes + sent, part, flags, message),
			group->data);
		sent += part;
		flags = 0;
	} while (sent < length);
}

/* --- changes of this member */

uint64_t group_send_change(struct group *group, const char *user, const void *bytes, size_t length, uint64_t now)
{
	struct group_change change = {.number = ++group->changes.number};
	struct group_outcome *outcome = allocate(1, sizeof(*outcome) + GROUP_MEMBERS_MAX * sizeof(*outcome->answers));
	const struct group_member *member;
	uint8_t message[GROUP_MESSAGE_SIZE];

	*outcome = (struct group_outcome){.next = group->changes.open, .number = change.number, .sent = now};
	for (size_t i = 0; (member = group_member_at(group, i)); i++) {
		struct group_answer *answer = &outcome->answers[outcome->count];

		if (!group_member_counts(member))
			continue;
		outcome->count++;
		*answer = (struct group_answer){.id = member->id};
		name_copy(answer->node, member->hello.node);
	}
	group->changes.open = outcome;
	name_copy(change.node, group->settings.node);
	name_copy(change.user, user);
	group->send(message, group_encode_change(&change, bytes, length, message), group->data);
	return change.number;
}

void group_send_result(struct group *group, const struct group_task *task, bool done, const char *text)
{
	const struct group_change change = {.origin = task->from, .number = task->number, .done = done};
	size_t length = strnlen(text, GROUP_RESULT_MAX);
	uint8_t message[GROUP_MESSAGE_SIZE];

	group->send(message, group_encode_result(&change, text, length, message), group->data);
}

void group_send_event(struct group *group, const void *bytes, size_t length)
{
	struct group_change event = {0};
	uint8_t message[GROUP_MESSAGE_SIZE];

	name_copy(event.node, group->settings.node);
	group->send(message, group_encode_change(&event, bytes, length, message), group->data);
}

static struct group_answer *find_answer(struct group_outcome *outcome, struct group_id id)
{
	for (size_t i = 0; i < outcome->count; i++)
		if (group_id_equal(outcome->answers[i].id, id) && outcome->answers[i].state == GROUP_ANSWER_NONE)
			return &outcome->answers[i];
	return NULL;
}

void changes_gone(struct group *group, struct group_id id)
{
	for (struct group_outcome *outcome = group->changes.open; outcome; outcome = outcome->next) {
		struct group_answer *answer = find_answer(outcome, id);

		if (answer)
			answer->state = GROUP_ANSWER_GONE;
	}
}

void changes_members_set(struct group *group, bool joined)
{
	group->changes.view = GROUP_HASH_BEGIN;
	for (size_t i = 0; i < group->members.count; i++)
		group->changes.view =
			group_hash(group->changes.view, &group_member_at(group, i)->id, sizeof(struct group_id));
	for (struct group_outcome *outcome = group->changes.open; outcome; outcome = outcome->next)
		for (size_t i = 0; i < outcome->count; i++)
			if (!members_find(&group->members, outcome->answers[i].id))
				changes_gone(group, outcome->answers[i].id);
	if (!joined)
		return;
	group->changes.note = (struct group_shared){.asker = group->self, .view = group->changes.view};
	if (group->changes.in_sync) {
		group->changes.note.applied = group->changes.applied;
		group->changes.note.history = group->changes.history;
	}
	group->changes.must_note = group->changes.in_sync;
}

static bool is_over(const struct group_outcome *outcome, uint64_t now)
{
	if (now >= outcome->sent + GROUP_ANSWER_TIME)
		return true;
	for (size_t i = 0; i < outcome->count; i++)
		if (outcome->answers[i].state == GROUP_ANSWER_NONE)
			return false;
	return true;
}

struct group_outcome *group_next_outcome(struct group *group, uint64_t now)
{
	for (struct group_outcome **at = &group->changes.open; *at; at = &(*at)->next) {
		struct group_outcome *outcome = *at;

		if (!is_over(outcome, now))
			continue;
		*at = outcome->next;
		return outcome;
	}
	return NULL;
}

/* --- messages */

/* The tasks that wait are of no use any more. This member asks for the state to which they would have led. */
static void overflow(struct group *group)
{
	forget_tasks(&group->changes.tasks);
	group->agreeing = false;
	changes_forget(group);
}

/* Only the last question of a member needs an answer. */
static void forget_question(struct tasks *tasks, struct group_id from)
{
	struct tasks kept = {.end = &kept.first};
	struct group_task *task;

	while ((task = take_first(tasks)))
		if (task->kind == GROUP_TASK_DESCRIBE && group_id_equal(task->from, from))
			free(task);
		else
			append(&kept, task);
	while ((task = take_first(&kept)))
		append(tasks, task);
}

static void receive_question(struct group *group, struct group_id from, const struct group_shared *question)
{
	struct changes *changes = &group->changes;
	struct group_task *task;

	forget_question(&changes->tasks, from);
	task = new_task(GROUP_TASK_DESCRIBE, from, question->question, NULL, 0);
	task->applied = changes->applied;
	task->history = changes->history;
	task->in_sync = changes->in_sync;
	task->origin = changes->in_sync ? changes->note.history : 0;
	append(&changes->tasks, task);
	if (!group_id_equal(from, group->self) || !changes->asked || question->question != changes->question)
		return;
	changes->collecting = true;
	forget_tasks(&changes->kept);
	forget_states(group);
}

static void receive_state(struct group *group, struct place *place, const struct group_message *message)
{
	if (!group->changes.collecting || !group_id_equal(message->shared.asker, group->self) ||
		message->shared.question != group->changes.question)
		return;
	if (message->flags & GROUP_FIRST)
		place->shared_length = 0;
	if (place->shared_length + message->count > GROUP_SHARED_MAX)
		return;
	place->shared = message->shared;
	place->shared_bytes = reallocate(place->shared_bytes, place->shared_length + message->count, 1);
	if (message->count)
		memcpy(place->shared_bytes + place->shared_length, message->values, message->count);
	place->shared_length += message->count;
	members_note_set(place, GROUP_SET_CHANGES, message->flags);
}

static void receive_change(struct group *group, struct group_id from, const struct group_message *message)
{
	struct changes *changes = &group->changes;
	struct group_task *task;

	if (!changes->in_sync && !changes->collecting)
		return;
	task = new_task(GROUP_TASK_APPLY, from, message->change.number, message->values, message->count);
	name_copy(task->node, message->change.node);
	name_copy(task->user, message->change.user);
	if (changes->in_sync)
		count_and_append(changes, task);
	else
		append(&changes->kept, task);
	if (changes->kept.bytes > KEPT_MAX || changes->tasks.bytes > KEPT_MAX)
		overflow(group);
}

static void receive_result(struct group *group, struct group_id from, const struct group_message *message)
{
	size_t length = message->count < GROUP_RESULT_MAX ? message->count : GROUP_RESULT_MAX;

	if (!group_id_equal(message->change.origin, group->self))
		return;
	for (struct group_outcome *outcome = group->changes.open; outcome; outcome = outcome->next) {
		struct group_answer *answer = find_answer(outcome, from);

		if (!answer || outcome->number != message->change.number)
			continue;
		answer->state = message->change.done ? GROUP_ANSWER_DONE : GROUP_ANSWER_REFUSED;
		memcpy(answer->text, message->values, length);
		answer->text[length] = '\0';
	}
}

void changes_receive(struct group *group, struct place *place, const struct group_message *message)
{
	const bool counts = group_member_counts(&place->member);
	struct group_id from = place->member.id;

	/* A process that has not sent all its sets must not disturb the others. A change has the same effect at all
	 * members. */
	if (message->kind == GROUP_SHARED && (message->flags & (GROUP_NOTE | GROUP_CLAIM | GROUP_ASK)) && !counts)
		return;
	if (message->kind == GROUP_SHARED && (message->flags & GROUP_NOTE))
		receive_note(group, &message->shared);
	else if (message->kind == GROUP_SHARED && (message->flags & GROUP_CLAIM))
		receive_claim(group, from, message->shared.view);
	else if (message->kind == GROUP_SHARED && (message->flags & GROUP_ASK))
		receive_question(group, from, &message->shared);
	else if (message->kind == GROUP_SHARED)
		receive_state(group, place, message);
	else if (message->kind == GROUP_CHANGE)
		receive_change(group, from, message);
	else if (message->kind == GROUP_RESULT)
		receive_result(group, from, message);
}

/* --- start and end */

void changes_begin(struct changes *changes, uint64_t started)
{
	changes->tasks.end = &changes->tasks.first;
	changes->kept.end = &changes->kept.first;
	changes->number = started << 20; /* results for the process before cannot match */
}

void changes_end(struct changes *changes)
{
	forget_tasks(&changes->tasks);
	forget_tasks(&changes->kept);
	while (changes->open) {
		struct group_outcome *next = changes->open->next;

		free(changes->open);
		changes->open = next;
	}
}
