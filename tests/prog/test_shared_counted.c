// SPDX-License-Identifier: GPL-2.0
/* The calls that two balancers of a group count and place: each of them knows the calls of both. */

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "bpf/abi_punt.h"
#include "call_message.h"
#include "guard.h"
#include "pair.h"

#define OWNER 1 /* of every slot */
#define CALLS 24
#define STEPS 4000

static const struct message invite = INITIAL("INVITE", 0), ack = WITHIN("ACK", 0), bye = WITHIN("BYE", 0),
			    info = WITHIN("INFO", 0);

static void put(const struct bpf_map *map, uint32_t key, const void *value)
{
	run_must(bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY), bpf_map__name(map));
}

/* Pool 0 of the current balancer deals out these backends in turn. */
static void set_balance(uint32_t flags, const char *sequence, uint16_t balanced)
{
	const struct balance balance = {.flags = flags, .new_calls = 1};
	const struct pool pool = {.table = 0, .balanced = balanced};
	struct new_calls list = {0};

	for (int i = 0; i < NEW_CALLS; i++)
		list.backend[i] = sequence[i % strlen(sequence)] - '0';
	put(skel->maps.new_calls, 1, &list);
	put(skel->maps.balances, 0, &balance);
	put(skel->maps.pools, 0, &pool);
}

/* The first balancer places new calls on server 3, the second one on server 4. */
static void load(void)
{
	pair_load();
	for (int i = 1; i >= 0; i--) {
		pair_use(&sides[i]);
		call_set_owners(&pair_setup, OWNER, 0, false);
		set_balance(BALANCE_BY_TURN, i ? "4" : "3", BALANCED_ALL);
	}
}

TestSuite(shared_counted, .init = load, .fini = pair_unload);

static struct backend_load load_of(const struct side *side, uint32_t id)
{
	struct backend_load load;

	run_must(bpf_map_lookup_elem(bpf_map__fd(side->balancer->maps.backend_loads), &id, &load), "backend_loads");
	return load;
}

static struct tracked_key key_of(const char *call_id)
{
	uint64_t hash = balancer_hash(call_id, strlen(call_id));

	return (struct tracked_key){.hash = hash, .slot = hash & (PAIR_SLOTS - 1)};
}

/* The entry of a call at a balancer; its backend is 0 if there is none. */
static struct tracked_call entry_of(const struct side *side, const char *call_id)
{
	struct tracked_key key = key_of(call_id);
	struct tracked_call call = {0};

	bpf_map_lookup_elem(bpf_map__fd(side->balancer->maps.counted_calls), &key, &call);
	return call;
}

/* Makes the entry of a call older. */
static void age(const struct side *side, const char *call_id, uint32_t seconds)
{
	struct tracked_key key = key_of(call_id);
	struct tracked_call call = entry_of(side, call_id);

	call.seen -= seconds;
	run_must(bpf_map_update_elem(bpf_map__fd(side->balancer->maps.counted_calls), &key, &call, BPF_ANY),
		"counted_calls");
}

static const char *next_call(bool sampled)
{
	static char call_id[32];
	static int number;

	do
		snprintf(call_id, sizeof(call_id), "%d@example.com", number++);
	while (call_is_sampled(balancer_hash(call_id, strlen(call_id))) != sampled);
	return call_id;
}

/* The server that receives a message through a balancer. */
static uint32_t through(const struct side *side, const char *call_id, const struct message *message)
{
	pair_use(side);
	return send_sip(call_id, message, NULL);
}

/* --- placed calls */

Test(shared_counted, a_placed_call_finds_its_server_through_the_other_balancer)
{
	const char *call = next_call(false);

	cr_expect_eq(through(&sides[0], call, &invite), 3);
	cr_expect_eq(pair_exchange(&sides[0]), 1);
	cr_expect_eq(sides[1].batch->applied, 1);
	cr_expect_eq(sides[1].batch->unsearched, 0);
	cr_expect_eq(through(&sides[0], call, &invite), 3, "a retransmission");
	cr_expect_eq(pair_exchange(&sides[0]), 0, "... changes nothing");
	cr_expect_eq(through(&sides[1], call, &invite), 3, "a retransmission");
	cr_expect_eq(pair_exchange(&sides[1]), 0);
	cr_expect_eq(through(&sides[1], call, &ack), 3);
	cr_expect_eq(pair_exchange(&sides[1]), 1);
	cr_expect_eq(through(&sides[0], call, &info), 3);
	cr_expect_eq(load_of(&sides[0], 3).placed, 1);
	cr_expect_eq(load_of(&sides[1], 3).placed, 1, "each balancer counts the calls of both");
	cr_expect_eq(through(&sides[1], call, &bye), 3);
	cr_expect_eq(pair_exchange(&sides[1]), 1);
	cr_expect_neq(entry_of(&sides[0], call).ended, 0);
	cr_expect_eq(load_of(&sides[0], 3).placed, 0);
	cr_expect_eq(load_of(&sides[1], 3).placed, 0);
}

