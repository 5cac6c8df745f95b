// SPDX-License-Identifier: GPL-2.0
/* The common end of `backend remove --drain`. Random histories: operators remove backends, take the removal back and
 * add them again; calls begin and end at each member; members start, die, stop, and separate. No member loses a call by
 * a removal of the group, and members that agree have the same backends. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/group/group_drains.h"
#include "group_world.h"

#define HISTORIES 1500
#define STEPS 80
#define RECORD_TIME 1500 /* ms: calls begin at a backend so long after its slots should have moved to or from it */
#define SETTLE 20000     /* ms */
#define REMOVALS 65536

/* The shared state contains the states of the backends, and then for each leaving one the number of the change. */
#define BACKEND_COUNT (SHARED / 2)

enum {
	READY,
	LEAVING,
	REMOVED,
};

/* The commands of operators, and the change of the group itself; it begins at END and contains its number. */
enum {
	TO_READY,
	TO_REMOVE,
	TO_ADD,
	END,
};

/* The daemon of a member. */
struct model {
	uint32_t state[BACKEND_COUNT]; /* that it has seen last */
	uint64_t since[BACKEND_COUNT];
	unsigned int calls[BACKEND_COUNT];
};

/* A change of the group: the members that counted for its sender. */
struct removal {
	struct group_id counted[NODES];
	size_t count;
	uint32_t removal;
};

static struct model models[NODES];
static struct removal removals[REMOVALS];
static unsigned int sent, removed, ready_again;
static bool is_quiet;

static struct model *model_of(const struct node *node)
{
	return &models[node - node->world->nodes];
}

static void note_state(struct node *node)
{
	struct model *model = model_of(node);

	for (int i = 0; i < BACKEND_COUNT; i++) {
		if (model->state[i] == node->shared[i])
			continue;
		model->state[i] = node->shared[i];
		model->since[i] = node->now;
		model->calls[i] = model->state[i] == REMOVED ? 0 : model->calls[i];
	}
}

static bool has_moved(const struct node *node, int backend)
{
	return node->now >= model_of(node)->since[backend] + RECORD_TIME;
}

static bool is_drained(const struct node *node, int backend)
{
	return node->shared[backend] == LEAVING && has_moved(node, backend) && !model_of(node)->calls[backend];
}

static struct group_drained drained_of(const struct node *node, int backend)
{
	return (struct group_drained){key_of(0, backend), node->shared[BACKEND_COUNT + backend]};
}

/* --- changes */

static void check_removal(const struct node *node, uint32_t backend, const struct removal *removal)
{
	removed++;
	for (size_t i = 0; model_of(node)->calls[backend] && i < removal->count; i++)
		cr_assert_not(group_id_equal(removal->counted[i], node->id),
			"member %u has %u calls at the backend %u that it removes", node->id.node,
			model_of(node)->calls[backend], backend);
}

/* A member no longer says that a backend is drained before it answers to `backend ready`. */
static void withdraw(struct node *node)
{
	struct group_drained list[BACKEND_COUNT];
	size_t count = 0;

	for (int i = 0; i < BACKEND_COUNT; i++) {
		const struct group_drained drained = drained_of(node, i);

		if (node->shared[i] == LEAVING && group_has_drained(node->group, &drained))
			list[count++] = drained;
	}
	group_set_drained(node->group, list, count);
}

static void on_change(struct node *node, uint32_t backend, uint32_t command, uint64_t number)
{
	uint32_t *state = &node->shared[backend], *removal = &node->shared[BACKEND_COUNT + backend];

	note_state(node);
	if (command >= END && *state == LEAVING && *removal == removals[command - END].removal) {
		check_removal(node, backend, &removals[command - END]);
		*state = REMOVED;
	} else if (command == TO_READY && *state == LEAVING) {
		*state = READY;
		ready_again++;
	} else if (command == TO_REMOVE && *state == READY) {
		*state = LEAVING;
	} else if (command == TO_ADD && *state == REMOVED) {
		*state = READY;
	}
	if (*state != LEAVING)
		*removal = 0;
	else if (!*removal)
		*removal = number;
	note_state(node);
	withdraw(node);
}

/* --- what the daemon does every second */

static void send_removal(struct node *node, int backend)
{
	struct removal *removal = &removals[sent % REMOVALS];
	const struct group_member *member;

	removal->count = 0;
	removal->removal = node->shared[BACKEND_COUNT + backend];
	for (size_t i = 0; (member = group_member_at(node->group, i)); i++)
		if (group_member_counts(member))
			removal->counted[removal->count++] = member->id;
	node_change_silently(node, backend, END + sent++ % REMOVALS);
}

