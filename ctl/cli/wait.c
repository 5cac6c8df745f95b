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

#define QUIET_SECONDS 2

/* The packets for services, and those of servers with `forward: nat` to clients. Probes, heartbeats and packets that
 * are for no service do not count. */
static json_int_t service_packets(const json_t *stats)
{
	const json_t *lists[] = {
		json_object_get(stats, "services"), json_object_get(json_object_get(stats, "returned"), "services")};
	json_int_t sum = 0;
	const json_t *item;
	size_t i;

	for (int list = 0; list < 2; list++)
		json_array_foreach(lists[list], i, item) sum += json_integer_value(json_object_get(item, "packets"));
	return sum;
}

/* Returns false if the counters cannot be read; client->error says why. */
static bool read_packets(struct client *client, const json_t *request, json_int_t *packets)
{
	struct reply reply = {0};
	bool read = client_ask(client, request, &reply) == 0;

	*packets = read ? service_packets(reply.result) : 0;
	protocol_reply_free(&reply);
	return read;
}

bool wait_until_quiet(struct output *output, struct client *client, long long seconds)
{
	json_t *request = protocol_request(COMMAND_STATS, json_object());
	time_t end = now_seconds() + seconds;
	json_int_t before, packets = 0;
	bool quiet = false, over = false, readable = read_packets(client, request, &before);

	while (readable && !quiet && !over) {
		sleep(QUIET_SECONDS);
		readable = read_packets(client, request, &packets);
		quiet = readable && packets == before;
		over = now_seconds() >= end;
		before = over ? before : packets;
	}
	json_decref(request);
	if (!readable)
		output_error(output, "%s", client->error);
	else if (!quiet)
		output_error(output,
			"packets for services still arrive after %lld s: %lld in the last %d s (does the program that "
			"moves the VIP use 'sipxdp-ctl health'?)",
			seconds, (long long)(packets - before), QUIET_SECONDS);
	return quiet;
}
