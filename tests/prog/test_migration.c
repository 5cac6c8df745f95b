// SPDX-License-Identifier: GPL-2.0
/* Migration: which backend receives each message of a call while its slot migrates from PREVIOUS to OWNER, and
 * how the call is tracked. */

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "balancer.h"
#include "require.h"

#define OWNER 2
#define PREVIOUS 3
#define OTHER 4
#define SLOTS 4096
#define SAYINGS 8

static struct balancer_bpf *skel;
static const struct balancer_setup setup = {.slots = SLOTS};

static void load(void)
{
	require_run();
	skel = balancer_load(&setup);
}

static void unload(void)
{
	balancer_bpf__destroy(skel);
}

TestSuite(migration, .init = load, .fini = unload);

/* Puts pool 0 into migration: every slot has this owner and this previous one. */
static void set_migration(uint16_t owner, uint16_t previous)
{
	uint16_t owners[SLOTS], previous_owners[SLOTS];
	struct pool pool = {.table = 0, .migrating = 1};
	uint32_t zero = 0;

	for (int i = 0; i < SLOTS; i++) {
		owners[i] = owner;
		previous_owners[i] = previous;
	}
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.tables), &zero, owners, BPF_ANY), "tables");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.previous_owners), &zero, previous_owners, BPF_ANY),
		"previous_owners");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &zero, &pool, BPF_ANY), "pools");
}

static void set_alive(uint32_t id, bool alive)
{
	struct backend backend = balancer_backend(&setup, id);

	backend.alive = alive;
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.backends), &id, &backend, BPF_ANY), "backends");
}

/* One message of a call: its first line, its To, and the expected backend. */
struct saying {
	const char *line;
	const char *to;
	uint32_t receiver;
	const char *branch; /* NULL: its own */
	int number;         /* of CSeq; 0: 1 */
};

#define TO "<sip:bob@example.com>"
#define TO_TAGGED "<sip:bob@example.com>;tag=314159"
#define REQUEST(method) method " sip:bob@example.com SIP/2.0"
#define INITIAL(method, who)                                                                                           \
	{                                                                                                              \
		.line = REQUEST(method), .to = TO, .receiver = who                                                     \
	}
#define WITHIN(method, who)                                                                                            \
	{                                                                                                              \
		.line = REQUEST(method), .to = TO_TAGGED, .receiver = who                                              \
	}

static uint32_t receiver_of(const struct frame_spec *spec)
{
	static struct frame frame;

	frame_build(&frame, spec);
	if (balancer_run(skel, &frame) != XDP_TX)
		return 0;
	return balancer_receiver(&frame);
}

/* Each line has a branch of its own. */
static uint32_t say(const char *call_id, const struct saying *saying, const char *destination)
{
	const char *branch = saying->branch ? saying->branch : saying->line;
	char text[1024];

	snprintf(text, sizeof(text),
		"%s\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK%.3s\r\nMax-Forwards: 70\r\n"
		"To: Bob %s\r\nFrom: Alice <sip:alice@example.com>;tag=1928301774\r\nCall-ID: %s\r\n"
		"CSeq: %d X\r\nContent-Length: 0\r\n\r\n",
		saying->line, branch, saying->to, call_id, saying->number ? saying->number : 1);
	return receiver_of(&(struct frame_spec){.payload = text, .destination = destination});
}

/* A call while PREVIOUS hands its slot over to OWNER. */
static const struct {
	const char *name;
	struct saying sayings[SAYINGS];
} calls[] = {
	{"a new call is the new owner's", {INITIAL("INVITE", OWNER), WITHIN("ACK", OWNER), WITHIN("BYE", OWNER)}},
	{"a call that was there stays", {WITHIN("BYE", PREVIOUS), WITHIN("BYE", PREVIOUS)}},
	{"re-INVITE, UPDATE and INFO of a call that was there",
		{WITHIN("INVITE", PREVIOUS), WITHIN("ACK", PREVIOUS), WITHIN("UPDATE", PREVIOUS),
			WITHIN("INFO", PREVIOUS)}},
	{"credentials, retransmissions and CANCEL of a new one",
		{INITIAL("INVITE", OWNER), INITIAL("INVITE", OWNER), WITHIN("ACK", OWNER), INITIAL("INVITE", OWNER),
			INITIAL("CANCEL", OWNER), WITHIN("ACK", OWNER)}},
	{"PRACK", {INITIAL("INVITE", OWNER), WITHIN("PRACK", OWNER), WITHIN("ACK", OWNER)}},
	{"a CANCEL alone continues something", {INITIAL("CANCEL", PREVIOUS)}},
	{"an ACK alone, too", {INITIAL("ACK", PREVIOUS)}},
	{"a response continues something",
		{{"SIP/2.0 200 OK", TO_TAGGED, PREVIOUS, NULL, 0}, {"SIP/2.0 180 Ringing", TO, PREVIOUS, NULL, 0}}},
	{"what was noted stays, opening or not",
		{WITHIN("INVITE", PREVIOUS), INITIAL("INVITE", PREVIOUS), INITIAL("REGISTER", PREVIOUS)}},
	{"any method may open", {INITIAL("REGISTER", OWNER), INITIAL("OPTIONS", OWNER)}},
	{"SUBSCRIBE", {INITIAL("SUBSCRIBE", OWNER), WITHIN("SUBSCRIBE", OWNER)}},
	{"a method that nobody knows", {INITIAL("NEWTHING", OWNER)}},
};

