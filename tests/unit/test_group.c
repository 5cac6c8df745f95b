// SPDX-License-Identifier: GPL-2.0
/* Random histories of a group: votes, members that start, die, stop and continue, halves that separate and meet.
 * Members that have read the same events must have the same state, byte for byte. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "group_world.h"

#define SETTLE 10000 /* ms, longer than silence and ALONE_AFTER together */
#define HISTORIES 3000
#define STEPS 60

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* --- the decision, calculated from the votes of the processes */

static bool takes_part(const struct node *node, unsigned int part)
{
	return node->group && !node->stopped && node->part == part;
}

static bool sees_any(const struct node *node, size_t pool)
{
	for (size_t i = 0; i < BACKENDS; i++)
		if (node->votes[pool][i] != GROUP_VOTE_UNKNOWN && node->votes[pool][i] != GROUP_VOTE_DOWN)
			return true;
	return false;
}

/* The votes about a backend, by enum group_vote. */
static void count_expected(
	const struct group_world *world, unsigned int part, size_t pool, size_t backend, size_t out[GROUP_VOTE_COUNT])
{
	bool seen = false;

	memset(out, 0, GROUP_VOTE_COUNT * sizeof(*out));
	for (size_t i = 0; i < world->count; i++)
		seen |= takes_part(&world->nodes[i], part) && sees_any(&world->nodes[i], pool);
	for (size_t i = 0; i < world->count; i++)
		if (takes_part(&world->nodes[i], part) && (!seen || sees_any(&world->nodes[i], pool)))
			out[world->nodes[i].votes[pool][backend]]++;
}

static enum group_verdict expected(const struct group_world *world, const size_t votes[GROUP_VOTE_COUNT])
{
	size_t up = votes[GROUP_VOTE_UP] + votes[GROUP_VOTE_WORKS] + votes[GROUP_VOTE_FAILS];
	size_t down = votes[GROUP_VOTE_DOWN];

	if (world->agree == AGREE_OWN)
		return GROUP_OWN;
	if (!up && !down)
		return GROUP_NO_VOTES;
	if (world->agree == AGREE_ANY)
		return down ? GROUP_DOWN : GROUP_UP;
	return down > up ? GROUP_DOWN : GROUP_UP;
}

static enum group_verdict expected_passive(const struct group_world *world, const size_t votes[GROUP_VOTE_COUNT])
{
	if (world->agree == AGREE_OWN)
		return GROUP_OWN;
	if (world->agree == AGREE_ANY)
		return votes[GROUP_VOTE_FAILS] ? GROUP_DOWN : GROUP_UP;
	return votes[GROUP_VOTE_FAILS] > votes[GROUP_VOTE_WORKS] ? GROUP_DOWN : GROUP_UP;
}

static void check_settled(struct group_world *world)
{
	for (unsigned int ms = 0; ms < SETTLE; ms += 250)
		group_world_run(world, 250);
	for (size_t i = 0; i < world->count; i++) {
		struct node *node = &world->nodes[i];
		bool quorate = group_world_is_quorate(world, node->part);

		if (!node->group || node->stopped)
			continue;
		node_read_all(node);
		cr_assert_eq(group_state(node->group, node->now), quorate ? GROUP_AGREEING : GROUP_ALONE);
		for (size_t pool = 0; pool < POOLS; pool++)
			for (size_t backend = 0; backend < BACKENDS; backend++) {
				struct group_key key = key_of(pool, backend);
				size_t votes[GROUP_VOTE_COUNT];
				struct group_tally tally;

				count_expected(world, node->part, pool, backend, votes);
				cr_assert_eq(group_verdict(node->group, &key, node->now, &tally),
					quorate ? expected(world, votes) : GROUP_OWN,
					"member %zu, pool %zu, backend %zu", i, pool, backend);
				cr_assert_eq(group_passive_verdict(node->group, &tally, node->now),
					quorate ? expected_passive(world, votes) : GROUP_OWN,
					"passive: member %zu, pool %zu, backend %zu", i, pool, backend);
			}
	}
}

/* --- histories */

static void change_process(struct group_world *world, size_t index)
{
	struct node *node = &world->nodes[index];

	if (!node->group)
		node_start(node);
	else if (below(2))
		node_kill(node);
	else
		node->stopped = !node->stopped;
}

