// SPDX-License-Identifier: GPL-2.0
/* The times in which backends with `forward: nat` respond to the INVITEs of sampled calls. The test runs in a network
 * namespace with a route to the clients. */

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "bpf/abi_return.h"
#include "call_message.h"
#include "nat_network.h"
#include "suite.h"

#define BACKEND 1
#define OTHER_BACKEND 2
#define BACKENDS 4
#define SERVICE 5 /* of the responses */
#define SECOND 1000000000ULL
#define WITHIN_33_S (SETUP_LIMITS - 1) /* above 16.384 s */

static const struct message invite = INITIAL("INVITE", 0), again = {REQUEST("INVITE"), TO, 0, "new", 2},
			    reinvite = WITHIN("INVITE", 0), options = INITIAL("OPTIONS", 0);

static void put(const struct bpf_map *map, const void *key, const void *value)
{
	run_must(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), bpf_map__name(map));
}

static void load_program(bool no_fast_path)
{
	struct nat_source key = {.port = htons(5060), .protocol = IPPROTO_UDP};
	struct nat_vip vip = {.backend = BACKEND, .service = SERVICE, .flags = NAT_COUNTS | NAT_MESSAGES};

	nat_network_load(no_fast_path);
	key.address = balancer_address("10.0.0.1");
	vip.vip = balancer_address("192.0.2.10");
	put(skel->maps.nat_sources, &key, &vip);
	key.address = balancer_address("10.0.0.2");
	vip.backend = OTHER_BACKEND;
	put(skel->maps.nat_sources, &key, &vip);
}

static void load(void)
{
	nat_network_enter();
	load_program(false);
}

TestSuite(setup, .init = load, .fini = suite_unload);

static void run_twice(void (*test)(void))
{
	test();
	suite_unload();
	load_program(true);
	test();
}

/* --- calls */

/* The next Call-ID that is, or is not, in the sample, and that belongs to BACKEND. */
static const char *next_call(bool sampled)
{
	static char call_id[32];
	static int number;
	uint64_t hash;

	do {
		snprintf(call_id, sizeof(call_id), "%d@example.com", number++);
		hash = balancer_hash(call_id, strlen(call_id));
	} while (call_is_sampled(hash) != sampled || hash % BACKENDS != BACKEND - 1);
	return call_id;
}

static void respond_from(const char *address, const char *call_id, unsigned int code, const char *method)
{
	char text[1024];
	struct frame frame;

	snprintf(text, sizeof(text),
		"SIP/2.0 %u Reason\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-1\r\n"
		"To: <sip:bob@example.net>;tag=314159\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n\r\n",
		code, call_id, method);
	frame_build(&frame, &(struct frame_spec){.source = address, .destination = "198.51.100.7", .payload = text});
	balancer_drain(skel);
	cr_assert_eq(balancer_run(skel, &frame), XDP_REDIRECT);
}

static void respond(const char *call_id, unsigned int code, const char *method)
{
	respond_from("10.0.0.1", call_id, code, method);
}

static bool find(const char *call_id, struct setup *out)
{
	uint64_t hash = balancer_hash(call_id, strlen(call_id));

	return !bpf_map_lookup_elem(bpf_map__fd(skel->maps.setups), &hash, out);
}

/* Lets 20 s pass for this call. */
static void let_pass(const char *call_id)
{
	uint64_t hash = balancer_hash(call_id, strlen(call_id));
	struct setup setup;

	cr_assert(find(call_id, &setup));
	setup.invited -= 20 * SECOND;
	put(skel->maps.setups, &hash, &setup);
}

/* The number of times of an event in a bucket, which must be the same for the service and the backend. */
static uint64_t count_of(enum setup_event event, int bucket)
{
	struct setup_times service, backend;

	run_must(bpf_map_lookup_elem(bpf_map__fd(skel->maps.service_setup_times), &(uint32_t){SERVICE}, &service), "");
	run_must(bpf_map_lookup_elem(bpf_map__fd(skel->maps.backend_setup_times), &(uint32_t){BACKEND}, &backend), "");
	cr_expect_arr_eq(&service, &backend, sizeof(service));
	cr_expect_geq(service.of[event].usec, service.of[event].bucket[WITHIN_33_S] * 20000000);
	return service.of[event].bucket[bucket];
}

static uint64_t total(enum setup_event event)
{
	uint64_t sum = 0;

	for (int i = 0; i <= SETUP_LIMITS; i++)
		sum += count_of(event, i);
	return sum;
}

