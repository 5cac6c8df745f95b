// SPDX-License-Identifier: GPL-2.0
/* Calls that the program counts, and calls that it places: the sample, new calls by turn and new calls of a full
 * backend, and the number of calls of each backend. */

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "call_message.h"
#include "suite.h"

#define SLOTS 4096
#define BACKENDS 4
#define OWNER 1 /* of every slot, unless a test says otherwise */

static const struct balancer_setup setup = {.slots = SLOTS, .backends = BACKENDS};

static const struct message invite = INITIAL("INVITE", 0), ack = WITHIN("ACK", 0), bye = WITHIN("BYE", 0),
			    info = WITHIN("INFO", 0), options = INITIAL("OPTIONS", 0),
			    again = {.line = REQUEST("INVITE"), .to = TO, .branch = "new", .number = 2};

/* --- maps */

static void put(const struct bpf_map *map, uint32_t key, const void *value)
{
	run_must(bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY), bpf_map__name(map));
}

static void get(const struct bpf_map *map, uint32_t key, void *value)
{
	run_must(bpf_map_lookup_elem(bpf_map__fd(map), &key, value), bpf_map__name(map));
}

/* Every slot of pool 0 has this owner. */
static void set_owner(uint16_t owner)
{
	uint16_t owners[SLOTS];

	for (int i = 0; i < SLOTS; i++)
		owners[i] = owner;
	put(skel->maps.tables, 0, owners);
}

/* Pool 0 deals out the backends of `sequence` in turn. */
static void set_balance(uint32_t flags, const char *sequence)
{
	const struct balance balance = {.flags = flags, .new_calls = 1};
	const struct pool pool = {.table = 0, .balanced = 1};
	struct new_calls list = {0};

	for (int i = 0; i < NEW_CALLS; i++)
		list.backend[i] = sequence[i % strlen(sequence)] - '0';
	put(skel->maps.new_calls, 1, &list);
	put(skel->maps.balances, 0, &balance);
	put(skel->maps.pools, 0, &pool);
}

static struct backend_load load_of(uint32_t id)
{
	struct backend_load load;

	get(skel->maps.backend_loads, id, &load);
	return load;
}

static void set_full(uint32_t id, bool full)
{
	struct backend_load load = load_of(id);

	load.full = full;
	put(skel->maps.backend_loads, id, &load);
}

static struct balance_counters counters(void)
{
	uint64_t sums[sizeof(struct balance_counters) / sizeof(uint64_t)];
	struct balance_counters counters;

	run_counters(bpf_map__fd(skel->maps.balance_counters), 0, sums, sizeof(sums) / sizeof(*sums));
	memcpy(&counters, sums, sizeof(counters));
	return counters;
}

static struct tracked_key key_of(const char *call_id)
{
	uint64_t hash = balancer_hash(call_id, strlen(call_id));

	return (struct tracked_key){.hash = hash, .slot = hash & (SLOTS - 1)};
}

/* The entry of a call; its backend is 0 if there is none. */
static struct tracked_call entry_of(const char *call_id)
{
	struct tracked_key key = key_of(call_id);
	struct tracked_call call = {0};

	bpf_map_lookup_elem(bpf_map__fd(skel->maps.counted_calls), &key, &call);
	return call;
}

/* Makes the entry of a call and its transaction older by `seconds`. */
static void age(const char *call_id, uint32_t seconds)
{
	int calls = bpf_map__fd(skel->maps.counted_calls), transactions = bpf_map__fd(skel->maps.transactions);
	struct tracked_key key = key_of(call_id);
	struct transaction transaction;
	struct tracked_call call;

	if (!bpf_map_lookup_elem(calls, &key, &call)) {
		call.seen -= seconds;
		run_must(bpf_map_update_elem(calls, &key, &call, BPF_ANY), "counted_calls");
	}
	if (!bpf_map_lookup_elem(transactions, &key, &transaction)) {
		transaction.seen -= seconds;
		run_must(bpf_map_update_elem(transactions, &key, &transaction, BPF_ANY), "transactions");
	}
}

