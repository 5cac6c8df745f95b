// SPDX-License-Identifier: GPL-2.0
/* The backend of a message: a hint names it, or a user selects it. */

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "bpf/sip_host.h"
#include "suite.h"

#define GROUP 7
#define NAMED 3  /* has the hints px3.example.net, 10.0.0.13, 2001:db8::13, ;node=px3 and tag=px3- */
#define PORTED 2 /* has the hints px2.example.net:5062, ;node=sixteen-byte and a tag like those of Kamailio */
#define USUAL 4  /* has the hint px1.example.net:5060 */
#define BY_KEY 0 /* no hint: the owner of the key */

static const struct balancer_setup setup = {};

static uint64_t hash_of(const char *host)
{
	const __u64 hash_key[2] = {test_hash_key[0], test_hash_key[1]};
	__u64 hash = 0;

	cr_assert(sip_host_hash(host, hash_key, &hash), "%s", host);
	return hash;
}

static void put_hint(const char *host, uint16_t port, uint32_t id)
{
	struct hint_key key = {.host = hash_of(host), .group = GROUP, .port = htons(port)};

	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.hints), &key, &id, BPF_ANY), "hints");
}

static void change_service(uint16_t port, enum affinity affinity, uint8_t flags)
{
	static const char *const vips[] = {"::ffff:192.0.2.10", "2001:db8::10"};

	for (int i = 0; i < 2; i++) {
		struct service_key key = {.port = htons(port), .protocol = IPPROTO_UDP};
		union any_service_key in_map;
		struct service service;
		int map;

		inet_pton(AF_INET6, vips[i], &key.vip);
		map = balancer_services(skel, &key, &in_map);
		run_must(bpf_map_lookup_elem(map, &in_map, &service), "services");
		service.hint_group = GROUP;
		service.flags |= flags;
		service.affinity = affinity;
		run_must(bpf_map_update_elem(map, &in_map, &service, BPF_ANY), "services");
	}
}

static void set_alive(uint32_t id, bool alive)
{
	struct backend backend = balancer_backend(&setup, id);

	backend.alive = alive;
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.backends), &id, &backend, BPF_ANY), "backends");
}

#define LONG_TAG "b27e1a1d33761e85846fc98f5f3a7e58."

/* The service on port 5060 reads hints in requests and responses, the service on port 5062 only in responses. */
static void load(void)
{
	suite_load(&setup);
	put_hint("px3.example.net", 0, NAMED);
	put_hint("10.0.0.13", 0, NAMED);
	put_hint("[2001:db8::13]", 0, NAMED);
	put_hint("px2.example.net", 5062, PORTED);
	put_hint("px1.example.net", 5060, USUAL);
	put_hint(";node=px3", 0, NAMED);
	put_hint(";node=sixteen-byte", 0, PORTED);
	put_hint("tag=px3-", 0, NAMED);
	put_hint("tag=" LONG_TAG, 0, PORTED);
	change_service(5060, AFFINITY_CALL_ID, SERVICE_ROUTE | SERVICE_PARAMETER | SERVICE_TAG);
	change_service(5062, AFFINITY_CALL_ID, SERVICE_PARAMETER);
}

TestSuite(hints, .init = load, .fini = suite_unload);

/* A message: its first line, and headers that may name a backend. */
struct message {
	const char *line;
	const char *headers;
	uint32_t receiver;
};

#define RESPONSE "SIP/2.0 200 OK"
#define BYE "BYE sip:bob@198.51.100.7 SIP/2.0"
#define INVITE(uri) "INVITE " uri " SIP/2.0"
#define CLIENTS_VIA "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKa\r\n"

