// SPDX-License-Identifier: GPL-2.0
/* See group_changes.h. Tasks run one at a time. A change of the guard need not wait for long tasks, unless one of them
 * describes or replaces the state, or belongs to the guard, too. */

#include <string.h>
#include "core/base/memory.h"
#include "core/base/messages.h"
#include "core/group/group_changes.h"
#include "ctl/daemon/active_maps.h"
#include "ctl/daemon/control/commands.h"
#include "ctl/daemon/join/join_listener.h"
#include "ctl/daemon/listening_clock.h"
#include "group_changes.h"
#include "group_drains.h"
#include "group_reload.h"
#include "group_requests.h"
#include "group_state.h"
#include "group_watch.h"

#define BANS_MAX 1000 /* bans that wait until this balancer agrees with the group; it loses further ones */
#define QUEUE_MAX 64  /* tasks; further ones wait in core/group, where their number is bounded */

/* A task in the worker. */
struct job {
	struct group_changes *changes;
	struct group *group; /* to which the result belongs */
	struct group_task *task;
	bool urgent;
	bool postponed; /* the loader switches to new maps */
	json_t *reply;
	char *text;
};

struct group_changes {
	struct daemon *daemon;
	struct group_task *first, **end; /* tasks that wait for the current one */
	size_t queued;                   /* tasks, here and in the worker */
	size_t barriers;                 /* those of them, and of the current one, for which the guard must wait */
	bool busy;
	bool adopting;
	uint64_t agrees_since; /* ms; 0: this balancer does not agree with the group */
	struct messages bans;  /* events that the group does not know */
	struct group_requests *requests;
};

static struct group *current_group(const struct group_changes *changes)
{
	return group_watch_group(changes->daemon->group_watch);
}

/* --- the worker */

static bool must_wait(struct daemon *daemon)
{
	if (daemon->using_next_maps)
		active_maps_update(daemon);
	return daemon->using_next_maps;
}

static void apply_server(struct daemon *daemon, const json_t *event, const struct group_task *task, bool own)
{
	struct join_request request = {0};
	const char *text, *signature = NULL; /* a release without signatures may have sent it */
	size_t length, digits = 0;
	json_int_t time;
	int is_json, kept = false;

	if (!json_unpack((json_t *)event, "{s:s%, s:b, s:I, s?b, s?s%}", "server", &text, &length, "json", &is_json,
		    "time", &time, "kept", &kept, "signature", &signature, &digits)) {
		request.text = (struct span){text, text + length};
		if (signature)
			request.signature = (struct span){signature, signature + digits};
		request.is_json = is_json;
		join_listener_apply(daemon->join_listener, &request, time, own && !kept ? NULL : task->node);
	}
}

/* A change without answers. */
static void apply_event(struct daemon *daemon, const struct group_task *task, bool own)
{
	json_t *event = json_loadb((const char *)task->bytes, task->length, 0, NULL);

	if (group_drains_is_event(event))
		group_drains_apply(daemon, event);
	else
		apply_server(daemon, event, task, own);
	json_decref(event);
}

static json_t *apply(struct daemon *daemon, const struct group_task *task)
{
	json_t *event = json_loadb((const char *)task->bytes, task->length, 0, NULL), *reply = NULL;
	char error[PROTOCOL_ERROR_SIZE];
	struct request request;

	if (group_reload_is_event(event))
		reply = group_reload_apply(daemon, event, task->user, task->node);
	json_decref(event);
	if (reply)
		return reply;
	if (protocol_parse_request((const char *)task->bytes, task->length, &request, error))
		return protocol_error(NULL, "the change of member %s is not valid here: %s", task->node, error);
	request.user = task->user;
	request.node = task->node;
	if (commands_is_shared(&request))
		reply = commands_apply(daemon, &request);
	else
		reply = protocol_error(
			NULL, "'%s' is not a change for a group", protocol_commands[request.command].words);
	protocol_request_free(&request);
	return reply;
}