static void load(void)
{
	suite_load(&setup);
	set_owner(OWNER);
}

TestSuite(balance, .init = load, .fini = suite_unload);

/* --- calls */

/* Writes the next Call-ID that is, or is not, in the sample. */
static const char *next_call(bool sampled)
{
	static char call_id[32];
	static int number;

	do
		snprintf(call_id, sizeof(call_id), "%d@example.com", number++);
	while (call_is_sampled(balancer_hash(call_id, strlen(call_id))) != sampled);
	return call_id;
}

static uint32_t deliver(const char *call_id, const struct message *message)
{
	return send_sip(call_id, message, NULL);
}

/* --- the sample */

Test(balance, a_sampled_call_is_counted_while_it_lives)
{
	const char *call = next_call(true);

	deliver(call, &options);
	cr_expect_eq(entry_of(call).backend, 0, "OPTIONS starts no call");
	deliver(call, &invite);
	cr_expect_eq(load_of(OWNER).sampled, 1);
	cr_expect_eq(entry_of(call).backend, OWNER);
	cr_expect_eq(entry_of(call).kind, CALL_IS_INVITE);
	cr_expect(!strncmp(entry_of(call).call_id, call, strlen(call)));
	deliver(call, &invite);
	deliver(call, &ack);
	deliver(call, &info);
	cr_expect_eq(load_of(OWNER).sampled, 1, "one call");
	deliver(call, &bye);
	deliver(call, &bye);
	cr_expect_eq(load_of(OWNER).sampled, 0, "the call has ended once");
	cr_expect_neq(entry_of(call).ended, 0);
	cr_expect_eq(load_of(OWNER).placed, 0);
}

Test(balance, a_failed_call_ends_with_its_ack)
{
	const char *call = next_call(true);
	struct message failed = ack;

	failed.branch = "INV";
	deliver(call, &invite);
	deliver(call, &failed);
	cr_expect_eq(load_of(OWNER).sampled, 0);
	deliver(call, &again);
	cr_expect_eq(load_of(OWNER).sampled, 1, "the INVITE with credentials");
}

Test(balance, an_entry_that_the_daemon_ended_for_silence_lives_again)
{
	const char *call = next_call(true);
	struct tracked_key key = key_of(call);
	struct tracked_call entry;

	deliver(call, &invite);
	deliver(call, &ack);
	entry = entry_of(call);
	entry.ended = entry.seen;
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.counted_calls), &key, &entry, BPF_ANY), "counted_calls");
	deliver(call, &info);
	cr_expect_eq(load_of(OWNER).sampled, 2, "the daemon has subtracted 1, this test has not");
	cr_expect_eq(entry_of(call).ended, 0);
}

Test(balance, one_call_in_64_is_sampled)
{
	uint32_t expected = 0;
	char call_id[32];

	for (int i = 0; i < 6400; i++) {
		snprintf(call_id, sizeof(call_id), "%d@sample.example", i);
		expected += call_is_sampled(balancer_hash(call_id, strlen(call_id)));
		send_sip(call_id, &invite, i % 2 ? "2001:db8::10" : "192.0.2.10");
	}
	cr_expect(expected > 60 && expected < 140, "%u of 6400", expected);
	cr_expect_eq(load_of(OWNER).sampled, expected);
}

Test(balance, a_sampled_call_follows_its_slot)
{
	const char *call = next_call(true);

	deliver(call, &invite);
	set_owner(2);
	cr_expect_eq(deliver(call, &info), 2, "the sample does not affect the choice");
	cr_expect_eq(load_of(OWNER).sampled, 0);
	cr_expect_eq(load_of(2).sampled, 1);
	deliver(call, &bye);
	cr_expect_eq(load_of(2).sampled, 0);
}

Test(balance, an_existing_call_enters_the_sample)
{
	const char *call = next_call(true);

	deliver(call, &info);
	cr_expect_eq(load_of(OWNER).sampled, 1);
	call = next_call(true);
	deliver(call, &bye);
	cr_expect_eq(entry_of(call).backend, 0, "BYE starts no call");
}