static const struct message messages[] = {
	{RESPONSE, "Via: SIP/2.0/UDP px3.example.net;branch=z9hG4bKa\r\n" CLIENTS_VIA, NAMED},
	{RESPONSE, "v: SIP / 2.0 / UDP PX3.Example.NET:5080;branch=z9hG4bKa\r\n" CLIENTS_VIA, NAMED},
	{RESPONSE, "Via: SIP/2.0/UDP 10.0.0.13:5060;branch=z9hG4bKa\r\n", NAMED},
	{RESPONSE, "Via: SIP/2.0/UDP 10.0.0.13;branch=z9hG4bKa\r\n", NAMED},
	{RESPONSE, "Via: SIP/2.0/UDP [2001:DB8:0:0::13]:5060;branch=z9hG4bKa\r\n", NAMED},
	{RESPONSE, "Via: SIP/2.0/UDP px2.example.net:5062;branch=z9hG4bKa\r\n", PORTED},
	{RESPONSE, "Via: SIP/2.0/UDP px2.example.net:5063;branch=z9hG4bKa\r\n", BY_KEY},
	{RESPONSE, "Via: SIP/2.0/UDP px2.example.net;branch=z9hG4bKa\r\n", BY_KEY},
	{RESPONSE, CLIENTS_VIA "Via: SIP/2.0/UDP px3.example.net;branch=z9hG4bKa\r\n", BY_KEY},
	{RESPONSE, "To: Bob\r\nVia: SIP/2.0/UDP\r\n px3.example.net;branch=z9hG4bKa\r\n", NAMED},
	{"\r\n" RESPONSE, "Via: SIP/2.0/UDP 10.0.0.13;branch=z9hG4bKa\r\n", NAMED},
	{BYE, "Route: <sip:px3.example.net;lr>\r\n", NAMED},
	{BYE, CLIENTS_VIA "Route: \"P 3\" <sips:a;b=c@10.0.0.13:5061;lr>, <sip:px2.example.net:5062>\r\n", NAMED},
	{BYE, "Route: <sip:198.51.100.8;lr>\r\nRoute: <sip:px3.example.net;lr>\r\n", BY_KEY},
	{BYE, "Route: <sip:192.0.2.10;lr>\r\nRoute: <sip:px3.example.net;lr>\r\n", NAMED},
	{BYE, "Route: <sip:192.0.2.10:5060;lr>,\r\n <sip:px3.example.net;lr>\r\n" CLIENTS_VIA, NAMED},
	{BYE, "Route: <sip:192.0.2.10;lr>, <sip:192.0.2.10;lr>\r\n" CLIENTS_VIA "Route: <sip:px3.example.net;lr>\r\n",
		NAMED},
	{BYE, "Route: <sip:192.0.2.10;lr>, <sip:198.51.100.8;lr>, <sip:px3.example.net;lr>\r\n", BY_KEY},
	{BYE, "Route: <sip:192.0.2.10;lr>\r\n", BY_KEY},
	{BYE, "Route: <sip:[2001:db8::10]:5060;lr>, <sip:px3.example.net;lr>\r\n", NAMED},
	{INVITE("sip:bob@px3.example.net"), "Route: <sip:192.0.2.10;lr>\r\n" CLIENTS_VIA, NAMED},
	{INVITE("sip:192.0.2.10"), "Route: <sip:192.0.2.10;lr>\r\n" CLIENTS_VIA, BY_KEY},
	{RESPONSE, "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKa\r\nVia: SIP/2.0/UDP px3.example.net\r\n", BY_KEY},
	{BYE, "Record-Route: <sip:px3.example.net;lr>\r\n", BY_KEY},
	{INVITE("sip:bob@px3.example.net"), CLIENTS_VIA, NAMED},
	{INVITE("sip:bob@px3.example.net"), "Route: <sip:198.51.100.8;lr>\r\n", BY_KEY},
	{INVITE("sip:10.0.0.13"), CLIENTS_VIA, NAMED},
	{INVITE("SIP:bob:secret@[2001:db8::0:13]:5060;transport=udp?x=y"), CLIENTS_VIA, NAMED},
	{INVITE("tel:+49301234"), CLIENTS_VIA, BY_KEY},
	{INVITE("sip:px3.example.net@198.51.100.8"), CLIENTS_VIA, BY_KEY},
	{INVITE("sip:bob@example.net"), "Via: SIP/2.0/UDP px3.example.net;branch=z9hG4bKa\r\n", BY_KEY},
	{RESPONSE, "Via: SIP/2.0/UDP px1.example.net:5060;branch=z9hG4bKa\r\n", USUAL},
	{BYE, "Route: <sip:px1.example.net;lr>\r\n", USUAL},
	{BYE, "Route: <sip:px1.example.net:5070;lr>\r\n", BY_KEY},
	{"sip/2.0 200 OK", "Via: sip/2.0/udp px3.example.net;branch=z9hG4bKa\r\n", NAMED},
	/* parameters */
	{BYE, "Route: <sip:192.0.2.10;lr;node=px3>\r\n", NAMED},
	{BYE, "Route: <sip:bob@192.0.2.10:5062;NODE=Px3;lr>,<sip:px1.example.net;lr>\r\n", NAMED},
	{BYE, "Route: <sip:[2001:db8::10]:5060;lr=on;ftag=a%20B+c/*;node=px3>\r\n", NAMED},
	{BYE, "Route: <sip:198.51.100.8;node=px3>\r\n", NAMED},
	{BYE, "Route: <sip:192.0.2.10;lr;node=sixteen-byte>\r\n", PORTED},
	{BYE, "Route: <sip:192.0.2.10;lr;node=sixteen-byte0>\r\n", BY_KEY},
	{BYE, "Route: <sip:192.0.2.10;lr>\r\nRoute: <sip:192.0.2.10;node=px3;lr>\r\n", NAMED},
	{BYE, "Route: <sip:px1.example.net;node=px3;lr>\r\n", USUAL},
	{BYE, "Route: <sip:192.0.2.10;a;b;c;d;e;f;g;node=px3>\r\n", NAMED},
	{BYE, "Route: <sip:192.0.2.10;a;b;c;d;e;f;g;h;node=px3>\r\n", BY_KEY},
	{BYE, "Route: <sip:192.0.2.10;lr;node=px>\r\n", BY_KEY},
	{BYE, "Route: <sip:192.0.2.10;lr;node=px33>\r\n", BY_KEY},
	{BYE, "Route: <sip:192.0.2.10;lr;anode=px3>\r\n", BY_KEY},
	{BYE, "Route: <sip:192.0.2.10;lr>;node=px3\r\n", BY_KEY},
	{BYE, "Route: <sip:a;node=px3@192.0.2.10;lr>\r\n", BY_KEY},
	{INVITE("sip:bob@192.0.2.10:5060;transport=udp;node=px3?a=b"), CLIENTS_VIA, NAMED},
	{INVITE("sip:bob@example.net;node=px3"), CLIENTS_VIA, NAMED},
	{INVITE("sip:bob@example.net;node=px3"), "Route: <sip:198.51.100.8;lr>\r\n", BY_KEY},
	{RESPONSE, "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKa;node=px3\r\n", NAMED},
};