/* Changes of the guard, which may interrupt others, do not concern backends. */
static void apply_task(struct job *job)
{
	struct daemon *daemon = job->changes->daemon;

	if (!job->urgent)
		drain_begin_change(daemon->drain, daemon, job->task->applied);
	if (job->task->number)
		job->reply = apply(daemon, job->task);
	else
		apply_event(daemon, job->task, group_id_equal(job->task->from, group_self(job->group)));
	if (job->urgent)
		return;
	drain_end_change(daemon->drain, daemon);
	group_drains_withdraw(daemon);
}

static void run_task(void *data)
{
	struct job *job = data;
	struct daemon *daemon = job->changes->daemon;

	if (job->group != current_group(job->changes))
		return; /* the file names a different group now */
	if (must_wait(daemon)) {
		job->postponed = true;
		return;
	}
	/* Changes of the guard may have passed this task in the queue of the worker. */
	if (job->task->kind != GROUP_TASK_APPLY)
		worker_run_urgent(daemon->worker);
	switch (job->task->kind) {
	case GROUP_TASK_APPLY:
		apply_task(job);
		break;
	case GROUP_TASK_DESCRIBE:
		job->text = group_state_write(daemon);
		break;
	case GROUP_TASK_ADOPT:
		group_state_adopt(daemon, job->task->node, job->task->bytes, job->task->length);
		break;
	}
}

/* --- tasks */

static bool is_barrier(const struct group_task *task)
{
	static const char guard[] = "{\"command\":\"guard ";

	return task->kind != GROUP_TASK_APPLY ||
	       (task->length >= sizeof(guard) && !memcmp(task->bytes, guard, sizeof(guard) - 1));
}

static void send_answer(struct job *job)
{
	const char *error = json_string_value(json_object_get(job->reply, "error"));
	bool done = json_object_get(job->reply, "result");

	if (job->task->kind == GROUP_TASK_DESCRIBE && job->text)
		group_send_shared(job->group, job->task, job->text, strlen(job->text));
	if (job->task->kind != GROUP_TASK_APPLY || !job->task->number)
		return;
	group_send_result(job->group, job->task, done, error ? error : "");
	if (group_id_equal(job->task->from, group_self(job->group)))
		group_requests_applied(job->changes->requests, job->task->number, job->reply);
}

/* `kept`: this balancer must apply it again, too. The caller frees the text. NULL: the request is not UTF-8. */
static char *write_event(const struct join_request *request, uint64_t time, bool kept)
{
	struct span text = request->text, signature = request->signature;
	json_t *event = json_pack("{s:s%, s:b, s:I, s:b}", "server", text.at, (size_t)(text.end - text.at), "json",
		request->is_json, "time", (json_int_t)time, "kept", kept);
	char *bytes;

	if (event && signature.at)
		json_object_set_new(event, "signature", json_stringn(signature.at, signature.end - signature.at));
	bytes = event ? json_dumps(event, JSON_COMPACT) : NULL;
	json_decref(event);
	return bytes;
}

static void share(struct group_changes *changes, const struct join_request *request, uint64_t time)
{
	char *bytes = write_event(request, time, false);

	if (bytes)
		group_send_event(current_group(changes), bytes, strlen(bytes));
	free(bytes);
}

/* --- bans by servers, which this balancer would lose when it adopts the state of the group */

static void keep_ban(struct group_changes *changes, const struct join_request *request, uint64_t time)
{
	char *bytes = changes->bans.count < BANS_MAX ? write_event(request, time, true) : NULL;

	if (bytes)
		messages_add(&changes->bans, "%s", bytes);
	free(bytes);
}

static void send_bans(struct group_changes *changes)
{
	for (size_t i = 0; i < changes->bans.count; i++)
		group_send_event(current_group(changes), changes->bans.list[i], strlen(changes->bans.list[i]));
	messages_free(&changes->bans);
	changes->bans = (struct messages){0};
}