static void step(struct group_world *world)
{
	size_t index = below(world->count);
	struct node *node = &world->nodes[index];

	switch (below(10)) {
	case 0:
		change_process(world, index);
		break;
	case 1:
		group_world_divide(world, 1 + below(2));
		break;
	case 2:
		group_world_run(world, below(4000));
		break;
	case 3:
		group_world_run(world, below(300));
		break;
	default:
		if (node->group && !node->stopped)
			node_vote(node, below(POOLS), below(BACKENDS), below(GROUP_VOTE_COUNT));
		if (below(2))
			group_world_run(world, below(100));
	}
}

Test(group, equal_order_gives_equal_states, .timeout = 300)
{
	for (unsigned int seed = 0; seed < HISTORIES; seed++) {
		struct group_world world;

		srand(seed);
		group_world_begin(&world, below(AGREE_COUNT), 2 + below(NODES - 1));
		for (int i = 0; i < STEPS; i++)
			step(&world);
		check_settled(&world);
		group_world_end(&world);
	}
}

/* --- single properties */

/* Members whose votes about backend 0 of pool 0 are these; each has a vote for up in the pool. */
static void begin_with(struct group_world *world, enum config_agree agree, const char *votes)
{
	srand(1);
	group_world_begin(world, agree, strlen(votes));
	for (size_t i = 0; i < world->count; i++) {
		node_vote(&world->nodes[i], 0, 0,
			votes[i] == 'u'   ? GROUP_VOTE_UP
			: votes[i] == 'd' ? GROUP_VOTE_DOWN
			: votes[i] == 'w' ? GROUP_VOTE_WORKS
			: votes[i] == 'f' ? GROUP_VOTE_FAILS
					  : 0);
		node_vote(&world->nodes[i], 0, 1, GROUP_VOTE_UP);
	}
	group_world_run_for(world, 2000);
}

static enum group_verdict verdict(const struct group_world *world, size_t index)
{
	struct group_key key = key_of(0, 0);
	struct group_tally tally;

	return group_verdict(world->nodes[index].group, &key, world->nodes[index].now, &tally);
}

Test(group, votes_decide)
{
	static const struct {
		const char *votes;
		enum config_agree agree;
		enum group_verdict verdict;
	} rows[] = {
		{"uuu", AGREE_MAJORITY, GROUP_UP},
		{"ddu", AGREE_MAJORITY, GROUP_DOWN},
		{"duu", AGREE_MAJORITY, GROUP_UP},
		{"du", AGREE_MAJORITY, GROUP_UP},
		{"dd", AGREE_MAJORITY, GROUP_DOWN},
		{"d--", AGREE_MAJORITY, GROUP_DOWN},
		{"---", AGREE_MAJORITY, GROUP_NO_VOTES},
		{"duuu", AGREE_ANY, GROUP_DOWN},
		{"u---", AGREE_ANY, GROUP_UP},
		{"ddd", AGREE_OWN, GROUP_OWN},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct group_world world;

		begin_with(&world, rows[i].agree, rows[i].votes);
		for (size_t j = 0; j < world.count; j++)
			cr_expect_eq(verdict(&world, j), rows[i].verdict, "%s", rows[i].votes);
		group_world_end(&world);
	}
}

Test(group, votes_about_responses_decide)
{
	static const struct {
		const char *votes;
		enum config_agree agree;
		enum group_verdict passive, verdict;
	} rows[] = {
		{"fff", AGREE_MAJORITY, GROUP_DOWN, GROUP_UP},
		{"ffw", AGREE_MAJORITY, GROUP_DOWN, GROUP_UP},
		{"fww", AGREE_MAJORITY, GROUP_UP, GROUP_UP},
		{"fw", AGREE_MAJORITY, GROUP_UP, GROUP_UP},
		{"fuu", AGREE_MAJORITY, GROUP_DOWN, GROUP_UP},
		{"f--", AGREE_MAJORITY, GROUP_DOWN, GROUP_UP},
		{"uuu", AGREE_MAJORITY, GROUP_UP, GROUP_UP},
		{"---", AGREE_MAJORITY, GROUP_UP, GROUP_NO_VOTES},
		{"fdd", AGREE_MAJORITY, GROUP_DOWN, GROUP_DOWN},
		{"fwww", AGREE_ANY, GROUP_DOWN, GROUP_UP},
		{"wwu", AGREE_ANY, GROUP_UP, GROUP_UP},
		{"fff", AGREE_OWN, GROUP_OWN, GROUP_OWN},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct group_world world;

		begin_with(&world, rows[i].agree, rows[i].votes);
		for (size_t j = 0; j < world.count; j++) {
			struct group_key key = key_of(0, 0);
			struct group_tally tally;
			const struct node *node = &world.nodes[j];

			cr_expect_eq(group_verdict(node->group, &key, node->now, &tally), rows[i].verdict, "%s",
				rows[i].votes);
			cr_expect_eq(group_passive_verdict(node->group, &tally, node->now), rows[i].passive, "%s",
				rows[i].votes);
		}
		group_world_end(&world);
	}
}

