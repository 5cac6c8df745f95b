// SPDX-License-Identifier: GPL-2.0
/* Changes and the shared state of a group: random histories of changes, members that start with old or without maps,
 * die, stop and continue, and halves that separate and meet. Members that agree must have the same shared state, and at
 * the end all meet and agree. GROUP_CHANGES_HISTORIES and GROUP_CHANGES_SEED set the number of histories and the first
 * of them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "group_world.h"

#define HISTORIES 3000
#define STEPS 60
#define ASKED_AGAIN 40000 /* ms, longer than a member waits before it asks for the shared state again */
#define SETTLE 10000      /* ms, longer than silence and ALONE_AFTER together */

static unsigned int seed; /* of the history */

static bool agrees(const struct node *node)
{
	return node->group && !node->stopped && group_state(node->group, node->now) == GROUP_AGREEING;
}

/* A daemon refuses changes while it does not agree. */
static void change_if_agreeing(struct node *node, uint32_t index, uint32_t value)
{
	if (agrees(node))
		node_change(node, index, value);
}

/* An operator uses --force. */
static void force_if_not_agreeing(struct node *node, uint32_t index, uint32_t value)
{
	if (!node->group || node->stopped || agrees(node))
		return;
	node->shared[index] = value;
	group_set_diverged(node->group);
}

static void check_equal(struct group_world *world)
{
	const struct node *first[2] = {NULL, NULL};

	/* Twice, because the answers to the tasks of the first time must arrive. */
	for (int i = 0; i < 2; i++)
		for (size_t j = 0; j < world->count; j++)
			if (world->nodes[j].group && !world->nodes[j].stopped)
				node_read_all(&world->nodes[j]);
	for (size_t i = 0; i < world->count; i++) {
		const struct node *node = &world->nodes[i];

		if (!agrees(node) || !group_world_is_quorate(world, node->part))
			continue;
		if (!first[node->part])
			first[node->part] = node;
		cr_assert_arr_eq(
			node->shared, first[node->part]->shared, sizeof(node->shared), "seed %u: member %zu", seed, i);
	}
}

/* All members run, continue and meet. */
static void meet(struct group_world *world)
{
	group_world_divide(world, 1);
	for (size_t i = 0; i < world->count; i++) {
		world->nodes[i].stopped = false;
		if (!world->nodes[i].group)
			node_start(&world->nodes[i]);
	}
}

static void settle(struct group_world *world)
{
	group_world_run_for(world, SETTLE);
	check_equal(world);
	group_world_run_for(world, ASKED_AGAIN);
	for (size_t i = 0; i < world->count; i++)
		if (world->nodes[i].group && !world->nodes[i].stopped)
			cr_assert_eq(agrees(&world->nodes[i]), group_world_is_quorate(world, world->nodes[i].part),
				"seed %u: member %zu", seed, i);
}

static void start_or_kill(struct node *node)
{
	if (node->group) {
		node_kill(node);
		return;
	}
	if (below(2))
		memset(node->shared, 0, sizeof(node->shared)); /* a reboot */
	node_start(node);
	if (below(2))
		group_set_restored(node->group);
}

static void step(struct group_world *world)
{
	struct node *node = &world->nodes[below(world->count)];

	switch (below(12)) {
	case 0:
		start_or_kill(node);
		break;
	case 1:
		group_world_divide(world, 1 + below(2));
		break;
	case 2:
		group_world_run(world, below(4000));
		break;
	case 3:
		node->stopped = node->group && !node->stopped;
		break;
	case 4:
		force_if_not_agreeing(node, below(SHARED), rand());
		break;
	case 5:
		group_world_run_for(world, 3000);
		break;
	default:
		change_if_agreeing(node, below(SHARED), rand());
		if (below(2))
			group_world_run(world, below(100));
	}
}