#define CALL_ID "3848276298220188515@example.net"

static uint32_t ask(const struct message *message, const char *destination, uint16_t port, enum verdict verdict)
{
	uint64_t before = balancer_verdict(skel, verdict);
	struct frame frame;
	char text[1024];

	snprintf(text, sizeof(text),
		"%s\r\n%sMax-Forwards: 70\r\nTo: <sip:bob@example.com>;tag=1\r\nFrom: <sip:alice@example.com>;tag=2\r\n"
		"Call-ID: " CALL_ID "\r\nCSeq: 1 X\r\nContent-Length: 0\r\n\r\n",
		message->line, message->headers);
	frame_build(
		&frame, &(struct frame_spec){.payload = text, .destination = destination, .destination_port = port});
	cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
	cr_expect_eq(balancer_verdict(skel, verdict), before + 1, "%s / %s: not counted as %s", message->line,
		message->headers, balancer_verdict_name(verdict));
	return balancer_receiver(&frame);
}

static uint32_t by_key(void)
{
	return balancer_owner(&setup, 0, balancer_hash(CALL_ID, strlen(CALL_ID)));
}

Test(hints, messages)
{
	cr_assert(
		by_key() != NAMED && by_key() != PORTED && by_key() != USUAL, "the Call-ID is to be another backend's");
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		const struct message *message = &messages[i];
		uint32_t receiver = message->receiver ? message->receiver : by_key();
		enum verdict verdict = message->receiver ? VERDICT_hint : VERDICT_call_id;
		bool ipv4 = strstr(message->headers, "192.0.2.10") ||
			    (i % 2 && !strstr(message->headers, "[2001:db8::10]"));
		uint32_t got = ask(message, ipv4 ? "192.0.2.10" : "2001:db8::10", 0, verdict);

		cr_expect_eq(got, receiver, "%s / %s: to %u, not %u", message->line, message->headers, got, receiver);
	}
}