/* --- new calls by turn */

Test(balance, new_calls_take_turns)
{
	char call_ids[8][32];

	set_balance(BALANCE_BY_TURN, "2343");
	for (int i = 0; i < 8; i++) {
		strcpy(call_ids[i], next_call(i % 2));
		cr_expect_eq(deliver(call_ids[i], &invite), (uint32_t) "2343"[i % 4] - '0', "call %d", i);
	}
	cr_expect_eq(load_of(2).placed, 2);
	cr_expect_eq(load_of(3).placed, 4);
	cr_expect_eq(load_of(3).sampled, 0, "a placed call counts as placed only");
	for (int i = 0; i < 8; i++) {
		uint32_t backend = "2343"[i % 4] - '0';

		cr_expect_eq(deliver(call_ids[i], &invite), backend, "a retransmission");
		cr_expect_eq(deliver(call_ids[i], &again), backend, "the repetition with credentials");
		cr_expect_eq(deliver(call_ids[i], &ack), backend);
		cr_expect_eq(deliver(call_ids[i], &options), backend, "a request with the same Call-ID");
		cr_expect_eq(send_sip(call_ids[i], &bye, NULL), backend);
	}
	cr_expect_eq(load_of(3).placed, 0);
	cr_expect_eq(counters().placed, 8);
	cr_expect_eq(balancer_verdict(skel, VERDICT_call_id), 48);
}

Test(balance, other_requests_go_to_the_owner_of_their_slot)
{
	const struct message registers = INITIAL("REGISTER", 0), subscribe = INITIAL("SUBSCRIBE", 0);

	set_balance(BALANCE_BY_TURN, "2");
	cr_expect_eq(deliver(next_call(false), &options), OWNER);
	cr_expect_eq(deliver(next_call(false), &registers), OWNER);
	cr_expect_eq(deliver(next_call(false), &subscribe), OWNER);
	cr_expect_eq(deliver(next_call(false), &bye), OWNER, "a call from before `balance:`");
	cr_expect_eq(deliver(next_call(true), &info), OWNER, "the same, and sampled");
	cr_expect_eq(counters().placed, 0);
}

Test(balance, after_the_last_entry_the_second_half_repeats)
{
	struct new_calls list = {.turn = NEW_CALLS - 1};

	set_balance(BALANCE_BY_TURN, "2");
	for (int i = 0; i < NEW_CALLS; i++)
		list.backend[i] = i < NEW_CALLS / 2 ? 2 : i % 2 ? 3 : 4;
	put(skel->maps.new_calls, 1, &list);
	for (int i = 0; i < 6; i++)
		cr_expect_eq(deliver(next_call(false), &invite), i % 2 ? 4 : 3, "call %d", i);
}

Test(balance, a_placed_call_stays_whatever_changes)
{
	char call[32];

	strcpy(call, next_call(false));
	set_balance(BALANCE_BY_TURN, "2");
	deliver(call, &invite);
	deliver(call, &ack);
	set_owner(3);
	set_full(2, true);
	cr_expect_eq(deliver(call, &info), 2);
	cr_expect_eq(deliver(next_call(false), &invite), 3, "no backend accepts it");
	set_balance(0, "4");
	cr_expect_eq(deliver(call, &info), 2, "after a change to balance: hash");
	cr_expect_eq(deliver(next_call(false), &invite), 3);
	age(call, 60);
	cr_expect_eq(deliver(call, &again), 2, "the call has not ended");
	cr_expect_eq(deliver(call, &bye), 2);
	cr_expect_eq(deliver(call, &bye), 2, "a retransmission");
	age(call, 9);
	cr_expect_eq(deliver(call, &bye), 2, "BYE is not initial");
	age(call, 9);
	cr_expect_eq(deliver(call, &invite), 3, "a new call with the same Call-ID");
}

