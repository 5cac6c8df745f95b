// SPDX-License-Identifier: GPL-2.0
/* See group_watch.h. */

#include <string.h>
#include <time.h>
#include "core/base/memory.h"
#include "core/base/name.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "core/group/group_changes.h"
#include "group_changes.h"
#include "call_exchange.h"
#include "call_lease.h"
#include "call_sync.h"
#include "group_link.h"
#include "group_phases.h"
#include "group_watch.h"
#include "transfer_watch.h"

#define BLIND_MSEC 10000   /* until a member to which no backend responds says so */
#define JOIN_MSEC 10000    /* after a start: how long to wait for the state and the calls of the group */
#define GARBAGE_MSEC 60000 /* between two lines of the log about messages that are not valid */

#define SILENT_MSEC 1000 /* between two lines of the log about silent members */
#define NAMES_SIZE 1024

struct group_watch {
	struct daemon *daemon;
	struct config_membership membership; /* of the current group; an empty name: none */
	struct group *group;
	struct group_link *link;
	struct call_exchange *calls;
	struct call_sync *call_sync;
	struct call_lease *call_lease;
	char fault[GROUP_LINK_FAULT_SIZE];
	struct group_cluster cluster;
	bool broken;           /* a message is lost: connect again */
	bool decisions_differ; /* the last events may have changed a decision about a backend */
	bool state_differs;    /* the last events have changed the state of this balancer in the group */
	bool joining;
	bool has_agreed;         /* since its start */
	uint64_t missing_since;  /* ms: when it began to wait for the state of the group after a break; 0: it has it */
	enum group_state state;  /* that was last logged */
	uint64_t start;          /* ms: of the group, or when empty maps replaced the pinned ones */
	uint64_t blind_since;    /* ms; 0: not blind */
	uint64_t garbage_logged; /* ms; 0: never */
	bool was_blind;          /* the state that was last logged */
	size_t silent;           /* members that did not send when it was last logged */
	uint64_t silent_logged;  /* ms */
	struct config_line *lines;
	size_t line_count;
	bool lines_stale;
};

/* --- the group and its link */

static void on_send(const uint8_t *message, size_t length, void *data)
{
	struct group_watch *watch = data;

	if (!watch->broken && group_link_send(watch->link, message, length))
		watch->broken = true;
}

/* Writes "1 (lb1), 2 (lb2)", and returns the number of these members. */
static size_t list_members(const struct group *group, bool only_silent, char out[NAMES_SIZE])
{
	const struct group_member *member;
	size_t count = 0;

	*out = '\0';
	for (size_t i = 0; (member = group_member_at(group, i)); i++) {
		if (only_silent && !member->is_silent)
			continue;
		snprintf(out + strlen(out), NAMES_SIZE - strlen(out), "%s%u%s%s%s", count ? ", " : "", member->id.node,
			*member->hello.node ? " (" : "", member->hello.node, *member->hello.node ? ")" : "");
		count++;
	}
	return count;
}

static void log_members(const struct group_watch *watch, size_t before)
{
	char names[NAMES_SIZE];
	size_t count = list_members(watch->group, false, names);

	log_event(LOG_INFO, LOG_FIELDS({"event", "group_members"}, {"group", watch->membership.name}),
		"group %s: %zu members, %zu before; ids of corosync: %s", watch->membership.name, count, before, names);
}

static void log_silent(struct group_watch *watch, uint64_t now)
{
	char names[NAMES_SIZE];
	size_t count = list_members(watch->group, true, names);

	if (count == watch->silent || now < watch->silent_logged + SILENT_MSEC)
		return;
	watch->silent = count;
	watch->silent_logged = now;
	log_event(count ? LOG_WARNING : LOG_INFO,
		LOG_FIELDS({"event", "group_silent"}, {"group", watch->membership.name}), "group %s: %s%s",
		watch->membership.name,
		count ? "these members do not send, and their votes do not count: " : "all members send again", names);
}

static void take_members(struct group_watch *watch, const struct group_link_event *event, uint64_t now)
{
	size_t before = 0;

	while (group_member_at(watch->group, before))
		before++;
	group_set_members(watch->group, event->members, event->member_count, event->joined, event->joined_count, now);
	log_members(watch, before);
	watch->decisions_differ = true;
}

static void take_fault(struct group_watch *watch, const struct group_link_event *event, uint64_t now)
{
	if (strcmp(watch->fault, event->fault))
		log_event(LOG_WARNING, LOG_FIELDS({"event", "group_lost"}, {"group", watch->membership.name}),
			"group %s: %s; trying again every second", watch->membership.name, event->fault);
	strcpy(watch->fault, event->fault);
	watch->cluster = (struct group_cluster){0};
	group_disconnected(watch->group, now);
	watch->decisions_differ = true;
}

