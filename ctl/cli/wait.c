// SPDX-License-Identifier: GPL-2.0
/* See wait.h. */

#include <stdio.h>
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

/* Asks, and expects a result. Returns false if there is none, also because the daemon refuses the request;
 * client->error says why. The caller frees the reply in both cases. */
static bool ask(struct client *client, const json_t *request, struct reply *reply)
{
	if (client_ask(client, request, reply))
		return false;
	if (!reply->result)
		snprintf(client->error, sizeof(client->error), "%s", reply->error);
	return reply->result;
}

/* What one reply says about the backend. */
struct watched {
	bool is_missing, is_empty;
	char admin[16];
	long long calls, connections, slots;
};

static void note_line(const json_t *line, struct watched *watched)
{
	const char *admin = json_string_value(json_object_get(line, "admin"));

	*watched = (struct watched){.is_missing = !line,
		.is_empty = json_is_true(json_object_get(line, "empty")),
		.calls = json_integer_value(json_object_get(line, "tracked_calls")),
		.connections = json_integer_value(json_object_get(line, "connections")),
		.slots = json_integer_value(json_object_get(line, "slots"))};
	snprintf(watched->admin, sizeof(watched->admin), "%s", admin ? admin : "");
}

/* Asks for the backends of the pool, and finds this one. Returns false if there is no list; client->error says why. */
static bool watch(struct client *client, const json_t *request, const char *backend, struct watched *watched)
{
	struct reply reply = {0};
	json_t *item, *line = NULL;
	bool answered = ask(client, request, &reply);
	size_t i;

	json_array_foreach(reply.result, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));

		if (name && !strcmp(name, backend))
			line = item;
	}
	note_line(line, watched);
	protocol_reply_free(&reply);
	return answered;
}

enum progress {
	WAITING,
	ENDED,
	CANCELLED,
	REMOVED, /* without a proof that the calls had ended */
};

static bool is_admin(const struct watched *watched, const char *admin)
{
	return !strcmp(watched->admin, admin);
}

/* Compares two successive replies. A different operator may have turned the drain into a removal: the backend then
 * disappears when it has no more calls, perhaps before it counts as empty. */
static enum progress judge(const struct watched *now, const struct watched *before, bool removed)
{
	if (now->is_missing)
		return removed || (is_admin(before, "leaving") && !before->calls && !before->slots) ? ENDED : REMOVED;
	if (now->is_empty && !removed)
		return ENDED;
	/* `maint` does not cancel a removal. */
	if (is_admin(now, "leaving") || is_admin(now, removed ? "maint" : "drain"))
		return WAITING;
	return CANCELLED;
}

bool wait_until_empty(struct output *output, struct client *client, const char *pool, const char *backend, bool removed,
	long long seconds)
{
	json_t *request = protocol_request(COMMAND_BACKEND_LIST, json_pack("{s:s}", "pool", pool));
	time_t end = now_seconds() + seconds;
	enum progress progress = WAITING;
	struct watched now = {0};
	bool answered = true;

	while (answered && progress == WAITING && now_seconds() < end) {
		struct watched before = now;

		sleep(1);
		answered = watch(client, request, backend, &now);
		progress = answered ? judge(&now, &before, removed) : WAITING;
	}
	json_decref(request);
	if (!answered)
		output_error(output, "%s", client->error);
	else if (progress == WAITING)
		output_error(output, "backend %s/%s is not %s after %lld s: about %lld calls remain", pool, backend,
			removed ? "removed" : "empty", seconds, now.calls);
	else if (progress == CANCELLED)
		output_error(output, "the %s was cancelled: %s/%s is %s", removed ? "removal" : "drain", pool, backend,
			now.admin);
	else if (progress == REMOVED)
		output_error(output, "%s/%s was removed before its calls had ended", pool, backend);
	else if (now.connections)
		output_warning("backend %s/%s still has %lld connections; the calls over TCP and TLS are not counted",
			pool, backend, now.connections);
	return answered && progress == ENDED;
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
	bool read = ask(client, request, &reply);

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