Test(hints, without_hints_of_backends_only_responses_are_read)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		bool named = messages[i].receiver && strcasestr(messages[i].line, "SIP/2.0 200");

		ask(&messages[i], NULL, 5062, named ? VERDICT_hint : VERDICT_call_id);
	}
}

#define TO(tag) "To: <sip:bob@example.com>;tag=" tag "\r\n"
#define FROM(tag) "From: <sip:bob@example.com>;tag=" tag "\r\n"
#define ACK "ACK sip:bob@198.51.100.7 SIP/2.0"

/* The recipient's tag is in the To of a request and in the From of a response. `by_host`: the receiver if a host in the
 * message, which takes precedence, names a different backend. */
static const struct {
	const char *line;
	const char *headers;
	uint32_t receiver, by_host;
} tags[] = {
	{BYE, TO("px3-8f3a"), NAMED, 0},
	{ACK, TO("px3-8f3a"), NAMED, 0},
	{INVITE("sip:bob@example.com"), TO("px3-8f3a") CLIENTS_VIA, NAMED, 0},
	{"\r\n" BYE, TO("px3-"), NAMED, 0},
	{BYE, TO("PX3-a-b.c"), NAMED, 0},
	{BYE, TO(LONG_TAG "2c3d"), PORTED, 0},
	{BYE, "t: sip:bob@example.com;tag=px3-1\r\n", NAMED, 0},
	{BYE, "To :\"x;tag=a-\" <sip:a;tag=b->;x=\"y;tag=c-\";tag=px3-1\r\n", NAMED, 0},
	{BYE, "To: Bob\r\n <sip:bob@example.com>\r\n\t; x=y ; TAG\t= px3-1 ;z\r\n", NAMED, 0},
	{RESPONSE, FROM("px3-8f3a"), NAMED, 0},
	{RESPONSE, CLIENTS_VIA "f: \"Bob\" <sip:bob@example.com>;tag=px3-8f3a\r\n" TO("px1-1"), NAMED, 0},
	{RESPONSE, FROM(LONG_TAG "2c3d") CLIENTS_VIA, PORTED, 0},
	/* the tag of the sender */
	{BYE, FROM("px3-8f3a"), BY_KEY, 0},
	{INVITE("sip:bob@example.com"), FROM("px3-8f3a") "To: <sip:bob@example.com>\r\n", BY_KEY, 0},
	{RESPONSE, TO("px3-8f3a"), BY_KEY, 0},
	/* hosts */
	{BYE, "Route: <sip:px1.example.net;lr>\r\n" TO("px3-1"), NAMED, USUAL},
	{BYE, TO("px3-1") "Route: <sip:192.0.2.10;lr>, <sip:px1.example.net;lr>\r\n", NAMED, USUAL},
	{INVITE("sip:bob@px1.example.net"), TO("px3-1"), NAMED, USUAL},
	{BYE, "Route: <sip:192.0.2.10;lr;node=sixteen-byte>\r\n" TO("px3-1"), NAMED, PORTED},
	{BYE, "Route: <sip:198.51.100.8;lr>\r\n" TO("px3-1"), NAMED, 0},
	{BYE, "Route: <sip:192.0.2.10;lr>\r\nRoute: <sip:192.0.2.10;lr>\r\n" TO("px3-1"), NAMED, 0},
	{RESPONSE, "Via: SIP/2.0/UDP px1.example.net;branch=z9hG4bKa\r\n" FROM("px3-1"), USUAL, 0},
	{RESPONSE, "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKa\r\n" FROM("px3-1"), NAMED, 0},
	{BYE, "Route: <sip:px3-;lr>\r\nX: <sip:192.0.2.10;tag=px3->\r\n", BY_KEY, 0},
	{BYE, "Route: <sip:192.0.2.10;lr;tag=px3->\r\n", BY_KEY, 0},
	/* tags with a different prefix */
	{BYE, TO("px3"), BY_KEY, 0},
	{BYE, TO("px3.1"), BY_KEY, 0},
	{BYE, TO("px3_1"), BY_KEY, 0},
	{BYE, TO("px3~-"), BY_KEY, 0},
	{BYE, TO("px33-1"), BY_KEY, 0},
	{BYE, TO("px-3-1"), BY_KEY, 0},
	{BYE, TO("-px3-1"), BY_KEY, 0},
	{BYE, TO("-"), BY_KEY, 0},
	{BYE, TO(""), BY_KEY, 0},
	{BYE, TO("b27e1a1d33761e85846fc98f5f3a7e58-2c3d"), BY_KEY, 0},
	{BYE, TO("b27e1a1d33761e85846fc98f5f3a7e580.2c3d"), BY_KEY, 0},
	{BYE, "To: <sip:bob@example.com>;xtag=px3-1\r\n", BY_KEY, 0},
	{BYE, "To: <sip:bob@example.com;tag=px3-1>\r\n", BY_KEY, 0},
	{BYE, "To: <sip:bob@example.com>;tag=1\r\n" TO("px3-1"), BY_KEY, 0},
};