Test(shared_counted, a_silent_call_is_shared_again)
{
	const char *call = next_call(false);

	through(&sides[0], call, &invite);
	through(&sides[0], call, &ack);
	pair_exchange(&sides[0]);
	through(&sides[0], call, &info);
	cr_expect_eq(pair_exchange(&sides[0]), 0);
	age(&sides[0], call, 60);
	through(&sides[0], call, &info);
	cr_expect_eq(pair_exchange(&sides[0]), 1);
}

Test(shared_counted, an_existing_call_is_learned_from_any_of_its_messages)
{
	const char *call = next_call(false);

	through(&sides[0], call, &invite);
	ring_buffer__consume(sides[0].ring); /* lost */
	through(&sides[0], call, &ack);
	sides[1].batch->change_count = 0;
	age(&sides[0], call, 60);
	through(&sides[0], call, &info);
	pair_exchange(&sides[0]);
	cr_expect_eq(through(&sides[1], call, &info), 3);
	cr_expect_eq(load_of(&sides[1], 3).placed, 1);
}

Test(shared_counted, without_a_group_nothing_is_collected)
{
	pair_share(false);
	through(&sides[0], next_call(false), &invite);
	through(&sides[0], next_call(true), &invite);
	cr_expect_eq(pair_exchange(&sides[0]), 0);
}

/* Packets may be on their way to either server. */
Test(shared_counted, two_balancers_place_the_same_call)
{
	const char *call = next_call(false);

	cr_expect_eq(through(&sides[0], call, &invite), 3);
	cr_expect_eq(through(&sides[1], call, &invite), 4);
	pair_exchange(&sides[0]);
	pair_exchange(&sides[1]);
	cr_expect_eq(through(&sides[0], call, &ack), 3);
	cr_expect_eq(through(&sides[1], call, &ack), 4, "each one keeps its own");
	cr_expect_eq(load_of(&sides[0], 3).placed, 1);
	cr_expect_eq(load_of(&sides[0], 4).placed, 0);
	cr_expect_eq(load_of(&sides[1], 4).placed, 1);
	cr_expect_eq(load_of(&sides[1], 3).placed, 0);
}

Test(shared_counted, a_new_call_replaces_one_that_has_ended)
{
	const char *call = next_call(false);

	through(&sides[1], call, &invite);
	through(&sides[1], call, &ack);
	through(&sides[1], call, &bye);
	cr_expect_eq(entry_of(&sides[1], call).backend, 4);
	cr_expect_eq(through(&sides[0], call, &invite), 3, "the first balancer has not seen it");
	pair_exchange(&sides[0]);
	cr_expect_eq(through(&sides[1], call, &ack), 3);
	cr_expect_eq(load_of(&sides[1], 3).placed, 1);
	cr_expect_eq(load_of(&sides[1], 4).placed, 0);
}

Test(shared_counted, a_call_leaves_a_dead_server_at_all_balancers)
{
	const char *call = next_call(false);

	through(&sides[0], call, &invite);
	through(&sides[0], call, &ack);
	pair_exchange(&sides[0]);
	for (int i = 0; i < 2; i++) {
		pair_use(&sides[i]);
		call_set_alive(&pair_setup, 3, false);
	}
	cr_expect_eq(through(&sides[0], call, &info), OWNER);
	cr_expect_eq(pair_exchange(&sides[0]), 1);
	pair_use(&sides[1]);
	call_set_owners(&pair_setup, 2, 0, false);
	set_balance(BALANCE_BY_TURN, "4", BALANCED_ALL);
	cr_expect_eq(through(&sides[1], call, &info), OWNER, "not the owner here");
	cr_expect_eq(load_of(&sides[1], 3).placed, 0);
	cr_expect_eq(load_of(&sides[1], OWNER).placed, 1);
}

Test(shared_counted, a_pool_without_balance_must_search_for_the_calls_of_others)
{
	const char *call = next_call(false);

	pair_use(&sides[1]);
	set_balance(0, "4", BALANCED_NOT);
	through(&sides[0], call, &invite);
	pair_exchange(&sides[0]);
	cr_expect_eq(sides[1].batch->unsearched, 1, "the daemon sets pool.balanced");
	pair_use(&sides[1]);
	set_balance(0, "4", BALANCED_ENDING);
	cr_expect_eq(through(&sides[1], call, &ack), 3);
}