static unsigned int number_of(const char *variable, unsigned int otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

Test(group_changes, members_that_agree_have_the_same_shared_state, .timeout = 36000)
{
	const unsigned int first = number_of("GROUP_CHANGES_SEED", 0);
	const unsigned int histories = number_of("GROUP_CHANGES_HISTORIES", HISTORIES);

	for (seed = first; seed < first + histories; seed++) {
		struct group_world world;

		srand(seed);
		group_world_begin(&world, AGREE_MAJORITY, 2 + below(NODES - 1));
		world.every_part_is_quorate = seed % 3 == 0;
		for (int i = 0; i < STEPS; i++)
			step(&world);
		settle(&world);
		meet(&world);
		settle(&world);
		group_world_end(&world);
	}
}

static void begin(struct group_world *world, size_t count)
{
	srand(1);
	group_world_begin(world, AGREE_MAJORITY, count);
	group_world_run_for(world, 3000);
}

Test(group_changes, all_members_apply_a_change_and_answer)
{
	struct group_world world;

	begin(&world, 3);
	node_change(&world.nodes[1], 2, 7);
	group_world_run_for(&world, 1000);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(world.nodes[i].shared[2], 7);
	cr_expect_eq(world.nodes[1].done, 3);
	node_change(&world.nodes[1], SHARED - 1, 7);
	group_world_run_for(&world, 1000);
	cr_expect_eq(world.nodes[1].answered, 3);
	cr_expect_eq(world.nodes[1].done, 0);
	group_world_end(&world);
}

Test(group_changes, a_stopped_member_delays_the_answer_but_not_the_change)
{
	struct group_world world;

	begin(&world, 3);
	world.nodes[2].stopped = true;
	node_change(&world.nodes[0], 0, 7);
	group_world_run_for(&world, 1000);
	cr_expect_eq(world.nodes[1].shared[0], 7);
	cr_expect_eq(world.nodes[0].done, 0, "it waits for the third member");
	group_world_run_for(&world, 4000);
	cr_expect_eq(world.nodes[0].done, 2);
	world.nodes[2].stopped = false;
	group_world_run_for(&world, 1000);
	cr_expect_eq(world.nodes[2].shared[0], 7);
	group_world_end(&world);
}

Test(group_changes, two_changes_at_the_same_time_have_one_order)
{
	struct group_world world;

	begin(&world, 3);
	node_change(&world.nodes[0], 0, 7);
	node_change(&world.nodes[1], 0, 8);
	group_world_run_for(&world, 1000);
	check_equal(&world);
	cr_expect_eq(world.nodes[0].done, 3);
	cr_expect_eq(world.nodes[1].done, 3);
	group_world_end(&world);
}

Test(group_changes, a_member_without_maps_receives_the_state_and_later_changes)
{
	struct group_world world;

	begin(&world, 3);
	node_change(&world.nodes[0], 0, 7);
	group_world_run_for(&world, 1000);
	node_kill(&world.nodes[2]);
	memset(world.nodes[2].shared, 0, sizeof(world.nodes[2].shared));
	node_start(&world.nodes[2]);
	node_change(&world.nodes[1], 1, 8); /* delivered while the member joins */
	group_world_run_for(&world, 3000);
	cr_expect_eq(world.nodes[2].shared[0], 7);
	cr_expect_eq(world.nodes[2].shared[1], 8);
	group_world_end(&world);
}

Test(group_changes, a_member_that_was_forced_adopts_the_state_of_the_quorate_half)
{
	struct group_world world;

	begin(&world, 3);
	world.nodes[2].part = 1;
	group_world_announce(&world, 0);
	group_world_announce(&world, 1);
	group_world_run_for(&world, 2000);
	force_if_not_agreeing(&world.nodes[2], 0, 9);
	change_if_agreeing(&world.nodes[0], 1, 7);
	group_world_run_for(&world, 2000);
	cr_expect_eq(world.nodes[2].shared[0], 9);
	world.nodes[2].part = 0;
	group_world_announce(&world, 0);
	group_world_run_for(&world, 3000);
	cr_expect_eq(world.nodes[2].shared[0], 0);
	cr_expect_eq(world.nodes[2].shared[1], 7);
	group_world_end(&world);
}

Test(group_changes, two_quorate_halves_meet_and_one_state_wins)
{
	struct group_world world;

	begin(&world, 2);
	world.every_part_is_quorate = true;
	world.nodes[1].part = 1;
	group_world_announce(&world, 0);
	group_world_announce(&world, 1);
	group_world_run_for(&world, 2000);
	node_change(&world.nodes[0], 0, 7);
	node_change(&world.nodes[1], 1, 8);
	group_world_run_for(&world, 1000);
	node_change(&world.nodes[1], 2, 9);
	group_world_run_for(&world, 1000);
	cr_expect_eq(world.nodes[0].shared[0], 7);
	world.nodes[1].part = 0;
	group_world_announce(&world, 0);
	group_world_run_for(&world, 3000);
	cr_expect_eq(world.nodes[0].shared[0], 0, "the half with more changes wins");
	cr_expect_eq(world.nodes[0].shared[1], 8);
	check_equal(&world);
	group_world_end(&world);
}

Test(group_changes, all_start_and_the_state_of_a_balancer_that_was_running_wins)
{
	struct group_world world;

	srand(1);
	group_world_begin(&world, AGREE_MAJORITY, 3);
	world.nodes[1].shared[0] = 7;
	group_set_restored(world.nodes[1].group);
	group_world_run_for(&world, 3000);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(world.nodes[i].shared[0], 7);
	group_world_end(&world);
}