Test(balance, the_end_of_a_subscription_does_not_end_the_call)
{
	const struct message digits = {.line = REQUEST("SUBSCRIBE"), .to = TO_TAGGED, .number = 2},
			     no_digits = {.line = REQUEST("SUBSCRIBE") "\r\nExpires: 0", .to = TO_TAGGED, .number = 3};
	const char *call = next_call(false);

	set_balance(BALANCE_BY_TURN, "2");
	cr_expect_eq(deliver(call, &invite), 2);
	cr_expect_eq(deliver(call, &ack), 2);
	cr_expect_eq(deliver(call, &digits), 2);
	cr_expect_eq(deliver(call, &no_digits), 2);
	cr_expect_eq(load_of(2).placed, 1);
	cr_expect_eq(deliver(call, &bye), 2);
	cr_expect_eq(load_of(2).placed, 0);
}

Test(balance, a_reused_call_id_takes_a_turn)
{
	char call[32];

	strcpy(call, next_call(false));
	set_balance(BALANCE_BY_TURN, "234");
	cr_expect_eq(deliver(call, &invite), 2);
	deliver(call, &ack);
	deliver(call, &bye);
	age(call, 9);
	cr_expect_eq(deliver(call, &invite), 3);
	cr_expect_eq(load_of(2).placed, 0);
	cr_expect_eq(load_of(3).placed, 1, "the same CSeq number, but a new call");
	cr_expect_eq(deliver(call, &ack), 3);
}

Test(balance, a_dead_backend_loses_its_placed_calls)
{
	char calling[32], ringing[32];

	strcpy(calling, next_call(false));
	strcpy(ringing, next_call(false));
	set_balance(BALANCE_BY_TURN, "2233");
	deliver(calling, &invite);
	deliver(calling, &ack);
	deliver(ringing, &invite);
	call_set_alive(&setup, 2, false);
	cr_expect_eq(deliver(calling, &info), OWNER, "the owner of the slot");
	cr_expect_eq(deliver(ringing, &invite), 3, "the next turn");
	cr_expect_eq(load_of(2).placed, 0);
	cr_expect_eq(load_of(3).placed, 1);
	cr_expect_eq(load_of(OWNER).placed, 1);
	call_set_alive(&setup, 2, true);
	set_owner(4);
	cr_expect_eq(deliver(calling, &bye), OWNER, "the call stays when the dead backend recovers");
	cr_expect_eq(deliver(ringing, &ack), 3);
}

Test(balance, an_icmp_error_finds_the_placed_call)
{
	static char quoted[256];
	const struct frame_spec answer = {.source = "192.0.2.10", .destination = "198.51.100.7", .payload = quoted};
	const struct frame_spec error = {.protocol = IPPROTO_ICMP, .icmp_type = 3, .quote = &answer};
	const char *call = next_call(false);

	snprintf(quoted, sizeof(quoted),
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKn\r\n"
		"To: <sip:bob@example.com>;tag=1\r\nCall-ID: %s\r\n\r\n",
		call);
	set_balance(BALANCE_BY_TURN, "2");
	cr_expect_eq(call_receiver(&error), OWNER);
	deliver(call, &invite);
	cr_expect_eq(call_receiver(&error), 2);
}

/* Messages to SERVICE_SIP over IPv4 may name a backend. */
static void allow_hints(void)
{
	const struct service_key key = {
		.vip = balancer_address("192.0.2.10"), .port = htons(5060), .protocol = IPPROTO_UDP};
	union any_service_key in_map;
	struct service service;
	int services = balancer_services(skel, &key, &in_map);

	run_must(bpf_map_lookup_elem(services, &in_map, &service), "services");
	service.hint_group = 1;
	run_must(bpf_map_update_elem(services, &in_map, &service, BPF_ANY), "services");
}