Test(migration, calls)
{
	set_migration(OWNER, PREVIOUS);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (size_t j = 0; j < SAYINGS && calls[i].sayings[j].line; j++) {
			const struct saying *saying = &calls[i].sayings[j];
			char call_id[32];
			uint32_t receiver;

			snprintf(call_id, sizeof(call_id), "call-%zu@example.com", i);
			receiver = say(call_id, saying, j % 2 ? "192.0.2.10" : "2001:db8::10");
			cr_expect_eq(receiver, saying->receiver, "%s: message %zu to backend %u, not %u", calls[i].name,
				j + 1, receiver, saying->receiver);
		}
}

Test(migration, while_it_is_recorded_all_is_the_owners_and_is_noted)
{
	const struct saying invite = INITIAL("INVITE", OWNER), bye = WITHIN("BYE", OWNER);

	set_migration(OWNER, OWNER);
	cr_expect_eq(say("a@example.com", &invite, NULL), OWNER);
	cr_expect_eq(say("b@example.com", &bye, NULL), OWNER);
	set_migration(OTHER, OWNER);
	cr_expect_eq(say("a@example.com", &invite, NULL), OWNER, "recorded: the same INVITE, with credentials");
	cr_expect_eq(say("c@example.com", &invite, NULL), OTHER);
}

Test(migration, a_slot_that_is_not_in_migration_is_as_ever)
{
	const struct saying bye = WITHIN("BYE", OWNER);

	set_migration(OWNER, 0);
	cr_expect_eq(say("a@example.com", &bye, NULL), OWNER);
	set_migration(OTHER, OWNER);
	cr_expect_eq(say("a@example.com", &(struct saying)INITIAL("INVITE", 0), NULL), OTHER, "and nothing was noted");
}

Test(migration, who_is_dead_gets_nothing)
{
	const struct saying invite = INITIAL("INVITE", 0), bye = WITHIN("BYE", 0);

	set_migration(OWNER, PREVIOUS);
	cr_expect_eq(say("a@example.com", &invite, NULL), OWNER);
	cr_expect_eq(say("b@example.com", &bye, NULL), PREVIOUS);
	set_alive(PREVIOUS, false);
	cr_expect_eq(say("b@example.com", &bye, NULL), OWNER, "its tracked call is void, and it has the slot no more");
	set_migration(OTHER, PREVIOUS);
	cr_expect_eq(say("a@example.com", &bye, NULL), OWNER);
	set_alive(OWNER, false);
	cr_expect_eq(say("a@example.com", &bye, NULL), OTHER);
}

Test(migration, a_call_stays_where_it_went_when_its_backend_is_back)
{
	const struct saying invite = INITIAL("INVITE", 0), info = WITHIN("INFO", 0), bye = WITHIN("BYE", 0);

	set_migration(OWNER, PREVIOUS);
	cr_expect_eq(say("a@example.com", &invite, NULL), OWNER);
	cr_expect_eq(say("b@example.com", &invite, NULL), OWNER);
	set_alive(OWNER, false);
	set_migration(OTHER, PREVIOUS);
	cr_expect_eq(say("a@example.com", &info, NULL), OTHER,
		"the tracked call is void, and the call was never at PREVIOUS");
	cr_expect_eq(say("b@example.com", &bye, NULL), OTHER, "likewise");
	cr_expect_eq(say("c@example.com", &bye, NULL), PREVIOUS, "of this one nothing is noted");
	set_alive(OWNER, true);
	set_migration(OWNER, OTHER);
	cr_expect_eq(say("a@example.com", &bye, NULL), OTHER, "the call went there");
	cr_expect_eq(say("b@example.com", &bye, NULL), OTHER, "the retransmission goes where the first one went");
}