/* The servers that have joined here while this balancer did not agree with the group must join everywhere. Those that
 * only its maps contain may have left at a different member. */
static void share_all(struct group_changes *changes)
{
	const struct farm *farm = changes->daemon->farm;

	for (size_t i = 0; current_group(changes) && i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];
			char text[JOIN_REQUEST_MAX], address[ADDRESS_TEXT_SIZE];
			int length;

			if (!backend->joined_here || (backend->record.overrides & OVERRIDE_LEAVING))
				continue;
			length = snprintf(text, sizeof(text),
				"{\"action\": \"start\", \"pool\": \"%s\", \"name\": \"%s\", \"address\": \"%s\", "
				"\"weight\": %u}",
				backend->record.pool, backend->record.name,
				address_format(&backend->record.address, address), backend->record.weight);
			share(changes, &(struct join_request){.text = {text, text + length}, .is_json = true}, 0);
		}
}

static void start(struct group_changes *changes);

static void free_job(struct job *job)
{
	json_decref(job->reply);
	free(job->text);
	free(job->task);
	free(job);
}

static void put_back(struct group_changes *changes, struct group_task *task)
{
	task->next = changes->first;
	changes->first = task;
	if (!task->next)
		changes->end = &task->next;
	changes->barriers += is_barrier(task);
}

static void end_task(void *data)
{
	struct job *job = data;
	struct group_changes *changes = job->changes;
	bool current = job->group == current_group(changes);

	changes->queued -= !(job->postponed && current);
	if (!job->urgent) {
		changes->busy = false;
		changes->barriers -= is_barrier(job->task);
	}
	if (job->postponed && current) {
		put_back(changes, job->task);
		job->task = NULL;
	} else if (current) {
		send_answer(job);
	}
	if (job->task && job->task->kind == GROUP_TASK_ADOPT) {
		changes->adopting = false;
		share_all(changes);
		daemon_on_changed(changes->daemon);
	}
	if (!job->postponed)
		group_changes_update(changes);
	free_job(job);
}

static struct job *new_job(struct group_changes *changes, struct group_task *task, bool urgent)
{
	struct job *job = allocate(1, sizeof(*job));

	*job = (struct job){.changes = changes, .group = current_group(changes), .task = task, .urgent = urgent};
	return job;
}

static void start(struct group_changes *changes)
{
	struct group_task *task = changes->first;

	if (changes->busy || !task)
		return;
	changes->first = task->next;
	if (!changes->first)
		changes->end = &changes->first;
	changes->busy = true;
	worker_add(changes->daemon->worker, run_task, end_task, new_job(changes, task, false));
}

static void queue(struct group_changes *changes, struct group_task *task)
{
	struct daemon *daemon = changes->daemon;
	bool barrier = is_barrier(task);

	changes->queued++;
	if (barrier && task->kind == GROUP_TASK_APPLY && !changes->barriers && !daemon->using_next_maps) {
		worker_add_urgent(daemon->worker, run_task, end_task, new_job(changes, task, true));
		return;
	}
	task->next = NULL;
	*changes->end = task;
	changes->end = &task->next;
	changes->barriers += barrier;
	changes->adopting |= task->kind == GROUP_TASK_ADOPT;
}

static bool agrees(const struct group_changes *changes)
{
	struct group *group = current_group(changes);

	return group && group_state(group, listening_clock_now()) == GROUP_AGREEING;
}

void group_changes_update(struct group_changes *changes)
{
	struct group *group = current_group(changes);
	struct group_outcome *outcome;
	struct group_task *task;

	if (!group)
		return;
	if (!agrees(changes))
		changes->agrees_since = 0;
	else if (!changes->agrees_since)
		changes->agrees_since = listening_clock_now();
	if (changes->agrees_since)
		send_bans(changes);
	while (changes->queued < QUEUE_MAX && (task = group_next_task(group)))
		queue(changes, task);
	start(changes);
	while ((outcome = group_next_outcome(group, listening_clock_now()))) {
		group_requests_finish(changes->requests, outcome);
		free(outcome);
	}
}

