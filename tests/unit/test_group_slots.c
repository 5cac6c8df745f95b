// SPDX-License-Identifier: GPL-2.0
/* The phases of migrations in a group. Random histories: operators change the wanted owners, members start, die, stop,
 * and separate; some have a different file; a backend fails. When a member moves a slot, all members that count have
 * recorded it, or migrate it if its owner fails. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/group/group_slots.h"
#include "group_world.h"

#define POOL 1000
#define SLOTS 8
#define IDS 4
#define HISTORIES 250
#define STEPS 80
#define RECORD_TIME 1500
#define DRAIN_TIMEOUT 3000
#define PATIENCE 4000
#define FAILING_PATIENCE 3000
#define STAMPS 65536
#define KIND_CHANGE 200

#define BIT(slot) (1U << (slot))

/* The slots of a member after an event. */
struct mark {
	bool known, agreeing;
	uint8_t recording, migrating;
	uint8_t owners[SLOTS];
};

struct change {
	uint8_t header[8];
	uint32_t version;
	uint16_t wanted[SLOTS];
	uint16_t failing; /* a backend; 0: none */
};

/* The daemon of a member. */
struct model {
	struct group_id id;
	struct migration *migration;
	struct change change;
	bool differs; /* its file */
	uint64_t stamp;
	struct mark *marks; /* by stamp */
};

static struct model models[NODES];
static uint64_t gates[STAMPS]; /* hash of the phases at all members, by stamp; 0: none */
static unsigned int changes, moves, failing_moves, overdue;

static struct model *model_of(const struct node *node)
{
	struct model *model = &models[node - node->world->nodes];

	if (model->id.pid == node->id.pid)
		return model;
	migration_free(model->migration);
	free(model->marks);
	*model = (struct model){
		.id = node->id, .migration = migration_new(SLOTS), .marks = calloc(STAMPS, sizeof(struct mark))};
	model->differs = below(8) == 0;
	for (int slot = 0; slot < SLOTS; slot++)
		model->change.wanted[slot] = 1;
	return model;
}

static void forget_models(void)
{
	for (size_t i = 0; i < NODES; i++) {
		migration_free(models[i].migration);
		free(models[i].marks);
	}
	memset(models, 0, sizeof(models));
	memset(gates, 0, sizeof(gates));
}

static struct mark mark_of(const struct model *model, uint8_t recording)
{
	struct mark mark = {.known = true, .recording = recording};

	for (int slot = 0; slot < SLOTS; slot++) {
		mark.owners[slot] = migration_owners(model->migration)->ids[slot];
		if (migration_previous(model->migration) && migration_previous(model->migration)->ids[slot])
			mark.migrating |= BIT(slot);
	}
	return mark;
}

/* The state of a different member after the event `stamp`, or its last state if it has not read this event. */
static const struct mark *mark_at(const struct model *model, uint64_t stamp)
{
	stamp = stamp < model->stamp ? stamp : model->stamp;
	while (stamp && !model->marks[stamp].known)
		stamp--;
	return &model->marks[stamp];
}

/* A member that does not agree uses its own clock, and the others do not know it yet. */
static bool may_move(const struct mark *mark, int slot, uint16_t wanted, bool failing)
{
	uint8_t recording = failing ? 0 : mark->recording;

	return !mark->agreeing || mark->owners[slot] == wanted || (mark->migrating & ~recording & BIT(slot));
}

/* The member has moved a slot: checks all members that count. */
static void check_move(const struct node *node, const struct model *model, int slot, uint16_t before, uint16_t wanted)
{
	const bool failing = before == model->change.failing;
	const struct group_member *member;

	moves++;
	failing_moves += failing;
	for (size_t i = 0; (member = group_member_at(node->group, i)); i++) {
		const struct model *other = &models[member->id.node - 1];
		const struct node *peer = &node->world->nodes[member->id.node - 1];

		if (!group_member_counts(member) || other == model || !peer->group || peer->id.pid != member->id.pid ||
			peer->part != node->part)
			continue;
		cr_assert(may_move(mark_at(other, model->stamp), slot, wanted, failing),
			"member %u moves slot %d to %u after event %lu, but member %u (event %lu) does not agree",
			node->id.node, slot, wanted, model->stamp, member->id.node, other->stamp);
	}
}