static uint32_t send_tcp(const char *source, uint16_t source_port, uint8_t flags)
{
	/* What follows the ports: numbers, length of the header, flags. */
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

Test(migration, a_connection_stays_and_a_new_one_moves)
{
	const uint8_t syn = 0x02, ack = 0x10;

	set_migration(OWNER, PREVIOUS);
	cr_expect_eq(send_tcp("198.51.100.7", 40000, ack), PREVIOUS);
	cr_expect_eq(send_tcp("198.51.100.7", 40001, syn), OWNER);
	cr_expect_eq(send_tcp("198.51.100.7", 40001, ack), OWNER);
	cr_expect_eq(send_tcp("198.51.100.7", 40000, ack), PREVIOUS);
	cr_expect_eq(send_tcp("198.51.100.7", 40002, syn | ack), PREVIOUS, "nobody opens with that");
}

Test(migration, what_is_no_sip_opens_something_unless_it_was_there)
{
	struct frame_spec keepalive = {.payload = "\r\n\r\n"};

	set_migration(PREVIOUS, PREVIOUS);
	cr_expect_eq(receiver_of(&keepalive), PREVIOUS);
	set_migration(OWNER, PREVIOUS);
	cr_expect_eq(receiver_of(&keepalive), PREVIOUS, "was recorded");
	keepalive.source_port = 40000;
	cr_expect_eq(receiver_of(&keepalive), OWNER);
}

/* What user space counts calls by. */
static struct tracked_call tracked_call_of(const char *call_id)
{
	uint64_t hash = balancer_hash(call_id, strlen(call_id));
	struct tracked_key key = {.hash = hash, .slot = hash & (SLOTS - 1)};
	struct tracked_call tracked = {0};

	bpf_map_lookup_elem(bpf_map__fd(skel->maps.tracked_calls), &key, &tracked);
	return tracked;
}

Test(migration, a_note_says_whether_the_call_goes_on)
{
	const struct saying invite = INITIAL("INVITE", 0), ack = WITHIN("ACK", 0), bye = WITHIN("BYE", 0),
			    options = INITIAL("OPTIONS", 0), update = WITHIN("UPDATE", 0);

	set_migration(OWNER, PREVIOUS);
	say("a@example.com", &invite, NULL);
	say("a@example.com", &ack, NULL);
	cr_expect_eq(tracked_call_of("a@example.com").backend, OWNER);
	cr_expect_neq(tracked_call_of("a@example.com").seen, 0);
	cr_expect_eq(tracked_call_of("a@example.com").ended, 0);
	say("a@example.com", &bye, NULL);
	say("a@example.com", &ack, NULL);
	cr_expect_neq(tracked_call_of("a@example.com").ended, 0);
	say("b@example.com", &options, NULL);
	cr_expect_eq(tracked_call_of("b@example.com").backend, 0, "never was a call");
	cr_expect(!strncmp(tracked_call_of("a@example.com").call_id, "a@example.com\r\n", 15));
	say("c@example.com", &update, NULL);
	cr_expect_eq(tracked_call_of("c@example.com").ended, 0);
	cr_expect_eq(tracked_call_of("c@example.com").backend, PREVIOUS);
}

/* The ACK of an INVITE that failed has its branch, and credentials begin anew. */
Test(migration, a_call_that_is_turned_away_is_over)
{
	const struct saying invite = INITIAL("INVITE", 0), again = WITHIN("INVITE", 0);
	struct saying ack = WITHIN("ACK", 0), credentials = invite;

	credentials.branch = "new";
	credentials.number = 2;
	ack.branch = "INV";
	set_migration(OWNER, PREVIOUS);
	say("a@example.com", &invite, NULL);
	say("a@example.com", &ack, NULL);
	cr_expect_neq(tracked_call_of("a@example.com").ended, 0);
	cr_expect_eq(say("a@example.com", &invite, NULL), OWNER);
	cr_expect_neq(tracked_call_of("a@example.com").ended, 0, "a retransmission that was late");
	cr_expect_eq(say("a@example.com", &credentials, NULL), OWNER);
	cr_expect_eq(tracked_call_of("a@example.com").ended, 0);
	say("b@example.com", &invite, NULL);
	say("b@example.com", &again, NULL);
	say("b@example.com", &ack, NULL);
	cr_expect_eq(tracked_call_of("b@example.com").ended, 0, "a re-INVITE that fails ends no call");
}

/* As if all packets had come so many seconds earlier. */
static void age_tracked_calls(uint32_t seconds)
{
	int notes = bpf_map__fd(skel->maps.tracked_calls), transactions = bpf_map__fd(skel->maps.transactions);
	struct tracked_key key, *previous;
	struct transaction transaction;
	struct tracked_call tracked;

	for (previous = NULL; !bpf_map_get_next_key(notes, previous, &key); previous = &key) {
		run_must(bpf_map_lookup_elem(notes, &key, &tracked), "tracked_calls");
		tracked.seen -= seconds;
		run_must(bpf_map_update_elem(notes, &key, &tracked, BPF_ANY), "tracked_calls");
	}
	for (previous = NULL; !bpf_map_get_next_key(transactions, previous, &key); previous = &key) {
		run_must(bpf_map_lookup_elem(transactions, &key, &transaction), "transactions");
		transaction.seen -= seconds;
		run_must(bpf_map_update_elem(transactions, &key, &transaction, BPF_ANY), "transactions");
	}
}

/* What is no call takes no room from calls. */
Test(migration, strangers_do_not_make_a_call_forgotten)
{
	const struct saying options = INITIAL("OPTIONS", 0), bye = WITHIN("BYE", 0), invite = INITIAL("INVITE", 0);
	char call_id[32];

	set_migration(OWNER, PREVIOUS);
	for (int i = 0; i < 200; i++) {
		snprintf(call_id, sizeof(call_id), "call-%d@example.com", i);
		say(call_id, &invite, NULL);
	}
	for (int i = 0; i < 300000; i++) {
		snprintf(call_id, sizeof(call_id), "%d@stranger.example", i);
		say(call_id, &options, NULL);
	}
	for (int i = 0; i < 200; i++) {
		snprintf(call_id, sizeof(call_id), "call-%d@example.com", i);
		cr_assert_eq(say(call_id, &bye, NULL), OWNER, "call %d", i);
	}
}

Test(migration, what_begins_anew_when_it_has_ended_moves)
{
	const struct saying invite = INITIAL("INVITE", 0), bye = WITHIN("BYE", 0), registers = INITIAL("REGISTER", 0);

	set_migration(PREVIOUS, PREVIOUS);
	say("call@example.com", &invite, NULL);
	say("ended@example.com", &invite, NULL);
	say("ended@example.com", &bye, NULL);
	say("phone@example.com", &registers, NULL);
	set_migration(OWNER, PREVIOUS);
	age_tracked_calls(4);
	cr_expect_eq(say("phone@example.com", &registers, NULL), PREVIOUS, "credentials, or a retransmission");
	cr_expect_eq(say("ended@example.com", &bye, NULL), PREVIOUS);
	age_tracked_calls(30);
	cr_expect_eq(say("ended@example.com", &bye, NULL), PREVIOUS, "no opening");
	age_tracked_calls(30);
	cr_expect_eq(say("call@example.com", &invite, NULL), PREVIOUS, "goes on");
	cr_expect_eq(say("ended@example.com", &invite, NULL), OWNER);
	cr_expect_eq(say("phone@example.com", &registers, NULL), OWNER);
	cr_expect_eq(say("phone@example.com", &registers, NULL), OWNER);
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
	cr_expect_eq(receiver_of(&ends), PREVIOUS);
	set_migration(OWNER, PREVIOUS);
	age_tracked_calls(30);
	cr_expect_eq(receiver_of(&begins), PREVIOUS, "affinity: source");
}

Test(migration, a_connection_ends)
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
		cr_expect_eq(send_tcp("198.51.100.7", port, syn), PREVIOUS, "goes on, as far as is known");
		cr_expect_eq(send_tcp("198.51.100.7", port, ends[i]), PREVIOUS);
		cr_expect_eq(send_tcp("198.51.100.7", port, ack), PREVIOUS);
		age_tracked_calls(30);
		cr_expect_eq(send_tcp("198.51.100.7", port, ack), PREVIOUS);
		age_tracked_calls(30);
		cr_expect_eq(send_tcp("198.51.100.7", port, syn), OWNER, "the port is used again");
	}
}

Test(migration, an_error_about_a_call_finds_it_and_notes_nothing)
{
	static const char quoted[] = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKn\r\n"
				     "To: <sip:bob@example.com>;tag=1\r\nCall-ID: a@example.com\r\n\r\n";
	const struct frame_spec answer = {.source = "192.0.2.10", .destination = "198.51.100.7", .payload = quoted};
	const struct frame_spec error = {.protocol = IPPROTO_ICMP, .icmp_type = 3, .quote = &answer};
	const struct saying invite = INITIAL("INVITE", 0);

	set_migration(OWNER, PREVIOUS);
	cr_expect_eq(receiver_of(&error), PREVIOUS);
	cr_expect_eq(tracked_call_of("a@example.com").backend, 0);
	say("a@example.com", &invite, NULL);
	cr_expect_eq(receiver_of(&error), OWNER);
}