Test(balance, a_hint_takes_precedence_and_does_not_move_the_call)
{
	static char response[256];
	const char *call = next_call(false);

	snprintf(response, sizeof(response),
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.4:5060;branch=z9hG4bKn\r\n"
		"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>;tag=2\r\n"
		"Call-ID: %s\r\nCSeq: 1 INVITE\r\n\r\n",
		call);
	allow_hints();
	set_balance(BALANCE_BY_TURN, "2");
	cr_expect_eq(deliver(call, &invite), 2);
	cr_expect_eq(call_receiver(&(struct frame_spec){.payload = response}), 4, "the Via names the backend");
	cr_expect_eq(deliver(call, &ack), 2);
	cr_expect_eq(load_of(2).placed, 1);
	cr_expect_eq(load_of(4).placed + load_of(4).sampled, 0);
}

/* --- backends that accept no new calls */

Test(balance, calls_of_the_owner_are_counted_exactly_if_the_pool_limits_them)
{
	char call[32];

	strcpy(call, next_call(false));
	set_balance(BALANCE_MAY_SPILL | BALANCE_COUNTS, "2");
	cr_expect_eq(deliver(call, &invite), OWNER);
	cr_expect_eq(deliver(next_call(true), &invite), OWNER, "a call of the sample, too");
	cr_expect_eq(deliver(next_call(false), &options), OWNER);
	cr_expect_eq(load_of(OWNER).placed, 2);
	cr_expect_eq(load_of(OWNER).sampled, 0);
	set_full(OWNER, true);
	cr_expect_eq(deliver(next_call(false), &invite), 2);
	cr_expect_eq(deliver(call, &invite), OWNER, "a retransmission");
	cr_expect_eq(deliver(call, &info), OWNER);
	cr_expect_eq(deliver(call, &bye), OWNER);
	cr_expect_eq(load_of(OWNER).placed, 1);
	cr_expect_eq(load_of(2).placed, 1);
}

Test(balance, only_new_calls_of_a_full_backend_move)
{
	char before[32], after[32];

	strcpy(before, next_call(false));
	strcpy(after, next_call(false));
	set_balance(BALANCE_MAY_SPILL, "2");
	cr_expect_eq(deliver(before, &invite), OWNER);
	cr_expect_eq(entry_of(before).backend, 0, "the slot is sufficient");
	set_full(OWNER, true);
	cr_expect_eq(deliver(before, &invite), OWNER, "a retransmission");
	cr_expect_eq(deliver(before, &again), OWNER, "the repetition with credentials");
	cr_expect_eq(deliver(before, &ack), OWNER);
	cr_expect_eq(deliver(after, &invite), 2);
	cr_expect_eq(deliver(next_call(false), &options), OWNER);
	set_full(OWNER, false);
	cr_expect_eq(deliver(after, &again), 2);
	cr_expect_eq(deliver(after, &ack), 2);
	cr_expect_eq(deliver(after, &bye), 2);
	cr_expect_eq(deliver(next_call(false), &invite), OWNER);
	cr_expect_eq(counters().placed, 1);
	cr_expect_eq(counters().overload, 0);
}

Test(balance, the_hash_selects_the_entry_for_a_call_of_a_full_backend)
{
	uint32_t received[BACKENDS + 1] = {0};

	set_balance(BALANCE_MAY_SPILL, "2343");
	set_full(OWNER, true);
	for (int i = 0; i < 1000; i++)
		received[deliver(next_call(false), &invite)]++;
	cr_expect_eq(received[OWNER], 0);
	cr_expect(received[2] > 150 && received[2] < 350, "%u", received[2]);
	cr_expect(received[3] > 400 && received[3] < 600, "%u", received[3]);
	cr_expect_eq(received[2], load_of(2).placed);
	cr_expect_eq(received[3], load_of(3).placed);
}

Test(balance, full_and_dead_backends_are_skipped)
{
	set_balance(BALANCE_BY_TURN, "2344");
	set_full(2, true);
	call_set_alive(&setup, 3, false);
	for (int i = 0; i < 5; i++)
		cr_expect_eq(deliver(next_call(false), &invite), 4, "call %d", i);
	cr_expect_eq(load_of(4).placed, 5);
}

