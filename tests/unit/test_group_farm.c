// SPDX-License-Identifier: GPL-2.0
/* Votes, changes and migrations of a group together. Random histories: probes that differ between members, changes by
 * operators, servers that join and leave, members that restart with or without maps, that are silent, and halves that
 * separate and meet. Members that agree and have read the same events send each slot to the same server.
 *
 * GROUP_FARM_HISTORIES and GROUP_FARM_SEED set the number of histories and the first of them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/control/shared_backends.h"
#include "group_balancer.h"

#define HISTORIES 250
#define STEPS 60
#define SETTLE 60000 /* ms, longer than a slot waits for the others, and its phases */

/* Where the slots of a member are after an event. */
struct table {
	uint64_t stamp;
	bool counts;  /* packets use it, and the member agrees */
	bool opens;   /* the pool fails open, which ends by the clock of each member */
	bool overdue; /* slots have moved that have waited for the others for too long */
	uint8_t owners[BALANCER_SLOTS], previous[BALANCER_SLOTS];
	bool migrating[BALANCER_SLOTS];
};

struct member {
	struct balancer balancer;
	uint64_t stamp; /* of the last event */
	bool inside;    /* the next message continues the last one */
	struct table *tables;
	size_t count, room;
};

/* Two members. A member that returns to the group may have different slots, until they are at rest and equal for the
 * first time. */
struct pair {
	uint64_t since; /* compare after this event */
	bool may_differ[BALANCER_SLOTS];
};

static struct member members[NODES];
static struct pair pairs[NODES][NODES];
static unsigned int seed;
static size_t compared, moved, strayed, singles;

static struct pair *pair_of(size_t a, size_t b)
{
	return a < b ? &pairs[a][b] : &pairs[b][a];
}

static struct member *member_of(const struct node *node)
{
	return &members[node - node->world->nodes];
}

static void permit(struct pair *pair, uint64_t since)
{
	if (since > pair->since)
		pair->since = since;
	memset(pair->may_differ, true, sizeof(pair->may_differ));
}

static void permit_all(struct group_world *world, size_t index)
{
	for (size_t i = 0; i < world->count; i++)
		permit(pair_of(index, i), world->stamp);
}

/* --- tables */

static bool counts(const struct node *node, const struct balancer *balancer)
{
	const struct group_member *member;

	if (!balancer->filled || group_state(node->group, node->now) != GROUP_AGREEING)
		return false;
	for (size_t i = 0; (member = group_member_at(node->group, i)); i++)
		if (group_id_equal(member->id, node->id))
			return group_member_counts(member);
	return false;
}

/* A previous owner that is the owner, too, has no calls of its own. */
static void read_table(const struct node *node, const struct balancer *balancer, struct table *out)
{
	const uint16_t *owners = image_slots(balancer->running, 0);
	const uint16_t *previous = image_previous_owners(balancer->running, 0);

	out->counts = counts(node, balancer);
	out->opens = balancer->farm->pools[0].fail_open;
	out->overdue = balancer->overdue;
	for (uint32_t slot = 0; slot < BALANCER_SLOTS; slot++) {
		out->owners[slot] = balancer_name(balancer, owners[slot]);
		out->previous[slot] = balancer_name(balancer, previous[slot]);
		out->migrating[slot] = balancer->running->pools[0].migrating && previous[slot];
		if (out->previous[slot] == out->owners[slot] || !out->migrating[slot])
			out->previous[slot] = 0;
	}
}

static bool is_same(const struct table *a, const struct table *b)
{
	return a->counts == b->counts && a->opens == b->opens && a->overdue == b->overdue &&
	       !memcmp(a->owners, b->owners, sizeof(a->owners)) &&
	       !memcmp(a->previous, b->previous, sizeof(a->previous)) &&
	       !memcmp(a->migrating, b->migrating, sizeof(a->migrating));
}

static void note_table(const struct node *node, struct member *member)
{
	struct table table = {.stamp = member->stamp};

	read_table(node, &member->balancer, &table);
	if (member->count && is_same(&member->tables[member->count - 1], &table))
		return;
	moved += member->count && memcmp(member->tables[member->count - 1].owners, table.owners, sizeof(table.owners));
	if (member->count == member->room) {
		member->room = 2 * member->room + 64;
		member->tables = realloc(member->tables, member->room * sizeof(table));
	}
	member->tables[member->count++] = table;
}

/* The table of a member after an event that it has read; NULL: unknown. */
static const struct table *table_at(const struct member *member, uint64_t stamp)
{
	size_t i = member->count;

	while (i && member->tables[i - 1].stamp > stamp)
		i--;
	return i ? &member->tables[i - 1] : NULL;
}

