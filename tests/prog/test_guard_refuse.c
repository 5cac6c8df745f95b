// SPDX-License-Identifier: GPL-2.0
/* INVITEs that the guard refuses: the records for the daemon, retransmissions, ACKs and CANCELs. */

#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include "bpf/abi_punt.h"
#include "bpf/guard_source.h"
#include "rows.h"
#include "suite.h"

#define GUARD 1
#define RETRY_AFTER 17

static void load(void)
{
	suite_load(&(struct balancer_setup){});
}

TestSuite(guard_refuse, .init = load, .fini = suite_unload);

/* --- the guard of the test: one class, for all sources */

static void put(struct bpf_map *map, uint32_t key, const void *value)
{
	run_must(bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY), bpf_map__name(map));
}

/* `limits`: whether a source may send one INVITE and one REGISTER a minute, or any number. */
static void put_class(bool limits, uint32_t enforced, uint32_t refused)
{
	struct guard_class class = {.enforced = enforced, .refused = refused};

	if (limits) {
		class.limits[GUARD_BUCKET_INVITE] = (struct guard_limit){.interval = 60000000};
		class.limits[GUARD_BUCKET_REGISTER] = class.limits[GUARD_BUCKET_INVITE];
	}
	put(skel->maps.guard_classes, 0, &class);
}

static void guard_service(const struct service_key *key)
{
	union any_service_key in_map;
	int map = balancer_services(skel, key, &in_map);
	struct service service;

	run_must(bpf_map_lookup_elem(map, &in_map, &service), "services");
	service.guard = GUARD;
	run_must(bpf_map_update_elem(map, &in_map, &service, BPF_ANY), "services");
}

static void put_surge(struct bpf_map *map, uint32_t id, bool limits, uint32_t flags)
{
	put(map, id, &(struct surge){.interval = limits ? 60000000000ULL : 0, .flags = flags});
}

static void fill(void)
{
	const struct guard guard = {.hash_key = {1, 2},
		.flags = GUARD_FLAG_LIMITS | GUARD_FLAG_SERVICE_SURGE | GUARD_FLAG_BACKEND_SURGE,
		.generation = 1,
		.ipv4_mask = ~0ULL,
		.ipv6_mask = {~0ULL},
		.retry_after = RETRY_AFTER};
	struct service_key key = {.port = htons(5060), .protocol = IPPROTO_UDP};

	balancer_fill(skel, &(struct balancer_setup){});
	put(skel->maps.guards, GUARD, &guard);
	put_class(true, ~0u, ~0u);
	key.vip.word[2] = htonl(0xffff);
	key.vip.word[3] = htonl(0xc000020a);
	guard_service(&key);
	key.vip.word[0] = htonl(0x20010db8);
	key.vip.word[2] = 0;
	key.vip.word[3] = htonl(0x10);
	guard_service(&key);
}

static struct guard_counters counted(uint32_t rule)
{
	struct guard_counters sums = {0};

	run_counters(bpf_map__fd(skel->maps.guard_counters), GUARD * GUARD_RULES + rule, (uint64_t *)&sums,
		sizeof(sums) / sizeof(uint64_t));
	return sums;
}

/* --- messages of one transaction */

struct message {
	const char *method;
	const char *branch;
	const char *call_id;
	unsigned int number;
	const char *tag; /* of To */
};

static const struct message first = {"INVITE", "z9hG4bK1", "a@example.net", 1, ""};

static const char *text_of(const struct message *t)
{
	static char text[1024];

	snprintf(text, sizeof(text),
		"%s sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;rport;branch=%s\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.net>%s\r\n"
		"Call-ID: %s\r\nCSeq: %u %s\r\nContact: <sip:alice@198.51.100.7>\r\nContent-Length: 0\r\n\r\n",
		t->method, t->branch, t->tag, t->call_id, t->number, t->method);
	return text;
}

/* Runs a packet; returns its verdict. */
static enum verdict run_spec(const struct frame_spec *spec)
{
	uint64_t before[VERDICT_COUNT];
	struct frame frame;
	uint32_t action;

	for (int i = 0; i < VERDICT_COUNT; i++)
		before[i] = balancer_verdict(skel, i);
	frame_build(&frame, spec);
	action = balancer_run(skel, &frame);
	for (int i = 0; i < VERDICT_COUNT; i++)
		if (balancer_verdict(skel, i) != before[i]) {
			cr_expect_eq(action, balancer_forwards(i) ? XDP_TX : XDP_DROP);
			return i;
		}
	return VERDICT_COUNT;
}

