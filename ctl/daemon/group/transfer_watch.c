// SPDX-License-Identifier: GPL-2.0
/* See transfer_watch.h. */

#include <string.h>
#include "core/base/memory.h"
#include "core/group/group_transfer.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "group_changes.h"
#include "group_watch.h"
#include "transfer_watch.h"

#define BYTES_MAX ((size_t)32 << 20) /* of one answer: the queue of outgoing messages has room for more */

/* Slots that have arrived. */
struct arrived {
	struct slots *owners, *previous;
};

struct transfer_watch {
	struct daemon *daemon;
	bool needed;           /* the maps were empty, and no member has answered yet */
	struct group_id asked; /* node 0: none yet */
	bool complete;         /* all slots have arrived */
	struct arrived *pools; /* by id; NULL: no slot has arrived */
	uint32_t count;
};

/* --- giving */

struct answer {
	struct daemon *daemon;
	struct group_id to;
};

static void send_bytes(const uint8_t *message, size_t length, void *data)
{
	group_watch_send(data, message, length);
}

static void send_bound(struct daemon *daemon, struct group_id to, uint16_t flags)
{
	const struct group_migrating nothing = {.to = to};
	uint8_t message[GROUP_MESSAGE_SIZE];

	group_watch_send(daemon->group_watch, message, group_encode_migrating(&nothing, flags, NULL, NULL, 0, message));
}

static struct group_names *names_of(const struct farm_pool *pool)
{
	struct group_names *names = allocate(1, sizeof(*names));

	names->pool = farm_pool_key(pool);
	for (size_t i = 0; i < pool->count; i++)
		names->names[pool->backends[i].id] = farm_group_key(&pool->backends[i]).backend;
	return names;
}

/* The worker has computed daemon->desired, so this function may read it. */
static void answer_job(void *data)
{
	struct answer *answer = data;
	struct daemon *daemon = answer->daemon;
	size_t bytes = 0;

	send_bound(daemon, answer->to, GROUP_FIRST);
	for (size_t i = 0; i < daemon->farm->config->pool_count; i++) {
		const struct farm_pool *pool = &daemon->farm->pools[i];
		struct slots *owners, *previous;
		struct group_names *names;

		desired_slots(daemon->desired, pool->id, &owners, &previous);
		if (!previous)
			continue;
		if (bytes > BYTES_MAX) {
			log_warning(
				"pool %s: its migrating slots are too many to send to node %u of corosync, where calls "
				"may move",
				pool->config->name, answer->to.node);
			continue;
		}
		names = names_of(pool);
		bytes += group_transfer_send(answer->to, names, owners, previous, send_bytes, daemon->group_watch);
		free(names);
		worker_yield(daemon->worker);
	}
	send_bound(daemon, answer->to, GROUP_LAST);
	log_info("group: sent the migrating slots to node %u of corosync: %zu bytes", answer->to.node, bytes);
}

static void answer(struct transfer_watch *watch, struct group_id to)
{
	struct answer *data = allocate(1, sizeof(*data));

	*data = (struct answer){watch->daemon, to};
	worker_add_urgent(watch->daemon->worker, answer_job, free, data);
}

/* --- asking */

void transfer_watch_begin(struct transfer_watch *watch)
{
	watch->needed = !maps_are_filled(watch->daemon->maps) && !watch->daemon->using_next_maps;
}

bool transfer_watch_is_waiting(const struct transfer_watch *watch)
{
	return watch->needed;
}

/* Is the member asked, and can it still answer? */
static bool is_asked(const struct transfer_watch *watch, const struct group *group)
{
	const struct group_member *member;

	for (size_t i = 0; (member = group_member_at(group, i)); i++)
		if (group_id_equal(member->id, watch->asked))
			return group_member_counts(member);
	return false;
}

static void forget_arrived(struct transfer_watch *watch)
{
	for (uint32_t i = 0; i < watch->count; i++) {
		slots_drop(watch->pools[i].owners);
		slots_drop(watch->pools[i].previous);
	}
	free(watch->pools);
	watch->pools = NULL;
	watch->count = 0;
}

