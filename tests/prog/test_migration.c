// SPDX-License-Identifier: GPL-2.0
/* Migration: which backend receives each message of a call while its slot migrates from PREVIOUS to OWNER, and
 * how the call is tracked. */

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "call_message.h"
#include "suite.h"

#define OWNER 2
#define PREVIOUS 3
#define OTHER 4
#define SLOTS 4096
#define MESSAGES 8

static const struct balancer_setup setup = {.slots = SLOTS};

static void load(void)
{
	suite_load(&setup);
}

TestSuite(migration, .init = load, .fini = suite_unload);

/* Starts a migration of pool 0: every slot has this owner and this previous owner. */
static void set_migration(uint16_t owner, uint16_t previous)
{
	call_set_owners(&setup, owner, previous, true);
}

/* A call while PREVIOUS hands its slot over to OWNER. */
static const struct {
	const char *name;
	struct message messages[MESSAGES];
} calls[] = {
	{"a new call goes to the owner", {INITIAL("INVITE", OWNER), WITHIN("ACK", OWNER), WITHIN("BYE", OWNER)}},
	{"an existing call stays with the previous owner", {WITHIN("BYE", PREVIOUS), WITHIN("BYE", PREVIOUS)}},
	{"re-INVITE, UPDATE and INFO of an existing call",
		{WITHIN("INVITE", PREVIOUS), WITHIN("ACK", PREVIOUS), WITHIN("UPDATE", PREVIOUS),
			WITHIN("INFO", PREVIOUS)}},
	{"credentials, retransmissions and CANCEL of a new call",
		{INITIAL("INVITE", OWNER), INITIAL("INVITE", OWNER), WITHIN("ACK", OWNER), INITIAL("INVITE", OWNER),
			INITIAL("CANCEL", OWNER), WITHIN("ACK", OWNER)}},
	{"PRACK", {INITIAL("INVITE", OWNER), WITHIN("PRACK", OWNER), WITHIN("ACK", OWNER)}},
	{"a CANCEL without its INVITE is not initial", {INITIAL("CANCEL", PREVIOUS)}},
	{"an ACK without its INVITE is not initial", {INITIAL("ACK", PREVIOUS)}},
	{"a response is not initial",
		{{"SIP/2.0 200 OK", TO_TAGGED, PREVIOUS, NULL, 0}, {"SIP/2.0 180 Ringing", TO, PREVIOUS, NULL, 0}}},
	{"a tracked call stays, even if it sends initial requests",
		{WITHIN("INVITE", PREVIOUS), INITIAL("INVITE", PREVIOUS), INITIAL("REGISTER", PREVIOUS)}},
	{"REGISTER and OPTIONS can be initial", {INITIAL("REGISTER", OWNER), INITIAL("OPTIONS", OWNER)}},
	{"SUBSCRIBE", {INITIAL("SUBSCRIBE", OWNER), WITHIN("SUBSCRIBE", OWNER)}},
	{"an unknown method", {INITIAL("NEWTHING", OWNER)}},
};

Test(migration, calls)
{
	set_migration(OWNER, PREVIOUS);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (size_t j = 0; j < MESSAGES && calls[i].messages[j].line; j++) {
			const struct message *message = &calls[i].messages[j];
			char call_id[32];
			uint32_t receiver;

			snprintf(call_id, sizeof(call_id), "call-%zu@example.com", i);
			receiver = send_sip(call_id, message, j % 2 ? "192.0.2.10" : "2001:db8::10");
			cr_expect_eq(receiver, message->receiver, "%s: message %zu went to backend %u, not %u",
				calls[i].name, j + 1, receiver, message->receiver);
		}
}

Test(migration, recording_sends_to_the_owner_and_tracks_calls)
{
	const struct message invite = INITIAL("INVITE", OWNER), bye = WITHIN("BYE", OWNER);

	set_migration(OWNER, OWNER);
	cr_expect_eq(send_sip("a@example.com", &invite, NULL), OWNER);
	cr_expect_eq(send_sip("b@example.com", &bye, NULL), OWNER);
	set_migration(OTHER, OWNER);
	cr_expect_eq(send_sip("a@example.com", &invite, NULL), OWNER, "tracked: the same INVITE with credentials");
	cr_expect_eq(send_sip("c@example.com", &invite, NULL), OTHER);
}

Test(migration, a_slot_that_does_not_migrate)
{
	const struct message bye = WITHIN("BYE", OWNER);

	set_migration(OWNER, 0);
	cr_expect_eq(send_sip("a@example.com", &bye, NULL), OWNER);
	set_migration(OTHER, OWNER);
	cr_expect_eq(send_sip("a@example.com", &(struct message)INITIAL("INVITE", 0), NULL), OTHER,
		"the call was not tracked");
}

