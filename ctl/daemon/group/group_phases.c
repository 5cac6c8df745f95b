// SPDX-License-Identifier: GPL-2.0
/* See group_phases.h. */

#include <stdio.h>
#include <string.h>
#include "core/base/memory.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "ctl/maps/clock.h"
#include "group_phases.h"
#include "group_watch.h"

#define CLOCKS_DIFFER_MSEC 10 /* at most, within `alone_after` */

struct pool_waits {
	struct group_phases_wait moves, ends;
};

struct group_phases {
	struct pool_waits *waits; /* by id of the pool */
	uint32_t count;
	uint64_t version;      /* at the last group_phases_read() */
	bool agreed;           /* this balancer agreed with the group then */
	uint64_t absences;     /* when it last agreed in group_phases_read() */
	uint64_t moving_until; /* at the last group_phases_read(), clock_msec(): desired_keep_moving() */
};

struct group_phases *group_phases_new(void)
{
	return allocate(1, sizeof(struct group_phases));
}

void group_phases_free(struct group_phases *phases)
{
	if (!phases)
		return;
	free(phases->waits);
	free(phases);
}

/* --- from the group to the desired image */

bool group_phases_have_ended(const struct group_phases *phases, const struct daemon *daemon)
{
	const struct group *group = group_watch_group(daemon->group_watch);

	return group && group_phases_version(group) != phases->version && image_is_migrating(daemon->running);
}

/* Returns true if the moving phases may end earlier than at the last call. */
static bool keep_moving(struct group_phases *phases, struct desired *desired, uint64_t separation)
{
	uint64_t until = separation ? clock_msec() + separation : 0;
	bool earlier = until + CLOCKS_DIFFER_MSEC < phases->moving_until;

	phases->moving_until = until;
	desired_keep_moving(desired, until);
	return earlier;
}

bool group_phases_read(struct group_phases *phases, struct daemon *daemon)
{
	const struct group *group = group_watch_group(daemon->group_watch);
	uint64_t now = listening_clock_now(), version = phases->version;
	bool may_end = keep_moving(phases, daemon->desired, group ? group_separation(group, now) : 0);
	bool had_agreed = phases->agreed;

	if (!group)
		return may_end;
	phases->version = group_phases_version(group);
	phases->agreed = group_state(group, now) == GROUP_AGREEING;
	if (!phases->agreed)
		return may_end;
	if (phases->absences != group_absences(group))
		desired_missed(daemon->desired);
	may_end |= !had_agreed || phases->version != version || phases->absences != group_absences(group);
	phases->absences = group_absences(group);
	desired_read_group(daemon->desired, daemon->farm, daemon->running, group);
	return may_end;
}

/* --- from the image to the group */

const char *group_phases_reason(const struct group *group, const char *pool, char text[GROUP_PHASES_SIZE])
{
	const uint64_t key = farm_pool_name_key(pool);
	const struct group_member *member;

	*text = '\0';
	for (size_t i = 0; (member = group_member_at(group, i)); i++) {
		enum group_wait wait = group_member_wait(group, i, key);
		size_t length = strlen(text);

		if (wait != GROUP_WAIT_NONE)
			snprintf(text + length, GROUP_PHASES_SIZE - length, "%smember %s, which %s",
				length ? ", and " : "", member->hello.node,
				wait == GROUP_WAIT_RECORDS ? "still records their calls"
							   : "has different owners for slots");
	}
	return text;
}

static void note_wait(struct group_phases_wait *wait, uint32_t slots, uint64_t now)
{
	if (slots && !wait->slots)
		wait->since = now;
	wait->slots = slots;
}

static void note_waits(struct group_phases *phases, const struct group *group, const struct farm_pool *pool,
	struct migration_waits waits, uint64_t now)
{
	char reason[GROUP_PHASES_SIZE];

	if (waits.overdue)
		log_event(LOG_WARNING, LOG_FIELDS({"event", "group_overdue"}, {"pool", pool->config->name}),
			"pool %s: %u slots have moved without %s", pool->config->name, waits.overdue,
			*group_phases_reason(group, pool->config->name, reason) ? reason : "the other members");
	note_wait(&phases->waits[pool->id].moves, waits.waiting, now);
	note_wait(&phases->waits[pool->id].ends, phases->agreed ? waits.prolonged : 0, now);
}

static void make_room(struct group_phases *phases, uint32_t pools)
{
	if (pools == phases->count)
		return;
	free(phases->waits);
	phases->waits = allocate(pools, sizeof(*phases->waits));
	phases->count = pools;
}

/* The other members must not wait for a pool that this member has removed. */
static void end_removed_pools(struct group *group, const struct farm *farm)
{
	const size_t count = farm->config->pool_count;
	uint64_t *pools = allocate(count, sizeof(*pools));

	for (size_t i = 0; i < count; i++)
		pools[i] = farm_pool_key(&farm->pools[i]);
	group_keep_phases(group, pools, count);
	free(pools);
}

void group_phases_send(struct group_phases *phases, struct daemon *daemon, const struct farm *farm, uint64_t now)
{
	const size_t words = MIGRATION_WORDS(daemon->running->contract.slots);
	struct migration_phases sets;

	if (!*farm->config->group.name)
		return;
	sets = migration_phases_new(words);
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];
		struct desired_progress progress;
		struct group *group;

		if (!desired_phases(daemon->desired, pool, now, &sets, &progress))
			continue;
		worker_lock(daemon->worker);
		group = group_watch_sender(daemon->group_watch);
		if (group) {
			make_room(phases, daemon->running->contract.pools);
			group_set_phases(group, farm_pool_key(pool), progress.wanted,
				progress.is_migrating ? &sets : NULL, words);
			note_waits(phases, group, pool, progress.waits, now);
		}
		worker_unlock(daemon->worker);
	}
	migration_phases_free(&sets);
	worker_lock(daemon->worker);
	if (group_watch_sender(daemon->group_watch))
		end_removed_pools(group_watch_sender(daemon->group_watch), farm);
	worker_unlock(daemon->worker);
}

struct group_phases_wait group_phases_wait(const struct group_phases *phases, uint32_t pool)
{
	return pool < phases->count ? phases->waits[pool].moves : (struct group_phases_wait){0};
}

struct group_phases_wait group_phases_prolonged(const struct group_phases *phases, uint32_t pool)
{
	return pool < phases->count ? phases->waits[pool].ends : (struct group_phases_wait){0};
}