static void ask_next(struct transfer_watch *watch, const struct group *group)
{
	const struct group_member *member = group_member_after(group, watch->asked);

	forget_arrived(watch);
	if (!member) {
		watch->needed = false;
		return;
	}
	watch->asked = member->id;
	send_bound(watch->daemon, member->id, GROUP_ASK);
}

void transfer_watch_update(struct transfer_watch *watch)
{
	const struct group *group = group_watch_group(watch->daemon->group_watch);

	watch->needed &= !maps_are_filled(watch->daemon->maps);
	if (!watch->needed || watch->complete || !group ||
		group_state(group, listening_clock_now()) != GROUP_AGREEING ||
		group_changes_are_adopting(watch->daemon->group_changes))
		return;
	if (!is_asked(watch, group))
		ask_next(watch, group);
}

static const struct farm_pool *find_pool(const struct farm *farm, uint64_t key)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		if (farm_pool_key(&farm->pools[i]) == key)
			return &farm->pools[i];
	return NULL;
}

static void take_slots(struct transfer_watch *watch, const struct group_message *message)
{
	const struct contract *contract = &watch->daemon->running->contract;
	const struct farm_pool *pool = find_pool(watch->daemon->farm, message->migrating.pool);
	struct group_names *names;
	struct arrived *arrived;

	if (!pool || pool->id >= contract->pools)
		return;
	if (!watch->pools) {
		watch->pools = allocate(contract->pools, sizeof(*watch->pools));
		watch->count = contract->pools;
	}
	arrived = &watch->pools[pool->id];
	if (!arrived->owners) {
		arrived->owners = slots_new(contract->slots);
		arrived->previous = slots_new(contract->slots);
	}
	names = names_of(pool);
	group_transfer_take(names, message, arrived->owners, arrived->previous);
	free(names);
}

static void take_answer(struct transfer_watch *watch, const struct group_message *message)
{
	const struct group *group = group_watch_group(watch->daemon->group_watch);

	if (message->flags & GROUP_NONE) {
		ask_next(watch, group);
		return;
	}
	if (message->migrating.pool)
		take_slots(watch, message);
	if (!(message->flags & GROUP_LAST))
		return;
	watch->complete = true;
	daemon_on_changed(watch->daemon);
}

void transfer_watch_take(struct transfer_watch *watch, struct group_id from, const uint8_t *bytes, size_t length)
{
	const struct group *group = group_watch_group(watch->daemon->group_watch);
	struct group_message message;

	if (group_message_decode(bytes, length, &message) || message.kind != GROUP_MIGRATING ||
		!group_id_equal(message.migrating.to, group_self(group)))
		return;
	if (message.flags & GROUP_ASK && watch->needed)
		send_bound(watch->daemon, from, GROUP_NONE);
	else if (message.flags & GROUP_ASK)
		answer(watch, from);
	else if (watch->needed && !watch->complete && group_id_equal(from, watch->asked))
		take_answer(watch, &message);
}

/* A pool without such slots does not migrate at the other members. What this balancer has begun meanwhile, for example
 * after it has adopted a drain of the group, then ends, too: no call uses its maps yet. */
void transfer_watch_adopt(struct transfer_watch *watch)
{
	struct slots *none;

	if (!watch->complete)
		return;
	none = slots_new(watch->daemon->running->contract.slots);
	for (size_t i = 0; !maps_are_filled(watch->daemon->maps) && i < watch->daemon->farm->config->pool_count; i++) {
		const uint32_t id = watch->daemon->farm->pools[i].id;
		const struct arrived *arrived = id < watch->count ? &watch->pools[id] : NULL;

		if (arrived && arrived->owners)
			desired_adopt(watch->daemon->desired, id, arrived->owners, arrived->previous);
		else
			desired_adopt(watch->daemon->desired, id, none, none);
	}
	slots_drop(none);
	forget_arrived(watch);
	watch->complete = watch->needed = false;
}

/* --- start and end */

struct transfer_watch *transfer_watch_new(struct daemon *daemon)
{
	struct transfer_watch *watch = allocate(1, sizeof(*watch));

	watch->daemon = daemon;
	return watch;
}

void transfer_watch_free(struct transfer_watch *watch)
{
	if (!watch)
		return;
	forget_arrived(watch);
	free(watch);
}
