// SPDX-License-Identifier: GPL-2.0
/* See group_report.h. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "core/group/group_changes.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/maps/clock.h"
#include "group_phases.h"
#include "group_report.h"
#include "call_exchange.h"
#include "call_lease.h"
#include "group_watch.h"

#define LINES_SHOWN 20 /* of each member whose configuration differs */
#define TEXT_SIZE 512

static const char *vote_name(enum group_vote vote)
{
	static const char *const names[GROUP_VOTE_COUNT] = {"unknown", "up", "down", "works", "fails"};

	return names[vote];
}

static bool is_self(const struct group *group, const struct group_member *member)
{
	return group_id_equal(member->id, group_self(group));
}

/* The name of a member. If it has sent no name yet, how corosync identifies it. */
static const char *member_name(const struct group_member *member, char out[NAME_SIZE])
{
	if (*member->hello.node)
		return member->hello.node;
	snprintf(out, NAME_SIZE, "%u/%u", member->id.node, member->id.pid);
	return out;
}

static json_t *name_json(const struct group_member *member)
{
	char name[NAME_SIZE];

	return json_string(member_name(member, name));
}

/* --- members */

static const char *member_state(const struct group_member *member)
{
	if (member->is_silent)
		return "silent";
	return *member->hello.node ? group_state_name(member->hello.state) : "unknown";
}

/* Compares the configuration of a member with that of this one. A member that has not sent its lines is "unknown". */
static const char *compare_config(const struct group_watch *watch, const struct group_member *member)
{
	size_t count;
	const struct config_line *lines = group_watch_lines(watch, &count);

	if (!member->lines || !lines)
		return "unknown";
	if (count != member->line_count)
		return "differs";
	for (size_t i = 0; i < count; i++)
		if (lines[i].hash != member->lines[i])
			return "differs";
	return "same";
}

static json_t *members_json(const struct group_watch *watch)
{
	const struct group *group = group_watch_group(watch);
	const uint64_t now = listening_clock_now();
	const struct group_member *member;
	json_t *list = json_array();

	for (size_t i = 0; (member = group_member_at(group, i)); i++)
		json_array_append_new(list,
			json_pack("{s:o, s:b, s:I, s:I, s:s, s:s, s:I, s:f, s:I, s:I, s:s}", "node", name_json(member),
				"self", is_self(group, member), "id", (json_int_t)member->id.node, "pid",
				(json_int_t)member->id.pid, "version", member->hello.version, "state",
				member_state(member), "since", (json_int_t)(time(NULL) - (now - member->since) / 1000),
				"heard", (now - member->heard) / 1000.0, "up", (json_int_t)member->up, "down",
				(json_int_t)member->down, "config", compare_config(watch, member)));
	return list;
}

static bool has_member(const struct group *group, uint32_t node)
{
	const struct group_member *member;

	for (size_t i = 0; (member = group_member_at(group, i)); i++)
		if (member->id.node == node)
			return true;
	return false;
}

/* The ids of the nodes of corosync on which no member runs: sipxdpd has ended there, or its file names a different
 * group. */
static json_t *nodes_json(const struct group_watch *watch)
{
	const struct group_cluster *cluster = group_watch_cluster(watch);
	json_t *list = json_array();

	for (size_t i = 0; i < cluster->node_count; i++)
		if (!has_member(group_watch_group(watch), cluster->nodes[i]))
			json_array_append_new(list, json_integer(cluster->nodes[i]));
	return list;
}

/* --- configurations */

/* The lines of this balancer that the member does not have. */
static json_t *lines_json(const struct group_watch *watch, const struct group_member *member, size_t *missing)
{
	size_t count;
	const struct config_line *lines = group_watch_lines(watch, &count);
	json_t *list = json_array();

	*missing = 0;
	for (size_t i = 0; i < count; i++)
		if (!config_lines_contain(member->lines, member->line_count, lines[i].hash) &&
			(*missing)++ < LINES_SHOWN)
			json_array_append_new(list, json_string(lines[i].text));
	return list;
}