static void take_quorum(struct group_watch *watch, const struct group_link_event *event, uint64_t now)
{
	if (event->quorate != group_is_quorate(watch->group))
		log_event(LOG_INFO, LOG_FIELDS({"event", "group_quorum"}, {"group", watch->membership.name}),
			"group %s: corosync %s", watch->membership.name,
			event->quorate ? "is quorate" : "has lost its quorum");
	group_set_quorate(watch->group, event->quorate, now);
	watch->cluster = (struct group_cluster){.has_no_quorum_provider = event->no_quorum,
		.votes = event->votes,
		.votes_expected = event->votes_expected,
		.node_count = event->member_count};
	for (size_t i = 0; i < event->member_count; i++)
		watch->cluster.nodes[i] = event->members[i].node;
	watch->decisions_differ = true;
}

static void take_message(struct group_watch *watch, const struct group_link_event *event, uint64_t now)
{
	const uint64_t before = group_garbage(watch->group);

	watch->decisions_differ |= group_receive(watch->group, event->id, event->bytes, event->length, now);
	transfer_watch_take(watch->daemon->transfer_watch, event->id, event->bytes, event->length);
	if (group_garbage(watch->group) == before)
		return;
	if (watch->garbage_logged && now < watch->garbage_logged + GARBAGE_MSEC)
		return;
	watch->garbage_logged = now;
	log_event(LOG_WARNING, LOG_FIELDS({"event", "group_garbage"}, {"group", watch->membership.name}),
		"group %s: a message of node %u, process %u is not valid and has no effect", watch->membership.name,
		event->id.node, event->id.pid);
}

static void log_state(struct group_watch *watch, uint64_t now)
{
	static const char *const texts[GROUP_STATE_COUNT] = {
		[GROUP_WAITING] = "the group does not decide; the last decisions stay",
		[GROUP_JOINING] = "waiting for the votes of the other members",
		[GROUP_ALONE] = "the group does not decide; this balancer decides by itself",
		[GROUP_AGREEING] = "the group decides",
	};
	enum group_state state = group_state(watch->group, now);

	if (state == watch->state)
		return;
	watch->state = state;
	watch->state_differs = true;
	log_event(state == GROUP_WAITING || state == GROUP_ALONE ? LOG_WARNING : LOG_INFO,
		LOG_FIELDS({"event", "group_state"}, {"group", watch->membership.name},
			{"state", group_state_name(state)}),
		"group %s: %s: %s", watch->membership.name, group_state_name(state), texts[state]);
}

static void update_blind(struct group_watch *watch, uint64_t now)
{
	bool blind;

	if (!group_is_blind(watch->group) || group_state(watch->group, now) != GROUP_AGREEING)
		watch->blind_since = 0;
	else if (!watch->blind_since)
		watch->blind_since = now;
	blind = group_watch_is_blind(watch);
	if (blind != watch->was_blind)
		log_event(blind ? LOG_ERR : LOG_INFO,
			LOG_FIELDS({"event", "group_blind"}, {"group", watch->membership.name}), "group %s: %s",
			watch->membership.name,
			blind ? "no backend responds to this balancer, but backends respond to other members"
			      : "backends respond to this balancer again");
	watch->state_differs |= blind != watch->was_blind;
	watch->was_blind = watch->daemon->farm->is_blind = blind;
}

/* Does this balancer miss a part of the state of its group, which it could receive now? If no other one has this state,
 * for example because the quorum returns for all, packets are as safe here as anywhere. */
static bool is_missing_state(const struct group_watch *watch, uint64_t now)
{
	if (!group_is_quorate(watch->group) || !group_is_echoed(watch->group, now) || !group_others_agree(watch->group))
		return false;
	return group_state(watch->group, now) != GROUP_AGREEING ||
	       group_changes_are_adopting(watch->daemon->group_changes) ||
	       transfer_watch_is_waiting(watch->daemon->transfer_watch);
}

/* After a break, packets should come to this balancer only when it has the state of the group again, as the others
 * have. */
static void update_missing(struct group_watch *watch, uint64_t now)
{
	struct farm *farm = watch->daemon->farm;
	bool missing = watch->has_agreed && is_missing_state(watch, now);
	bool hold;

	if (!missing)
		watch->missing_since = 0;
	else if (!watch->missing_since)
		watch->missing_since = now;
	hold = missing && now < watch->missing_since + JOIN_MSEC;
	watch->state_differs |= hold != (farm->joining_until != 0);
	if (!hold)
		farm->joining_until = 0;
	else if (!farm->joining_until)
		farm->joining_until = time(NULL) + JOIN_MSEC / 1000;
	watch->has_agreed |= group_state(watch->group, now) == GROUP_AGREEING;
}

