// SPDX-License-Identifier: GPL-2.0
/* A process that sends what no member sends: the others keep equal states, agree again, and use a bounded memory. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "group_world.h"

#define HISTORIES 1000
#define STEPS 40
#define SETTLE 15000 /* ms, longer than silence and the time for the sets of a member */

static struct group_key random_key(void)
{
	return below(2) ? key_of(below(POOLS), below(BACKENDS)) : (struct group_key){rand(), rand()};
}

static size_t make_votes(uint8_t bytes[GROUP_MESSAGE_SIZE])
{
	struct group_key keys[20];
	enum group_vote votes[20];
	size_t count = below(20);

	for (size_t i = 0; i < count; i++) {
		keys[i] = random_key();
		votes[i] = below(GROUP_VOTE_COUNT);
	}
	return group_encode_votes(keys, votes, count, below(4), bytes);
}

static size_t make_drained(uint8_t bytes[GROUP_MESSAGE_SIZE])
{
	struct group_drained list[20];
	size_t count = below(20);

	for (size_t i = 0; i < count; i++)
		list[i] = (struct group_drained){random_key(), below(3)};
	return group_encode_drained(list, count, below(4), bytes);
}

/* A message of a random kind: complete, cut, with wrong bytes, or of a different version. */
static void attack(struct group_world *world, struct node *node)
{
	const struct group_hello hello = {.state = rand(), .agree = rand(), .node = "lb9"};
	const uint32_t lines[] = {1, 2, 3};
	uint8_t bytes[GROUP_MESSAGE_SIZE];
	size_t length = 0;

	switch (below(5)) {
	case 0:
		length = group_encode_hello(&hello, bytes);
		break;
	case 1:
		length = make_votes(bytes);
		break;
	case 2:
		length = group_encode_silent(world->nodes[below(world->count)].id, bytes);
		break;
	case 3:
		length = group_encode_lines(lines, below(4), below(4), bytes);
		break;
	case 4:
		length = make_drained(bytes);
		break;
	}
	if (below(2))
		bytes[below(length)] = rand();
	node_send(node, bytes, below(3) ? length : below(length));
}

static void step(struct group_world *world)
{
	struct node *node = &world->nodes[below(world->count)];

	if (!node->group) {
		node_start(node);
		return;
	}
	switch (below(8)) {
	case 0:
		node_kill(node);
		break;
	case 1:
		group_world_run_for(world, below(4000));
		break;
	case 2:
		node_vote(node, below(POOLS), below(BACKENDS), below(GROUP_VOTE_COUNT));
		break;
	default:
		attack(world, node);
	}
	if (below(2))
		group_world_run(world, below(100));
}

static void check_equal(struct group_world *world)
{
	struct node *first = NULL;

	for (size_t i = 0; i < world->count; i++) {
		struct node *node = &world->nodes[i];

		if (!node->group)
			continue;
		node_read_all(node);
		cr_assert_eq(group_state(node->group, node->now), GROUP_AGREEING, "member %zu", i);
		first = first ? first : node;
		for (size_t j = 0; j < (size_t)POOLS * BACKENDS; j++) {
			struct group_key key = key_of(j / BACKENDS, j % BACKENDS);
			struct group_tally tally, expected;

			group_verdict(node->group, &key, node->now, &tally);
			group_verdict(first->group, &key, first->now, &expected);
			cr_assert_arr_eq(&tally, &expected, sizeof(tally));
		}
	}
}

Test(group_hostile, all_members_keep_equal_states_whatever_one_sends, .timeout = 300)
{
	for (unsigned int seed = 0; seed < HISTORIES; seed++) {
		struct group_world world;

		srand(seed);
		group_world_begin(&world, AGREE_MAJORITY, 2 + below(NODES - 1));
		for (int i = 0; i < STEPS; i++)
			step(&world);
		group_world_run_for(&world, SETTLE);
		check_equal(&world);
		group_world_end(&world);
	}
}

