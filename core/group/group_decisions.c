// SPDX-License-Identifier: GPL-2.0
/* See group.h: the decisions that follow from what all members have said. Changes nothing. */

#include "group_private.h"

/* The others notice up to so much later, ms, that this member has left them: corosync needs about 8 s with its default
 * timeouts. If this member returns before, it must still migrate what they migrate. */
#define LEFT_LATE 10000

/* --- the state of this member, and what it may do in it */

bool group_member_counts(const struct group_member *member)
{
	return (member->sets & GROUP_SETS_NEEDED) == GROUP_SETS_NEEDED && group_member_is_compatible(member);
}

enum group_state group_state(const struct group *group, uint64_t now)
{
	if (group->agreeing)
		return GROUP_AGREEING;
	if (now >= group->lost + group->settings.alone_after)
		return GROUP_ALONE;
	return group->quorate && group_is_echoed(group, now) ? GROUP_JOINING : GROUP_WAITING;
}

static bool has_late_member(const struct group *group, uint64_t now)
{
	for (size_t i = 0; i < group->members.count; i++) {
		const struct group_member *member = group_member_at(group, i);

		if (member->hello.beats && now >= member->heard + GROUP_BEAT_LATE && group_member_counts(member))
			return true;
	}
	return false;
}

uint64_t group_absences(const struct group *group)
{
	return group->absences;
}

uint64_t group_separation(const struct group *group, uint64_t now)
{
	const uint64_t since = group->agreeing ? group->left : group->lost + LEFT_LATE;
	const uint64_t until = since ? since + group->settings.alone_after : 0;
	const uint64_t late = group->agreeing && has_late_member(group, now) ? now + GROUP_SILENCE : 0;
	const uint64_t end = until > late ? until : late;

	return end > now ? end - now : 0;
}

enum group_placement group_placement(const struct group *group, uint64_t now)
{
	if (group_state(group, now) == GROUP_ALONE)
		return GROUP_PLACES;
	return group_separation(group, now) ? GROUP_PLACES_NOT : GROUP_PLACES_IF_ECHOED;
}

/* --- verdicts about backends */

static struct group_tally count_votes(const struct group *group, const struct group_key *key)
{
	static const struct pool_ups no_ups;
	static const struct ballot no_votes;
	const struct pool_ups *pool = hash_map_find(group->members.pools, &key->pool) ?: &no_ups;
	const struct ballot *ballot = hash_map_find(group->members.ballots, key) ?: &no_votes;
	struct group_tally tally = {0};
	bool any_up = false;

	for (size_t i = 0; i < group->members.count; i++)
		any_up |= group_member_counts(group_member_at(group, i)) && pool->ups[group->members.order[i]];
	for (size_t i = 0; i < group->members.count; i++) {
		size_t place = group->members.order[i];
		bool is_blind = any_up && !pool->ups[place];
		enum group_vote vote = ballot->votes[place];

		if (!group_member_counts(group_member_at(group, i)))
			continue;
		tally.unknown += is_blind || vote == GROUP_VOTE_UNKNOWN;
		tally.up += !is_blind && group_vote_is_up(vote);
		tally.down += !is_blind && vote == GROUP_VOTE_DOWN;
		tally.works += !is_blind && vote == GROUP_VOTE_WORKS;
		tally.fails += !is_blind && vote == GROUP_VOTE_FAILS;
	}
	return tally;
}

enum group_verdict group_verdict(
	const struct group *group, const struct group_key *key, uint64_t now, struct group_tally *tally)
{
	enum group_state state = group_state(group, now);

	*tally = (struct group_tally){0};
	if (state == GROUP_ALONE || group->settings.agree == AGREE_OWN)
		return GROUP_OWN;
	if (state != GROUP_AGREEING)
		return GROUP_KEEP;
	*tally = count_votes(group, key);
	if (!tally->up && !tally->down)
		return GROUP_NO_VOTES;
	if (group->settings.agree == AGREE_ANY)
		return tally->down ? GROUP_DOWN : GROUP_UP;
	return tally->down > tally->up ? GROUP_DOWN : GROUP_UP;
}

enum group_verdict group_passive_verdict(const struct group *group, const struct group_tally *tally, uint64_t now)
{
	enum group_state state = group_state(group, now);

	if (state == GROUP_ALONE || group->settings.agree == AGREE_OWN)
		return GROUP_OWN;
	if (state != GROUP_AGREEING)
		return GROUP_KEEP;
	if (group->settings.agree == AGREE_ANY)
		return tally->fails ? GROUP_DOWN : GROUP_UP;
	return tally->fails > tally->works ? GROUP_DOWN : GROUP_UP;
}

bool group_others_agree(const struct group *group)
{
	const struct group_member *member;

	for (size_t i = 0; (member = group_member_at(group, i)); i++)
		if (!group_id_equal(member->id, group->self) && group_member_counts(member) &&
			member->hello.state == GROUP_AGREEING)
			return true;
	return false;
}

bool group_is_blind(const struct group *group)
{
	const struct group_member *member;
	size_t self_up = 0, others_up = 0;

	for (size_t i = 0; (member = group_member_at(group, i)); i++) {
		if (group_id_equal(member->id, group->self))
			self_up += member->up;
		else if (group_member_counts(member))
			others_up += member->up;
	}
	return others_up && !self_up;
}
