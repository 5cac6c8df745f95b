// SPDX-License-Identifier: GPL-2.0
/* See group_watch.h. */

#include <string.h>
#include <time.h>
#include "core/base/memory.h"
#include "core/base/name.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "group_link.h"
#include "group_watch.h"

#define BLIND_MSEC 10000 /* until a member to which no backend responds says so */
#define JOIN_MSEC 10000  /* after a start: how long to wait for the decisions of the group */

struct group_watch {
	struct daemon *daemon;
	struct config_membership membership; /* of the current group; an empty name: none */
	struct group *group;
	struct group_link *link;
	char fault[GROUP_LINK_FAULT_SIZE];
	bool no_quorum_provider;
	bool broken;           /* a message is lost: connect again */
	bool decisions_differ; /* the last events may have changed a decision about a backend */
	bool state_differs;    /* the last events have changed the state of this balancer in the group */
	bool joining;
	enum group_state state; /* that was last logged */
	uint64_t start;         /* ms */
	uint64_t blind_since;   /* ms; 0: not blind */
	bool was_blind;         /* the state that was last logged */
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

static void log_members(const struct group_watch *watch, size_t before)
{
	const struct group_member *member;
	char names[1024] = "";
	size_t count = 0;

	for (; (member = group_member_at(watch->group, count)); count++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%u%s%s%s", count ? ", " : "",
			member->id.node, *member->hello.node ? " (" : "", member->hello.node,
			*member->hello.node ? ")" : "");
	log_event(LOG_INFO, LOG_FIELDS({"event", "group_members"}, {"group", watch->membership.name}),
		"group %s: %zu members, %zu before; ids of corosync: %s", watch->membership.name, count, before, names);
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
	watch->no_quorum_provider = event->no_quorum;
	watch->decisions_differ = true;
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

/* Call this after all events that have arrived together. */
static void finish_events(struct group_watch *watch)
{
	uint64_t now = listening_clock_now();
	bool joining, decisions_differ, state_differs;

	group_tick(watch->group, now);
	log_state(watch, now);
	update_blind(watch, now);
	joining = group_watch_is_joining(watch);
	decisions_differ = watch->decisions_differ;
	state_differs = watch->state_differs || joining != watch->joining;
	watch->decisions_differ = watch->state_differs = false;
	watch->joining = joining;
	if (state_differs)
		daemon_on_changed(watch->daemon);
	else if (decisions_differ)
		daemon_on_probed(watch->daemon);
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
		watch->decisions_differ |= group_receive(watch->group, event->id, event->bytes, event->length, now);
		break;
	}
}

static void leave(struct group_watch *watch)
{
	group_link_free(watch->link);
	watch->link = NULL;
	if (watch->group)
		group_disconnected(watch->group, listening_clock_now());
	watch->broken = false;
}

static void end(struct group_watch *watch)
{
	leave(watch);
	group_free(watch->group);
	watch->group = NULL;
	watch->membership = (struct config_membership){0};
	*watch->fault = '\0';
	watch->blind_since = 0;
	watch->was_blind = watch->daemon->farm->is_blind = false;
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
	if (!*wanted->name)
		return;
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
	finish_events(watch);
}

/* --- votes and decisions */

void group_watch_report(const struct group_watch *watch, struct farm_backend *backend)
{
	enum group_verdict verdict = GROUP_OWN;
	struct group_tally tally = {0};

	if (watch->group) {
		const struct group_key key = farm_group_key(backend);

		verdict = group_verdict(watch->group, &key, listening_clock_now(), &tally);
	}
	farm_set_agreed(backend, verdict, tally);
}

void group_watch_vote(struct group_watch *watch, const struct farm *farm)
{
	if (!watch->group)
		return;
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];
			const struct group_key key = farm_group_key(backend);

			group_vote(watch->group, &key, farm_vote(&farm->pools[i], backend));
		}
	group_tick(watch->group, listening_clock_now());
}

bool group_watch_is_joining(const struct group_watch *watch)
{
	uint64_t now = listening_clock_now();
	enum group_state state;

	if (!watch->group)
		return *watch->daemon->farm->config->group.name;
	state = group_state(watch->group, now);
	return (state == GROUP_WAITING || state == GROUP_JOINING) && now < watch->start + JOIN_MSEC;
}

bool group_watch_is_blind(const struct group_watch *watch)
{
	return watch->blind_since && listening_clock_now() >= watch->blind_since + BLIND_MSEC;
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

/* --- reports */

const struct group *group_watch_group(const struct group_watch *watch)
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

bool group_watch_has_no_quorum_provider(const struct group_watch *watch)
{
	return watch->no_quorum_provider;
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
	return watch;
}

void group_watch_free(struct group_watch *watch)
{
	if (!watch)
		return;
	group_link_free(watch->link);
	group_free(watch->group);
	config_lines_free(watch->lines, watch->line_count);
	free(watch);
}