static void compare_slots(const struct node *node, const struct node *other, const struct table *a,
	const struct table *b, struct pair *pair)
{
	for (uint32_t slot = 0; slot < BALANCER_SLOTS; slot++) {
		bool equal = a->owners[slot] == b->owners[slot] && a->previous[slot] == b->previous[slot];

		cr_assert(equal || pair->may_differ[slot],
			"GROUP_FARM_SEED=%u: after event %lu, slot %u belongs to px%u (before: %u) at member %u, to "
			"px%u (before: %u) at member %u",
			seed, member_of(node)->stamp, slot, a->owners[slot], a->previous[slot], node->id.node,
			b->owners[slot], b->previous[slot], other->id.node);
		strayed += !equal;
		pair->may_differ[slot] &= !equal || a->migrating[slot] || b->migrating[slot];
	}
}

static void compare(const struct node *node, const struct node *other)
{
	const struct member *member = member_of(node), *peer = member_of(other);
	struct pair *pair = pair_of(member - members, peer - members);
	const struct table *a = table_at(member, member->stamp), *b = table_at(peer, member->stamp);

	if (node->part != other->part || peer->stamp < member->stamp || member->stamp <= pair->since || !a || !b)
		return;
	if (!a->counts || !b->counts || a->opens != b->opens || a->overdue != b->overdue) {
		permit(pair, 0);
		return;
	}
	compared++;
	compare_slots(node, other, a, b, pair);
}

/* --- processes */

static void start(struct node *node)
{
	struct member *member = member_of(node);

	balancer_start(&member->balancer, node);
	member->count = 0;
	member->inside = false;
	node_start(node);
	if (member->balancer.filled)
		group_set_restored(node->group);
	permit_all(node->world, member - members);
}

static void stop(struct node *node)
{
	struct member *member = member_of(node);

	balancer_stop(&member->balancer, below(2));
	node_kill(node);
	permit_all(node->world, member - members);
}

/* Does the next message continue this change of slots? */
static bool continues(const uint8_t *bytes, size_t length)
{
	struct group_message message;

	return bytes && !group_message_decode(bytes, length, &message) && message.kind == GROUP_SLOTS &&
	       (message.flags & GROUP_MORE);
}

static void on_event(struct node *node, const uint8_t *bytes, size_t length, uint64_t stamp)
{
	struct member *member = member_of(node);

	balancer_take(&member->balancer, node, bytes, length);
	member->inside = stamp ? continues(bytes, length) : member->inside;
	if (member->inside)
		return;
	member->stamp = stamp ?: member->stamp;
	note_table(node, member);
	for (size_t i = 0; i < node->world->count; i++)
		if (&node->world->nodes[i] != node && node->world->nodes[i].group)
			compare(node, &node->world->nodes[i]);
}

static void on_task(struct node *node, const struct group_task *task)
{
	balancer_task(&member_of(node)->balancer, node, task);
}

static void divide(struct group_world *world, unsigned int parts)
{
	unsigned int before[NODES];

	for (size_t i = 0; i < world->count; i++)
		before[i] = world->nodes[i].part;
	group_world_divide(world, parts);
	for (size_t i = 0; i < world->count; i++)
		for (size_t j = i + 1; j < world->count; j++)
			if (before[i] != before[j] || world->nodes[i].part != world->nodes[j].part)
				permit(pair_of(i, j), world->stamp);
}

/* --- histories */

/* A member that does not agree refuses changes, unless it is forced. */
static void change(struct node *node)
{
	const struct balancer_change change = {below(BALANCER_CHANGES), below(BALANCER_BACKENDS), below(16)};

	if (group_state(node->group, node->now) == GROUP_AGREEING) {
		if (change.kind == BALANCER_SERVER)
			group_send_event(node->group, &change, sizeof(change));
		else
			group_send_change(node->group, "alice", &change, sizeof(change), node->now);
	} else if (below(4) == 0) {
		if (change.kind != BALANCER_SERVER)
			group_set_diverged(node->group);
		balancer_change(&member_of(node)->balancer, &change);
	}
}

static void change_process(struct node *node)
{
	if (!node->group)
		start(node);
	else if (below(2))
		stop(node);
	else
		node->stopped = !node->stopped;
}

static void step(struct group_world *world)
{
	struct node *node = &world->nodes[below(world->count)];
	size_t backend = below(BALANCER_BACKENDS);
	bool passes = below(3);

	switch (below(16)) {
	case 0:
		change_process(node);
		break;
	case 1:
		divide(world, 1 + below(2));
		break;
	case 2:
		group_world_run(world, below(3000));
		break;
	case 3:
	case 4:
	case 5:
		if (node->group && !node->stopped)
			change(node);
		break;
	case 6: /* a server dies or returns: all members see it */
		for (size_t i = 0; i < world->count; i++)
			balancer_probe(&members[i].balancer, &world->nodes[i], backend, passes);
		break;
	case 7:
	case 8:
	case 9:
		balancer_probe(&member_of(node)->balancer, node, backend, passes);
		break;
	default:
		group_world_run(world, below(800));
	}
}

/* --- the end: a single balancer with the same farm has the same tables */

