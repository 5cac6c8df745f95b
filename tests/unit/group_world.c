// SPDX-License-Identifier: GPL-2.0
/* See group_world.h. A message enters the queues of all members of its part at once: this gives the order and the
 * virtual synchrony of corosync. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "group_world.h"

/* A change sets one number of the shared state. */
struct change {
	uint32_t index, value;
};

enum event_kind {
	EVENT_MEMBERS,
	EVENT_MESSAGE
};

struct event {
	struct event *next;
	enum event_kind kind;
	uint64_t stamp; /* equal for the same event at different members */
	struct group_id from, members[NODES], joined[NODES];
	size_t member_count, joined_count, length;
	bool quorate;
	uint8_t bytes[];
};

unsigned int below(unsigned int limit)
{
	return rand() % limit;
}

static void append(struct node *node, const struct event *event, const void *bytes)
{
	struct event *copy = malloc(sizeof(*copy) + event->length);

	*copy = *event;
	copy->next = NULL;
	if (event->length)
		memcpy(copy->bytes, bytes, event->length);
	*node->last = copy;
	node->last = &copy->next;
}

void node_send(struct node *sender, const uint8_t *bytes, size_t length)
{
	struct group_world *world = sender->world;
	const struct event event = {
		.kind = EVENT_MESSAGE, .stamp = ++world->stamp, .from = sender->id, .length = length};

	for (size_t i = 0; i < world->count; i++)
		if (world->nodes[i].group && world->nodes[i].part == sender->part)
			append(&world->nodes[i], &event, bytes);
}

static void on_send(const uint8_t *message, size_t length, void *data)
{
	node_send(data, message, length);
}

static bool was_seen(const struct node *node, struct group_id id)
{
	for (size_t i = 0; i < node->seen_count; i++)
		if (!memcmp(&node->seen[i], &id, sizeof(id)))
			return true;
	return false;
}

/* Tells all members of a part who is in it. */
void group_world_announce(struct group_world *world, unsigned int part)
{
	struct event event = {.kind = EVENT_MEMBERS, .stamp = ++world->stamp};
	size_t nodes = 0;

	for (size_t i = 0; i < world->count; i++) {
		nodes += world->nodes[i].part == part;
		if (world->nodes[i].group && world->nodes[i].part == part)
			event.members[event.member_count++] = world->nodes[i].id;
	}
	event.quorate = world->every_part_is_quorate || 2 * nodes > world->count;
	for (size_t i = 0; i < world->count; i++) {
		struct node *node = &world->nodes[i];

		if (!node->group || node->part != part)
			continue;
		event.joined_count = 0;
		for (size_t j = 0; j < event.member_count; j++)
			if (!was_seen(node, event.members[j]))
				event.joined[event.joined_count++] = event.members[j];
		memcpy(node->seen, event.members, sizeof(node->seen));
		node->seen_count = event.member_count;
		append(node, &event, NULL);
	}
}

/* --- processes */

static void forget_events(struct node *node)
{
	while (node->first) {
		struct event *next = node->first->next;

		free(node->first);
		node->first = next;
	}
	node->last = &node->first;
}

static void forget_tasks(struct node *node)
{
	while (node->tasks) {
		struct group_task *next = node->tasks->next;

		free(node->tasks);
		node->tasks = next;
	}
	node->tasks_end = &node->tasks;
}

void node_change(struct node *node, uint32_t index, uint32_t value)
{
	const struct change change = {index, value};

	node->answered = node->done = 0;
	group_send_change(node->group, "alice", &change, sizeof(change), node->now);
}

void node_change_silently(struct node *node, uint32_t index, uint32_t value)
{
	const struct change change = {index, value};

	group_send_event(node->group, &change, sizeof(change));
}

/* A member refuses changes of the last number: its file differs. */
static void apply(struct node *node, const struct group_task *task)
{
	struct change change;

	cr_assert_eq(task->length, sizeof(change));
	memcpy(&change, task->bytes, sizeof(change));
	if (node->world->on_change)
		node->world->on_change(node, change.index, change.value, task->applied);
	else
		node->shared[change.index] = change.value;
	group_send_result(node->group, task, change.index < SHARED - 1, "the file differs");
}

static void carry_out(struct node *node, const struct group_task *task)
{
	if (node->world->on_task) {
		node->world->on_task(node, task);
		return;
	}
	switch (task->kind) {
	case GROUP_TASK_APPLY:
		apply(node, task);
		break;
	case GROUP_TASK_DESCRIBE:
		group_send_shared(node->group, task, node->shared, sizeof(node->shared));
		break;
	case GROUP_TASK_ADOPT:
		cr_assert_eq(task->length, sizeof(node->shared));
		memcpy(node->shared, task->bytes, sizeof(node->shared));
		break;
	}
}

static void take_outcomes(struct node *node)
{
	struct group_outcome *outcome;

	while ((outcome = group_next_outcome(node->group, node->now))) {
		for (size_t i = 0; i < outcome->count; i++) {
			node->answered += outcome->answers[i].state == GROUP_ANSWER_DONE ||
					  outcome->answers[i].state == GROUP_ANSWER_REFUSED;
			node->done += outcome->answers[i].state == GROUP_ANSWER_DONE;
		}
		free(outcome);
	}
}

