// SPDX-License-Identifier: GPL-2.0
/* The changes of tracked calls that the program collects for the other balancers of a group, and the program that
 * applies them there. */

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "bpf/abi_punt.h"
#include "call_message.h"
#include "pair.h"

#define OWNER 2
#define PREVIOUS 3
#define CALLS 24
#define STEPS 4000

static void set_migration(uint16_t owner, uint16_t previous)
{
	call_set_owners(&pair_setup, owner, previous, previous != 0);
}

static uint64_t lost(void)
{
	uint32_t class = PUNT_CLASS_CALLS;
	struct punt_reader reader;

	run_must(bpf_map_lookup_elem(bpf_map__fd(skel->maps.punt_readers), &class, &reader), "punt_readers");
	return reader.lost;
}

static void load(void)
{
	pair_load();
	for (int i = 0; i < 2; i++) {
		pair_use(&sides[1 - i]);
		set_migration(OWNER, PREVIOUS);
	}
}

TestSuite(shared_calls, .init = load, .fini = pair_unload);

/* --- what the program collects */

#define BEGIN INITIAL("INVITE", OWNER)
#define ACKNOWLEDGE                                                                                                    \
	{                                                                                                              \
		REQUEST("ACK"), TO_TAGGED, OWNER, "ACK", 1                                                             \
	}
#define END                                                                                                            \
	{                                                                                                              \
		REQUEST("BYE"), TO_TAGGED, OWNER, "BYE", 2                                                             \
	}

static const struct {
	const char *name;
	struct message message;
	uint32_t changes; /* that the message makes */
} messages[] = {
	{"INVITE begins a call", BEGIN, 1},
	{"its retransmission changes nothing", BEGIN, 0},
	{"ACK", ACKNOWLEDGE, 1},
	{"its retransmission", ACKNOWLEDGE, 0},
	{"INFO in the dialog", WITHIN("INFO", OWNER), 0},
	{"BYE", END, 1},
	{"its retransmission", END, 0},
};

Test(shared_calls, each_change_is_collected_once)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		cr_expect_eq(send_sip("a@example.com", &messages[i].message, NULL), OWNER, "%s", messages[i].name);
		cr_expect_eq(pair_exchange(&sides[0]), messages[i].changes, "%s", messages[i].name);
	}
}

/* Without a valid permission, a new call stays at the previous owner, unless that owner is dead. */
Test(shared_calls, a_permission_to_use_the_new_owners)
{
	const struct message begin = BEGIN;

	cr_expect_eq(send_sip("a@example.com", &begin, NULL), OWNER, "not limited");
	pair_renew(1);
	cr_expect_eq(send_sip("b@example.com", &begin, NULL), PREVIOUS, "the permission has ended");
	cr_expect_eq(send_sip("b@example.com", &(struct message)ACKNOWLEDGE, NULL), PREVIOUS);
	cr_expect_eq(send_sip("a@example.com", &(struct message)ACKNOWLEDGE, NULL), OWNER, "a tracked call");
	cr_expect_eq(pair_exchange(&sides[0]), 4);
	call_set_alive(&pair_setup, PREVIOUS, false);
	cr_expect_eq(send_sip("c@example.com", &begin, NULL), OWNER, "the previous owner is dead");
	call_set_alive(&pair_setup, PREVIOUS, true);
	pair_renew(UINT64_MAX);
	cr_expect_eq(send_sip("d@example.com", &begin, NULL), OWNER, "without an end");
	cr_expect_eq(send_sip("b@example.com", &(struct message)END, NULL), PREVIOUS);
	pair_renew(1);
	pair_share(false);
	cr_expect_eq(send_sip("e@example.com", &begin, NULL), OWNER, "no group");
}

Test(shared_calls, nothing_is_collected)
{
	cr_expect_eq(send_sip("a@example.com", &(struct message)INITIAL("REGISTER", OWNER), NULL), OWNER);
	cr_expect_eq(pair_exchange(&sides[0]), 0, "a transaction is not a call");
	pair_share(false);
	send_sip("b@example.com", &(struct message)BEGIN, NULL);
	cr_expect_eq(pair_exchange(&sides[0]), 0, "without a group");
	pair_share(true);
	set_migration(OWNER, 0);
	send_sip("c@example.com", &(struct message)BEGIN, NULL);
	cr_expect_eq(pair_exchange(&sides[0]), 0, "no slot migrates");
	cr_expect_eq(lost(), 0);
}