static enum verdict run_text(const char *text)
{
	return run_spec(&(struct frame_spec){.payload = text});
}

static enum verdict run_message(const struct message *t)
{
	return run_text(text_of(t));
}

static void expect(enum verdict verdict, enum verdict expected, const char *what)
{
	cr_expect_eq(verdict, expected, "%s: %s", what, balancer_verdict_name(verdict));
}

/* Uses up the limit of the source, and empties the ring buffer. */
static void exhaust(const struct frame_spec *spec)
{
	struct frame_spec in = *spec;
	struct message other = first;

	other.branch = "z9hG4bK0";
	other.call_id = "0@example.net";
	in.payload = text_of(&other);
	expect(run_spec(&in), VERDICT_call_id, "within the limit");
	balancer_drain(skel);
}

static int copy_punt(void *data, void *record, size_t size)
{
	memcpy(data, record, size < sizeof(struct punt) ? size : sizeof(struct punt));
	return 0;
}

static int read_refusals(struct punt *last)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(skel->maps.punt_refusals), copy_punt, last, NULL);
	int count = ring_buffer__consume(ring);

	ring_buffer__free(ring);
	return count;
}

/* --- tests */

Test(guard_refuse, the_daemon_receives_the_invite)
{
	static const struct {
		const char *name;
		struct frame_spec in;
	} rows[] = {
		{"IPv4", {.destination = "192.0.2.10"}},
		{"two tags", {.vlan = {100, 200}, .source = "198.51.100.8"}},
		{"IPv6", {.source = "2001:db8::7", .destination = "2001:db8::10"}},
		{"options", {.option_words = 2, .source = "198.51.100.9"}},
	};

	fill();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame_spec in = rows[i].in;
		struct punt punt = {0};
		struct frame frame;

		exhaust(&in);
		in.payload = text_of(&first);
		expect(run_spec(&in), VERDICT_refused, rows[i].name);
		cr_assert_eq(read_refusals(&punt), 1, "%s", rows[i].name);
		frame_build(&frame, &in);
		cr_expect_eq(punt.kind, PUNT_REFUSAL);
		cr_expect_eq(punt.retry_after, RETRY_AFTER);
		cr_expect_eq(punt.length, frame.length);
		cr_expect_eq(punt.ifindex, TEST_IFINDEX);
		cr_expect_arr_eq(punt.frame, frame.data, frame.length);
		cr_expect_eq(counted(GUARD_BUCKET_INVITE).dropped, i + 1);
		cr_expect_eq(counted(GUARD_BUCKET_INVITE).refused, i + 1);
	}
}

/* The limit is lifted after the first response, so that only the transaction decides. */
Test(guard_refuse, the_transaction_stays_refused)
{
	static const struct {
		const char *name;
		struct message message;
		enum verdict verdict;
	} rows[] = {
		{"the INVITE again", {"INVITE", "z9hG4bK1", "a@example.net", 1, ""}, VERDICT_refused},
		{"a new attempt", {"INVITE", "z9hG4bK2", "a@example.net", 2, ""}, VERDICT_call_id},
		{"a new attempt with the old branch", {"INVITE", "z9hG4bK1", "a@example.net", 2, ""}, VERDICT_call_id},
		{"a different call", {"INVITE", "z9hG4bK1", "b@example.net", 1, ""}, VERDICT_call_id},
		{"its ACK", {"ACK", "z9hG4bK1", "a@example.net", 1, ";tag=5"}, VERDICT_refused_ack},
		{"its CANCEL", {"CANCEL", "z9hG4bK1", "a@example.net", 1, ""}, VERDICT_refused_ack},
		{"the ACK of a 2xx", {"ACK", "z9hG4bK3", "a@example.net", 1, ";tag=5"}, VERDICT_call_id},
		{"the ACK of a new attempt", {"ACK", "z9hG4bK2", "a@example.net", 2, ";tag=5"}, VERDICT_call_id},
		{"BYE", {"BYE", "z9hG4bK1", "a@example.net", 1, ";tag=5"}, VERDICT_call_id},
		{"an INVITE of the call", {"INVITE", "z9hG4bK4", "a@example.net", 3, ";tag=5"}, VERDICT_call_id},
	};

	fill();
	exhaust(&(struct frame_spec){.source_port = 5060});
	expect(run_message(&first), VERDICT_refused, "over the limit");
	put_class(false, ~0u, ~0u);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(run_message(&rows[i].message), rows[i].verdict, rows[i].name);
	cr_expect_eq(counted(GUARD_BUCKET_INVITE).dropped, 2);
	cr_expect_eq(counted(GUARD_BUCKET_INVITE).refused, 2);
	cr_expect_eq(read_refusals(&(struct punt){0}), 2);
}