/* If no server responds to any member, each keeps its last decisions. */
static bool any_up(const struct balancer *balancer)
{
	const struct farm_pool *pool = &balancer->farm->pools[0];
	bool up = false;

	for (size_t i = 0; i < pool->count; i++)
		up |= farm_backend_exists(&pool->backends[i]) && pool->backends[i].record.state == STATE_UP;
	singles += up;
	return up;
}

static void check_single(const struct group_world *world, const bool passes[BALANCER_BACKENDS])
{
	const struct balancer *balancer = &members[0].balancer;
	struct balancer single = {.pool = balancer->pool};
	json_t *list = shared_backends_write(balancer->farm);
	struct messages errors = {0};
	struct node clock = {.now = 1};
	struct table a, b;
	bool up;

	balancer_start(&single, &clock);
	shared_backends_take(single.farm, single.running, list, &errors);
	cr_assert_eq(errors.count, 0, "GROUP_FARM_SEED=%u: %s", seed, errors.count ? errors.list[0] : "");
	messages_free(&errors);
	json_decref(list);
	for (size_t i = 0; i < BALANCER_BACKENDS; i++)
		balancer_probe(&single, &clock, i, passes[i]);
	for (uint64_t now = 1; now < 60000; now += 500)
		balancer_reconcile_alone(&single, now);
	up = any_up(&single);
	for (size_t i = 0; up && i < world->count; i++) {
		read_table(&world->nodes[i], &members[i].balancer, &a);
		read_table(&world->nodes[i], &single, &b);
		cr_assert(a.counts, "GROUP_FARM_SEED=%u: member %zu does not agree", seed, i + 1);
		for (uint32_t slot = 0; slot < BALANCER_SLOTS; slot++)
			cr_assert_eq(a.owners[slot], b.owners[slot],
				"GROUP_FARM_SEED=%u: slot %u belongs to px%u at member %zu, to px%u at a single "
				"balancer",
				seed, slot, a.owners[slot], i + 1, b.owners[slot]);
		cr_assert_not(members[i].balancer.running->pools[0].migrating,
			"GROUP_FARM_SEED=%u: member %zu still migrates", seed, i + 1);
	}
	balancer_end(&single);
}

static void settle(struct group_world *world)
{
	bool passes[BALANCER_BACKENDS];

	for (size_t i = 0; i < world->count; i++) {
		world->nodes[i].stopped = false;
		if (!world->nodes[i].group)
			start(&world->nodes[i]);
	}
	divide(world, 1);
	for (size_t i = 0; i < BALANCER_BACKENDS; i++) {
		passes[i] = i >= BALANCER_FILE || below(3); /* a server that sends heartbeats is alive */
		for (size_t j = 0; j < world->count; j++)
			balancer_probe(&members[j].balancer, &world->nodes[j], i, passes[i]);
	}
	for (int ms = 0; ms < SETTLE; ms += 500)
		group_world_run(world, 500);
	for (size_t i = 0; i < world->count; i++)
		node_read_all(&world->nodes[i]);
	check_single(world, passes);
}

static void run_history(void)
{
	static const char *const pools[] = {
		/* Longer than a member that counts may lag behind (GROUP_SILENCE). */
		"min_alive: 40, record_time: 4s, drain_timeout: 5s",
		"record_time: 4s, drain_timeout: 5s",
	};
	const char *pool = pools[below(2)];
	struct group_world world;

	memset(pairs, 0, sizeof(pairs));
	group_world_begin(&world, AGREE_MAJORITY, 3 + below(NODES - 2));
	world.on_event = on_event;
	world.on_task = on_task;
	for (size_t i = 0; i < world.count; i++) {
		members[i] = (struct member){.balancer = {.pool = pool, .first = i}};
		for (size_t j = 0; j < BALANCER_BACKENDS; j++)
			members[i].balancer.probes[j].passes = true;
		balancer_start(&members[i].balancer, &world.nodes[i]);
		permit_all(&world, i);
	}
	for (int i = 0; i < STEPS; i++)
		step(&world);
	settle(&world);
	for (size_t i = 0; i < world.count; i++) {
		balancer_end(&members[i].balancer);
		free(members[i].tables);
	}
	group_world_end(&world);
}

static unsigned int number_of(const char *variable, unsigned int otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

Test(group_farm, members_that_agree_send_each_slot_to_the_same_server, .timeout = 36000)
{
	const unsigned int first = number_of("GROUP_FARM_SEED", 0);
	const unsigned int histories = number_of("GROUP_FARM_HISTORIES", HISTORIES);

	for (seed = first; seed < first + histories; seed++) {
		srand(seed);
		run_history();
	}
	if (histories < HISTORIES)
		return;
	cr_assert_gt(compared, 20000, "%zu comparisons", compared);
	cr_assert_gt(moved, 1000, "%zu moves", moved);
	cr_assert_gt(strayed, 1000, "%zu different slots", strayed);
	cr_assert_gt(singles, HISTORIES / 2, "%zu comparisons with a single balancer", singles);
}