static void remove_alone(struct node *node, int backend)
{
	node->shared[backend] = REMOVED;
	node->shared[BACKEND_COUNT + backend] = 0;
	group_set_diverged(node->group);
}

static void remove_drained(struct node *node)
{
	enum group_state state = group_state(node->group, node->now);
	struct group_drained list[BACKEND_COUNT];
	size_t count = 0;

	for (int i = 0; i < BACKEND_COUNT; i++)
		if (is_drained(node, i) && state == GROUP_ALONE)
			remove_alone(node, i);
		else if (is_drained(node, i) && state == GROUP_AGREEING)
			list[count++] = drained_of(node, i);
	group_set_drained(node->group, list, count);
	for (int i = 0; i < BACKEND_COUNT; i++) {
		const struct group_drained drained = drained_of(node, i);

		if (state == GROUP_AGREEING && is_drained(node, i) && group_leads(node->group) &&
			!group_undrained(node->group, &drained))
			send_removal(node, i);
	}
}

static void move_calls(struct node *node)
{
	struct model *model = model_of(node);

	for (int i = 0; i < BACKEND_COUNT; i++) {
		bool may_begin = model->state[i] == READY ? has_moved(node, i)
							  : model->state[i] == LEAVING && !has_moved(node, i);

		if (is_quiet || !below(4))
			model->calls[i] = 0;
		else if (may_begin && !below(3))
			model->calls[i]++;
	}
}

static void on_event(struct node *node, const uint8_t *bytes, size_t length, uint64_t stamp)
{
	(void)bytes, (void)length;
	if (stamp)
		return;
	note_state(node); /* it may have adopted a state */
	move_calls(node);
	remove_drained(node);
	note_state(node);
}

/* --- histories */

static void change_process(struct node *node)
{
	if (!node->group)
		node_start(node);
	else if (below(2))
		node_kill(node);
	else
		node->stopped = !node->stopped;
}

static void step(struct group_world *world)
{
	struct node *node = &world->nodes[below(world->count)];

	switch (below(16)) {
	case 0:
		change_process(node);
		break;
	case 1:
		group_world_divide(world, 1 + below(2));
		break;
	case 2:
		group_world_run(world, below(4000));
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		if (node->group && !node->stopped && group_state(node->group, node->now) == GROUP_AGREEING)
			node_change(node, below(BACKEND_COUNT), below(END));
		break;
	default:
		group_world_run(world, below(600));
	}
}

static void unite(struct group_world *world)
{
	for (size_t i = 0; i < world->count; i++) {
		world->nodes[i].stopped = false;
		world->nodes[i].part = 0;
	}
	for (size_t i = 0; i < world->count; i++)
		if (!world->nodes[i].group)
			node_start(&world->nodes[i]);
	group_world_announce(world, 0);
}

/* All members run together, and all calls end: all have the same backends, and no backend is still leaving. */
static void check_settled(struct group_world *world, unsigned int seed)
{
	is_quiet = true;
	unite(world);
	group_world_run_for(world, SETTLE);
	for (size_t i = 0; i < world->count; i++)
		node_read_all(&world->nodes[i]);
	for (size_t i = 0; i < world->count; i++)
		for (int j = 0; j < BACKEND_COUNT; j++) {
			cr_assert_eq(world->nodes[i].shared[j], world->nodes[0].shared[j], "seed %u", seed);
			cr_assert_neq(world->nodes[i].shared[j], LEAVING, "seed %u: backend %d", seed, j);
		}
	is_quiet = false;
}

Test(group_drains, all_members_remove_a_drained_backend_together, .timeout = 300)
{
	for (unsigned int seed = 0; seed < HISTORIES; seed++) {
		struct group_world world;

		srand(seed);
		memset(models, 0, sizeof(models));
		group_world_begin(&world, AGREE_MAJORITY, 2 + below(NODES - 1));
		world.on_event = on_event;
		world.on_change = on_change;
		for (int i = 0; i < STEPS; i++)
			step(&world);
		check_settled(&world, seed);
		group_world_end(&world);
	}
	cr_expect_gt(removed, 1000, "%u", removed);
	cr_expect_gt(ready_again, 1000, "%u", ready_again);
}