static json_t *differences_json(const struct group_watch *watch)
{
	const struct group *group = group_watch_group(watch);
	const struct group_member *member;
	json_t *list = json_array();

	for (size_t i = 0; (member = group_member_at(group, i)); i++) {
		size_t missing;
		json_t *lines;

		if (strcmp(compare_config(watch, member), "differs"))
			continue;
		lines = lines_json(watch, member, &missing);
		json_array_append_new(list, json_pack("{s:o, s:o, s:I}", "node", name_json(member), "lines", lines,
						    "count", (json_int_t)missing));
	}
	return list;
}

/* --- backends */

static bool is_disputed(const struct group *group, const struct group_key *key, bool *fails)
{
	bool disputed = false;

	*fails = false;
	for (size_t i = 0; group_member_at(group, i); i++) {
		enum group_vote vote = group_member_vote(group, i, key);

		disputed |= vote != GROUP_VOTE_UP && vote != GROUP_VOTE_WORKS;
		*fails |= vote == GROUP_VOTE_FAILS;
	}
	return disputed;
}

/* A vote for "works" is a vote for "up", and of interest only if the backend fails at a different member. */
static json_t *votes_json(const struct group *group, const struct group_key *key, bool *disputed)
{
	const struct group_member *member;
	json_t *votes = json_array(), *name;
	bool fails;

	*disputed = is_disputed(group, key, &fails);
	for (size_t i = 0; (member = group_member_at(group, i)); i++) {
		enum group_vote vote = group_member_vote(group, i, key);

		if (vote == GROUP_VOTE_WORKS && !fails)
			vote = GROUP_VOTE_UP;
		name = name_json(member);
		json_array_append_new(votes, json_sprintf("%s %s", json_string_value(name), vote_name(vote)));
		json_decref(name);
	}
	return votes;
}

static json_t *backends_json(const struct daemon *daemon)
{
	const struct group *group = group_watch_group(daemon->group_watch);
	const struct farm *farm = daemon->farm;
	json_t *list = json_array();

	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];
			const struct group_key key = farm_group_key(backend);
			bool disputed;
			json_t *votes = votes_json(group, &key, &disputed);

			if (farm_backend_exists(backend) && disputed)
				json_array_append_new(
					list, json_pack("{s:s, s:s, s:s, s:O}", "pool", backend->record.pool, "name",
						      backend->record.name, "state",
						      farm_state_name(backend->record.state), "votes", votes));
			json_decref(votes);
		}
	return list;
}

/* --- migrations that wait for members */

#define PROLONGED_REASON "a time of 'alone_after' in which no member leaves"

static void append_wait(json_t *list, const char *pool, struct group_phases_wait wait, const char *reason)
{
	if (wait.slots)
		json_array_append_new(
			list, json_pack("{s:s, s:I, s:I, s:s}", "pool", pool, "slots", (json_int_t)wait.slots,
				      "seconds", (json_int_t)(clock_msec() - wait.since) / 1000, "reason", reason));
}

static json_t *waits_json(const struct daemon *daemon)
{
	const struct group *group = group_watch_group(daemon->group_watch);
	const struct farm *farm = daemon->farm;
	json_t *list = json_array();

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const char *pool = farm->pools[i].config->name;
		const uint32_t id = farm->pools[i].id;
		char reason[GROUP_PHASES_SIZE];

		append_wait(list, pool, group_phases_wait(daemon->group_phases, id),
			group_phases_reason(group, pool, reason));
		append_wait(list, pool, group_phases_prolonged(daemon->group_phases, id), PROLONGED_REASON);
	}
	return list;
}

/* --- warnings */

struct sink {
	group_report_add *add;
	void *data;
};