/* Call this after all events that have arrived together. */
static void finish_events(struct group_watch *watch)
{
	uint64_t now = listening_clock_now();
	bool joining, decisions_differ, state_differs;

	group_tick(watch->group, now);
	group_changes_update(watch->daemon->group_changes);
	log_state(watch, now);
	log_silent(watch, now);
	update_blind(watch, now);
	update_missing(watch, now);
	transfer_watch_update(watch->daemon->transfer_watch);
	call_sync_update(watch->call_sync);
	call_lease_update(watch->call_lease);
	joining = group_watch_is_joining(watch);
	decisions_differ = watch->decisions_differ;
	state_differs = watch->state_differs || joining != watch->joining ||
			group_phases_have_ended(watch->daemon->group_phases, watch->daemon);
	watch->decisions_differ = watch->state_differs = false;
	watch->joining = joining;
	if (state_differs)
		daemon_on_changed(watch->daemon);
	else if (decisions_differ)
		daemon_on_probed(watch->daemon);
}

/* The messages of kinds that core/group/group.c does not know. */
static void take_calls(struct group_watch *watch, const struct group_link_event *event)
{
	struct group_id self = group_self(watch->group);
	struct group_message message;

	if (group_id_equal(event->id, self) || group_message_decode(event->bytes, event->length, &message))
		return;
	if (message.kind == GROUP_CALL_CHANGES)
		call_exchange_receive(watch->calls, &message);
	else if (message.kind == GROUP_CALLS)
		call_sync_take(watch->call_sync, event->id, &message);
}

static void on_event(const struct group_link_event *event, void *data)
{
	struct group_watch *watch = data;
	uint64_t now = listening_clock_now();

	if (!event) {
		finish_events(watch);
		return;
	}
	switch (event->kind) {
	case GROUP_LINK_CONNECTED:
		log_info("group %s: connected to corosync as node %u", watch->membership.name, event->id.node);
		*watch->fault = '\0';
		group_connected(watch->group, event->id, now);
		break;
	case GROUP_LINK_DISCONNECTED:
		take_fault(watch, event, now);
		break;
	case GROUP_LINK_MEMBERS_SET:
		take_members(watch, event, now);
		break;
	case GROUP_LINK_QUORUM:
		take_quorum(watch, event, now);
		break;
	case GROUP_LINK_MESSAGE:
		take_message(watch, event, now);
		take_calls(watch, event);
		break;
	}
}

static void leave(struct group_watch *watch)
{
	call_exchange_update(watch->calls, watch->group, NULL);
	group_link_free(watch->link);
	watch->link = NULL;
	if (watch->group)
		group_disconnected(watch->group, listening_clock_now());
	watch->broken = false;
}

static void end(struct group_watch *watch)
{
	leave(watch);
	group_changes_end(watch->daemon->group_changes);
	group_free(watch->group);
	watch->group = NULL;
	watch->membership = (struct config_membership){0};
	*watch->fault = '\0';
	watch->blind_since = 0;
	watch->was_blind = watch->daemon->farm->is_blind = watch->has_agreed = false;
	watch->daemon->farm->joining_until = 0;
	daemon_on_changed(watch->daemon);
}

static void begin(struct group_watch *watch, const struct config_membership *membership)
{
	struct group_settings settings = {
		.agree = membership->agree, .alone_after = membership->alone_after, .started = time(NULL)};

	name_copy(settings.node, membership->node);
	name_copy(settings.version, SIPXDP_VERSION);
	watch->membership = *membership;
	watch->start = listening_clock_now();
	watch->group = group_new(&settings, on_send, watch, watch->start);
	watch->state = group_state(watch->group, watch->start);
	watch->lines_stale = true;
	if (maps_are_filled(watch->daemon->maps))
		group_set_restored(watch->group);
	transfer_watch_begin(watch->daemon->transfer_watch);
}

static void connect_link(struct group_watch *watch)
{
	int error = group_link_new(&watch->link, watch->daemon->event, watch->membership.name, on_event, watch);

	if (error)
		log_error("group %s: cannot start the thread that connects to corosync: %s; trying again every second",
			watch->membership.name, strerror(-error));
}

