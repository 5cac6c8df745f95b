// SPDX-License-Identifier: GPL-2.0
/* Members ask each other for all calls: in every order of their questions and replies, a member receives the calls that
 * are somewhere in the group. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "core/group/group_asking.h"
#include "group_world.h"

#define HISTORIES 2000
#define PARTS 3 /* messages of an answer */
#define QUEUE 100

/* A member, and the calls in its maps as a set of bits. `all`: it has had all of them. */
struct asker {
	struct group_asking asking;
	bool is_filled, all, began;
	unsigned int calls;
};

struct letter {
	size_t from, to;
	uint16_t flags;
	unsigned int calls;
};

struct post {
	struct group_world world;
	struct asker askers[NODES];
	struct letter queue[QUEUE]; /* in the order of all messages */
	size_t first, last;
};

static void post(struct post *post, size_t from, size_t to, uint16_t flags, unsigned int calls)
{
	cr_assert_lt(post->last, QUEUE);
	post->queue[post->last++] = (struct letter){from, to, flags, calls};
}

static void ask_next(struct post *box, size_t index)
{
	struct asker *asker = &box->askers[index];

	if (group_asking_next(&asker->asking, box->world.nodes[index].group, 0))
		post(box, index, asker->asking.asked.node - 1, asker->asking.flags, 0);
	else
		asker->all = true;
}

static void begin(struct post *box, size_t index)
{
	struct asker *asker = &box->askers[index];

	asker->began = true;
	group_asking_begin(&asker->asking, !asker->is_filled);
	ask_next(box, index);
}

static void answer(struct post *box, const struct letter *question)
{
	const struct asker *asked = &box->askers[question->to];

	if (!group_asking_may_answer(question->flags, asked->all, asked->is_filled))
		post(box, question->to, question->from, GROUP_LAST | GROUP_NONE, 0);
	for (size_t i = 0; i < PARTS && group_asking_may_answer(question->flags, asked->all, asked->is_filled); i++)
		post(box, question->to, question->from, i == PARTS - 1 ? GROUP_LAST : 0, asked->calls);
}

static void deliver(struct post *box)
{
	const struct letter letter = box->queue[box->first++];
	struct asker *asker = &box->askers[letter.to];

	if (letter.flags & GROUP_ASK) {
		answer(box, &letter);
		return;
	}
	asker->calls |= letter.calls;
	switch (group_asking_take(&asker->asking, box->world.nodes[letter.from].id, letter.flags, true, 0)) {
	case GROUP_ASKING_REFUSED:
		ask_next(box, letter.to);
		break;
	case GROUP_ASKING_COMPLETE:
		asker->all = true;
		break;
	case GROUP_ASKING_WAITS:
		break;
	}
}

static void open_box(struct post *box, size_t count)
{
	*box = (struct post){0};
	group_world_begin(&box->world, AGREE_MAJORITY, count);
	group_world_run_for(&box->world, 5000);
}

/* All members that have not asked yet ask, in a random order, while messages arrive. */
static void run(struct post *box)
{
	size_t waiting = 0;

	for (size_t i = 0; i < box->world.count; i++)
		waiting += !box->askers[i].all;
	while (waiting || box->first < box->last) {
		size_t index = below(box->world.count);
		struct asker *asker = &box->askers[index];

		if (!asker->all && !asker->began && below(2)) {
			begin(box, index);
			waiting--;
		} else if (box->first < box->last) {
			deliver(box);
		}
	}
}

Test(group_asking, a_member_with_empty_maps_gets_the_calls_of_one_that_asks_at_the_same_time)
{
	struct post box;

	srand(1);
	open_box(&box, 2);
	for (int i = 0; i < HISTORIES; i++) {
		box.askers[0] = (struct asker){.is_filled = true, .calls = 1};
		box.askers[1] = (struct asker){0};
		box.first = box.last = 0;
		run(&box);
		cr_assert(box.askers[1].all && box.askers[1].calls == 1);
	}
	group_world_end(&box.world);
}

Test(group_asking, members_that_return_get_the_calls_of_one_that_was_there)
{
	struct post box;

	srand(1);
	open_box(&box, NODES);
	for (int i = 0; i < HISTORIES; i++) {
		size_t complete = below(NODES);

		for (size_t j = 0; j < NODES; j++)
			box.askers[j] = (struct asker){.is_filled = below(2)};
		box.askers[complete] = (struct asker){.is_filled = true, .all = true, .calls = 1};
		box.first = box.last = 0;
		run(&box);
		for (size_t j = 0; j < NODES; j++)
			cr_assert(box.askers[j].all && box.askers[j].calls == 1);
	}
	group_world_end(&box.world);
}

Test(group_asking, a_group_without_calls_ends_its_questions)
{
	struct post box;

	srand(1);
	open_box(&box, NODES);
	for (int i = 0; i < HISTORIES; i++) {
		for (size_t j = 0; j < NODES; j++)
			box.askers[j] = (struct asker){0};
		box.first = box.last = 0;
		run(&box);
		for (size_t j = 0; j < NODES; j++)
			cr_assert(box.askers[j].all);
	}
	group_world_end(&box.world);
}

Test(group_asking, a_long_answer_is_waited_for)
{
	struct group_asking asking;
	uint64_t now = 10000;
	struct post box;

	srand(1);
	open_box(&box, 3);
	group_asking_begin(&asking, true);
	cr_assert(group_asking_next(&asking, box.world.nodes[0].group, now));
	cr_expect_eq(asking.asked.node, 2);
	for (int i = 0; i < 10; i++) {
		now += 4000;
		cr_expect_not(group_asking_has_paused(&asking, now));
		cr_expect_eq(group_asking_take(&asking, asking.asked, 0, i % 2, now), GROUP_ASKING_WAITS);
	}
	group_asking_take(&asking, box.world.nodes[2].id, 0, true, now + 1000);
	cr_expect(group_asking_has_paused(&asking, now + 5000), "only the member that was asked counts");
	cr_assert(group_asking_next(&asking, box.world.nodes[0].group, now + 5000));
	cr_expect_eq(asking.asked.node, 3);
	group_world_end(&box.world);
}
