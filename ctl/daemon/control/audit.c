// SPDX-License-Identifier: GPL-2.0
/* See audit.h. */
#include <pwd.h>
#include <stdio.h>
#include "audit.h"
#include "core/control/command_line.h"
#include "ctl/daemon/log.h"

#define EFFECT_SIZE 512

const char *audit_user_name(uid_t uid, char *text, size_t size)
{
	char strings[4096];
	struct passwd entry, *found = NULL;

	if (!getpwuid_r(uid, &entry, strings, sizeof(strings), &found) && found)
		snprintf(text, size, "%s", entry.pw_name);
	else
		snprintf(text, size, "%u", uid);
	return text;
}

const char *audit_requester(const struct request *request, char *text, size_t size)
{
	if (!request->user)
		return audit_user_name(request->uid, text, size);
	snprintf(text, size, "%s", request->user);
	return text;
}

/* Writes "done: 2 steps, first 'backend px1: drains'", or the reason of the refusal. */
static const char *effect(const json_t *reply, char text[EFFECT_SIZE])
{
	const json_t *steps = json_object_get(json_object_get(reply, "result"), "steps");
	const char *error = json_string_value(json_object_get(reply, "error"));
	const char *first = json_string_value(json_array_get(steps, 0));

	if (error)
		snprintf(text, EFFECT_SIZE, "refused: %s", error);
	else if (first)
		snprintf(text, EFFECT_SIZE, "done, %zu step%s: %s%s", json_array_size(steps),
			json_array_size(steps) == 1 ? "" : "s", first, json_array_size(steps) == 1 ? "" : " ...");
	else
		snprintf(text, EFFECT_SIZE, "%s", steps ? "done, nothing to change" : "done");
	return text;
}

void audit_log(const struct request *request, const json_t *reply)
{
	char command[COMMAND_LINE_SIZE], text[EFFECT_SIZE], user[64], uid[16], pid[16];
	bool local = !request->node, done = json_is_true(json_object_get(reply, "ok"));

	snprintf(uid, sizeof(uid), "%u", request->uid);
	snprintf(pid, sizeof(pid), "%d", request->pid);
	audit_requester(request, user, sizeof(user));
	log_event(LOG_NOTICE,
		LOG_FIELDS({"event", "audit"}, {"result", done ? "done" : "refused"}, {"uid", local ? uid : NULL},
			{"user", user}, {"pid", local ? pid : NULL}, {"node", request->node}, {"pool", request->pool},
			{"backend", request->backend}, {"command", command_line(request, command)}),
		"%s%s%s requested '%s': %s", user, local ? "" : " at ", local ? "" : request->node, command,
		effect(reply, text));
}