static void expect_times(const char *what, uint64_t responses, uint64_t states, uint64_t answers)
{
	cr_expect_eq(total(SETUP_RESPONSE), responses, "%s: %lu responses", what, total(SETUP_RESPONSE));
	cr_expect_eq(total(SETUP_STATUS), states, "%s: %lu states", what, total(SETUP_STATUS));
	cr_expect_eq(total(SETUP_ANSWER), answers, "%s: %lu answers", what, total(SETUP_ANSWER));
}

/* --- tests */

static void check_answer(void)
{
	const char *call = next_call(true);

	cr_assert_eq(send_sip(call, &invite, NULL), BACKEND);
	let_pass(call);
	respond(call, 100, "INVITE");
	expect_times("100", 1, 0, 0);
	cr_expect_eq(count_of(SETUP_RESPONSE, WITHIN_33_S), 1);
	send_sip(call, &invite, NULL);
	respond(call, 100, "INVITE");
	respond(call, 180, "INVITE");
	expect_times("180", 1, 1, 0);
	cr_expect_eq(count_of(SETUP_STATUS, WITHIN_33_S), 1, "a repeated INVITE does not begin anew");
	respond(call, 183, "INVITE");
	let_pass(call);
	respond(call, 200, "INVITE");
	respond(call, 200, "INVITE");
	expect_times("200", 1, 1, 1);
	cr_expect_eq(count_of(SETUP_ANSWER, SETUP_LIMITS), 1, "40 s");
	send_sip(call, &reinvite, NULL);
	respond(call, 100, "INVITE");
	respond(call, 200, "INVITE");
	send_sip(call, &invite, NULL);
	respond(call, 200, "INVITE");
	expect_times("the rest of the call", 1, 1, 1);
}

Test(setup, an_answered_call_has_three_times)
{
	run_twice(check_answer);
}

static void check_challenge(void)
{
	const char *call = next_call(true);

	send_sip(call, &invite, NULL);
	let_pass(call);
	respond(call, 407, "INVITE");
	expect_times("407", 1, 0, 0);
	send_sip(call, &again, NULL);
	respond(call, 200, "INVITE");
	expect_times("200 at once", 2, 1, 1);
	cr_expect_eq(count_of(SETUP_STATUS, WITHIN_33_S), 0, "the time begins with the INVITE with credentials");
}

Test(setup, an_invite_with_credentials_begins_anew)
{
	run_twice(check_challenge);
}

static void check_others(void)
{
	const char *call = next_call(true);
	struct setup setup;

	send_sip(call, &options, NULL);
	respond(call, 200, "OPTIONS");
	cr_expect_not(find(call, &setup), "OPTIONS");
	send_sip(call, &reinvite, NULL);
	cr_expect_not(find(call, &setup), "INVITE in a dialog");
	send_sip(call, &invite, NULL);
	cr_assert(find(call, &setup));
	cr_expect_eq(setup.backend, BACKEND);
	respond(call, 200, "OPTIONS");
	expect_times("a different method", 0, 0, 0);
	respond_from("10.0.0.2", call, 200, "INVITE");
	expect_times("a different backend, to which the first one has sent the call", 0, 0, 0);
	respond(call, 486, "INVITE");
	expect_times("486", 1, 1, 0);
	call = next_call(false);
	send_sip(call, &invite, NULL);
	respond(call, 200, "INVITE");
	cr_expect_not(find(call, &setup), "a call outside the sample");
	expect_times("a call outside the sample", 1, 1, 0);
}

Test(setup, only_sampled_invites_are_measured)
{
	run_twice(check_others);
}

Test(setup, a_different_method_of_forwarding_is_not_measured)
{
	const char *call = next_call(true);
	struct setup setup;

	suite_unload();
	suite_load(&(struct balancer_setup){.forward = FORWARD_DSR});
	cr_assert_eq(send_sip(call, &invite, NULL), BACKEND);
	cr_expect_not(find(call, &setup));
}

Test(setup, each_limit_belongs_to_its_bucket)
{
	static const struct {
		uint64_t msec;
		int bucket;
	} rows[] = {{2100, 12}, {4200, 13}, {8300, 14}, {16500, 15}, {33000, 16}, {400000, 16}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *call = next_call(true);
		uint64_t hash = balancer_hash(call, strlen(call)), before = count_of(SETUP_ANSWER, rows[i].bucket);
		struct setup setup;

		send_sip(call, &invite, NULL);
		cr_assert(find(call, &setup));
		setup.invited -= rows[i].msec * 1000000;
		put(skel->maps.setups, &hash, &setup);
		respond(call, 200, "INVITE");
		cr_expect_eq(count_of(SETUP_ANSWER, rows[i].bucket), before + 1, "%lu ms", rows[i].msec);
	}
}