/* New calls use one half of the ring buffer; calls that exist have the other one. */
Test(shared_calls, a_flood_of_new_calls_leaves_room)
{
	char call_id[32];

	send_sip("a@example.com", &(struct message)BEGIN, NULL);
	for (int i = 0; i < 20000; i++) {
		snprintf(call_id, sizeof(call_id), "%d@example.com", i);
		send_sip(call_id, &(struct message)BEGIN, NULL);
	}
	cr_expect_gt(lost(), 0);
	cr_expect_lt(lost(), 20000);
	uint64_t before = lost();
	send_sip("a@example.com", &(struct message)ACKNOWLEDGE, NULL);
	send_sip("a@example.com", &(struct message)END, NULL);
	cr_expect_eq(lost(), before, "the call that exists is not affected");
}

/* --- what the other balancer makes of it */

Test(shared_calls, a_call_finds_its_server_at_the_other_balancer)
{
	send_sip("a@example.com", &(struct message)BEGIN, NULL);
	pair_exchange(&sides[0]);
	pair_use(&sides[1]);
	cr_expect_eq(send_sip("a@example.com", &(struct message)ACKNOWLEDGE, NULL), OWNER);
	cr_expect_eq(
		send_sip("b@example.com", &(struct message)WITHIN("ACK", PREVIOUS), NULL), PREVIOUS, "an unknown call");
}

Test(shared_calls, connections)
{
	static struct frame frame;
	const char rest[][16] = {{[8] = 5 << 4, [9] = 2}, {[8] = 5 << 4, [9] = 16}, {[8] = 5 << 4, [9] = 17}};
	const uint32_t changes[] = {0, 1, 1}; /* SYN: a transaction; data; FIN */

	for (int i = 0; i < 3; i++) {
		frame_build(&frame, &(struct frame_spec){.source_port = 4000,
					    .destination_port = 5061,
					    .protocol = IPPROTO_TCP,
					    .payload = rest[i],
					    .payload_length = sizeof(rest[i])});
		cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
		cr_expect_eq(balancer_receiver(&frame), OWNER);
		cr_expect_eq(pair_exchange(&sides[0]), changes[i], "segment %d", i);
	}
}

static bool find(const struct side *side, const struct tracked_key *key, struct tracked_call *out)
{
	return !bpf_map_lookup_elem(bpf_map__fd(side->balancer->maps.tracked_calls), key, out);
}

/* Both sides must track the same calls, with the same servers and dialogs. Returns their number. */
static int compare(void)
{
	struct tracked_key key, *previous = NULL;
	struct tracked_call ours, theirs;
	int count = 0;

	while (!bpf_map_get_next_key(bpf_map__fd(sides[0].balancer->maps.tracked_calls), previous, &key)) {
		previous = &key;
		cr_assert(find(&sides[0], &key, &ours));
		cr_assert(find(&sides[1], &key, &theirs));
		cr_expect_eq(ours.backend, theirs.backend);
		cr_expect_eq(!ours.ended, !theirs.ended);
		cr_expect_eq(ours.kind, theirs.kind);
		cr_expect(!memcmp(&ours.dialogs, &theirs.dialogs, sizeof(ours.dialogs)));
		count++;
	}
	return count;
}

static const struct message any[] = {INITIAL("INVITE", 0), INITIAL("SUBSCRIBE", 0), INITIAL("CANCEL", 0),
	INITIAL("ACK", 0), WITHIN("ACK", 0), WITHIN("INVITE", 0), WITHIN("UPDATE", 0), WITHIN("INFO", 0),
	WITHIN("BYE", 0), {"SIP/2.0 180 Ringing", TO_TAGGED, 0, NULL, 0}, {"SIP/2.0 200 OK", TO_TAGGED, 0, NULL, 0}};

/* Each message of a call arrives at either balancer. */
Test(shared_calls, random_messages_give_equal_calls)
{
	char call_id[32];

	srand(1);
	for (int step = 0; step < STEPS; step++) {
		struct message message = any[rand() % (sizeof(any) / sizeof(*any))];
		struct side *side = &sides[rand() % 2];

		message.number = 1 + rand() % 4;
		snprintf(call_id, sizeof(call_id), "random-%d@example.com", rand() % CALLS);
		pair_use(side);
		cr_expect_neq(send_sip(call_id, &message, NULL), 0);
		pair_exchange(side);
	}
	cr_expect_eq(compare(), CALLS);
}

/* --- copies of all calls */

