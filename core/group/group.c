// SPDX-License-Identifier: GPL-2.0
/* See group.h. */

#include "core/base/memory.h"
#include "core/base/name.h"
#include "group_private.h"

#define HELLO_PAUSE 1000  /* ms between two hello messages */
#define QUORUM_PAUSE 1000 /* ms: news of quorum and members come separately, and the members may come later */
#define SETS_LATE 10000   /* ms that a new member has for its complete sets */

/* If messages of this member have not returned for so long, ms, corosync may have delivered none: this does not make a
 * member silent. */
#define DELIVERY_PAUSE (GROUP_SILENCE / 2)

const char *group_state_name(enum group_state state)
{
	static const char *const names[GROUP_STATE_COUNT] = {
		[GROUP_WAITING] = "waiting",
		[GROUP_JOINING] = "joining",
		[GROUP_ALONE] = "alone",
		[GROUP_AGREEING] = "agreeing",
	};

	return state < GROUP_STATE_COUNT ? names[state] : "unknown";
}

/* --- events from corosync */

void group_connected(struct group *group, struct group_id self, uint64_t now)
{
	group->connected = true;
	group->agreeing = false;
	group->self = self;
	group->echoed = now;
	group->greeted = 0;
	group->send_all = true;
	changes_forget(group);
}

void group_disconnected(struct group *group, uint64_t now)
{
	group_set_members(group, NULL, 0, NULL, 0, now);
	group->connected = group->agreeing = false;
}

void group_set_quorate(struct group *group, bool quorate, uint64_t now)
{
	if (quorate && !group->quorate)
		group->quorate_since = now;
	group->quorate = quorate;
}

void group_set_members(struct group *group, const struct group_id *ids, size_t count, const struct group_id *joined,
	size_t joined_count, uint64_t now)
{
	/* The others forget what they know of a member that appears. If this member did not agree with them, it is such
	 * a member for them, so it forgets all votes, also its own. */
	bool forget = joined_count && !group->agreeing;

	if (!members_remain(&group->members, ids, count))
		group->left = now;
	members_set(&group->members, ids, count, forget ? ids : joined, forget ? count : joined_count, now);
	group->send_all |= joined_count != 0;
	group->absences += forget;
	if (forget)
		changes_forget(group);
	changes_members_set(group, joined_count);
}

static void receive_hello(struct group *group, struct place *place, const struct group_message *message, uint64_t now)
{
	group->members.slots_version += place->member.hello.state != message->hello.state;
	place->member.hello = message->hello;
	if (!group_id_equal(place->member.id, group->self))
		return;
	if (now >= group->echoed + DELIVERY_PAUSE)
		group->resumed = now;
	group->echoed = now;
	group->echo = message->hello.time;
	group->lag = now > message->hello.time ? now - message->hello.time : 0;
}

/* The votes of a silent member are forgotten. It sends them again when it reads this report. */
static void receive_silent(struct group *group, struct group_id id, uint64_t now)
{
	const bool is_self = group_id_equal(id, group->self);

	group->left = now;
	members_silence(&group->members, id);
	changes_gone(group, id);
	group->send_all |= is_self;
	group->absences += is_self;
}

bool group_receive(struct group *group, struct group_id from, const uint8_t *bytes, size_t length, uint64_t now)
{
	struct place *place = members_find(&group->members, from);
	struct group_message message;

	if (!place || group_message_decode(bytes, length, &message)) {
		group->garbage++;
		if (place)
			place->member.garbage++;
		return false;
	}
	place->member.heard = now;
	place->member.format = message.version;
	switch (message.kind) {
	case GROUP_HELLO:
		receive_hello(group, place, &message, now);
		break;
	case GROUP_VOTES:
		members_take_votes(&group->members, place, &message);
		break;
	case GROUP_SILENT:
		receive_silent(group, message.silent, now);
		break;
	case GROUP_LINES:
		members_take_lines(place, &message);
		break;
	case GROUP_SLOTS:
		members_take_slots(&group->members, place, &message);
		break;
	case GROUP_DRAINED:
		members_take_drained(place, &message);
		break;
	default:
		changes_receive(group, place, &message);
	}
	return message.kind == GROUP_VOTES || message.kind == GROUP_SILENT;
}

/* Before its first message, the version of a member is unknown. */
bool group_member_is_compatible(const struct group_member *member)
{
	return !member->format || group_version_is_adjacent(member->format);
}

/* --- sending */