Test(migration, a_dead_backend_receives_nothing)
{
	const struct message invite = INITIAL("INVITE", 0), bye = WITHIN("BYE", 0);

	set_migration(OWNER, PREVIOUS);
	cr_expect_eq(send_sip("a@example.com", &invite, NULL), OWNER);
	cr_expect_eq(send_sip("b@example.com", &bye, NULL), PREVIOUS);
	call_set_alive(&setup, PREVIOUS, false);
	cr_expect_eq(send_sip("b@example.com", &bye, NULL), OWNER,
		"the entry of the tracked call is void, and the slot has a new owner");
	set_migration(OTHER, PREVIOUS);
	cr_expect_eq(send_sip("a@example.com", &bye, NULL), OWNER);
	call_set_alive(&setup, OWNER, false);
	cr_expect_eq(send_sip("a@example.com", &bye, NULL), OTHER);
}

Test(migration, a_call_does_not_return_to_a_recovered_backend)
{
	const struct message invite = INITIAL("INVITE", 0), info = WITHIN("INFO", 0), bye = WITHIN("BYE", 0);

	set_migration(OWNER, PREVIOUS);
	cr_expect_eq(send_sip("a@example.com", &invite, NULL), OWNER);
	cr_expect_eq(send_sip("b@example.com", &invite, NULL), OWNER);
	call_set_alive(&setup, OWNER, false);
	set_migration(OTHER, PREVIOUS);
	cr_expect_eq(
		send_sip("a@example.com", &info, NULL), OTHER, "the entry is void, and PREVIOUS never had the call");
	cr_expect_eq(send_sip("b@example.com", &bye, NULL), OTHER, "the same for b");
	cr_expect_eq(send_sip("c@example.com", &bye, NULL), PREVIOUS, "c is not tracked");
	call_set_alive(&setup, OWNER, true);
	set_migration(OWNER, OTHER);
	cr_expect_eq(send_sip("a@example.com", &bye, NULL), OTHER, "the call moved to OTHER");
	cr_expect_eq(send_sip("b@example.com", &bye, NULL), OTHER, "a retransmission goes to the same backend");
}

static uint32_t send_tcp(const char *source, uint16_t source_port, uint8_t flags)
{
	/* The TCP header after the ports: sequence numbers, header length, flags. */
	char rest[16] = {[8] = 5 << 4, [9] = flags};
	static struct frame frame;

	frame_build(&frame, &(struct frame_spec){.source = source,
				    .source_port = source_port,
				    .destination_port = 5061,
				    .protocol = IPPROTO_TCP,
				    .payload = rest,
				    .payload_length = sizeof(rest)});
	return balancer_run(skel, &frame) == XDP_TX ? balancer_receiver(&frame) : 0;
}

Test(migration, a_connection_stays_and_a_new_connection_goes_to_the_new_owner)
{
	const uint8_t syn = 0x02, ack = 0x10;

	set_migration(OWNER, PREVIOUS);
	cr_expect_eq(send_tcp("198.51.100.7", 40000, ack), PREVIOUS);
	cr_expect_eq(send_tcp("198.51.100.7", 40001, syn), OWNER);
	cr_expect_eq(send_tcp("198.51.100.7", 40001, ack), OWNER);
	cr_expect_eq(send_tcp("198.51.100.7", 40000, ack), PREVIOUS);
	cr_expect_eq(send_tcp("198.51.100.7", 40002, syn | ack), PREVIOUS, "SYN-ACK does not open a connection");
}

Test(migration, packets_without_sip_are_initial_unless_tracked)
{
	struct frame_spec keepalive = {.payload = "\r\n\r\n"};

	set_migration(PREVIOUS, PREVIOUS);
	cr_expect_eq(call_receiver(&keepalive), PREVIOUS);
	set_migration(OWNER, PREVIOUS);
	cr_expect_eq(call_receiver(&keepalive), PREVIOUS, "tracked while recording");
	keepalive.source_port = 40000;
	cr_expect_eq(call_receiver(&keepalive), OWNER);
}

/* The entry from which user space counts calls. */
static struct tracked_call tracked_call_of(const char *call_id)
{
	uint64_t hash = balancer_hash(call_id, strlen(call_id));
	struct tracked_key key = {.hash = hash, .slot = hash & (SLOTS - 1)};
	struct tracked_call tracked = {0};

	bpf_map_lookup_elem(bpf_map__fd(skel->maps.tracked_calls), &key, &tracked);
	return tracked;
}