/* Sends all messages to a service. `hosts`: the service also reads hosts in requests. */
static void ask_tags(uint16_t port, bool hosts)
{
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
		const struct message message = {.line = tags[i].line, .headers = tags[i].headers};
		uint32_t named = hosts && tags[i].by_host ? tags[i].by_host : tags[i].receiver, got;

		got = ask(&message, i % 2 || strstr(message.headers, "192.0.2.10") ? "192.0.2.10" : NULL, port,
			named ? VERDICT_hint : VERDICT_call_id);
		cr_expect_eq(got, named ? named : by_key(), "port %u: %s / %s: to %u", port, message.line,
			message.headers, got);
	}
}

Test(hints, the_tag_of_the_recipient_names_a_backend_after_the_hosts)
{
	ask_tags(5060, true);
	change_service(5062, AFFINITY_CALL_ID, SERVICE_TAG);
	ask_tags(5062, false);
}

Test(hints, without_tags_of_backends_no_tag_is_read)
{
	const struct message message = {.line = BYE, .headers = TO("px3-8f3a")};

	cr_expect_eq(ask(&message, NULL, 5062, VERDICT_call_id), by_key());
}

Test(hints, a_tag_ignores_a_dead_backend)
{
	const struct message message = {.line = BYE, .headers = TO("px3-8f3a")};

	set_alive(NAMED, false);
	cr_expect_eq(ask(&message, NULL, 0, VERDICT_call_id), by_key());
}

Test(hints, a_first_fragment_without_a_route_follows_its_request_uri)
{
	static const char text[] = "INVITE sip:bob@px3.example.net SIP/2.0\r\nCall-ID: " CALL_ID "\r\n"
				   "Identity: 012345678901234567890123456789";
	struct frame frame;

	frame_build(&frame, &(struct frame_spec){.payload = text, .more_fragments = true, .id = 9});
	cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
	cr_expect_eq(balancer_receiver(&frame), NAMED);
}

/* More lines before a Route than the budget of a packet allows (bpf/sip_text.h). */
#define TEN(text) text text text text text text text text text text
#define FLOOD TEN(TEN("R\n")) TEN("R\n")