static void send_hello(struct group *group, uint64_t now)
{
	struct group_hello hello = {.time = now,
		.started = group->settings.started,
		.fingerprint = group_hash(GROUP_HASH_BEGIN, group->lines, group->line_count * sizeof(*group->lines)),
		.state = group_state(group, now),
		.agree = group->settings.agree,
		.beats = group->beaten && now < group->beaten + GROUP_BEAT_LATE};
	uint8_t message[GROUP_MESSAGE_SIZE];

	name_copy(hello.node, group->settings.node);
	name_copy(hello.version, group->settings.version);
	group->send(message, group_encode_hello(&hello, message), group->data);
	group->greeted = now ? now : 1;
}

void group_beat(struct group *group, uint64_t now)
{
	group->beaten = now ? now : 1;
	if (members_find(&group->members, group->self))
		send_hello(group, now);
}

uint64_t group_echo(const struct group *group)
{
	return group->echo;
}

static void send_votes(struct group *group, const struct hash_map *map, bool is_set)
{
	struct group_key *keys = allocate(GROUP_VOTES_MAX, sizeof(*keys));
	enum group_vote *votes = allocate(GROUP_VOTES_MAX, sizeof(*votes));
	size_t left = hash_map_count(map), cursor = 0, count;
	uint16_t flags = is_set ? GROUP_FIRST : 0;
	uint8_t message[GROUP_MESSAGE_SIZE];
	struct hash_map_entry entry;

	do {
		for (count = 0; count < GROUP_VOTES_MAX && hash_map_next(map, &cursor, &entry); count++) {
			keys[count] = *(const struct group_key *)entry.key;
			votes[count] = *(const uint8_t *)entry.value; /* struct own_vote begins with it, too */
		}
		left -= count;
		flags |= is_set && !left ? GROUP_LAST : 0;
		group->send(message, group_encode_votes(keys, votes, count, flags, message), group->data);
		flags = 0;
	} while (left);
	free(keys);
	free(votes);
}

static void send_lines(struct group *group)
{
	uint16_t flags = GROUP_FIRST;
	uint8_t message[GROUP_MESSAGE_SIZE];
	size_t sent = 0, count;

	do {
		count = group->line_count - sent < GROUP_LINES_MAX ? group->line_count - sent : GROUP_LINES_MAX;
		flags |= sent + count == group->line_count ? GROUP_LAST : 0;
		group->send(message, group_encode_lines(group->lines + sent, count, flags, message), group->data);
		sent += count;
		flags = 0;
	} while (sent < group->line_count);
}

static bool has_sets(const struct group_member *member)
{
	return (member->sets & GROUP_SETS_NEEDED) == GROUP_SETS_NEEDED;
}

/* Other members wait for the sets of a member, so a member that does not send them counts as silent, too. */
static bool is_silent(const struct group *group, const struct group_member *member, uint64_t now)
{
	uint64_t since = member->heard > group->resumed ? member->heard : group->resumed;

	return now >= since + GROUP_SILENCE || (!has_sets(member) && now >= member->since + SETS_LATE);
}

/* If the report does not take effect, it is repeated. */
static void report_silent(struct group *group, uint64_t now)
{
	uint8_t message[GROUP_MESSAGE_SIZE];

	for (size_t i = 0; i < group->members.count; i++) {
		struct place *place = &group->members.places[group->members.order[i]];
		const struct group_member *member = &place->member;

		if (member->is_silent || !group_member_is_compatible(member) || !is_silent(group, member, now) ||
			group_id_equal(member->id, group->self))
			continue;
		if (place->reported && now < place->reported + GROUP_SILENCE)
			continue;
		group->send(message, group_encode_silent(member->id, message), group->data);
		place->reported = now;
	}
}

bool group_is_echoed(const struct group *group, uint64_t now)
{
	return group->connected && now < group->echoed + GROUP_SILENCE;
}

/* Have the sets of this member returned, and those of all other members arrived? */
static bool has_all_sets(struct group *group, uint64_t now)
{
	const struct place *self = members_find(&group->members, group->self);
	bool all = self && has_sets(&self->member) && changes_have_state(group, &self->member, now);

	for (size_t i = 0; i < group->members.count; i++) {
		const struct group_member *member = group_member_at(group, i);

		all &= (has_sets(member) && changes_have_state(group, member, now)) || member->is_silent ||
		       !group_member_is_compatible(member);
	}
	return all;
}