/* The first half of a sequence of least-calls begins with the backend that has the fewest calls, many times. */
Test(balance, a_call_that_a_backend_does_not_accept_takes_an_entry_of_the_second_half)
{
	struct new_calls list = {0};

	set_balance(BALANCE_BY_TURN, "2");
	for (int i = 0; i < NEW_CALLS; i++)
		list.backend[i] = i < NEW_CALLS / 2 ? 2 : 3 + i % 2;
	put(skel->maps.new_calls, 1, &list);
	set_full(2, true);
	for (int i = 0; i < 4; i++)
		deliver(next_call(false), &invite);
	cr_expect_eq(load_of(3).placed, 2);
	cr_expect_eq(load_of(4).placed, 2);
	get(skel->maps.new_calls, 1, &list);
	cr_expect_eq(list.turn, 4, "each call takes one turn");
}

Test(balance, an_entry_without_a_backend_ends_the_search)
{
	struct new_calls list = {0};

	set_balance(BALANCE_BY_TURN, "2");
	for (int i = 0; i < NEW_CALLS; i++)
		list.backend[i] = i < NEW_CALLS / 2 ? 0 : 2;
	put(skel->maps.new_calls, 1, &list);
	cr_expect_eq(deliver(next_call(false), &invite), OWNER);
	cr_expect_eq(counters().overload, 1);
}

Test(balance, backends_share_new_calls_within_their_rates)
{
	struct backend_load load = {.rate = {.interval = 60000000000ULL, .window = 60000000000ULL}};

	set_balance(BALANCE_BY_TURN, "234");
	put(skel->maps.backend_loads, 2, &load);
	put(skel->maps.backend_loads, 3, &load);
	for (int i = 0; i < 30; i++)
		deliver(next_call(false), &invite);
	cr_expect_eq(load_of(2).placed, 2, "two tokens");
	cr_expect_eq(load_of(3).placed, 2);
	cr_expect_eq(load_of(4).placed, 26);
	cr_expect_eq(counters().overload, 0);
}

Test(balance, max_calls_limits_new_calls)
{
	const struct backend_load load = {.max_calls = 1};
	char first[32];

	set_balance(BALANCE_BY_TURN, "2");
	put(skel->maps.backend_loads, 2, &load);
	strcpy(first, next_call(false));
	cr_expect_eq(deliver(first, &invite), 2);
	cr_expect_eq(deliver(next_call(false), &invite), OWNER, "2 has its call");
	cr_expect_eq(counters().overload, 1);
	cr_expect_eq(deliver(first, &again), 2, "not a new call");
	cr_expect_eq(deliver(first, &ack), 2);
	cr_expect_eq(deliver(first, &bye), 2);
	cr_expect_eq(deliver(next_call(false), &invite), 2);
}

Test(balance, max_rate_limits_new_calls)
{
	struct backend_load load = {.rate = {.interval = 60000000000ULL, .window = 60000000000ULL}};
	char first[32];

	set_balance(BALANCE_MAY_SPILL, "2");
	put(skel->maps.backend_loads, OWNER, &load);
	strcpy(first, next_call(false));
	cr_expect_eq(deliver(first, &invite), OWNER);
	cr_expect_eq(deliver(next_call(false), &invite), OWNER, "two tokens");
	cr_expect_eq(deliver(next_call(false), &invite), 2);
	cr_expect_eq(deliver(first, &again), OWNER, "needs no token");
	cr_expect_eq(deliver(next_call(false), &options), OWNER, "needs no token");
}

Test(balance, without_room_anywhere_the_owner_keeps_new_calls)
{
	char call[32];

	strcpy(call, next_call(false));
	set_balance(BALANCE_MAY_SPILL, "2343");
	for (uint32_t id = 1; id <= BACKENDS; id++)
		set_full(id, true);
	cr_expect_eq(deliver(call, &invite), OWNER);
	cr_expect_eq(counters().overload, 1);
	set_full(2, false);
	set_full(3, false);
	cr_expect_eq(deliver(call, &invite), OWNER, "a retransmission stays");
	cr_expect_eq(deliver(call, &ack), OWNER);
}