void group_watch_update(struct group_watch *watch)
{
	const struct config_membership *wanted = &watch->daemon->farm->config->group;

	if (watch->group &&
		(strcmp(wanted->name, watch->membership.name) || strcmp(wanted->node, watch->membership.node)))
		end(watch);
	if (!*wanted->name) {
		call_exchange_update(watch->calls, false, NULL);
		return;
	}
	if (!watch->group)
		begin(watch, wanted);
	if (watch->broken || (watch->link && group_link_has_ended(watch->link)))
		leave(watch);
	if (!watch->link)
		connect_link(watch);
	watch->decisions_differ |=
		wanted->agree != watch->membership.agree || wanted->alone_after != watch->membership.alone_after;
	watch->membership = *wanted;
	group_set(watch->group, wanted->agree, wanted->alone_after);
	call_exchange_update(watch->calls, true, group_is_connected(watch->group) ? watch->link : NULL);
	finish_events(watch);
}

/* --- votes and decisions */

void group_watch_report(const struct group_watch *watch, struct farm_backend *backend)
{
	farm_report_group(backend, watch->group, listening_clock_now());
}

void group_watch_vote(struct group_watch *watch, const struct farm *farm)
{
	if (watch->group)
		farm_give_votes(farm, watch->group, listening_clock_now());
}

void group_watch_reconciled(struct group_watch *watch)
{
	call_sync_reconciled(watch->call_sync);
}

void group_watch_restart(struct group_watch *watch)
{
	watch->start = listening_clock_now();
	call_sync_restart(watch->call_sync);
}

bool group_watch_is_joining(const struct group_watch *watch)
{
	uint64_t now = listening_clock_now();
	enum group_state state;

	if (!watch->group)
		return *watch->daemon->farm->config->group.name;
	state = group_state(watch->group, now);
	if (state == GROUP_ALONE || now >= watch->start + JOIN_MSEC)
		return false;
	return state != GROUP_AGREEING || group_changes_are_adopting(watch->daemon->group_changes) ||
	       transfer_watch_is_waiting(watch->daemon->transfer_watch) || call_sync_is_waiting(watch->call_sync);
}

bool group_watch_is_blind(const struct group_watch *watch)
{
	return watch->blind_since && listening_clock_now() >= watch->blind_since + BLIND_MSEC;
}

const struct call_lease *group_watch_lease(const struct group_watch *watch)
{
	return watch->call_lease;
}

const struct call_exchange *group_watch_calls(const struct group_watch *watch)
{
	return watch->calls;
}

/* --- the configuration */

void group_watch_config_changed(struct group_watch *watch)
{
	watch->lines_stale = true;
}

void group_watch_update_lines(struct group_watch *watch)
{
	struct config_line *lines;
	struct config *config;
	uint32_t *hashes;
	size_t count;

	if (!watch->group || !watch->lines_stale)
		return;
	watch->lines_stale = false;
	config = farm_config(watch->daemon->farm);
	worker_unlock(watch->daemon->worker);
	lines = config_lines(config, &count);
	config_free(config);
	hashes = allocate(count, sizeof(*hashes));
	for (size_t i = 0; i < count; i++)
		hashes[i] = lines[i].hash;
	worker_lock(watch->daemon->worker);
	config_lines_free(watch->lines, watch->line_count);
	watch->lines = lines;
	watch->line_count = count;
	if (watch->group) /* a reload may have ended it */
		group_set_lines(watch->group, hashes, count);
	free(hashes);
}

struct group *group_watch_sender(struct group_watch *watch)
{
	return watch->group;
}

void group_watch_send(struct group_watch *watch, const uint8_t *message, size_t length)
{
	if (watch->group && group_is_connected(watch->group))
		on_send(message, length, watch);
}

/* --- reports */

struct group *group_watch_group(const struct group_watch *watch)
{
	return watch->group;
}

const struct config_membership *group_watch_membership(const struct group_watch *watch)
{
	return &watch->membership;
}

const char *group_watch_fault(const struct group_watch *watch)
{
	return watch->fault;
}

const struct group_cluster *group_watch_cluster(const struct group_watch *watch)
{
	return &watch->cluster;
}

const struct config_line *group_watch_lines(const struct group_watch *watch, size_t *count)
{
	*count = watch->line_count;
	return watch->lines;
}

/* --- start and end */

struct group_watch *group_watch_new(struct daemon *daemon)
{
	struct group_watch *watch = allocate(1, sizeof(*watch));

	watch->daemon = daemon;
	watch->calls = call_exchange_new(daemon);
	watch->call_sync = call_sync_new(daemon, watch->calls);
	watch->call_lease = call_lease_new(daemon, watch->calls);
	return watch;
}

void group_watch_free(struct group_watch *watch)
{
	if (!watch)
		return;
	call_lease_free(watch->call_lease);
	call_sync_free(watch->call_sync);
	call_exchange_free(watch->calls);
	group_link_free(watch->link);
	group_free(watch->group);
	config_lines_free(watch->lines, watch->line_count);
	free(watch);
}