/* `phases`: all results of group_phases(). */
static void check_gate(const struct node *node, uint64_t stamp, const uint64_t phases[5])
{
	uint64_t hash = group_hash(GROUP_HASH_BEGIN, phases, 5 * sizeof(*phases));

	if (!gates[stamp])
		gates[stamp] = hash;
	cr_assert_eq(gates[stamp], hash, "member %u has different phases after event %lu", node->id.node, stamp);
}

static void step_model(struct node *node, struct model *model)
{
	static const bool alive[IDS] = {false, true, true, true};
	uint64_t recording, moving, unknown, begun;
	const struct migration_phases phases = {&recording, &moving, &unknown};
	bool failing[IDS] = {false};
	struct migration_rules rules = {.record_time = RECORD_TIME,
		.drain_timeout = DRAIN_TIMEOUT,
		.patience = PATIENCE,
		.failing = failing,
		.failing_patience = FAILING_PATIENCE};
	struct slots *wanted = slots_copy(model->change.wanted, SLOTS);
	uint64_t print, others;
	struct mark before = mark_of(model, 0), after;
	bool agreeing = group_state(node->group, node->now) == GROUP_AGREEING, counted;

	wanted->ids[0] = model->differs ? 3 : wanted->ids[0];
	print = group_hash(GROUP_HASH_BEGIN, wanted->ids, SLOTS * sizeof(*wanted->ids));
	others = group_phases(node->group, POOL, 1, &phases, &begun);
	if (agreeing)
		check_gate(node, model->stamp, (const uint64_t[]){recording, moving, unknown, begun, others});
	if (others != print)
		recording |= ~begun;
	failing[model->change.failing] = model->change.failing;
	rules.group = agreeing ? &phases : NULL;
	rules.begun = agreeing ? &begun : NULL;
	migration_step(model->migration, wanted, alive, &rules, node->now);
	counted = agreeing && !migration_waits(model->migration).overdue;
	overdue += migration_waits(model->migration).overdue;
	migration_phases(model->migration, &rules, node->now, &phases);
	after = mark_of(model, recording);
	for (int slot = 0; slot < SLOTS; slot++)
		if (counted && before.owners[slot] && before.owners[slot] != after.owners[slot])
			check_move(node, model, slot, before.owners[slot], after.owners[slot]);
	after.agreeing = agreeing;
	model->marks[model->stamp] = after;
	group_set_phases(node->group, POOL, print, migration_is_going_on(model->migration) ? &phases : NULL, 1);
	slots_drop(wanted);
}

static void send_change(struct node *node, const struct model *model)
{
	node_send(node, (const uint8_t *)&model->change, sizeof(model->change));
}

/* Members that have missed a change get it when they meet. */
static void on_event(struct node *node, const uint8_t *bytes, size_t length, uint64_t stamp)
{
	struct model *model = model_of(node);
	struct change change;

	cr_assert(stamp < STAMPS);
	if (length == sizeof(change) && bytes[5] == KIND_CHANGE) {
		memcpy(&change, bytes, sizeof(change));
		if (change.version > model->change.version)
			model->change = change;
	}
	model->stamp = stamp ? stamp : model->stamp;
	step_model(node, model);
	if (stamp && !bytes && model->change.version)
		send_change(node, model);
}