/* What a release without judgements does with the votes of this one, and the reverse. */
Test(group, judgements_are_behind_the_votes)
{
	const struct group_key keys[] = {key_of(0, 0), key_of(0, 1), key_of(0, 2)};
	const enum group_vote votes[] = {GROUP_VOTE_FAILS, GROUP_VOTE_DOWN, GROUP_VOTE_WORKS}, plain = GROUP_VOTE_UP;
	const size_t votes_end = 8 + 2 + COUNT(votes) * 17;
	uint8_t bytes[GROUP_MESSAGE_SIZE];
	size_t length = group_encode_votes(keys, votes, COUNT(votes), 0, bytes);
	struct group_message message;
	enum group_vote vote;

	cr_assert_eq(length, votes_end + COUNT(votes));
	cr_expect_eq(bytes[8 + 2 + 16], GROUP_VOTE_UP, "an earlier release reads a vote for up");
	cr_assert_eq(group_message_decode(bytes, length, &message), 0);
	for (size_t i = 0; i < COUNT(votes); i++) {
		group_message_vote(&message, i, &vote);
		cr_expect_eq(vote, votes[i]);
	}
	cr_assert_eq(group_message_decode(bytes, votes_end, &message), 0, "a message of an earlier release");
	group_message_vote(&message, 0, &vote);
	cr_expect_eq(vote, GROUP_VOTE_UP);
	cr_expect_eq(group_encode_votes(keys, &plain, 1, 0, bytes), 8 + 2 + 17, "no judgement costs nothing");
}

Test(group, a_member_to_which_no_backend_responds_does_not_count)
{
	struct group_world world;

	begin_with(&world, AGREE_ANY, "duu");
	cr_expect_eq(verdict(&world, 1), GROUP_DOWN);
	node_vote(&world.nodes[0], 0, 1, GROUP_VOTE_DOWN);
	group_world_run_for(&world, 2000);
	cr_expect_eq(verdict(&world, 1), GROUP_UP);
	cr_expect_eq(verdict(&world, 0), GROUP_UP, "the decision of the others applies to it, too");
	cr_expect(group_is_blind(world.nodes[0].group));
	cr_expect_not(group_is_blind(world.nodes[1].group));
	group_world_end(&world);
}

static enum group_placement placement(const struct group_world *world, size_t node)
{
	return group_placement(world->nodes[node].group, world->nodes[node].now);
}

static uint64_t separation(const struct group_world *world, size_t node)
{
	return group_separation(world->nodes[node].group, world->nodes[node].now);
}

Test(group, new_calls_stay_at_the_previous_owners_for_a_while_after_a_member_has_left)
{
	struct group_world world;

	begin_with(&world, AGREE_MAJORITY, "uuu");
	cr_expect_eq(placement(&world, 0), GROUP_PLACES_IF_ECHOED);
	cr_expect_eq(separation(&world, 0), 0);
	world.nodes[2].part = 1;
	group_world_announce(&world, 0);
	group_world_announce(&world, 1);
	group_world_run_for(&world, ALONE_AFTER - 1000);
	cr_expect_eq(group_state(world.nodes[0].group, world.nodes[0].now), GROUP_AGREEING);
	cr_expect_eq(placement(&world, 0), GROUP_PLACES_NOT);
	cr_expect_eq(placement(&world, 2), GROUP_PLACES_NOT);
	for (size_t i = 0; i < 2; i++)
		cr_expect(separation(&world, i) > 0 && separation(&world, i) < 2000, "member %zu: %llu ms", i,
			(unsigned long long)separation(&world, i));
	cr_expect(separation(&world, 2) > 10000 && separation(&world, 2) < 12000,
		"the others may notice later that it has left");
	group_world_run_for(&world, 2000);
	cr_expect_eq(placement(&world, 0), GROUP_PLACES_IF_ECHOED);
	cr_expect_eq(placement(&world, 2), GROUP_PLACES, "it is alone");
	cr_expect_eq(separation(&world, 0), 0);
	group_world_run_for(&world, 10000);
	cr_expect_eq(separation(&world, 2), 0);
	group_world_end(&world);
}

