// SPDX-License-Identifier: GPL-2.0
/* See group_link.h. The thread owns `struct connection`; the queues and the flag `ended` are shared. */

#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <corosync/votequorum.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "group_link.h"
#include "message_queue.h"

#define RETRY_MSEC 1000 /* between two attempts to connect */
#define BUSY_MSEC 10    /* until corosync is asked again whether it accepts messages */
#define MESSAGE_MAX 65536
#define TURN 100 /* events that the event loop handles before it looks at its other sources */

/* Shared by the event loop and the thread. The side that ends last frees it. */
struct shared {
	struct message_queue *incoming, *outgoing;
	struct cpg_name name;
	atomic_int users;
	atomic_bool ended;
};

struct group_link {
	struct shared *shared;
	sd_event_source *source;
	struct queued *unhandled;
	group_link_handler *handler;
	void *data;
};

/* Of the thread. */
struct connection {
	struct shared *shared;
	cpg_handle_t cpg;
	quorum_handle_t quorum;
	votequorum_handle_t votequorum;
	uint32_t node;
	bool has_cpg, has_quorum, has_votequorum, no_quorum;
	int cpg_fd, quorum_fd;
	struct queued *unsent;
};

static void release(struct shared *shared)
{
	if (atomic_fetch_sub(&shared->users, 1) > 1)
		return;
	message_queue_free(shared->incoming);
	message_queue_free(shared->outgoing);
	free(shared);
}

/* --- thread: events */

/* If the event loop does not read, the queue is full. The link then misses an event, so it must end. */
static void report(struct shared *shared, const struct group_link_event *event)
{
	if (message_queue_put(shared->incoming, event, sizeof(*event), event->bytes, event->length))
		atomic_store(&shared->ended, true);
}

static const char *error_text(cs_error_t error)
{
	switch (error) {
	case CS_ERR_LIBRARY:
	case CS_ERR_NOT_EXIST:
		return "corosync does not run ('systemctl status corosync')";
	case CS_ERR_ACCESS:
		return "corosync refuses the user of sipxdpd (see 'uidgid' in corosync.conf(5))";
	default:
		return cs_strerror(error);
	}
}

static void report_fault(struct shared *shared, const char *what, cs_error_t error)
{
	struct group_link_event event = {.kind = GROUP_LINK_DISCONNECTED};

	snprintf(event.fault, sizeof(event.fault), "%s: %s", what, error_text(error));
	report(shared, &event);
}

static size_t copy_ids(const struct cpg_address *list, size_t count, struct group_id *out)
{
	count = count < GROUP_LINK_MEMBERS ? count : GROUP_LINK_MEMBERS;
	for (size_t i = 0; i < count; i++)
		out[i] = (struct group_id){list[i].nodeid, list[i].pid};
	return count;
}

static struct shared *shared_of(cpg_handle_t handle)
{
	void *context = NULL;

	cpg_context_get(handle, &context);
	return context;
}

/* A message that is too long cannot come from a member; without its bytes it is invalid. */
static void on_message(
	cpg_handle_t handle, const struct cpg_name *name, uint32_t node, uint32_t pid, void *bytes, size_t length)
{
	const struct group_link_event event = {.kind = GROUP_LINK_MESSAGE,
		.id = {node, pid},
		.bytes = bytes,
		.length = length <= MESSAGE_MAX ? length : 0};

	(void)name;
	report(shared_of(handle), &event);
}

static void on_members(cpg_handle_t handle, const struct cpg_name *name, const struct cpg_address *members,
	size_t member_count, const struct cpg_address *left, size_t left_count, const struct cpg_address *joined,
	size_t joined_count)
{
	struct group_link_event event = {.kind = GROUP_LINK_MEMBERS_SET};

	(void)name, (void)left, (void)left_count;
	event.member_count = copy_ids(members, member_count, event.members);
	event.joined_count = copy_ids(joined, joined_count, event.joined);
	report(shared_of(handle), &event);
}

/* Only for the report: without it the quorum is still known. */
static void read_votes(const struct connection *connection, struct group_link_event *event)
{
	struct votequorum_info info;

	if (!connection->has_votequorum || votequorum_getinfo(connection->votequorum, connection->node, &info) != CS_OK)
		return;
	event->votes = info.total_votes;
	event->votes_expected = info.highest_expected;
}