Test(migration, a_tracked_call_shows_whether_it_has_ended)
{
	const struct message invite = INITIAL("INVITE", 0), ack = WITHIN("ACK", 0), bye = WITHIN("BYE", 0),
			     options = INITIAL("OPTIONS", 0), update = WITHIN("UPDATE", 0);

	set_migration(OWNER, PREVIOUS);
	send_sip("a@example.com", &invite, NULL);
	send_sip("a@example.com", &ack, NULL);
	cr_expect_eq(tracked_call_of("a@example.com").backend, OWNER);
	cr_expect_neq(tracked_call_of("a@example.com").seen, 0);
	cr_expect_eq(tracked_call_of("a@example.com").ended, 0);
	send_sip("a@example.com", &bye, NULL);
	send_sip("a@example.com", &ack, NULL);
	cr_expect_neq(tracked_call_of("a@example.com").ended, 0);
	send_sip("b@example.com", &options, NULL);
	cr_expect_eq(tracked_call_of("b@example.com").backend, 0, "OPTIONS starts no call");
	cr_expect(!strncmp(tracked_call_of("a@example.com").call_id, "a@example.com\r\n", 15));
	send_sip("c@example.com", &update, NULL);
	cr_expect_eq(tracked_call_of("c@example.com").ended, 0);
	cr_expect_eq(tracked_call_of("c@example.com").backend, PREVIOUS);
}

/* The ACK of a failed INVITE has the branch of the INVITE. A request with credentials starts a new transaction. */
Test(migration, a_rejected_call_has_ended)
{
	const struct message invite = INITIAL("INVITE", 0), again = WITHIN("INVITE", 0);
	struct message ack = WITHIN("ACK", 0), credentials = invite;

	credentials.branch = "new";
	credentials.number = 2;
	ack.branch = "INV";
	set_migration(OWNER, PREVIOUS);
	send_sip("a@example.com", &invite, NULL);
	send_sip("a@example.com", &ack, NULL);
	cr_expect_neq(tracked_call_of("a@example.com").ended, 0);
	cr_expect_eq(send_sip("a@example.com", &invite, NULL), OWNER);
	cr_expect_neq(tracked_call_of("a@example.com").ended, 0, "a late retransmission");
	cr_expect_eq(send_sip("a@example.com", &credentials, NULL), OWNER);
	cr_expect_eq(tracked_call_of("a@example.com").ended, 0);
	send_sip("b@example.com", &invite, NULL);
	send_sip("b@example.com", &again, NULL);
	send_sip("b@example.com", &ack, NULL);
	cr_expect_eq(tracked_call_of("b@example.com").ended, 0, "a failed re-INVITE does not end the call");
}

/* Makes all tracked calls and transactions older by `seconds`. */
static void age_tracked_calls(uint32_t seconds)
{
	int calls_fd = bpf_map__fd(skel->maps.tracked_calls), transactions_fd = bpf_map__fd(skel->maps.transactions);
	struct tracked_key key, *previous;
	struct transaction transaction;
	struct tracked_call tracked;

	for (previous = NULL; !bpf_map_get_next_key(calls_fd, previous, &key); previous = &key) {
		run_must(bpf_map_lookup_elem(calls_fd, &key, &tracked), "tracked_calls");
		tracked.seen -= seconds;
		run_must(bpf_map_update_elem(calls_fd, &key, &tracked, BPF_ANY), "tracked_calls");
	}
	for (previous = NULL; !bpf_map_get_next_key(transactions_fd, previous, &key); previous = &key) {
		run_must(bpf_map_lookup_elem(transactions_fd, &key, &transaction), "transactions");
		transaction.seen -= seconds;
		run_must(bpf_map_update_elem(transactions_fd, &key, &transaction, BPF_ANY), "transactions");
	}
}

/* Requests outside calls do not evict tracked calls. */
Test(migration, other_requests_do_not_evict_tracked_calls)
{
	const struct message options = INITIAL("OPTIONS", 0), bye = WITHIN("BYE", 0), invite = INITIAL("INVITE", 0);
	char call_id[32];

	set_migration(OWNER, PREVIOUS);
	for (int i = 0; i < 200; i++) {
		snprintf(call_id, sizeof(call_id), "call-%d@example.com", i);
		send_sip(call_id, &invite, NULL);
	}
	for (int i = 0; i < TEST_CALLS * 5 / 4; i++) {
		snprintf(call_id, sizeof(call_id), "%d@stranger.example", i);
		send_sip(call_id, &options, NULL);
	}
	for (int i = 0; i < 200; i++) {
		snprintf(call_id, sizeof(call_id), "call-%d@example.com", i);
		cr_assert_eq(send_sip(call_id, &bye, NULL), OWNER, "call %d", i);
	}
}