Test(group, new_calls_stay_at_the_previous_owners_while_a_member_is_silent)
{
	struct group_world world;

	begin_with(&world, AGREE_MAJORITY, "uuu");
	world.nodes[2].stopped = true;
	group_world_run_for(&world, GROUP_SILENCE + 1000);
	cr_expect_eq(placement(&world, 0), GROUP_PLACES_NOT);
	group_world_run_for(&world, ALONE_AFTER);
	cr_expect_eq(placement(&world, 0), GROUP_PLACES_IF_ECHOED);
	group_world_end(&world);
}

Test(group, new_calls_stay_at_the_previous_owners_as_soon_as_a_member_that_beats_is_late)
{
	struct group_world world;

	begin_with(&world, AGREE_MAJORITY, "uuu");
	world.nodes[2].stopped = true;
	group_world_run_for(&world, 2 * GROUP_BEAT_LATE);
	cr_expect_eq(placement(&world, 0), GROUP_PLACES_IF_ECHOED, "nobody beats");
	world.nodes[2].stopped = false;
	group_world_run_for(&world, 2000);
	group_beat(world.nodes[2].group, world.nodes[2].now);
	node_read_all(&world.nodes[0]);
	cr_expect_eq(placement(&world, 0), GROUP_PLACES_IF_ECHOED);
	world.nodes[2].stopped = true;
	group_world_run_for(&world, GROUP_BEAT_LATE);
	cr_expect_eq(placement(&world, 0), GROUP_PLACES_NOT);
	cr_expect_eq(separation(&world, 0), GROUP_SILENCE);
	world.nodes[2].stopped = false;
	group_world_run_for(&world, 2000);
	cr_expect_eq(placement(&world, 0), GROUP_PLACES_IF_ECHOED);
	group_world_end(&world);
}

Test(group, a_member_that_beats_is_late_also_if_its_last_hello_was_no_beat)
{
	const uint32_t line = 1;
	struct group_world world;
	struct node *node;

	begin_with(&world, AGREE_MAJORITY, "uuu");
	node = &world.nodes[2];
	group_beat(node->group, node->now);
	group_set_lines(node->group, &line, 1);
	group_tick(node->group, node->now);
	node_read_all(&world.nodes[0]);
	node->stopped = true;
	group_world_run_for(&world, GROUP_BEAT_LATE);
	cr_expect_eq(placement(&world, 0), GROUP_PLACES_NOT);
	group_world_end(&world);
}

/* The members send, but receive nothing. */
static void pause_delivery(struct group_world *world, unsigned int ms)
{
	for (unsigned int passed = 0; passed < ms; passed += 100)
		for (size_t i = 0; i < world->count; i++) {
			world->nodes[i].now += 100;
			group_tick(world->nodes[i].group, world->nodes[i].now);
		}
}

Test(group, no_member_is_silent_because_corosync_has_delivered_nothing_for_a_while)
{
	struct group_world world;

	begin_with(&world, AGREE_MAJORITY, "uuu");
	for (unsigned int round = 0; round < 20; round++) {
		uint64_t absences = group_absences(world.nodes[0].group);

		pause_delivery(&world, GROUP_SILENCE + 500);
		cr_expect_eq(group_state(world.nodes[0].group, world.nodes[0].now), GROUP_WAITING);
		cr_expect_gt(separation(&world, 0), 0);
		for (unsigned int passed = 0; passed < 2000; passed += 100) {
			group_world_run(&world, 100);
			for (size_t i = 0; i < 9; i++)
				cr_assert_not(group_member_at(world.nodes[i % 3].group, i / 3)->is_silent);
		}
		cr_expect_eq(group_state(world.nodes[0].group, world.nodes[0].now), GROUP_AGREEING);
		cr_expect_eq(separation(&world, 0), 0);
		cr_expect_eq(group_absences(world.nodes[0].group), absences, "the others have waited for it");
	}
	world.nodes[2].stopped = true;
	group_world_run_for(&world, GROUP_SILENCE + 1000);
	cr_expect(group_member_at(world.nodes[0].group, 2)->is_silent, "this one is");
	group_world_end(&world);
}