/* The state of all members after attacks of member 1, which has votes of its own. */
static size_t dump_after(void (*send)(struct node *node), uint8_t **out)
{
	struct group_world world;
	size_t length;

	srand(1);
	group_world_begin(&world, AGREE_MAJORITY, 3);
	for (size_t i = 0; i < world.count; i++)
		node_vote(&world.nodes[i], 0, 0, GROUP_VOTE_UP);
	group_world_run_for(&world, 3000);
	if (send)
		send(&world.nodes[1]);
	for (size_t i = 0; i < world.count; i++)
		node_read_all(&world.nodes[i]);
	length = group_dump(world.nodes[0].group, out);
	group_world_end(&world);
	return length;
}

static void send_other_version(struct node *node)
{
	const struct group_key key = key_of(0, 0);
	const enum group_vote down = GROUP_VOTE_DOWN;
	uint8_t bytes[GROUP_MESSAGE_SIZE];
	size_t length = group_encode_votes(&key, &down, 1, 0, bytes);

	bytes[4] = GROUP_VERSION + 2;
	node_send(node, bytes, length);
	length = group_encode_silent(node->world->nodes[2].id, bytes);
	bytes[4] = GROUP_VERSION + 2;
	node_send(node, bytes, length);
}

Test(group_hostile, a_message_of_a_release_that_is_too_different_has_no_effect)
{
	uint8_t *before, *after;
	size_t length = dump_after(NULL, &before);

	cr_expect_eq(dump_after(send_other_version, &after), length);
	cr_expect_arr_eq(before, after, length);
	free(before);
	free(after);
}

#define FLOOD (2 * MAX_BACKENDS / GROUP_VOTES_MAX)

static void receive_many_votes(struct group *group, struct group_id from)
{
	static struct group_key keys[GROUP_VOTES_MAX];
	static enum group_vote votes[GROUP_VOTES_MAX];
	uint8_t bytes[GROUP_MESSAGE_SIZE];

	for (uint64_t i = 0; i < FLOOD; i++) {
		for (uint64_t j = 0; j < GROUP_VOTES_MAX; j++) {
			keys[j] = (struct group_key){i, i << 32 | j};
			votes[j] = GROUP_VOTE_DOWN;
		}
		group_receive(group, from, bytes, group_encode_votes(keys, votes, GROUP_VOTES_MAX, 0, bytes), 0);
	}
}

Test(group_hostile, one_member_votes_about_no_more_backends_than_a_balancer_can_have, .timeout = 60)
{
	const struct group_key key = key_of(0, 0);
	const enum group_vote down = GROUP_VOTE_DOWN;
	uint8_t bytes[GROUP_MESSAGE_SIZE];
	struct group_world world;
	struct group *group;

	srand(1);
	group_world_begin(&world, AGREE_MAJORITY, 3);
	group_world_run_for(&world, 3000);
	group = world.nodes[0].group;
	receive_many_votes(group, world.nodes[1].id);
	cr_expect_eq(group_member_at(group, 1)->down, MAX_BACKENDS);
	group_receive(group, world.nodes[2].id, bytes, group_encode_votes(&key, &down, 1, 0, bytes), 0);
	cr_expect_eq(group_member_at(group, 2)->down, 1, "the votes of the others still arrive");
	group_world_end(&world);
}

/* The process of member 1 sends nothing but its name. */
static void greet(struct group_world *world)
{
	const struct group_hello hello = {.node = "lb2"};
	uint8_t bytes[GROUP_MESSAGE_SIZE];

	for (int i = 0; i < SETTLE / 500; i++) {
		node_send(&world->nodes[1], bytes, group_encode_hello(&hello, bytes));
		group_world_run_for(world, 500);
	}
}

Test(group_hostile, members_do_not_wait_for_one_that_never_sends_its_votes)
{
	struct group_world world;

	srand(1);
	group_world_begin(&world, AGREE_MAJORITY, 3);
	world.nodes[1].stopped = true;
	greet(&world);
	for (size_t i = 0; i < world.count; i += 2)
		cr_expect_eq(group_state(world.nodes[i].group, world.nodes[i].now), GROUP_AGREEING);
	cr_expect(group_member_at(world.nodes[0].group, 1)->is_silent);
	world.nodes[1].stopped = false;
	group_world_run_for(&world, 3000);
	cr_expect_not(group_member_at(world.nodes[0].group, 1)->is_silent, "it counts when its votes have arrived");
	group_world_end(&world);
}