static void change_wanted(struct node *node)
{
	struct model *model = model_of(node);
	struct change change = model->change;

	memcpy(change.header, (const uint8_t[]){'S', 'X', 'G', 'R', GROUP_VERSION, KIND_CHANGE, 0, 0}, 8);
	change.version = ++changes;
	for (unsigned int i = 0; i <= below(SLOTS); i++)
		change.wanted[below(SLOTS)] = 1 + below(IDS - 1);
	change.failing = below(2) ? 1 + below(IDS - 1) : 0;
	for (int slot = 0; slot < SLOTS; slot++) /* its slots leave */
		if (change.failing && change.wanted[slot] == change.failing)
			change.wanted[slot] = 1 + change.failing % (IDS - 1);
	node_send(node, (const uint8_t *)&change, sizeof(change));
}

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

	switch (below(12)) {
	case 0:
		change_process(node);
		break;
	case 1:
		for (size_t i = 0; i < world->count; i++)
			world->nodes[i].part = below(4) ? 0 : below(2);
		group_world_announce(world, 0);
		group_world_announce(world, 1);
		break;
	case 2:
	case 3:
		if (node->group && !node->stopped)
			change_wanted(node);
		break;
	case 4:
		group_world_run(world, below(3000));
		break;
	default:
		group_world_run(world, below(400));
	}
}

/* All members run together for long: every slot then has its owner, and no slot migrates. */
static void check_settled(struct group_world *world)
{
	for (size_t i = 0; i < world->count; i++) {
		world->nodes[i].stopped = false;
		world->nodes[i].part = 0;
	}
	for (size_t i = 0; i < world->count; i++)
		if (!world->nodes[i].group)
			node_start(&world->nodes[i]);
	group_world_announce(world, 0);
	for (int ms = 0; ms < 40000; ms += 200)
		group_world_run(world, 200);
	for (size_t i = 0; i < world->count; i++) {
		struct model *model = model_of(&world->nodes[i]);

		cr_assert(!migration_is_going_on(model->migration), "member %zu still migrates", i);
		for (int slot = 1; slot < SLOTS; slot++)
			cr_assert_eq(migration_owners(model->migration)->ids[slot],
				model_of(&world->nodes[0])->change.wanted[slot]);
	}
}

/* The slots that move at any member, as this member knows it. */
static uint64_t moving_at(const struct node *node, uint64_t pool)
{
	uint64_t recording, moving, unknown, begun;

	group_phases(node->group, pool, 1, &(struct migration_phases){&recording, &moving, &unknown}, &begun);
	return moving;
}

Test(group_slots, a_removed_pool_does_not_migrate_for_the_others)
{
	uint64_t none = 0, slots = 0xff;
	const struct migration_phases phases = {&none, &slots, &slots};
	struct group_world world;

	group_world_begin(&world, AGREE_MAJORITY, 2);
	group_world_run(&world, 5000);
	for (uint64_t pool = POOL; pool < POOL + 3; pool++)
		group_set_phases(world.nodes[0].group, pool, 1, &phases, 1);
	group_world_run(&world, 500);
	cr_assert_eq(moving_at(&world.nodes[1], POOL), slots);
	group_keep_phases(world.nodes[0].group, (const uint64_t[]){5, POOL + 1}, 2);
	group_world_run(&world, 500);
	cr_expect_eq(moving_at(&world.nodes[1], POOL), 0);
	cr_expect_eq(moving_at(&world.nodes[1], POOL + 1), slots);
	cr_expect_eq(moving_at(&world.nodes[1], POOL + 2), 0);
	group_set_phases(world.nodes[0].group, POOL, 1, &phases, 1);
	group_keep_phases(world.nodes[0].group, NULL, 0);
	group_world_run(&world, 500);
	cr_expect_eq(moving_at(&world.nodes[1], POOL), 0);
	cr_expect_eq(moving_at(&world.nodes[1], POOL + 1), 0);
	group_world_end(&world);
}

Test(group_slots, no_slot_moves_before_all_members_have_recorded_it, .timeout = 300)
{
	for (unsigned int seed = 0; seed < HISTORIES; seed++) {
		struct group_world world;

		srand(seed);
		forget_models();
		group_world_begin(&world, AGREE_MAJORITY, 2 + below(NODES - 1));
		world.on_event = on_event;
		for (int i = 0; i < STEPS; i++)
			step(&world);
		check_settled(&world);
		group_world_end(&world);
	}
	forget_models();
	cr_assert_gt(moves, 2000, "%u moves", moves);
	cr_assert_gt(failing_moves, 500, "%u moves from a failing backend", failing_moves);
	cr_assert_gt(overdue, 20, "%u overdue", overdue);
}