Test(group, a_member_knows_that_the_others_have_not_waited_for_it)
{
	struct group_world world;
	uint64_t absences, others;

	begin_with(&world, AGREE_MAJORITY, "uuu");
	absences = group_absences(world.nodes[2].group);
	world.nodes[2].stopped = true;
	group_world_run_for(&world, GROUP_SILENCE + 1000);
	world.nodes[2].stopped = false;
	group_world_run_for(&world, 2000);
	cr_expect_eq(group_state(world.nodes[2].group, world.nodes[2].now), GROUP_AGREEING);
	cr_expect_gt(group_absences(world.nodes[2].group), absences);

	absences = group_absences(world.nodes[2].group);
	others = group_absences(world.nodes[0].group);
	for (unsigned int part = 2; part--;) {
		world.nodes[2].part = part;
		group_world_announce(&world, 0);
		group_world_announce(&world, 1);
		group_world_run_for(&world, GROUP_SILENCE + 3000);
	}
	cr_expect_eq(group_state(world.nodes[2].group, world.nodes[2].now), GROUP_AGREEING);
	cr_expect_gt(group_absences(world.nodes[2].group), absences, "it had no quorum");
	cr_expect_eq(group_absences(world.nodes[0].group), others);
	group_world_end(&world);
}

/* Runs until this member reads its next events, and later agrees. Returns whether a different member agreed before. */
static bool others_agree_first(struct group_world *world, size_t node)
{
	bool first = false;

	for (int i = 0; i < 200 && group_state(world->nodes[node].group, world->nodes[node].now) != GROUP_AGREEING;
		i++) {
		first |= group_others_agree(world->nodes[node].group);
		group_world_run(world, 10);
	}
	cr_expect_eq(group_state(world->nodes[node].group, world->nodes[node].now), GROUP_AGREEING);
	return first;
}

Test(group, a_member_that_returns_knows_whether_others_agree)
{
	struct group_world world;

	begin_with(&world, AGREE_MAJORITY, "uuu");
	group_world_run_for(&world, 2000); /* the next hello says that they agree */
	cr_expect(group_others_agree(world.nodes[0].group));
	world.nodes[2].part = 1;
	group_world_announce(&world, 0);
	group_world_announce(&world, 1);
	group_world_run_for(&world, 2000);
	cr_expect_not(group_others_agree(world.nodes[2].group), "it is the only one of its half");
	world.nodes[2].part = 0;
	group_world_announce(&world, 0);
	cr_expect(others_agree_first(&world, 2), "the others had the quorum");

	for (size_t i = 0; i < 3; i++)
		world.nodes[i].part = i;
	for (size_t i = 0; i < 3; i++)
		group_world_announce(&world, i);
	group_world_run_for(&world, 2000);
	for (size_t i = 0; i < 3; i++)
		world.nodes[i].part = 0;
	group_world_announce(&world, 0);
	for (unsigned int passed = 0; passed < 900; passed += 10) {
		group_world_run(&world, 10);
		for (size_t i = 0; i < 3; i++)
			cr_assert_not(group_others_agree(world.nodes[i].group), "the quorum returns for all");
	}
	cr_expect_not(others_agree_first(&world, 0));
	group_world_end(&world);
}

Test(group, the_time_of_the_last_message_that_has_returned)
{
	struct group_world world;
	struct node *node = &world.nodes[0];
	uint64_t sent;

	begin_with(&world, AGREE_MAJORITY, "uu");
	sent = node->now;
	group_beat(node->group, sent);
	cr_expect_lt(group_echo(node->group), sent);
	node_read_all(node);
	cr_expect_eq(group_echo(node->group), sent);
	group_world_end(&world);
}

Test(group, without_quorum_the_last_decision_stays_and_then_the_member_decides_alone)
{
	struct group_world world;

	begin_with(&world, AGREE_MAJORITY, "ddu");
	world.nodes[2].part = 1;
	group_world_announce(&world, 0);
	group_world_announce(&world, 1);
	group_world_run_for(&world, 2000);
	cr_expect_eq(group_state(world.nodes[2].group, world.nodes[2].now), GROUP_WAITING);
	cr_expect_eq(verdict(&world, 2), GROUP_KEEP);
	cr_expect_eq(verdict(&world, 0), GROUP_DOWN);
	group_world_run_for(&world, 5000);
	cr_expect_eq(verdict(&world, 2), GROUP_OWN);
	world.nodes[2].part = 0;
	group_world_announce(&world, 0);
	group_world_run_for(&world, 2000);
	cr_expect_eq(verdict(&world, 2), GROUP_DOWN);
	group_world_end(&world);
}

