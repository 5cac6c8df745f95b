// SPDX-License-Identifier: GPL-2.0
/* Joins the process group of a group of balancers at the corosync of this host, and sends what no member sends. It
 * remains a member until a signal ends it. usage: group-hostile GROUP ATTACK [COUNT] */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/group/group_message.h"

#define HEARD_MAX 64
#define HEARD_SIZE 65536
#define KINDS (1 << GROUP_HELLO | 1 << GROUP_VOTES | 1 << GROUP_LINES)

struct heard {
	size_t length;
	uint8_t bytes[HEARD_SIZE];
};

static cpg_handle_t cpg;
static struct cpg_name name;
static struct heard heard[HEARD_MAX]; /* messages of the members */
static size_t heard_count;
static unsigned int heard_kinds;
static struct cpg_address members[CPG_MEMBERS_MAX];
static size_t member_count;
static uint32_t self; /* node */

static void on_message(
	cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid, void *bytes, size_t length)
{
	(void)handle, (void)group, (void)node, (void)pid;
	if (heard_count == HEARD_MAX || length > HEARD_SIZE)
		return;
	heard[heard_count].length = length;
	heard_kinds |= length > 5 ? 1U << (((uint8_t *)bytes)[5] & 31) : 0;
	memcpy(heard[heard_count++].bytes, bytes, length);
}

static void on_members(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *list, size_t count,
	const struct cpg_address *left, size_t left_count, const struct cpg_address *joined, size_t joined_count)
{
	(void)handle, (void)group, (void)left, (void)left_count, (void)joined, (void)joined_count;
	member_count = count;
	memcpy(members, list, count * sizeof(*list));
}

static void fail(const char *what, cs_error_t error)
{
	fprintf(stderr, "group-hostile: %s: %s\n", what, cs_strerror(error));
	exit(1);
}

static void send_bytes(const void *bytes, size_t length)
{
	const struct iovec part = {(void *)bytes, length};
	cs_error_t error;

	while ((error = cpg_mcast_joined(cpg, CPG_TYPE_AGREED, &part, 1)) == CS_ERR_TRY_AGAIN) {
		poll(NULL, 0, 1);
		cpg_dispatch(cpg, CS_DISPATCH_ALL);
	}
	if (error != CS_OK)
		fail("cannot send", error);
	cpg_dispatch(cpg, CS_DISPATCH_ALL);
}

static void join(void)
{
	static const cpg_callbacks_t callbacks = {.cpg_deliver_fn = on_message, .cpg_confchg_fn = on_members};
	cs_error_t error = cpg_initialize(&cpg, (cpg_callbacks_t *)&callbacks);

	if (error == CS_OK)
		error = cpg_local_get(cpg, &self);
	if (error == CS_OK)
		while ((error = cpg_join(cpg, &name)) == CS_ERR_TRY_AGAIN)
			poll(NULL, 0, 1);
	if (error != CS_OK)
		fail("cannot join", error);
}

/* Every member sends all its sets when a member appears. */
static void listen_to_members(void)
{
	struct pollfd file = {.events = POLLIN};

	cpg_fd_get(cpg, &file.fd);
	for (int turns = 0; turns < 100 && (heard_kinds & KINDS) != KINDS; turns++) {
		poll(&file, 1, 100);
		cpg_dispatch(cpg, CS_DISPATCH_ALL);
	}
}

/* --- attacks */

static void send_garbage(unsigned long count)
{
	uint8_t bytes[2048];

	for (unsigned long i = 0; i < count; i++) {
		size_t length = rand() % sizeof(bytes);

		for (size_t j = 0; j < length; j++)
			bytes[j] = rand();
		if (length > 8 && i % 2) { /* a valid header with arbitrary content */
			memcpy(bytes, "SXGR\1", 5);
			bytes[5] = rand() % 16;
		}
		send_bytes(bytes, length);
	}
}

/* The messages of the members, cut at random places. */
static void send_truncated(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		const struct heard *message = &heard[rand() % heard_count];

		send_bytes(message->bytes, rand() % (message->length + 1));
	}
}

/* The messages of the members with a few different bytes. */
static void send_changed(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		struct heard message = heard[rand() % heard_count];

		for (int changes = rand() % 4; message.length > 8 && changes >= 0; changes--)
			message.bytes[8 + rand() % (message.length - 8)] = rand();
		if (message.length > 8)
			message.bytes[7] = rand(); /* flags */
		send_bytes(message.bytes, message.length);
	}
}

static void send_replayed(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		send_bytes(heard[i % heard_count].bytes, heard[i % heard_count].length);
}

static void send_huge(unsigned long count)
{
	size_t length = 512 << 10;
	uint8_t *bytes = calloc(1, length);

	memcpy(bytes, "SXGR\1\2\0\3\xff\xff", 10); /* votes */
	for (unsigned long i = 0; i < count; i++)
		send_bytes(bytes, length);
	free(bytes);
}