#define FOLDED                                                                                                         \
	"\r\nACK sip:bob@example.net SIP/2.0\r\nCSeq: 1\r\n ACK\r\ni: a@example.net\r\nt: x;tag=5\r\nf: y\r\n"         \
	"v: SIP / 2.0 / UDP\r\n a;rport ; branch = z9hG4bK1 \r\n\r\n"

Test(guard_refuse, unusual_forms_of_the_same_transaction)
{
	fill();
	exhaust(&(struct frame_spec){.source_port = 5060});
	expect(run_message(&first), VERDICT_refused, "over the limit");
	expect(run_text(FOLDED), VERDICT_refused_ack, "folded, in compact form");
}

Test(guard_refuse, a_transaction_ends)
{
	struct guard_refusal refusal;
	uint64_t key;

	fill();
	exhaust(&(struct frame_spec){.source_port = 5060});
	expect(run_message(&first), VERDICT_refused, "over the limit");
	put_class(false, ~0u, ~0u);
	run_must(bpf_map_get_next_key(bpf_map__fd(skel->maps.guard_refusals), NULL, &key), "guard_refusals");
	run_must(bpf_map_lookup_elem(bpf_map__fd(skel->maps.guard_refusals), &key, &refusal), "guard_refusals");
	cr_expect_eq(refusal.rule, GUARD_BUCKET_INVITE);
	refusal.time -= GUARD_REFUSAL_NSEC;
	run_must(
		bpf_map_update_elem(bpf_map__fd(skel->maps.guard_refusals), &key, &refusal, BPF_ANY), "guard_refusals");
	expect(run_message(&first), VERDICT_call_id, "after timer H");
}

Test(guard_refuse, no_search_while_nothing_was_refused)
{
	uint64_t long_ago = 1;

	fill();
	exhaust(&(struct frame_spec){.source_port = 5060});
	expect(run_message(&first), VERDICT_refused, "over the limit");
	put_class(false, ~0u, ~0u);
	put(skel->maps.guard_refusing, GUARD, &long_ago);
	expect(run_message(&first), VERDICT_call_id, "all transactions have ended");
}

/* Without an answer there is nothing to remember: the next copy may pass. */
Test(guard_refuse, no_answer_without_the_daemon)
{
	uint32_t class = PUNT_CLASS_REFUSALS;
	struct message second = first;
	struct punt_reader reader;

	fill();
	exhaust(&(struct frame_spec){.source_port = 5060});
	expect(run_message(&first), VERDICT_refused, "over the limit");
	run_must(bpf_map_lookup_elem(bpf_map__fd(skel->maps.punt_readers), &class, &reader), "punt_readers");
	reader.since -= PUNT_NSEC;
	put(skel->maps.punt_readers, class, &reader);
	second.branch = "z9hG4bK2";
	expect(run_message(&second), VERDICT_limited, "the daemon does not read");
	expect(run_message(&first), VERDICT_limited, "... nor the first INVITE again");
	cr_expect_eq(counted(GUARD_BUCKET_INVITE).dropped, 3);
	cr_expect_eq(counted(GUARD_BUCKET_INVITE).refused, 1);
	put_class(false, ~0u, ~0u);
	expect(run_message(&first), VERDICT_limited, "the first INVITE has an answer, and is never forwarded");
	expect(run_message(&second), VERDICT_call_id, "the second one has none, and passes");
}