Test(balance, calls_of_a_full_pool_are_counted_where_every_call_is)
{
	const uint32_t flags[] = {BALANCE_BY_TURN, BALANCE_MAY_SPILL | BALANCE_COUNTS};
	char call[32];

	for (uint32_t id = 1; id <= BACKENDS; id++)
		set_full(id, true);
	for (int i = 0; i < 2; i++) {
		set_balance(flags[i], "2343");
		strcpy(call, next_call(i));
		cr_expect_eq(deliver(call, &invite), OWNER);
		cr_expect_eq(deliver(call, &invite), OWNER, "a retransmission");
		cr_expect_eq(load_of(OWNER).placed, 1);
		cr_expect_eq(load_of(OWNER).sampled, 0);
		cr_expect_eq(deliver(call, &ack), OWNER);
		cr_expect_eq(deliver(call, &bye), OWNER);
		cr_expect_eq(load_of(OWNER).placed, 0);
		cr_expect_eq(counters().overload, i + 1);
	}
	call_set_alive(&setup, OWNER, false);
	deliver(next_call(false), &invite);
	cr_expect_eq(load_of(OWNER).placed, 0, "the owner is dead");
}

Test(balance, without_room_anywhere_new_calls_are_refused)
{
	struct message failed = ack, cancel = invite;
	char call[32];

	failed.branch = cancel.branch = "INV";
	cancel.line = REQUEST("CANCEL");
	strcpy(call, next_call(false));
	set_balance(BALANCE_MAY_SPILL | BALANCE_REFUSES, "2");
	cr_expect_eq(deliver(call, &invite), OWNER);
	set_full(OWNER, true);
	set_full(2, true);
	cr_expect_eq(deliver(next_call(false), &invite), 0);
	cr_expect_eq(balancer_verdict(skel, VERDICT_refused), 1, "the daemon answers with 503");
	cr_expect_eq(deliver(call, &again), OWNER, "not a new call");
	strcpy(call, next_call(false));
	cr_expect_eq(deliver(call, &invite), 0);
	set_full(2, false);
	cr_expect_eq(deliver(call, &invite), 0, "a retransmission: the client may already have the 503");
	cr_expect_eq(deliver(call, &cancel), 0);
	cr_expect_eq(deliver(call, &failed), 0, "the ACK of the 503");
	cr_expect_eq(deliver(call, &again), 2, "a new attempt");
	cr_expect_eq(deliver(call, &ack), 2, "the ACK of a 2xx response");
	cr_expect_eq(deliver(next_call(false), &options), OWNER);
	cr_expect_eq(counters().overload, 2);
	set_full(2, true);
	strcpy(call, next_call(true));
	cr_expect_eq(deliver(call, &invite), 0);
	cr_expect_eq(entry_of(call).backend, 0, "a refused call of the sample is not counted");
	cr_expect_eq(load_of(OWNER).sampled, 0);
}

Test(balance, a_refused_call_does_not_count)
{
	char call[32];

	strcpy(call, next_call(true));
	set_balance(BALANCE_BY_TURN | BALANCE_REFUSES, "2");
	set_full(2, true);
	cr_expect_eq(deliver(call, &invite), 0);
	cr_expect_eq(balancer_verdict(skel, VERDICT_refused), 1);
	cr_expect_eq(entry_of(call).backend, 0);
	cr_expect_eq(load_of(OWNER).sampled, 0);
	set_full(2, false);
	cr_expect_eq(deliver(call, &again), 2, "a new attempt");
	cr_expect_eq(load_of(2).placed, 1);
	cr_expect_eq(deliver(call, &info), 2);
	set_full(2, true);
	cr_expect_eq(deliver(call, &again), 2, "the call exists");
	cr_expect_eq(load_of(2).placed, 1);
}

static void load_emergency(void)
{
	static const struct guard_setup guard = {.flags = GUARD_FLAG_EMERGENCY};
	const struct balancer_setup guarded = {.slots = SLOTS, .backends = BACKENDS, .guard = &guard};

	suite_load(&guarded);
	set_owner(OWNER);
}