static const struct message floods[] = {
	{BYE, FLOOD "Route: <sip:px3.example.net;lr>\r\n", BY_KEY},
	{INVITE("sip:bob@px3.example.net"), FLOOD "Route: <sip:198.51.100.8;lr>\r\n", BY_KEY},
	{RESPONSE, FLOOD "Via: SIP/2.0/UDP px3.example.net;branch=z9hG4bKa\r\n", BY_KEY},
	{BYE, FLOOD TO("px3-1"), BY_KEY},
	{RESPONSE, FLOOD FROM("px3-1"), BY_KEY},
};

Test(hints, a_message_beyond_the_budget_follows_its_key_and_is_counted)
{
	for (size_t i = 0; i < sizeof(floods) / sizeof(*floods); i++)
		cr_expect_eq(ask(&floods[i], NULL, 0, VERDICT_headers_too_far), by_key(), "%s", floods[i].line);
}

/* The effect of such a message on its call is unknown, so the call stays live. */
Test(hints, a_message_beyond_the_budget_stays_with_the_previous_owner)
{
	struct pool pool = {.table = 0, .migrating = 1};
	uint16_t owners[4096];
	uint32_t zero = 0;

	for (int i = 0; i < 4096; i++)
		owners[i] = USUAL;
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.previous_owners), &zero, owners, BPF_ANY),
		"previous_owners");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &zero, &pool, BPF_ANY), "pools");
	for (size_t i = 0; i < sizeof(floods) / sizeof(*floods); i++)
		cr_expect_eq(ask(&floods[i], NULL, 0, VERDICT_headers_too_far), USUAL, "%s", floods[i].line);
}

Test(hints, a_hint_ignores_a_dead_backend)
{
	set_alive(NAMED, false);
	cr_expect_eq(ask(&messages[0], NULL, 0, VERDICT_call_id), by_key());
}

Test(hints, a_hint_precedes_a_migrating_slot)
{
	uint16_t owners[4096];
	struct pool pool = {.table = 0, .migrating = 1};
	uint32_t zero = 0;

	for (int i = 0; i < 4096; i++)
		owners[i] = 4;
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.previous_owners), &zero, owners, BPF_ANY),
		"previous_owners");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &zero, &pool, BPF_ANY), "pools");
	cr_expect_eq(ask(&messages[0], NULL, 0, VERDICT_hint), NAMED);
	cr_expect_eq(ask(&messages[13], NULL, 0, VERDICT_call_id), 4, "without a hint the previous owner receives it");
}

/* The end of a call is also detected by a BYE whose Route names the backend. */
Test(hints, a_migrating_pool_also_tracks_calls_with_hints)
{
	static const char headers[] =
		"Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\nRoute: <sip:px3.example.net;lr>\r\n"
		"To: <sip:bob@example.com>;tag=b\r\nFrom: <sip:alice@example.com>;tag=a\r\n"
		"Call-ID: " CALL_ID "\r\n\r\n";
	uint64_t hash = balancer_hash(CALL_ID, strlen(CALL_ID));
	struct tracked_key key = {.hash = hash, .slot = hash & 4095};
	struct pool pool = {.table = 0, .migrating = 1};
	int notes = bpf_map__fd(skel->maps.tracked_calls);
	struct tracked_call tracked;
	char text[512];

	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &(uint32_t){0}, &pool, BPF_ANY), "pools");
	for (int i = 0; i < 2; i++) {
		struct frame frame;

		snprintf(text, sizeof(text), "%s sip:bob@example.com SIP/2.0\r\n%s", i ? "BYE" : "UPDATE", headers);
		frame_build(&frame, &(struct frame_spec){.payload = text});
		cr_assert_eq(balancer_run(skel, &frame), XDP_TX);
		cr_assert_eq(balancer_receiver(&frame), NAMED);
		run_must(bpf_map_lookup_elem(notes, &key, &tracked), "tracked_calls");
		cr_expect_eq(tracked.backend, NAMED);
		cr_expect_eq(tracked.ended != 0, i, "%s", text);
	}
}

