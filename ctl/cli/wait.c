// SPDX-License-Identifier: GPL-2.0
/* See wait.h. */

#include <string.h>
#include <time.h>
#include <unistd.h>
#include "wait.h"

static time_t now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Finds the backend in the reply; NULL if it is missing. The reply owns the result. */
static json_t *find(const struct reply *reply, const char *backend)
{
	json_t *item;
	size_t i;

	json_array_foreach(reply->result, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));

		if (name && !strcmp(name, backend))
			return item;
	}
	return NULL;
}

bool wait_until_empty(struct output *output, struct client *client, const char *pool, const char *backend, bool removed,
	long long seconds)
{
	json_t *request = protocol_request(COMMAND_BACKEND_LIST, json_pack("{s:s}", "pool", pool));
	time_t end = now_seconds() + seconds;
	bool empty = false, failed = false;
	long long calls = 0, connections = 0;

	while (!empty && !failed && now_seconds() < end) {
		struct reply reply = {0};
		json_t *line;

		sleep(1);
		failed = client_ask(client, request, &reply) < 0;
		line = failed ? NULL : find(&reply, backend);
		empty = !failed && (!line || (!removed && json_is_true(json_object_get(line, "empty"))));
		calls = json_integer_value(json_object_get(line, "tracked_calls"));
		connections = json_integer_value(json_object_get(line, "connections"));
		protocol_reply_free(&reply);
	}
	json_decref(request);
	if (failed)
		output_error(output, "%s", client->error);
	else if (!empty)
		output_error(output, "backend %s/%s is not %s after %lld s: about %lld calls remain", pool, backend,
			removed ? "removed" : "empty", seconds, calls);
	else if (connections)
		output_warning("backend %s/%s still has %lld connections; the calls over TCP and TLS are not counted",
			pool, backend, connections);
	return empty;
}