Test(balance, an_emergency_call_stays_where_there_was_no_room, .init = load_emergency)
{
	const struct message emergency = {.line = "INVITE sip:112@example.com SIP/2.0", .to = TO};
	char call[32];

	strcpy(call, next_call(false));
	set_balance(BALANCE_BY_TURN | BALANCE_REFUSES, "2");
	set_full(2, true);
	cr_expect_eq(deliver(next_call(false), &invite), 0, "refused");
	cr_expect_eq(deliver(call, &emergency), OWNER);
	set_full(2, false);
	cr_expect_eq(deliver(call, &emergency), OWNER, "a retransmission");
	cr_expect_eq(deliver(call, &ack), OWNER);
}

/* Each backend has a token for one INVITE. */
static void load_surge(void)
{
	static const struct guard_setup guard = {.backend_surge = 1};
	const struct balancer_setup guarded = {.slots = SLOTS, .backends = BACKENDS, .guard = &guard};

	suite_load(&guarded);
	set_owner(OWNER);
}

Test(balance, a_call_that_the_guard_drops_does_not_count, .init = load_surge)
{
	char call[32];

	set_balance(BALANCE_BY_TURN, "2");
	strcpy(call, next_call(false));
	cr_expect_eq(deliver(call, &invite), 2);
	cr_expect_eq(deliver(call, &invite), 0, "a retransmission needs a token, too");
	cr_expect_eq(load_of(2).placed, 1, "the server has received the call");
	cr_expect_eq(deliver(call, &ack), 2);
	strcpy(call, next_call(true));
	cr_expect_eq(deliver(call, &invite), 0);
	cr_expect_eq(entry_of(call).backend, 0, "the first INVITE was dropped");
	cr_expect_eq(load_of(2).placed, 1);
	cr_expect_eq(balancer_verdict(skel, VERDICT_overload), 2);
}

Test(balance, a_full_map_leaves_new_calls_to_their_slots)
{
	uint64_t placed;
	char call[32];

	set_balance(BALANCE_BY_TURN, "2");
	for (int i = 0; i < TEST_CALLS; i++)
		deliver(next_call(false), &invite);
	placed = counters().placed;
	cr_expect(placed > TEST_CALLS * 0.9, "%lu", placed);
	while (deliver(strcpy(call, next_call(false)), &invite) == 2)
		;
	set_balance(BALANCE_BY_TURN, "3");
	cr_expect_eq(deliver(call, &invite), OWNER, "a retransmission stays, even if the map has room again");
	cr_expect_eq(counters().untabled, 1);
	cr_expect_eq(load_of(2).placed, counters().placed);
}

/* --- many calls */

#define CALLS 3000
#define STEPS 30000

struct model_call {
	char call_id[32];
	uint32_t backend; /* 0: not live */
};

/* Begins, continues and ends calls in random order. No message of a live call changes its backend, and the numbers of
 * calls agree with those of the test. */
Test(balance, numbers_of_many_calls)
{
	static struct model_call calls[CALLS];
	uint32_t live[BACKENDS + 1] = {0}, seed = 1;

	set_balance(BALANCE_BY_TURN, "123432");
	for (int i = 0; i < STEPS; i++) {
		struct model_call *call;
		uint32_t receiver;

		seed = seed * 1664525 + 1013904223;
		call = &calls[(seed >> 8) % CALLS];
		if (!call->backend) {
			strcpy(call->call_id, next_call(seed >> 31));
			call->backend = deliver(call->call_id, &invite);
			live[call->backend]++;
			continue;
		}
		if (i % 1000 == 0)
			set_full(1 + i / 1000 % BACKENDS, i / 1000 & 1);
		receiver = deliver(call->call_id, seed >> 30 ? &info : &bye);
		cr_assert_eq(receiver, call->backend, "step %d", i);
		if (!(seed >> 30)) {
			live[call->backend]--;
			call->backend = 0;
		}
	}
	for (uint32_t id = 1; id <= BACKENDS; id++)
		cr_expect_eq(load_of(id).placed, live[id], "backend %u: %u, not %u", id, load_of(id).placed, live[id]);
}
