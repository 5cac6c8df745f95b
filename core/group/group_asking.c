// SPDX-License-Identifier: GPL-2.0
/* See group_asking.h. */

#include "group_asking.h"

#define PAUSE 5000 /* ms without a message with calls, before the next question. A long answer has many messages. */

void group_asking_begin(struct group_asking *asking, bool is_empty)
{
	*asking = (struct group_asking){.is_empty = is_empty, .flags = GROUP_ASK};
}

bool group_asking_next(struct group_asking *asking, const struct group *group, uint64_t now)
{
	const struct group_member *member = group_member_after(group, asking->asked);

	if (!member && asking->is_empty && !(asking->flags & GROUP_NONE)) {
		asking->flags |= GROUP_NONE;
		member = group_member_after(group, (struct group_id){0});
	}
	asking->waits = member != NULL;
	if (!member)
		return false;
	asking->asked = member->id;
	asking->heard = now;
	return true;
}

bool group_asking_has_paused(const struct group_asking *asking, uint64_t now)
{
	return now >= asking->heard + PAUSE;
}

enum group_asking_result group_asking_take(
	struct group_asking *asking, struct group_id from, uint16_t flags, bool is_for_us, uint64_t now)
{
	if (!asking->waits || !group_id_equal(from, asking->asked))
		return GROUP_ASKING_WAITS;
	asking->heard = now;
	if (!is_for_us || !(flags & GROUP_LAST))
		return GROUP_ASKING_WAITS;
	asking->waits = false;
	return flags & GROUP_NONE ? GROUP_ASKING_REFUSED : GROUP_ASKING_COMPLETE;
}

/* A member that has just started with empty maps must not take the calls of one that has, too, for all calls. Members
 * that return with their calls send them to all anyway. */
bool group_asking_may_answer(uint16_t flags, bool has_all, bool is_filled)
{
	return has_all || (flags & GROUP_NONE && is_filled);
}