bool group_changes_request(struct group_changes *changes, const struct request *request, json_t **reply)
{
	return group_requests_add(changes->requests, request, reply);
}

/* After the failure of a member, corosync delivers nothing for some seconds, and then all that was sent. */
static bool can_share(const struct group_changes *changes)
{
	const struct group *group = current_group(changes);

	return group && group_has_state(group);
}

void group_changes_share(struct group_changes *changes, const struct join_request *request, bool is_ban)
{
	const uint64_t time = strtoull(request->time.at, NULL, 10);

	if (can_share(changes))
		share(changes, request, time);
	if (is_ban && current_group(changes) && !agrees(changes))
		keep_ban(changes, request, time);
}

void group_changes_share_heartbeat(
	struct group_changes *changes, const struct farm_backend *backend, uint64_t signed_at)
{
	char text[2 * NAME_SIZE + 64];
	int length = snprintf(
		text, sizeof(text), "action=heartbeat; pool=%s; name=%s", backend->record.pool, backend->record.name);

	if (can_share(changes))
		share(changes, &(struct join_request){.text = {text, text + length}}, signed_at);
}

/* --- silent servers */

static bool decides_alone(const struct group_changes *changes)
{
	const struct group *group = current_group(changes);

	return !group || group_state(group, listening_clock_now()) == GROUP_ALONE;
}

/* What the others have sent before a message of this member has arrived when that message returns. A member that has
 * not agreed before has missed heartbeats; within node_timeout it hears of each server that is alive. A change that
 * waits here may be a heartbeat. */
uint64_t group_changes_heard_until(const struct group_changes *changes, uint32_t node_timeout)
{
	uint64_t echo;

	if (decides_alone(changes))
		return listening_clock_now();
	echo = group_echo(current_group(changes));
	if (!changes->agrees_since || changes->queued || echo < changes->agrees_since + node_timeout)
		return 0;
	return echo;
}

/* The members have heard the server last at different times. The first one that misses it sends a `stop` in its name,
 * which all members apply at the same place in their order. */
bool group_changes_remove(struct group_changes *changes, const struct farm_backend *backend)
{
	char text[2 * NAME_SIZE + ADDRESS_TEXT_SIZE + 64], address[ADDRESS_TEXT_SIZE];
	int length;

	if (decides_alone(changes))
		return false;
	length = snprintf(text, sizeof(text), "action=stop; pool=%s; name=%s; address=%s", backend->record.pool,
		backend->record.name, address_format(&backend->record.address, address));
	share(changes, &(struct join_request){.text = {text, text + length}}, 0);
	return true;
}

/* --- start and end */

bool group_changes_are_adopting(const struct group_changes *changes)
{
	const struct group *group = current_group(changes);

	return changes->adopting || (group && group_will_adopt(group));
}

static void forget_tasks(struct group_changes *changes)
{
	while (changes->first) {
		struct group_task *next = changes->first->next;

		changes->barriers -= is_barrier(changes->first);
		changes->queued--;
		free(changes->first);
		changes->first = next;
	}
	changes->end = &changes->first;
}

void group_changes_end(struct group_changes *changes)
{
	forget_tasks(changes);
	changes->adopting = false;
	changes->agrees_since = 0;
	messages_free(&changes->bans);
	changes->bans = (struct messages){0};
	group_requests_end(changes->requests);
}

struct group_changes *group_changes_new(struct daemon *daemon)
{
	struct group_changes *changes = allocate(1, sizeof(*changes));

	*changes = (struct group_changes){.daemon = daemon, .requests = group_requests_new(daemon)};
	changes->end = &changes->first;
	return changes;
}

void group_changes_free(struct group_changes *changes)
{
	if (!changes)
		return;
	forget_tasks(changes);
	messages_free(&changes->bans);
	group_requests_free(changes->requests);
	free(changes);
}
