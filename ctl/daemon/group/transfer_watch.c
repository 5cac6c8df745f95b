// SPDX-License-Identifier: GPL-2.0
/* See transfer_watch.h. */

#include "core/base/memory.h"
#include "core/farm/transfer.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "group_changes.h"
#include "group_watch.h"
#include "transfer_watch.h"

#define BYTES_MAX ((size_t)32 << 20) /* of one answer: the queue of outgoing messages has room for more */

struct transfer_watch {
	struct daemon *daemon;
	struct transfer *transfer;
};

static void send_bytes(const uint8_t *message, size_t length, void *data)
{
	group_watch_send(data, message, length);
}

/* --- giving */

struct answer {
	struct daemon *daemon;
	struct group_id to;
};

/* The worker has computed daemon->desired, so this function may read it. */
static void answer_job(void *data)
{
	struct answer *answer = data;
	struct daemon *daemon = answer->daemon;
	size_t bytes = 0;

	transfer_send_bound(answer->to, GROUP_FIRST, send_bytes, daemon->group_watch);
	for (size_t i = 0; i < daemon->farm->config->pool_count; i++) {
		const struct farm_pool *pool = &daemon->farm->pools[i];

		if (bytes > BYTES_MAX && daemon->running->pools[pool->id].migrating)
			log_warning(
				"pool %s: its migrating slots are too many to send to node %u of corosync, where calls "
				"may move",
				pool->config->name, answer->to.node);
		if (bytes > BYTES_MAX)
			continue;
		bytes += transfer_send_pool(daemon->desired, pool, answer->to, send_bytes, daemon->group_watch);
		worker_yield(daemon->worker);
	}
	transfer_send_bound(answer->to, GROUP_LAST, send_bytes, daemon->group_watch);
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
	transfer_begin(watch->transfer, !maps_are_filled(watch->daemon->maps) && !watch->daemon->using_next_maps);
}

bool transfer_watch_is_waiting(const struct transfer_watch *watch)
{
	return transfer_is_waiting(watch->transfer);
}

/* If no member knows the slots, this balancer needs none. The next plan then lets it ask for the calls. */
static void check_end(struct transfer_watch *watch, bool was_waiting)
{
	if (was_waiting && !transfer_watch_is_waiting(watch))
		daemon_on_changed(watch->daemon);
}

void transfer_watch_update(struct transfer_watch *watch)
{
	const struct group *group = group_watch_group(watch->daemon->group_watch);
	bool was_waiting = transfer_watch_is_waiting(watch);

	if (maps_are_filled(watch->daemon->maps))
		transfer_end(watch->transfer);
	if (group && group_state(group, listening_clock_now()) == GROUP_AGREEING &&
		!group_changes_are_adopting(watch->daemon->group_changes))
		transfer_update(watch->transfer, group, send_bytes, watch->daemon->group_watch);
	check_end(watch, was_waiting);
}

void transfer_watch_take(struct transfer_watch *watch, struct group_id from, const uint8_t *bytes, size_t length)
{
	struct daemon *daemon = watch->daemon;
	bool was_waiting = transfer_watch_is_waiting(watch);
	struct group_message message;

	if (group_message_decode(bytes, length, &message))
		return;
	switch (transfer_take(watch->transfer, group_watch_group(daemon->group_watch), daemon->farm, daemon->running,
		from, &message, send_bytes, daemon->group_watch)) {
	case TRANSFER_ANSWER:
		answer(watch, from);
		break;
	case TRANSFER_COMPLETE:
		daemon_on_changed(daemon);
		break;
	case TRANSFER_NOTHING:
		check_end(watch, was_waiting);
		break;
	}
}

void transfer_watch_adopt(struct transfer_watch *watch)
{
	const struct daemon *daemon = watch->daemon;

	if (maps_are_filled(daemon->maps))
		transfer_end(watch->transfer);
	transfer_adopt(watch->transfer, daemon->farm, daemon->running, daemon->desired);
}

/* --- start and end */

struct transfer_watch *transfer_watch_new(struct daemon *daemon)
{
	struct transfer_watch *watch = allocate(1, sizeof(*watch));

	*watch = (struct transfer_watch){daemon, transfer_new()};
	return watch;
}

void transfer_watch_free(struct transfer_watch *watch)
{
	if (!watch)
		return;
	transfer_free(watch->transfer);
	free(watch);
}