static void warn(const struct sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(const struct sink *sink, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sink->add(sink->data, text);
}

static bool has_duplicate(const struct group *group, size_t index)
{
	const struct group_member *member = group_member_at(group, index);

	for (size_t i = 0; i < index; i++)
		if (!strcmp(group_member_at(group, i)->hello.node, member->hello.node))
			return *member->hello.node;
	return false;
}

static void warn_of_member(const struct group_watch *watch, size_t index, const struct sink *sink)
{
	const struct group *group = group_watch_group(watch);
	const struct group_member *member = group_member_at(group, index);
	const struct config_membership *own = group_watch_membership(watch);
	char text[NAME_SIZE];
	const char *node = member_name(member, text);

	if (has_duplicate(group, index))
		warn(sink, "group %s: two members have the name %s", own->name, node);
	if (member->is_silent)
		warn(sink, "group %s: sipxdpd of member %s does not send: its votes do not count", own->name, node);
	if (member->garbage)
		warn(sink, "group %s: member %s has sent %" PRIu64 " messages that are not valid: they are ignored",
			own->name, node, member->garbage);
	if (!group_member_is_compatible(member))
		warn(sink, "group %s: the release of member %s (%s) is too different: its votes do not count",
			own->name, node, member->hello.version);
	if (*member->hello.node && member->hello.agree != own->agree)
		warn(sink, "group %s: 'agree' is %s at member %s, and %s here", own->name,
			config_agree_name(member->hello.agree), node, config_agree_name(own->agree));
	if (!strcmp(compare_config(watch, member), "differs"))
		warn(sink,
			"group %s: the running configuration differs from that of member %s (see 'sipxdp-ctl group')",
			own->name, node);
}

static void warn_of_state(const struct group_watch *watch, const struct sink *sink)
{
	const struct group *group = group_watch_group(watch);
	const char *name = group_watch_membership(watch)->name, *fault = group_watch_fault(watch), *effect;
	enum group_state state = group_state(group, listening_clock_now());

	if (state == GROUP_AGREEING)
		return;
	effect = state == GROUP_ALONE ? "this balancer decides by itself which backends are down"
				      : "the last decisions about backends stay for up to 'alone_after'";
	if (!group_is_connected(group))
		warn(sink, "group %s: not connected: %s; %s", name, *fault ? fault : "connecting to corosync", effect);
	else if (!group_is_quorate(group))
		warn(sink, "group %s: corosync has no quorum; %s", name, effect);
	else if (!group_is_echoed(group, listening_clock_now()))
		warn(sink, "group %s: corosync delivers no messages; %s", name, effect);
	else
		warn(sink, "group %s: votes of other members are missing; %s", name, effect);
}

static void warn_of_wait(const struct daemon *daemon, const char *pool, struct group_phases_wait wait,
	uint64_t patience, const char *reason, const struct sink *sink)
{
	if (wait.slots && clock_msec() > wait.since + patience)
		warn(sink, "group %s: %u slots of pool %s wait for %s",
			group_watch_membership(daemon->group_watch)->name, wait.slots, pool, reason);
}

/* Members end a phase up to a second apart. After a member has left, migrations last up to `alone_after` longer. */
static void warn_of_waits(const struct daemon *daemon, const struct sink *sink)
{
	const struct group *group = group_watch_group(daemon->group_watch);
	const uint32_t alone_after = group_watch_membership(daemon->group_watch)->alone_after;
	const struct farm *farm = daemon->farm;

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const char *pool = farm->pools[i].config->name;
		const uint32_t id = farm->pools[i].id;
		char reason[GROUP_PHASES_SIZE];

		warn_of_wait(daemon, pool, group_phases_wait(daemon->group_phases, id), GROUP_SILENCE,
			*group_phases_reason(group, pool, reason) ? reason : "the other members", sink);
		warn_of_wait(daemon, pool, group_phases_prolonged(daemon->group_phases, id), alone_after,
			PROLONGED_REASON, sink);
	}
}

