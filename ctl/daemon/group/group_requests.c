// SPDX-License-Identifier: GPL-2.0
/* See group_requests.h. */

#include <string.h>
#include "core/base/memory.h"
#include "ctl/daemon/control/audit.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "group_reload.h"
#include "group_requests.h"
#include "group_watch.h"

/* A change of a client of this daemon. */
struct own_change {
	struct own_change *next;
	struct group_requests *requests;
	struct client *client;
	const struct request *request; /* valid until the reply */
	char user[NAME_SIZE];
	uint64_t number;  /* 0: not sent yet */
	json_t *reply;    /* of this daemon; NULL: none yet */
	json_t *question; /* of `reload --all`, until all members have agreed */
};

struct group_requests {
	struct daemon *daemon;
	struct own_change *own;
};

static struct group *current_group(const struct group_requests *requests)
{
	return group_watch_group(requests->daemon->group_watch);
}

/* --- replies */

static void reply_to(struct own_change *own, json_t *reply)
{
	size_t length = 0;
	char *line = reply ? protocol_encode(reply, &length) : NULL;

	json_decref(reply);
	control_reply(own->client, line, length);
}

static void forget_own(struct own_change *own)
{
	struct own_change **at = &own->requests->own;

	while (*at != own)
		at = &(*at)->next;
	*at = own->next;
	json_decref(own->reply);
	json_decref(own->question);
	free(own);
}

static void refuse(struct own_change *own, const char *reason)
{
	reply_to(own, protocol_error(NULL, "%s", reason));
	forget_own(own);
}

static struct own_change *find_own(const struct group_requests *requests, uint64_t number)
{
	struct own_change *own = requests->own;

	while (own && own->number != number)
		own = own->next;
	return own;
}

static const char *answer_text(const struct group_answer *answer)
{
	switch (answer->state) {
	case GROUP_ANSWER_REFUSED:
		return answer->text;
	case GROUP_ANSWER_GONE:
		return "has left the group, or its daemon is stopped";
	default:
		return "has not answered in time; it may apply the change later";
	}
}

/* "lb2: no backend 'px4' ..., lb3: has left ..." */
static char *describe_failures(const struct group_outcome *outcome)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const char *before = "";

	for (size_t i = 0; i < outcome->count; i++) {
		const struct group_answer *answer = &outcome->answers[i];

		if (answer->state == GROUP_ANSWER_DONE)
			continue;
		if (*answer->node)
			fprintf(out, "%s%s: %s", before, answer->node, answer_text(answer));
		else
			fprintf(out, "%snode %u: %s", before, answer->id.node, answer_text(answer));
		before = "; ";
	}
	fclose(out);
	return text;
}

/* Members whose votes do not count, and which were therefore not asked, appear in a warning. */
static void add_warnings(const struct group_requests *requests, json_t *warnings)
{
	const struct group *group = current_group(requests);
	const struct group_member *member;

	for (size_t i = 0; (member = group_member_at(group, i)); i++)
		if (!group_member_counts(member))
			json_array_append_new(warnings,
				json_sprintf("member %s of the group %s: it applies the change later",
					member->hello.node,
					member->is_silent ? "does not send" : "does not agree with the group yet"));
}

/* Sends an event that own->request does not contain itself. */
static void send_event(struct own_change *own, const json_t *event)
{
	char *text = json_dumps(event, JSON_COMPACT);

	own->number =
		group_send_change(current_group(own->requests), own->user, text, strlen(text), listening_clock_now());
	free(text);
}

/* All members have checked their files. */
static void finish_question(struct own_change *own, const struct group_outcome *outcome)
{
	char *failures = describe_failures(outcome);
	json_t *event;

	json_decref(own->reply);
	own->reply = NULL;
	if (*failures) {
		reply_to(own, protocol_error(NULL, "no balancer of the group has reloaded: %s", failures));
		forget_own(own);
	} else {
		event = group_reload_event(own->question);
		json_decref(own->question);
		own->question = NULL;
		send_event(own, event);
		json_decref(event);
	}
	free(failures);
}

static void finish_change(struct own_change *own, const struct group_outcome *outcome)
{
	json_t *result = json_object_get(own->reply, "result");
	size_t done = 0, refused = 0;
	char *failures;

	for (size_t i = 0; i < outcome->count; i++) {
		done += outcome->answers[i].state == GROUP_ANSWER_DONE;
		refused += outcome->answers[i].state == GROUP_ANSWER_REFUSED;
	}
	if (own->reply && refused == outcome->count) {
		reply_to(own, json_incref(own->reply));
	} else if (result && done == outcome->count) {
		json_object_set_new(
			result, "group", json_pack("{s:i, s:i}", "applied", (int)done, "members", (int)outcome->count));
		add_warnings(own->requests, json_object_get(result, "warnings"));
		reply_to(own, json_incref(own->reply));
	} else {
		failures = describe_failures(outcome);
		reply_to(own, protocol_error(NULL, "applied by %zu of %zu balancers of the group: %s", done,
				      outcome->count, failures));
		free(failures);
	}
	forget_own(own);
}