static void on_quorum(quorum_handle_t handle, uint32_t quorate, uint64_t ring, uint32_t count, uint32_t *nodes)
{
	const struct connection *connection;
	struct group_link_event event = {.kind = GROUP_LINK_QUORUM, .quorate = quorate};
	const void *context = NULL;

	(void)ring;
	for (; event.member_count < count && event.member_count < GROUP_LINK_MEMBERS; event.member_count++)
		event.members[event.member_count].node = nodes[event.member_count];
	quorum_context_get(handle, &context);
	connection = context;
	event.no_quorum = connection->no_quorum;
	event.quorate |= connection->no_quorum;
	read_votes(connection, &event);
	report(connection->shared, &event);
}

/* --- thread: connection */

static void disconnect(struct connection *connection)
{
	if (connection->has_votequorum)
		votequorum_finalize(connection->votequorum);
	if (connection->has_quorum)
		quorum_finalize(connection->quorum);
	if (connection->has_cpg)
		cpg_finalize(connection->cpg);
	connection->has_votequorum = connection->has_quorum = connection->has_cpg = false;
	message_queue_drop(connection->unsent);
	message_queue_drop(message_queue_take(connection->shared->outgoing));
	connection->unsent = NULL;
}

static cs_error_t follow_quorum(struct connection *connection)
{
	static const quorum_callbacks_t callbacks = {.quorum_notify_fn = on_quorum};
	uint32_t type = QUORUM_SET;
	cs_error_t error = quorum_initialize(&connection->quorum, (quorum_callbacks_t *)&callbacks, &type);

	if (error != CS_OK)
		return error;
	connection->has_quorum = true;
	connection->no_quorum = type == QUORUM_FREE;
	if (!connection->no_quorum)
		connection->has_votequorum = votequorum_initialize(&connection->votequorum, NULL) == CS_OK;
	quorum_context_set(connection->quorum, connection);
	error = quorum_fd_get(connection->quorum, &connection->quorum_fd);
	if (error == CS_OK && connection->no_quorum)
		on_quorum(connection->quorum, true, 0, 0, NULL);
	else if (error == CS_OK)
		error = quorum_trackstart(connection->quorum, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
	return error;
}

static cs_error_t join(struct connection *connection)
{
	static const cpg_callbacks_t callbacks = {.cpg_deliver_fn = on_message, .cpg_confchg_fn = on_members};
	struct group_link_event event = {.kind = GROUP_LINK_CONNECTED, .id.pid = getpid()};
	cs_error_t error = cpg_initialize(&connection->cpg, (cpg_callbacks_t *)&callbacks);

	if (error != CS_OK)
		return error;
	connection->has_cpg = true;
	cpg_context_set(connection->cpg, connection->shared);
	error = cpg_fd_get(connection->cpg, &connection->cpg_fd);
	if (error == CS_OK)
		error = cpg_local_get(connection->cpg, &event.id.node);
	if (error != CS_OK)
		return error;
	connection->node = event.id.node;
	report(connection->shared, &event);
	return cpg_join(connection->cpg, &connection->shared->name);
}

static bool connect_group(struct connection *connection)
{
	const char *what = "cannot join the group";
	cs_error_t error = join(connection);

	if (error == CS_OK) {
		what = "cannot read the quorum";
		error = follow_quorum(connection);
	}
	if (error == CS_OK)
		return true;
	disconnect(connection);
	report_fault(connection->shared, what, error);
	return false;
}

/* Returns CS_ERR_TRY_AGAIN if messages remain because corosync is busy. */
static cs_error_t send_all(struct connection *connection)
{
	cs_error_t error = CS_OK;

	if (!connection->unsent)
		connection->unsent = message_queue_take(connection->shared->outgoing);
	while (connection->unsent && error == CS_OK) {
		struct queued *item = connection->unsent;
		const struct iovec part = {item->bytes, item->length};

		error = cpg_mcast_joined(connection->cpg, CPG_TYPE_AGREED, &part, 1);
		if (error == CS_OK) {
			connection->unsent = item->next;
			free(item);
		}
	}
	return error;
}

/* Waits for events and handles them. */
static cs_error_t run_once(struct connection *connection)
{
	struct pollfd files[] = {{.fd = connection->cpg_fd, .events = POLLIN},
		{.fd = connection->quorum_fd, .events = POLLIN},
		{.fd = message_queue_fd(connection->shared->outgoing), .events = POLLIN}};
	cs_error_t error = CS_OK;

	if (poll(files, connection->unsent ? 2 : 3, connection->unsent ? BUSY_MSEC : -1) < 0 && errno != EINTR)
		return CS_ERR_LIBRARY;
	if (files[0].revents)
		error = cpg_dispatch(connection->cpg, CS_DISPATCH_ALL);
	if (error == CS_OK && files[1].revents)
		error = quorum_dispatch(connection->quorum, CS_DISPATCH_ALL);
	if (error == CS_OK)
		error = send_all(connection);
	return error == CS_ERR_TRY_AGAIN ? CS_OK : error;
}

static void pause_connecting(struct connection *connection)
{
	struct pollfd file = {.fd = message_queue_fd(connection->shared->outgoing), .events = POLLIN};

	poll(&file, 1, RETRY_MSEC);
}

static void *run_thread(void *data)
{
	struct connection connection = {.shared = data};
	cs_error_t error;

	while (!atomic_load(&connection.shared->ended)) {
		if (!connection.has_cpg && !connect_group(&connection)) {
			pause_connecting(&connection);
			continue;
		}
		error = run_once(&connection);
		if (error == CS_OK)
			continue;
		disconnect(&connection);
		report_fault(connection.shared, "the connection has ended", error);
	}
	disconnect(&connection);
	release(connection.shared);
	return NULL;
}

/* --- event loop */

static void handle_next(struct group_link *link)
{
	struct queued *item = link->unhandled;
	struct group_link_event *event = (struct group_link_event *)item->bytes;

	event->bytes = item->bytes + sizeof(*event);
	link->unhandled = item->next;
	link->handler(event, link->data);
	free(item);
}

/* A flood of messages must not stop probes and commands. */
static int on_incoming(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct group_link *link = data;

	(void)source, (void)fd, (void)events;
	if (!link->unhandled)
		link->unhandled = message_queue_take(link->shared->incoming);
	for (int i = 0; i < TURN && link->unhandled; i++)
		handle_next(link);
	if (link->unhandled)
		message_queue_wake(link->shared->incoming);
	link->handler(NULL, link->data);
	return 0;
}

bool group_link_has_ended(const struct group_link *link)
{
	return atomic_load(&link->shared->ended);
}

int group_link_send(struct group_link *link, const uint8_t *message, size_t length)
{
	return message_queue_put(link->shared->outgoing, message, length, NULL, 0);
}

size_t group_link_backlog(const struct group_link *link)
{
	return message_queue_bytes(link->shared->outgoing);
}

void group_link_free(struct group_link *link)
{
	if (!link)
		return;
	sd_event_source_disable_unref(link->source);
	message_queue_drop(link->unhandled);
	atomic_store(&link->shared->ended, true);
	message_queue_wake(link->shared->outgoing);
	release(link->shared);
	free(link);
}

static int start_thread(struct shared *shared)
{
	pthread_t thread;
	int error;

	atomic_store(&shared->users, 2);
	error = pthread_create(&thread, NULL, run_thread, shared);
	if (error) {
		atomic_store(&shared->users, 1);
		return -error;
	}
	return -pthread_detach(thread);
}

int group_link_new(struct group_link **out, sd_event *event, const char *name, group_link_handler *handler, void *data)
{
	struct group_link *link = allocate(1, sizeof(*link));
	struct shared *shared = allocate(1, sizeof(*shared));
	int error;

	*link = (struct group_link){.shared = shared, .handler = handler, .data = data};
	atomic_store(&shared->users, 1);
	shared->name.length = snprintf(shared->name.value, sizeof(shared->name.value), "sipxdp/%s", name);
	error = message_queue_new(&shared->incoming);
	if (!error)
		error = message_queue_new(&shared->outgoing);
	if (!error)
		error = sd_event_add_io(
			event, &link->source, message_queue_fd(shared->incoming), EPOLLIN, on_incoming, link);
	if (error >= 0)
		error = start_thread(shared);
	if (error < 0) {
		sd_event_source_disable_unref(link->source);
		release(shared);
		free(link);
		return error;
	}
	*out = link;
	return 0;
}