/* The messages of the members in the format of a later release: its content is not known here. */
static void send_later(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		struct heard message = heard[i % heard_count];

		message.bytes[4] = GROUP_VERSION + 2;
		for (size_t j = 8; j < message.length; j++)
			message.bytes[j] = rand();
		send_bytes(message.bytes, message.length);
	}
}

/* Reports every member of the other hosts as silent. */
static void send_silent(unsigned long count)
{
	uint8_t bytes[GROUP_MESSAGE_SIZE];

	for (unsigned long i = 0; i < count; i++) {
		for (size_t j = 0; j < member_count; j++) {
			struct group_id id = {members[j].nodeid, members[j].pid};

			if (id.node != self)
				send_bytes(bytes, group_encode_silent(id, bytes));
		}
		poll(NULL, 0, 10);
	}
}

/* A complete set of votes about backends that do not exist, as large as corosync permits. */
static void send_votes(unsigned long count)
{
	static struct group_key keys[GROUP_VOTES_MAX];
	static enum group_vote votes[GROUP_VOTES_MAX];
	uint8_t bytes[GROUP_MESSAGE_SIZE];

	for (unsigned long i = 0; i < count; i++) {
		for (size_t j = 0; j < GROUP_VOTES_MAX; j++) {
			keys[j] = (struct group_key){rand(), (uint64_t)rand() << 32 | rand()};
			votes[j] = j % 2 ? GROUP_VOTE_UP : GROUP_VOTE_DOWN;
		}
		send_bytes(bytes, group_encode_votes(keys, votes, GROUP_VOTES_MAX, GROUP_FIRST | GROUP_LAST, bytes));
	}
}

/* Asks all members for their states, again and again. */
static void send_questions(unsigned long count)
{
	uint8_t bytes[GROUP_MESSAGE_SIZE];

	for (unsigned long i = 0; i < count; i++) {
		const struct group_shared question = {.asker = {self, getpid()}, .question = i};

		send_bytes(bytes, group_encode_shared(&question, NULL, 0, GROUP_ASK, bytes));
	}
}

/* Notes and claims of arbitrary states. */
static void send_states(unsigned long count)
{
	uint8_t bytes[GROUP_MESSAGE_SIZE];

	for (unsigned long i = 0; i < count; i++) {
		const struct heard *message = &heard[rand() % heard_count];
		struct group_shared state = {.asker = {self, getpid()}, .applied = UINT64_MAX, .history = rand()};
		struct group_message decoded;

		if (!group_message_decode(message->bytes, message->length, &decoded) && decoded.kind == GROUP_SHARED)
			state.view = decoded.shared.view;
		send_bytes(bytes, group_encode_shared(&state, NULL, 0, i % 2 ? GROUP_NOTE : GROUP_CLAIM, bytes));
	}
}

/* Changes that no member can apply. */
static void send_commands(unsigned long count)
{
	static const char *const texts[] = {
		"{\"command\":\"backend weight\",\"arguments\":{\"pool\":\"none\",\"backend\":\"none\",\"weight\":3}}",
		"{\"command\":\"guard block\"}",
		"{\"command\":\"log\",\"arguments\":{}}",
		"[[[[[[",
	};
	const struct group_change change = {.number = 1, .node = "lb9", .user = "nobody"};
	uint8_t bytes[GROUP_MESSAGE_SIZE];

	for (unsigned long i = 0; i < count; i++)
		send_bytes(bytes, group_encode_change(&change, texts[i % 4], strlen(texts[i % 4]), bytes));
}

static void join_and_leave(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		cpg_leave(cpg, &name);
		cpg_finalize(cpg);
		join();
		poll(NULL, 0, 20);
		cpg_dispatch(cpg, CS_DISPATCH_ALL);
	}
}

/* Neither sends nor reads. */
static void stay(unsigned long count)
{
	printf("%lu attacks\n", count);
	fflush(stdout);
	for (;;)
		pause();
}

static const struct attack {
	const char *name;
	void (*run)(unsigned long count);
} attacks[] = {
	{"garbage", send_garbage},
	{"truncated", send_truncated},
	{"changed", send_changed},
	{"replayed", send_replayed},
	{"huge", send_huge},
	{"later", send_later},
	{"silent", send_silent},
	{"votes", send_votes},
	{"questions", send_questions},
	{"states", send_states},
	{"commands", send_commands},
	{"join", join_and_leave},
	{"stay", stay},
};

int main(int argc, char **argv)
{
	unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;

	if (argc < 3) {
		fputs("usage: group-hostile GROUP ATTACK [COUNT]\n", stderr);
		return 2;
	}
	name.length = snprintf(name.value, sizeof(name.value), "sipxdp/%s", argv[1]);
	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
		if (strcmp(argv[2], attacks[i].name))
			continue;
		join();
		listen_to_members();
		if (!heard_count)
			fail("no member sends", CS_ERR_TIMEOUT);
		attacks[i].run(count);
		printf("%zu messages of members, %lu attacks\n", heard_count, count);
		fflush(stdout);
		cpg_dispatch(cpg, CS_DISPATCH_BLOCKING);
		return 0;
	}
	fprintf(stderr, "group-hostile: no attack has the name %s\n", argv[2]);
	return 2;
}