/* Takes a copy of every call of the first side to the second one. */
static void copy_all(void)
{
	struct tracked_key key, *previous = NULL;
	struct call_batch *batch = sides[1].batch;

	batch->change_count = batch->copy_count = 0;
	while (!bpf_map_get_next_key(bpf_map__fd(sides[0].balancer->maps.tracked_calls), previous, &key)) {
		previous = &key;
		cr_assert_lt(batch->copy_count, CALL_COPIES);
		batch->copies[batch->copy_count].key = key;
		cr_assert(find(&sides[0], &key, &batch->copies[batch->copy_count++].call));
	}
	pair_apply(&sides[1]);
	batch->copy_count = 0;
}

/* The second balancer misses all messages up to a point, and then receives copies and further changes. */
Test(shared_calls, copies_give_equal_calls)
{
	char call_id[32];

	srand(2);
	for (int step = 0; step < STEPS; step++) {
		struct message message = any[rand() % (sizeof(any) / sizeof(*any))];

		message.number = 1 + rand() % 4;
		snprintf(call_id, sizeof(call_id), "random-%d@example.com", rand() % CALLS);
		send_sip(call_id, &message, NULL);
		if (step < STEPS / 2) {
			ring_buffer__consume(sides[0].ring);
			sides[1].batch->change_count = 0;
		} else if (step == STEPS / 2) {
			pair_exchange(&sides[0]);
			copy_all();
			compare();
			copy_all();
			compare();
		} else {
			pair_exchange(&sides[0]);
		}
	}
	cr_expect_eq(compare(), CALLS);
}

Test(shared_calls, a_late_copy_does_not_revive_a_call)
{
	struct call_batch *batch = sides[1].batch;
	struct tracked_call call;

	send_sip("a@example.com", &(struct message)BEGIN, NULL);
	send_sip("a@example.com", &(struct message)ACKNOWLEDGE, NULL);
	ring_buffer__consume(sides[0].ring);
	batch->copies[0].key = batch->changes[0].key;
	cr_assert(find(&sides[0], &batch->copies[0].key, &batch->copies[0].call));
	cr_expect_eq(batch->copies[0].call.ended, 0);
	batch->keeps_ended = true;
	send_sip("a@example.com", &(struct message)END, NULL);
	pair_exchange(&sides[0]);
	batch->change_count = 0;
	batch->copy_count = 1;
	pair_apply(&sides[1]);
	cr_assert(find(&sides[1], &batch->copies[0].key, &call));
	cr_expect_neq(call.ended, 0, "the copy is older than the end of the call");
	batch->copy_count = 0;
	batch->keeps_ended = false;
}

Test(shared_calls, a_copy_ends_a_call)
{
	struct call_batch *batch = sides[1].batch;
	struct tracked_call call;

	send_sip("a@example.com", &(struct message)BEGIN, NULL);
	send_sip("a@example.com", &(struct message)ACKNOWLEDGE, NULL);
	pair_exchange(&sides[0]);
	send_sip("a@example.com", &(struct message)END, NULL);
	copy_all();
	cr_assert(find(&sides[1], &batch->changes[0].key, &call));
	cr_expect_neq(call.ended, 0, "this side has missed the end");
}

/* --- what the writer does not apply */

Test(shared_calls, a_slot_at_rest_is_not_changed)
{
	struct tracked_call call;
	struct tracked_key key;

	send_sip("a@example.com", &(struct message)BEGIN, NULL);
	pair_use(&sides[1]);
	set_migration(OWNER, 0);
	cr_expect_eq(pair_exchange(&sides[0]), 1);
	cr_expect_eq(sides[1].batch->applied, 0);
	cr_expect(sides[1].batch->changes[0].flags & CALL_CHANGE_IGNORED, "the daemon applies it again later");
	key = sides[1].batch->changes[0].key;
	cr_expect_not(find(&sides[1], &key, &call));
	set_migration(OWNER, PREVIOUS);
	pair_apply(&sides[1]);
	cr_expect_eq(sides[1].batch->applied, 1);
	cr_expect(find(&sides[1], &key, &call));
}

/* An entry keeps its server while this is alive, because packets may be on their way to it. */
Test(shared_calls, the_server_of_a_known_call)
{
	struct call_batch *batch = sides[1].batch;
	struct tracked_call call;
	struct tracked_key key;

	send_sip("a@example.com", &(struct message)BEGIN, NULL);
	pair_exchange(&sides[0]);
	key = batch->changes[0].key;
	batch->changes[0].backend = PREVIOUS;
	pair_apply(&sides[1]);
	cr_assert(find(&sides[1], &key, &call));
	cr_expect_eq(call.backend, OWNER, "it has a live server");
	pair_use(&sides[1]);
	call_set_alive(&pair_setup, OWNER, false);
	pair_apply(&sides[1]);
	cr_assert(find(&sides[1], &key, &call));
	cr_expect_eq(call.backend, PREVIOUS, "its server has died");
}