Test(migration, a_reused_call_id_goes_to_the_owner_after_its_call_has_ended)
{
	const struct message invite = INITIAL("INVITE", 0), bye = WITHIN("BYE", 0), registers = INITIAL("REGISTER", 0);

	set_migration(PREVIOUS, PREVIOUS);
	send_sip("call@example.com", &invite, NULL);
	send_sip("ended@example.com", &invite, NULL);
	send_sip("ended@example.com", &bye, NULL);
	send_sip("phone@example.com", &registers, NULL);
	set_migration(OWNER, PREVIOUS);
	age_tracked_calls(4);
	cr_expect_eq(send_sip("phone@example.com", &registers, NULL), PREVIOUS,
		"a retransmission or a request with credentials");
	cr_expect_eq(send_sip("ended@example.com", &bye, NULL), PREVIOUS);
	age_tracked_calls(30);
	cr_expect_eq(send_sip("ended@example.com", &bye, NULL), PREVIOUS, "BYE is not initial");
	age_tracked_calls(30);
	cr_expect_eq(send_sip("call@example.com", &invite, NULL), PREVIOUS, "the call has not ended");
	cr_expect_eq(send_sip("ended@example.com", &invite, NULL), OWNER);
	cr_expect_eq(send_sip("phone@example.com", &registers, NULL), OWNER);
	cr_expect_eq(send_sip("phone@example.com", &registers, NULL), OWNER);
}

Test(migration, a_client_with_many_calls_stays_when_one_has_ended)
{
	static const char bye[] = "BYE sip:bob@example.com SIP/2.0\r\nTo: <sip:bob@example.com>;tag=1\r\n"
				  "Call-ID: a@example.com\r\n\r\n";
	static const char invite[] = "INVITE sip:bob@example.com SIP/2.0\r\nTo: <sip:bob@example.com>\r\n"
				     "Call-ID: b@example.com\r\n\r\n";
	const struct frame_spec ends = {.payload = bye, .destination_port = 5062},
				begins = {.payload = invite, .destination_port = 5062};

	set_migration(PREVIOUS, PREVIOUS);
	cr_expect_eq(call_receiver(&ends), PREVIOUS);
	set_migration(OWNER, PREVIOUS);
	age_tracked_calls(30);
	cr_expect_eq(call_receiver(&begins), PREVIOUS, "the key is the source, not the call");
}

Test(migration, a_connection_that_has_ended_moves)
{
	const uint8_t fin = 0x01, syn = 0x02, rst = 0x04, ack = 0x10;
	const uint8_t ends[] = {fin | ack, rst};

	for (int i = 0; i < 2; i++) {
		uint16_t port = 40000 + i;

		set_migration(PREVIOUS, PREVIOUS);
		cr_expect_eq(send_tcp("198.51.100.7", port, syn), PREVIOUS);
		cr_expect_eq(send_tcp("198.51.100.7", port, ack), PREVIOUS);
		age_tracked_calls(30);
		set_migration(OWNER, PREVIOUS);
		cr_expect_eq(
			send_tcp("198.51.100.7", port, syn), PREVIOUS, "the balancer has seen neither FIN nor RST");
		cr_expect_eq(send_tcp("198.51.100.7", port, ends[i]), PREVIOUS);
		cr_expect_eq(send_tcp("198.51.100.7", port, ack), PREVIOUS);
		age_tracked_calls(30);
		cr_expect_eq(send_tcp("198.51.100.7", port, ack), PREVIOUS);
		age_tracked_calls(30);
		cr_expect_eq(send_tcp("198.51.100.7", port, syn), OWNER, "a new connection from the same port");
	}
}

Test(migration, an_icmp_error_finds_the_call_and_tracks_nothing)
{
	static const char quoted[] = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKn\r\n"
				     "To: <sip:bob@example.com>;tag=1\r\nCall-ID: a@example.com\r\n\r\n";
	const struct frame_spec answer = {.source = "192.0.2.10", .destination = "198.51.100.7", .payload = quoted};
	const struct frame_spec error = {.protocol = IPPROTO_ICMP, .icmp_type = 3, .quote = &answer};
	const struct message invite = INITIAL("INVITE", 0);

	set_migration(OWNER, PREVIOUS);
	cr_expect_eq(call_receiver(&error), PREVIOUS);
	cr_expect_eq(tracked_call_of("a@example.com").backend, 0);
	send_sip("a@example.com", &invite, NULL);
	cr_expect_eq(call_receiver(&error), OWNER);
}