static void update_state(struct group *group, uint64_t now)
{
	if (!group->quorate || !group_is_echoed(group, now)) {
		group->agreeing = false;
	} else if (now >= group->quorate_since + QUORUM_PAUSE && has_all_sets(group, now)) {
		group->agreeing = changes_synchronize(group);
	}
	if (group->agreeing)
		group->lost = now;
}

static void send_news(struct group *group)
{
	if (group->send_all) {
		group_send_slots(group);
		send_votes(group, group->own, true);
		group_send_drained(group);
		send_lines(group);
	} else if (hash_map_count(group->news)) {
		send_votes(group, group->news, false);
	} else {
		return;
	}
	hash_map_free(group->news);
	group->news = hash_map_new(sizeof(struct group_key), sizeof(uint8_t));
	group->send_all = false;
}

void group_tick(struct group *group, uint64_t now)
{
	update_state(group, now);
	if (!members_find(&group->members, group->self))
		return;
	if (!group->greeted || group->send_all || now >= group->greeted + HELLO_PAUSE)
		send_hello(group, now);
	send_news(group);
	changes_tick(group, now);
	if (group->connected && now < group->echoed + DELIVERY_PAUSE)
		report_silent(group, now);
}

/* --- events from this member */

/* A member that is not connected sends all its votes later. */
static void put_vote(struct group *group, const struct group_key *key, enum group_vote vote)
{
	const struct own_vote own = {.vote = vote, .round = group->round};
	const uint8_t value = vote;

	if (group->connected)
		hash_map_put(group->news, key, &value);
	if (vote == GROUP_VOTE_UNKNOWN)
		hash_map_remove(group->own, key);
	else
		hash_map_put(group->own, key, &own);
}

void group_vote(struct group *group, const struct group_key *key, enum group_vote vote)
{
	struct own_vote *own = hash_map_find(group->own, key);

	if (own)
		own->round = group->round;
	if ((own ? own->vote : GROUP_VOTE_UNKNOWN) != vote)
		put_vote(group, key, vote);
}

void group_end_votes(struct group *group)
{
	struct group_key *withdrawn = NULL;
	struct hash_map_entry entry;
	size_t cursor = 0, count = 0;

	while (hash_map_next(group->own, &cursor, &entry)) {
		const struct own_vote *own = entry.value;

		if (own->round == group->round)
			continue;
		withdrawn = array_grow(withdrawn, count, sizeof(*withdrawn));
		withdrawn[count++] = *(const struct group_key *)entry.key;
	}
	for (size_t i = 0; i < count; i++)
		put_vote(group, &withdrawn[i], GROUP_VOTE_UNKNOWN);
	free(withdrawn);
	group->round++;
}

void group_set_lines(struct group *group, const uint32_t *lines, size_t count)
{
	if (count == group->line_count && (!count || !memcmp(lines, group->lines, count * sizeof(*lines))))
		return;
	free(group->lines);
	group->lines = duplicate(lines, count, sizeof(*lines));
	group->line_count = count;
	group->send_all = true;
}

/* --- reports */

struct group_id group_self(const struct group *group)
{
	return group->self;
}

bool group_is_connected(const struct group *group)
{
	return group->connected;
}

bool group_is_quorate(const struct group *group)
{
	return group->quorate;
}

uint64_t group_lag(const struct group *group)
{
	return group->lag;
}

uint64_t group_garbage(const struct group *group)
{
	return group->garbage;
}

/* --- start and end */

void group_set(struct group *group, enum config_agree agree, uint32_t alone_after)
{
	group->settings.agree = agree;
	group->settings.alone_after = alone_after;
}

struct group *group_new(const struct group_settings *settings, group_send *send, void *data, uint64_t now)
{
	struct group *group = allocate(1, sizeof(*group));

	*group = (struct group){.settings = *settings, .send = send, .data = data, .lost = now, .echoed = now};
	members_begin(&group->members);
	changes_begin(&group->changes, settings->started);
	group->own = hash_map_new(sizeof(struct group_key), sizeof(struct own_vote));
	group->news = hash_map_new(sizeof(struct group_key), sizeof(uint8_t));
	group->drained = hash_map_new(sizeof(struct group_key), sizeof(uint64_t));
	return group;
}

void group_free(struct group *group)
{
	if (!group)
		return;
	members_end(&group->members);
	changes_end(&group->changes);
	hash_map_free(group->own);
	hash_map_free(group->news);
	hash_map_free(group->drained);
	slots_map_free(group->own_slots);
	free(group->lines);
	free(group);
}