/* --- a message that is faster than the change of the INVITE before it */

static const struct {
	const char *name;
	struct message early[2]; /* at the second balancer */
	uint16_t owner;          /* of all slots there */
	uint32_t receiver;       /* of the call there, after the change of the INVITE at the first balancer */
} guesses[] = {
	{"ACK", {WITHIN("ACK", 0)}, OWNER, OWNER},
	{"INVITE in the dialog", {WITHIN("INVITE", 0)}, OWNER, OWNER},
	{"a message that begins no call, and UPDATE", {WITHIN("OPTIONS", 0), WITHIN("UPDATE", 0)}, OWNER, OWNER},
	{"a message that begins no call", {WITHIN("OPTIONS", 0)}, OWNER, OWNER},
	{"an INVITE that begins the call is no guess", {INITIAL("INVITE", 0)}, PREVIOUS, PREVIOUS},
	{"and an ACK after it", {INITIAL("INVITE", 0), WITHIN("ACK", 0)}, PREVIOUS, PREVIOUS},
};

Test(shared_calls, the_beginning_of_a_call_corrects_a_guess)
{
	char call_id[32];

	for (size_t i = 0; i < sizeof(guesses) / sizeof(*guesses); i++) {
		snprintf(call_id, sizeof(call_id), "guess-%zu@example.com", i);
		pair_use(&sides[1]);
		set_migration(guesses[i].owner, PREVIOUS);
		for (int j = 0; j < 2 && guesses[i].early[j].line; j++)
			cr_expect_eq(send_sip(call_id, &guesses[i].early[j], NULL), PREVIOUS, "%s", guesses[i].name);
		pair_use(&sides[0]);
		cr_expect_eq(send_sip(call_id, &(struct message)BEGIN, NULL), OWNER, "%s", guesses[i].name);
		pair_exchange(&sides[0]);
		pair_exchange(&sides[1]);
		for (int j = 0; j < 2; j++) {
			pair_use(&sides[j]);
			cr_expect_eq(send_sip(call_id, &(struct message)WITHIN("INFO", 0), NULL),
				j ? guesses[i].receiver : OWNER, "%s: balancer %d", guesses[i].name, j);
		}
	}
}

/* A third balancer receives the guess before the change of the INVITE, or after it. */
Test(shared_calls, a_guess_of_another_balancer)
{
	struct call_batch *batch = sides[1].batch;
	struct call_change guess;

	send_sip("a@example.com", &(struct message)WITHIN("ACK", PREVIOUS), NULL);
	cr_expect_eq(pair_exchange(&sides[0]), 1);
	guess = batch->changes[0];
	cr_expect_not(guess.flags & CALL_CHANGE_NEW);
	cr_expect_eq(guess.backend, PREVIOUS);
	batch->changes[0].backend = OWNER;
	batch->changes[0].flags = CALL_CHANGE_NEW;
	pair_apply(&sides[1]);
	pair_use(&sides[1]);
	cr_expect_eq(send_sip("a@example.com", &(struct message)WITHIN("INFO", 0), NULL), OWNER, "corrected");
	batch->changes[0] = guess;
	pair_apply(&sides[1]);
	cr_expect_eq(send_sip("a@example.com", &(struct message)WITHIN("INFO", 0), NULL), OWNER, "a late guess");
	batch->changes[0].backend = PREVIOUS;
	batch->changes[0].flags = CALL_CHANGE_NEW;
	pair_apply(&sides[1]);
	cr_expect_eq(send_sip("a@example.com", &(struct message)WITHIN("INFO", 0), NULL), OWNER, "no guess any more");
}

Test(shared_calls, indexes_out_of_range)
{
	struct call_batch *batch = sides[1].batch;

	send_sip("a@example.com", &(struct message)BEGIN, NULL);
	pair_exchange(&sides[0]);
	batch->change_count = UINT32_MAX;
	for (int i = 0; i < CALL_BATCH; i++)
		batch->changes[i].key.pool = UINT32_MAX - i;
	pair_apply(&sides[1]);
	cr_expect_eq(batch->applied, 0);
}