static void warn_of_calls(const struct group_watch *watch, const struct sink *sink)
{
	const struct call_exchange_counts counts = call_exchange_counts(group_watch_calls(watch));
	const char *name = group_watch_membership(watch)->name;

	if (call_lease_has_ended(group_watch_lease(watch)))
		warn(sink, "group %s: " CALL_LEASE_ENDED, name);
	if (call_exchange_loses(group_watch_calls(watch)))
		warn(sink,
			"group %s: %" PRIu64 " changes of calls are not sent to the other members: there are more than "
			"50,000 a second, or corosync is too slow",
			name, counts.lost);
	if (counts.foreign)
		warn(sink,
			"group %s: a member has a different 'hash_key' or number of slots: this balancer cannot use "
			"its "
			"changes of calls",
			name);
	if (counts.failed)
		warn(sink, "group %s: %" PRIu64 " messages with changes of calls could not be applied", name,
			counts.failed);
}

void group_report_warnings(const struct daemon *daemon, group_report_add *add, void *data)
{
	const struct group_watch *watch = daemon->group_watch;
	const struct group *group = group_watch_group(watch);
	const struct group_cluster *cluster = group_watch_cluster(watch);
	const struct sink to = {add, data}, *sink = &to;
	const char *name = group_watch_membership(watch)->name;

	if (!group)
		return;
	warn_of_state(watch, sink);
	for (size_t i = 0; group_member_at(group, i); i++)
		warn_of_member(watch, i, sink);
	warn_of_waits(daemon, sink);
	if (group_watch_is_blind(watch))
		warn(sink, "group %s: no backend responds to this balancer, but backends respond to other members",
			name);
	if (group_is_quorate(group) && cluster->votes < cluster->votes_expected)
		warn(sink, "group %s: corosync has %u of %u votes: a node is down, or the network to it", name,
			cluster->votes, cluster->votes_expected);
	if (cluster->has_no_quorum_provider)
		warn(sink, "group %s: corosync has no quorum provider: after a network fault each half decides", name);
	if (group_is_diverged(group))
		warn(sink,
			"group %s: an operator has changed only this balancer; it adopts the state of the group when "
			"it agrees again",
			name);
	warn_of_calls(watch, sink);
}

static json_t *calls_json(const struct group_watch *watch)
{
	const struct call_exchange_counts counts = call_exchange_counts(group_watch_calls(watch));

	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "sent", (json_int_t)counts.sent, "lost", (json_int_t)counts.lost,
		"received", (json_int_t)counts.received, "applied", (json_int_t)counts.applied, "unknown",
		(json_int_t)counts.unknown);
}

static void append_warning(void *list, const char *text)
{
	json_array_append_new(list, json_string(text));
}

json_t *group_report(struct daemon *daemon, const struct request *request)
{
	const struct group_watch *watch = daemon->group_watch;
	const struct group *group = group_watch_group(watch);
	const struct config_membership *own = group_watch_membership(watch);
	const struct group_cluster *cluster = group_watch_cluster(watch);
	const uint64_t now = listening_clock_now();
	json_t *warnings;

	(void)request;
	if (!group)
		return protocol_error(
			NULL, "this balancer is not a member of a group ('group:' is not in %s)", daemon->config_path);
	warnings = json_array();
	group_report_warnings(daemon, append_warning, warnings);
	return protocol_ok(
		json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			"name", own->name, "node", own->node, "state", group_state_name(group_state(group, now)),
			"agree", config_agree_name(own->agree), "connected", group_is_connected(group), "quorate",
			group_is_quorate(group), "votes", (json_int_t)cluster->votes, "votes_expected",
			(json_int_t)cluster->votes_expected, "lag_ms", (json_int_t)group_lag(group), "invalid_messages",
			(json_int_t)group_garbage(group), "members", members_json(watch), "nodes_without_member",
			nodes_json(watch), "backends", backends_json(daemon), "differences", differences_json(watch),
			"waits", waits_json(daemon), "calls", calls_json(watch), "warnings", warnings));
}