/* A limit of the service, and limits of all backends. */
Test(guard_refuse, surges)
{
	static const struct {
		const char *name;
		bool backends;
		uint32_t flags;
		enum verdict verdict, again;
	} rows[] = {
		{"service, refuse", false, SURGE_ENFORCED | SURGE_REFUSED, VERDICT_refused, VERDICT_refused},
		{"backend, refuse", true, SURGE_ENFORCED | SURGE_REFUSED, VERDICT_refused, VERDICT_refused},
		{"service, drop", false, SURGE_ENFORCED, VERDICT_overload, VERDICT_call_id},
		{"backend, observe", true, SURGE_REFUSED, VERDICT_call_id, VERDICT_call_id},
	};

	fill();
	put_class(false, ~0u, ~0u);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t rule = rows[i].backends ? GUARD_RULE_BACKEND_SURGE : GUARD_RULE_SERVICE_SURGE;
		struct bpf_map *map = rows[i].backends ? skel->maps.backend_surges : skel->maps.service_surges;
		uint64_t dropped = counted(rule).dropped, refused = counted(rule).refused;
		struct message message = first;
		char call_id[32];

		for (uint32_t id = 0; id <= 4; id++)
			put_surge(map, rows[i].backends ? id : SERVICE_SIP, true, rows[i].flags);
		snprintf(call_id, sizeof(call_id), "surge%zu@example.net", i);
		message.call_id = call_id;
		balancer_drain(skel);
		expect(run_message(&message), VERDICT_call_id, rows[i].name);
		message.branch = "z9hG4bK2";
		message.number = 2;
		expect(run_message(&message), rows[i].verdict, rows[i].name);
		for (uint32_t id = 0; id <= 4; id++)
			put_surge(map, rows[i].backends ? id : SERVICE_SIP, false, 0);
		expect(run_message(&message), rows[i].again, rows[i].name);
		message.method = "ACK";
		message.tag = ";tag=5";
		expect(run_message(&message),
			rows[i].verdict == VERDICT_refused ? VERDICT_refused_ack : VERDICT_call_id, rows[i].name);
		cr_expect_eq(counted(rule).refused - refused, rows[i].verdict == VERDICT_refused ? 2 : 0, "%s",
			rows[i].name);
		cr_expect_eq(counted(rule).dropped - dropped,
			(rows[i].verdict != VERDICT_call_id) + (rows[i].again != VERDICT_call_id), "%s", rows[i].name);
	}
}

Test(guard_refuse, the_rate_is_limited)
{
	uint64_t refused, limited;
	char branch[32];

	fill();
	exhaust(&(struct frame_spec){.source_port = 5060});
	for (int i = 0; i < 2000; i++) {
		struct message t = first;

		snprintf(branch, sizeof(branch), "z9hG4bK%d", i);
		t.branch = branch;
		if (i % 50 == 0)
			balancer_drain(skel);
		struct frame frame;

		frame_build(&frame, &(struct frame_spec){.payload = text_of(&t)});
		cr_assert_eq(balancer_run(skel, &frame), XDP_DROP);
	}
	refused = balancer_verdict(skel, VERDICT_refused);
	limited = balancer_verdict(skel, VERDICT_limited);
	cr_expect_eq(refused + limited, 2000);
	cr_expect_geq(refused, GUARD_REFUSALS_BURST);
	cr_expect_gt(limited, 0, "2,000 INVITEs take less than two seconds");
	cr_expect_eq(counted(GUARD_BUCKET_INVITE).refused, refused);
}

Test(guard_refuse, other_messages_are_dropped_without_an_answer)
{
	static const struct message registration = {"REGISTER", "z9hG4bK8", "r@example.net", 1, ""};
	static const char no_branch[] = "INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: x\r\nTo: y\r\n"
					"Call-ID: z@example.net\r\nCSeq: 1 INVITE\r\n\r\n";

	fill();
	exhaust(&(struct frame_spec){.source_port = 5060});
	expect(run_text(no_branch), VERDICT_limited, "without a branch");
	expect(run_message(&registration), VERDICT_call_id, "the first REGISTER");
	expect(run_message(&registration), VERDICT_limited, "the second REGISTER");
	put_class(true, ~0u, 0);
	expect(run_message(&first), VERDICT_limited, "action drop");
	put_class(true, 0, ~0u);
	expect(run_message(&first), VERDICT_call_id, "mode observe");
	cr_expect_eq(read_refusals(&(struct punt){0}), 0);
	cr_expect_eq(balancer_verdict(skel, VERDICT_refused), 0);
}

Test(guard_refuse, later_fragments_of_a_refused_invite_are_dropped)
{
	struct frame_spec in = {.more_fragments = true, .id = 77},
			  later = {.payload = "rest", .fragment_offset = 1480, .id = 77};
	struct punt punt = {0};

	fill();
	exhaust(&(struct frame_spec){.source_port = 5060});
	in.payload = text_of(&first);
	expect(run_spec(&in), VERDICT_refused, "the first fragment");
	expect(run_spec(&later), VERDICT_dropped_fragment, "a later fragment");
	cr_expect_eq(read_refusals(&punt), 1);
	put_class(false, ~0u, ~0u);
	in.id = later.id = 78;
	expect(run_spec(&in), VERDICT_refused, "the first fragment of the retransmission");
	expect(run_spec(&later), VERDICT_dropped_fragment, "its later fragment");
}