Test(hints, an_icmp_error_goes_to_the_backend_that_its_quote_names)
{
	static const char sent[] = "INVITE sip:carol@198.51.100.7 SIP/2.0\r\n"
				   "Via: SIP/2.0/UDP px3.example.net;branch=z9hG4bKa\r\nCall-ID: " CALL_ID "\r\n\r\n";
	const struct frame_spec quote = {.source = "192.0.2.10", .destination = "198.51.100.7", .payload = sent};
	struct frame frame;

	frame_build(&frame, &(struct frame_spec){.protocol = IPPROTO_ICMP, .icmp_type = 3, .quote = &quote});
	cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
	cr_expect_eq(balancer_receiver(&frame), NAMED);
}

/* A backend is the sender of the quoted message, so its tag is in the other header. */
Test(hints, an_icmp_error_goes_to_the_backend_whose_tag_its_quote_contains)
{
	static const char *const sent[] = {
		"INVITE sip:carol@198.51.100.7 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKa\r\n" FROM(
			"px3-1") "Call-ID: " CALL_ID "\r\n\r\n",
		"SIP/2.0 200 OK\r\n" CLIENTS_VIA TO("px3-1") "Call-ID: " CALL_ID "\r\n\r\n"};

	for (int i = 0; i < 2; i++) {
		const struct frame_spec quote = {
			.source = "192.0.2.10", .destination = "198.51.100.7", .payload = sent[i]};
		struct frame frame;

		frame_build(&frame, &(struct frame_spec){.protocol = IPPROTO_ICMP, .icmp_type = 3, .quote = &quote});
		cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
		cr_expect_eq(balancer_receiver(&frame), NAMED, "%s", sent[i]);
	}
}

/* --- users */

static const struct {
	enum affinity affinity;
	const char *line;
	const char *headers;
	const char *user; /* NULL: the message has no user */
} users[] = {
	{AFFINITY_REQUEST_USER, INVITE("sip:1234@example.net"), "", "1234"},
	{AFFINITY_REQUEST_USER, INVITE("sip:%31234:secret@example.org;user=phone"), "", "1234"},
	{AFFINITY_REQUEST_USER, INVITE("tel:+49-30-1234"), "", "+49301234"},
	{AFFINITY_REQUEST_USER, INVITE("sip:example.net"), "", NULL},
	{AFFINITY_REQUEST_USER, RESPONSE, "", NULL},
	{AFFINITY_FROM_USER, INVITE("sip:1234@example.net"), "", "alice"},
	{AFFINITY_FROM_USER, RESPONSE, "", "alice"},
	{AFFINITY_FROM_USER, RESPONSE, "f: \"A <x@y>\" <sip:%61lice@example.com>;tag=3\r\n", "alice"},
	{AFFINITY_FROM_USER, RESPONSE, "From: <sip:Alice@example.com>;tag=3\r\n", "Alice"},
	{AFFINITY_FROM_USER, RESPONSE, "From: <sip:example.com>;tag=3\r\n", NULL},
	{AFFINITY_TO_USER, INVITE("sip:1234@example.net"), "", "bob"},
	{AFFINITY_TO_USER, INVITE("sip:1234@example.net"), "t: tel:+1(201)555.0123;phone-context=a\r\n",
		"+12015550123"},
};

Test(hints, users)
{
	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++) {
		const struct message message = {.line = users[i].line, .headers = users[i].headers};
		uint32_t receiver, expected;

		change_service(5062, users[i].affinity, 0);
		receiver = ask(&message, NULL, 5062, users[i].user ? VERDICT_user : VERDICT_no_user);
		if (!users[i].user)
			continue;
		expected = balancer_owner(&setup, 0, balancer_hash(users[i].user, strlen(users[i].user)));
		cr_expect_eq(receiver, expected, "%s / %s: to %u, not %u", users[i].line, users[i].headers, receiver,
			expected);
	}
}