void node_work(struct node *node, unsigned int count)
{
	struct group_task *task;

	while ((task = group_next_task(node->group))) {
		task->next = NULL;
		*node->tasks_end = task;
		node->tasks_end = &task->next;
	}
	while (count-- && node->tasks) {
		task = node->tasks;
		node->tasks = task->next;
		if (!node->tasks)
			node->tasks_end = &node->tasks;
		carry_out(node, task);
		free(task);
	}
	take_outcomes(node);
}

void node_start(struct node *node)
{
	struct group_world *world = node->world;
	struct group_settings settings = {
		.node = "lb", .version = "1", .agree = world->agree, .alone_after = ALONE_AFTER};

	node->id = (struct group_id){node - world->nodes + 1, node->id.pid + 1};
	node->seen_count = 0;
	node->stopped = false;
	memset(node->votes, 0, sizeof(node->votes));
	node->group = group_new(&settings, on_send, node, node->now);
	group_connected(node->group, node->id, node->now);
	group_world_announce(world, node->part);
}

void node_kill(struct node *node)
{
	struct group_world *world = node->world;

	group_free(node->group);
	node->group = NULL;
	forget_events(node);
	forget_tasks(node);
	group_world_announce(world, node->part);
}

static void check_state(struct node *node, uint64_t stamp)
{
	struct group_world *world = node->world;
	uint8_t *bytes;
	size_t length = group_dump(node->group, &bytes);
	uint64_t hash = group_hash(GROUP_HASH_BEGIN, bytes, length);

	free(bytes);
	while (stamp >= world->room) {
		world->states = realloc(world->states, 2 * world->room * sizeof(*world->states));
		memset(world->states + world->room, 0, world->room * sizeof(*world->states));
		world->room *= 2;
	}
	if (!world->states[stamp])
		world->states[stamp] = hash;
	cr_assert_eq(
		world->states[stamp], hash, "member %u has a different state after event %lu", node->id.node, stamp);
}

/* News of the quorum come separately, before or after those of the members. */
static void read_quorum(struct node *node, const struct event *event)
{
	group_set_quorate(node->group, event->quorate, node->now);
	group_tick(node->group, node->now);
}

static void read_event(struct node *node)
{
	struct event *event = node->first;

	node->first = event->next;
	if (!node->first)
		node->last = &node->first;
	if (event->kind == EVENT_MESSAGE) {
		group_receive(node->group, event->from, event->bytes, event->length, node->now);
	} else {
		if (below(2))
			read_quorum(node, event);
		group_set_members(node->group, event->members, event->member_count, event->joined, event->joined_count,
			node->now);
		read_quorum(node, event);
	}
	/* Two quorate halves that meet agree only after they have exchanged their states. */
	if (!node->world->every_part_is_quorate && group_state(node->group, node->now) == GROUP_AGREEING)
		check_state(node, event->stamp);
	node->from = event->from;
	if (node->world->on_event)
		node->world->on_event(
			node, event->kind == EVENT_MESSAGE ? event->bytes : NULL, event->length, event->stamp);
	free(event);
}

struct group_key key_of(size_t pool, size_t backend)
{
	return (struct group_key){1000 + pool, 2000 + 10 * pool + backend};
}

void node_vote(struct node *node, size_t pool, size_t backend, enum group_vote vote)
{
	struct group_key key = key_of(pool, backend);

	node->votes[pool][backend] = vote;
	group_vote(node->group, &key, vote);
}

void group_world_run(struct group_world *world, unsigned int ms)
{
	for (size_t i = 0; i < world->count; i++) {
		struct node *node = &world->nodes[i];

		if (!node->group || node->stopped)
			continue;
		node->now += ms;
		for (unsigned int events = below(30); node->first && events; events--)
			read_event(node);
		group_tick(node->group, node->now);
		if (world->on_event)
			world->on_event(node, NULL, 0, 0);
		node_work(node, below(4));
	}
}

void group_world_run_for(struct group_world *world, unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i += 100)
		group_world_run(world, 100);
}

void group_world_divide(struct group_world *world, unsigned int parts)
{
	for (size_t i = 0; i < world->count; i++)
		world->nodes[i].part = below(parts);
	for (unsigned int part = 0; part < parts; part++)
		group_world_announce(world, part);
}

bool group_world_is_quorate(const struct group_world *world, unsigned int part)
{
	size_t nodes = 0;

	for (size_t i = 0; i < world->count; i++)
		nodes += world->nodes[i].part == part;
	return world->every_part_is_quorate || 2 * nodes > world->count;
}

void group_world_begin(struct group_world *world, enum config_agree agree, size_t count)
{
	*world = (struct group_world){.count = count, .room = 1024, .agree = agree};
	world->states = calloc(world->room, sizeof(*world->states));
	for (size_t i = 0; i < count; i++) {
		world->nodes[i].world = world;
		world->nodes[i].now = 1 + below(100000);
		world->nodes[i].last = &world->nodes[i].first;
		world->nodes[i].tasks_end = &world->nodes[i].tasks;
	}
	for (size_t i = 0; i < count; i++)
		node_start(&world->nodes[i]);
}

void group_world_end(struct group_world *world)
{
	for (size_t i = 0; i < world->count; i++) {
		group_free(world->nodes[i].group);
		forget_events(&world->nodes[i]);
		forget_tasks(&world->nodes[i]);
	}
	free(world->states);
}

void node_read_all(struct node *node)
{
	while (node->first)
		read_event(node);
	node_work(node, UINT_MAX);
}