/* --- the sample */

Test(shared_counted, a_sampled_call_ends_at_all_balancers)
{
	const char *call = next_call(true);

	for (int i = 1; i >= 0; i--) {
		pair_use(&sides[i]);
		set_balance(0, "1", BALANCED_NOT);
	}
	through(&sides[0], call, &invite);
	through(&sides[0], call, &ack);
	cr_expect_eq(pair_exchange(&sides[0]), 2);
	cr_expect_eq(load_of(&sides[1], OWNER).sampled, 1);
	cr_expect_eq(sides[1].batch->unsearched, 0);
	through(&sides[1], call, &bye);
	cr_expect_eq(pair_exchange(&sides[1]), 1);
	cr_expect_eq(load_of(&sides[0], OWNER).sampled, 0);
	cr_expect_eq(load_of(&sides[1], OWNER).sampled, 0);
}

/* --- calls that the guard refuses */

Test(shared_counted, a_dropped_call_counts_nowhere)
{
	const struct guard_setup guard = {.backend_surge = 2};

	pair_use(&sides[0]);
	guard_fill(skel, &guard);
	for (int i = 0; i < 10; i++) {
		through(&sides[0], next_call(false), &invite);
		through(&sides[0], next_call(true), &invite);
	}
	cr_expect_eq(pair_exchange(&sides[0]), 20 + 18, "a change for each call, and one for each that is dropped");
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(load_of(&sides[i], 3).placed, 2, "two tokens");
		cr_expect_eq(load_of(&sides[i], 3).sampled, 0);
	}
}

/* --- the permission */

Test(shared_counted, without_a_permission_the_owners_keep_new_calls)
{
	char known[32], call[32];

	strcpy(known, next_call(false));
	strcpy(call, next_call(false));
	cr_expect_eq(through(&sides[0], known, &invite), 3, "not limited");
	pair_exchange(&sides[0]);
	pair_renew(1);
	cr_expect_eq(through(&sides[0], call, &invite), OWNER);
	cr_expect_eq(through(&sides[1], call, &ack), OWNER, "the other balancer does not know it, but finds it");
	cr_expect_eq(entry_of(&sides[0], call).placed, 1, "it counts");
	cr_expect_eq(through(&sides[0], known, &ack), 3, "a call that was placed before");
	pair_renew(UINT64_MAX);
	cr_expect_eq(through(&sides[0], call, &invite), OWNER, "a retransmission");
	cr_expect_eq(through(&sides[0], next_call(false), &invite), 3);
	pair_renew(1);
	set_balance(BALANCE_MAY_SPILL | BALANCE_COUNTS, "2", BALANCED_ALL);
	put(skel->maps.backend_loads, OWNER, &(struct backend_load){.full = 1});
	cr_expect_eq(through(&sides[0], next_call(false), &invite), OWNER, "although the owner is full");
	pair_share(false);
	cr_expect_eq(through(&sides[0], next_call(false), &invite), 2, "no group");
}

/* --- random messages, and copies of all calls */

static const struct message any[] = {INITIAL("INVITE", 0), INITIAL("CANCEL", 0), INITIAL("ACK", 0), WITHIN("ACK", 0),
	WITHIN("INVITE", 0), WITHIN("UPDATE", 0), WITHIN("INFO", 0), WITHIN("BYE", 0),
	{"SIP/2.0 180 Ringing", TO_TAGGED, 0, NULL, 0}, {"SIP/2.0 200 OK", TO_TAGGED, 0, NULL, 0}};

/* Both balancers must count the same calls, with the same servers and dialogs; their numbers of calls must be those of
 * the entries. Returns the number of entries. */
static int compare(void)
{
	const struct bpf_map *maps[2] = {sides[0].balancer->maps.counted_calls, sides[1].balancer->maps.counted_calls};
	struct tracked_key key, *previous = NULL;
	struct tracked_call ours, theirs;
	uint32_t live[5][2] = {{0}};
	int count = 0;

	while (!bpf_map_get_next_key(bpf_map__fd(maps[0]), previous, &key)) {
		previous = &key;
		cr_assert_not(bpf_map_lookup_elem(bpf_map__fd(maps[0]), &key, &ours));
		cr_assert_not(bpf_map_lookup_elem(bpf_map__fd(maps[1]), &key, &theirs));
		cr_expect_eq(ours.backend, theirs.backend);
		cr_expect_eq(!ours.ended, !theirs.ended);
		cr_expect_eq(ours.placed, theirs.placed);
		cr_expect_eq(ours.kind, theirs.kind);
		cr_expect(!memcmp(&ours.dialogs, &theirs.dialogs, sizeof(ours.dialogs)));
		live[ours.backend][ours.placed] += !ours.ended;
		count++;
	}
	for (int i = 0; i < 2; i++)
		for (uint32_t id = 1; id <= 4; id++) {
			cr_expect_eq(load_of(&sides[i], id).sampled, live[id][0]);
			cr_expect_eq(load_of(&sides[i], id).placed, live[id][1]);
		}
	return count;
}