/* --- requests */

static void find_user(void *data)
{
	struct own_change *own = data;
	struct worker *worker = own->requests->daemon->worker;

	worker_unlock(worker);
	audit_user_name(own->request->uid, own->user, sizeof(own->user));
	worker_lock(worker);
	if (own->request->command == COMMAND_RELOAD)
		own->question = group_reload_question(own->requests->daemon, own->request, &own->reply);
}

static bool decides(const struct group_requests *requests)
{
	const struct group *group = current_group(requests);

	return group && group_state(group, listening_clock_now()) == GROUP_AGREEING;
}

#define NOT_AGREEING                                                                                                   \
	"this balancer does not agree with its group now, so it refuses the change (see 'sipxdp-ctl group'; with "     \
	"--force it changes only itself, until it agrees again)"

#define NOT_AGREEING_RELOAD                                                                                            \
	"this balancer does not agree with its group now (see 'sipxdp-ctl group'); 'reload' without --all reloads "    \
	"only this balancer"

/* The command comes first: is_barrier() reads it. */
static char *encode_change(const struct request *request)
{
	json_t *change = json_pack("{s:s, s:O?}", "command", protocol_commands[request->command].words, "arguments",
		json_object_get(request->json, "arguments"));
	char *text = json_dumps(change, JSON_COMPACT);

	json_decref(change);
	return text;
}

static void send_change(void *data)
{
	struct own_change *own = data;
	char *text = own->question ? json_dumps(own->question, JSON_COMPACT) : encode_change(own->request);
	size_t length = text ? strlen(text) : 0;

	if (own->reply) { /* the file has faults */
		reply_to(own, json_incref(own->reply));
		forget_own(own);
	} else if (!decides(own->requests)) {
		refuse(own, NOT_AGREEING);
	} else if (!length || length > GROUP_CHANGE_MAX) {
		refuse(own, "the request is too long for a group of balancers");
	} else {
		own->number =
			group_send_change(current_group(own->requests), own->user, text, length, listening_clock_now());
	}
	free(text);
}

bool group_requests_add(struct group_requests *requests, const struct request *request, json_t **reply)
{
	struct group *group = current_group(requests);
	struct own_change *own;

	*reply = NULL;
	if (!group)
		return false;
	if (!decides(requests) && request->force) {
		log_warning("an operator changes only this balancer, which does not agree with its group now");
		group_set_diverged(group);
		return false;
	}
	if (!decides(requests)) {
		*reply = protocol_error(
			NULL, "%s", request->command == COMMAND_RELOAD ? NOT_AGREEING_RELOAD : NOT_AGREEING);
		return true;
	}
	own = allocate(1, sizeof(*own));
	*own = (struct own_change){.next = requests->own,
		.requests = requests,
		.client = control_defer(requests->daemon->control),
		.request = request};
	requests->own = own;
	worker_add_urgent(requests->daemon->worker, find_user, send_change, own);
	return true;
}

/* --- answers */

void group_requests_applied(struct group_requests *requests, uint64_t number, json_t *reply)
{
	struct own_change *own = find_own(requests, number);

	if (own && !own->reply)
		own->reply = json_incref(reply);
}

void group_requests_finish(struct group_requests *requests, const struct group_outcome *outcome)
{
	struct own_change *own = find_own(requests, outcome->number);

	if (own && own->question)
		finish_question(own, outcome);
	else if (own)
		finish_change(own, outcome);
}

void group_requests_end(struct group_requests *requests)
{
	struct own_change *own = requests->own, *next;

	for (; own; own = next) {
		next = own->next;
		if (own->number) /* otherwise send_change() refuses it */
			refuse(own, "this balancer has left its group before all members have answered");
	}
}

/* --- start and end */

struct group_requests *group_requests_new(struct daemon *daemon)
{
	struct group_requests *requests = allocate(1, sizeof(*requests));

	requests->daemon = daemon;
	return requests;
}

void group_requests_free(struct group_requests *requests)
{
	if (!requests)
		return;
	while (requests->own)
		forget_own(requests->own);
	free(requests);
}
