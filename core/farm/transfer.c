// SPDX-License-Identifier: GPL-2.0
/* See transfer.h. */

#include "transfer.h"
#include "core/base/memory.h"

/* Slots that have arrived. */
struct arrived {
	struct slots *owners, *previous;
};

struct transfer {
	bool needed;           /* the maps were empty, and no member has answered yet */
	struct group_id asked; /* node 0: none yet */
	bool complete;         /* all slots have arrived */
	struct arrived *pools; /* by id; NULL: no slot has arrived */
	uint32_t count;
};

/* --- giving */

void transfer_send_bound(struct group_id to, uint16_t flags, group_send *send, void *data)
{
	const struct group_migrating nothing = {.to = to};
	uint8_t message[GROUP_MESSAGE_SIZE];

	send(message, group_encode_migrating(&nothing, flags, NULL, NULL, 0, message), data);
}

static struct group_names *names_of(const struct farm_pool *pool)
{
	struct group_names *names = allocate(1, sizeof(*names));

	names->pool = farm_pool_key(pool);
	for (size_t i = 0; i < pool->count; i++)
		names->names[pool->backends[i].id] = farm_group_key(&pool->backends[i]).backend;
	return names;
}

size_t transfer_send_pool(
	const struct desired *desired, const struct farm_pool *pool, struct group_id to, group_send *send, void *data)
{
	struct slots *owners, *previous;
	struct group_names *names;
	size_t bytes;

	desired_slots(desired, pool->id, &owners, &previous);
	if (!previous)
		return 0;
	names = names_of(pool);
	bytes = group_transfer_send(to, names, owners, previous, send, data);
	free(names);
	return bytes;
}

/* --- asking */

void transfer_begin(struct transfer *transfer, bool is_empty)
{
	transfer->needed = is_empty;
}

void transfer_end(struct transfer *transfer)
{
	transfer->needed = false;
}

bool transfer_is_waiting(const struct transfer *transfer)
{
	return transfer->needed;
}

/* Is the member asked, and can it still answer? */
static bool is_asked(const struct transfer *transfer, const struct group *group)
{
	const struct group_member *member;

	for (size_t i = 0; (member = group_member_at(group, i)); i++)
		if (group_id_equal(member->id, transfer->asked))
			return group_member_counts(member);
	return false;
}

static void forget_arrived(struct transfer *transfer)
{
	for (uint32_t i = 0; i < transfer->count; i++) {
		slots_drop(transfer->pools[i].owners);
		slots_drop(transfer->pools[i].previous);
	}
	free(transfer->pools);
	transfer->pools = NULL;
	transfer->count = 0;
}

static void ask_next(struct transfer *transfer, const struct group *group, group_send *send, void *data)
{
	const struct group_member *member = group_member_after(group, transfer->asked);

	forget_arrived(transfer);
	if (!member) {
		transfer->needed = false;
		return;
	}
	transfer->asked = member->id;
	transfer_send_bound(member->id, GROUP_ASK, send, data);
}

void transfer_update(struct transfer *transfer, const struct group *group, group_send *send, void *data)
{
	if (transfer->needed && !transfer->complete && !is_asked(transfer, group))
		ask_next(transfer, group, send, data);
}

static const struct farm_pool *find_pool(const struct farm *farm, uint64_t key)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		if (farm_pool_key(&farm->pools[i]) == key)
			return &farm->pools[i];
	return NULL;
}

static void take_slots(struct transfer *transfer, const struct farm *farm, const struct contract *contract,
	const struct group_message *message)
{
	const struct farm_pool *pool = find_pool(farm, message->migrating.pool);
	struct group_names *names;
	struct arrived *arrived;

	if (!pool || pool->id >= contract->pools)
		return;
	if (!transfer->pools) {
		transfer->pools = allocate(contract->pools, sizeof(*transfer->pools));
		transfer->count = contract->pools;
	}
	arrived = &transfer->pools[pool->id];
	if (!arrived->owners) {
		arrived->owners = slots_new(contract->slots);
		arrived->previous = slots_new(contract->slots);
	}
	names = names_of(pool);
	group_transfer_take(names, message, arrived->owners, arrived->previous);
	free(names);
}

enum transfer_result transfer_take(struct transfer *transfer, const struct group *group, const struct farm *farm,
	const struct image *running, struct group_id from, const struct group_message *message, group_send *send,
	void *data)
{
	if (message->kind != GROUP_MIGRATING || !group_id_equal(message->migrating.to, group_self(group)))
		return TRANSFER_NOTHING;
	if (message->flags & GROUP_ASK) {
		if (!transfer->needed)
			return TRANSFER_ANSWER;
		transfer_send_bound(from, GROUP_NONE, send, data);
		return TRANSFER_NOTHING;
	}
	if (!transfer->needed || transfer->complete || !group_id_equal(from, transfer->asked))
		return TRANSFER_NOTHING;
	if (message->flags & GROUP_NONE) {
		ask_next(transfer, group, send, data);
		return TRANSFER_NOTHING;
	}
	if (message->migrating.pool)
		take_slots(transfer, farm, &running->contract, message);
	transfer->complete = message->flags & GROUP_LAST;
	return transfer->complete ? TRANSFER_COMPLETE : TRANSFER_NOTHING;
}

/* A pool without such slots does not migrate at the other members. What this balancer has begun meanwhile, for example
 * after it has adopted a drain of the group, then ends, too: no call uses its maps yet. */
void transfer_adopt(
	struct transfer *transfer, const struct farm *farm, const struct image *running, struct desired *desired)
{
	struct slots *none;

	if (!transfer->complete)
		return;
	none = slots_new(running->contract.slots);
	for (size_t i = 0; transfer->needed && i < farm->config->pool_count; i++) {
		const uint32_t id = farm->pools[i].id;
		const struct arrived *arrived = id < transfer->count ? &transfer->pools[id] : NULL;

		if (arrived && arrived->owners)
			desired_adopt(desired, id, arrived->owners, arrived->previous);
		else
			desired_adopt(desired, id, none, none);
	}
	slots_drop(none);
	forget_arrived(transfer);
	transfer->complete = transfer->needed = false;
}

/* --- start and end */

struct transfer *transfer_new(void)
{
	return allocate(1, sizeof(struct transfer));
}

void transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	forget_arrived(transfer);
	free(transfer);
}