static void random_message(const struct side *side)
{
	struct message message = any[rand() % (sizeof(any) / sizeof(*any))];
	char call_id[32];

	message.number = 1 + rand() % 4;
	snprintf(call_id, sizeof(call_id), "random-%d@example.com", rand() % CALLS);
	cr_expect_neq(through(side, call_id, &message), 0);
}

Test(shared_counted, random_messages_give_equal_calls)
{
	srand(1);
	for (int step = 0; step < STEPS; step++) {
		struct side *side = &sides[rand() % 2];

		random_message(side);
		pair_exchange(side);
	}
	cr_expect_eq(compare(), CALLS);
}

/* Takes a copy of every call of the first balancer to the second one. */
static void copy_all(void)
{
	int calls = bpf_map__fd(sides[0].balancer->maps.counted_calls);
	struct tracked_key key, *previous = NULL;
	struct call_batch *batch = sides[1].batch;

	batch->change_count = batch->copy_count = 0;
	while (!bpf_map_get_next_key(calls, previous, &key)) {
		struct call_copy *copy = &batch->copies[batch->copy_count++];

		previous = &key;
		*copy = (struct call_copy){.key = key, .flags = CALL_CHANGE_COUNTED};
		cr_assert_not(bpf_map_lookup_elem(calls, &key, &copy->call));
	}
	pair_apply(&sides[1]);
	batch->copy_count = 0;
}

/* The second balancer misses all messages up to a point, and then receives copies and further changes. */
Test(shared_counted, copies_give_equal_calls)
{
	srand(2);
	for (int step = 0; step < STEPS; step++) {
		random_message(&sides[0]);
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

Test(shared_counted, a_late_copy_does_not_revive_a_call)
{
	struct call_batch *batch = sides[1].batch;
	const char *call = next_call(false);

	through(&sides[0], call, &invite);
	through(&sides[0], call, &ack);
	ring_buffer__consume(sides[0].ring);
	batch->copies[0] = (struct call_copy){
		.key = key_of(call), .call = entry_of(&sides[0], call), .flags = CALL_CHANGE_COUNTED};
	batch->keeps_ended = true;
	through(&sides[0], call, &bye);
	pair_exchange(&sides[0]);
	batch->change_count = 0;
	batch->copy_count = 1;
	pair_apply(&sides[1]);
	cr_expect_neq(entry_of(&sides[1], call).ended, 0, "the copy is older than the end of the call");
	cr_expect_eq(load_of(&sides[1], 3).placed, 0);
}

/* --- limits */

Test(shared_counted, a_full_map)
{
	char call_id[32];
	uint64_t sums[sizeof(struct balance_counters) / sizeof(uint64_t)];
	uint32_t room = bpf_map__max_entries(sides[1].balancer->maps.counted_calls);
	struct tracked_call none = {.ended = 1};

	for (uint32_t i = 0; i < room; i++) {
		struct tracked_key key = {.hash = i, .pool = 1};

		bpf_map_update_elem(bpf_map__fd(sides[1].balancer->maps.counted_calls), &key, &none, BPF_ANY);
	}
	strcpy(call_id, next_call(false));
	through(&sides[0], call_id, &invite);
	pair_exchange(&sides[0]);
	cr_expect_eq(load_of(&sides[1], 3).placed, 0);
	run_counters(bpf_map__fd(sides[1].balancer->maps.balance_counters), 0, sums, sizeof(sums) / sizeof(*sums));
	cr_expect_eq(((struct balance_counters *)sums)->untabled, 1);
}

Test(shared_counted, indexes_out_of_range)
{
	struct call_batch *batch = sides[1].batch;

	through(&sides[0], next_call(false), &invite);
	pair_exchange(&sides[0]);
	batch->change_count = UINT32_MAX;
	for (int i = 0; i < CALL_BATCH; i++) {
		batch->changes[i].key.pool = UINT32_MAX - i;
		batch->changes[i].flags = CALL_CHANGE_COUNTED | CALL_CHANGE_PLACED;
	}
	pair_apply(&sides[1]);
	cr_expect_eq(batch->applied, 0);
}