Test(group, the_votes_about_removed_backends_are_withdrawn)
{
	const struct group_key kept = key_of(0, 0), removed = key_of(0, 1);
	struct group_world world;

	begin_with(&world, AGREE_MAJORITY, "uuu");
	group_vote(world.nodes[1].group, &kept, GROUP_VOTE_UP);
	group_vote(world.nodes[1].group, &removed, GROUP_VOTE_UP);
	group_end_votes(world.nodes[1].group);
	group_vote(world.nodes[1].group, &kept, GROUP_VOTE_UP);
	group_end_votes(world.nodes[1].group);
	group_world_run_for(&world, 2000);
	cr_expect_eq(group_member_vote(world.nodes[0].group, 1, &kept), GROUP_VOTE_UP);
	cr_expect_eq(group_member_vote(world.nodes[0].group, 1, &removed), GROUP_VOTE_UNKNOWN);
	cr_expect_eq(group_member_at(world.nodes[0].group, 1)->up, 1);
	cr_expect_eq(group_member_at(world.nodes[0].group, 2)->up, 2);
	group_world_end(&world);
}

/* A member votes for so many backends from this one on. */
static void vote_for(struct group *group, uint64_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		group_vote(group, &(struct group_key){1, first + i}, GROUP_VOTE_UP);
}

/* With automatic scaling, servers join and leave all the time, each with a new name. */
Test(group, the_votes_about_removed_backends_leave_nothing_behind)
{
	struct group_world world;

	begin_with(&world, AGREE_MAJORITY, "uuu");
	group_end_votes(world.nodes[1].group);
	for (uint64_t first = 10000; first < 10000 + MAX_BACKENDS + 10000; first += 5000) {
		vote_for(world.nodes[1].group, 1, 1000);
		vote_for(world.nodes[1].group, first, 5000);
		group_end_votes(world.nodes[1].group);
		group_world_run_for(&world, 1000);
		cr_expect_eq(group_member_at(world.nodes[2].group, 1)->up, 6000);
	}
	vote_for(world.nodes[1].group, 1, 1000);
	group_end_votes(world.nodes[1].group);
	node_kill(&world.nodes[0]);
	node_start(&world.nodes[0]);
	group_world_run_for(&world, 5000);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(group_member_at(world.nodes[i].group, 1)->up, 1000);
	group_world_end(&world);
}

Test(group, garbage_is_counted_and_changes_nothing)
{
	struct group_world world;
	struct group *group;
	uint8_t bytes[300], *before, *after;
	size_t length;

	begin_with(&world, AGREE_MAJORITY, "ddu");
	group = world.nodes[0].group;
	length = group_dump(group, &before);
	for (int i = 0; i < 20000; i++) {
		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = rand();
		if (below(2))
			memcpy(bytes, "SXGR\1", 5);
		bytes[5] = GROUP_HELLO + 3 * below(2); /* votes and reports of silence would be valid */
		group_receive(group, world.nodes[1].id, bytes, below(sizeof(bytes)), world.nodes[0].now);
	}
	group_receive(group, (struct group_id){99, 99}, bytes, sizeof(bytes), world.nodes[0].now);
	cr_expect_gt(group_garbage(group), 5000);
	cr_expect_eq(group_dump(group, &after), length);
	cr_expect_arr_eq(before, after, length);
	free(before);
	free(after);
	group_world_end(&world);
}

Test(group, members_of_adjacent_releases_understand_each_other)
{
	static const struct {
		uint8_t format;
		bool counts;
	} rows[] = {{GROUP_VERSION, true}, {GROUP_VERSION + 1, true}, {GROUP_VERSION + 2, false}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct group_hello hello = {.node = "lb2"};
		struct group_world world;
		uint8_t bytes[GROUP_MESSAGE_SIZE + 8] = {0};
		size_t length = group_encode_hello(&hello, bytes) + 8; /* a later release may append members */

		begin_with(&world, AGREE_MAJORITY, "ddu");
		bytes[4] = rows[i].format;
		group_receive(world.nodes[0].group, world.nodes[1].id, bytes, length, world.nodes[0].now);
		cr_expect_eq(verdict(&world, 0), rows[i].counts ? GROUP_DOWN : GROUP_UP);
		cr_expect_eq(group_state(world.nodes[0].group, world.nodes[0].now), GROUP_AGREEING);
		group_world_end(&world);
	}
}
