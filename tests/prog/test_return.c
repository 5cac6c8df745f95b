// SPDX-License-Identifier: GPL-2.0
/* The counters of packets that backends with `forward: nat` send to clients, and the results for passive health. The
 * test runs in a network namespace with a route to the clients. */

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "bpf/abi_return.h"
#include "nat_network.h"
#include "rows.h"
#include "suite.h"

#define BACKEND 1
#define SERVICE 5
#define BACKEND_ADDRESS "10.0.0.1"

static void put(const struct bpf_map *map, const void *key, const void *value)
{
	run_must(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), bpf_map__name(map));
}

static void put_source(uint16_t port, uint8_t protocol, uint8_t flags)
{
	struct nat_source key = {.port = htons(port), .protocol = protocol};
	struct nat_vip vip = {.backend = BACKEND, .service = SERVICE, .flags = flags};

	key.address = balancer_address(BACKEND_ADDRESS);
	vip.vip = balancer_address("192.0.2.10");
	put(skel->maps.nat_sources, &key, &vip);
}

static void set_rule(const uint16_t *codes)
{
	struct passive_rule rule = {};

	for (; *codes; codes++)
		rule.codes[(*codes - PASSIVE_FIRST_CODE) / 64] |= 1ULL << (*codes - PASSIVE_FIRST_CODE) % 64;
	put(skel->maps.passive_rules, &(uint32_t){BACKEND}, &rule);
}

static void load_program(bool no_fast_path)
{
	nat_network_load(no_fast_path);
	put_source(5060, IPPROTO_UDP, NAT_COUNTS | NAT_MESSAGES | NAT_PASSIVE);
	put_source(5061, IPPROTO_TCP, NAT_COUNTS);
	put_source(10000, IPPROTO_UDP, NAT_COUNTS);
	put_source(5070, IPPROTO_UDP, 0);
	set_rule((const uint16_t[]){503, 504, 699, 0});
}

static void load(void)
{
	nat_network_enter();
	load_program(false);
}

TestSuite(return_path, .init = load, .fini = suite_unload);

static void run_twice(void (*test)(void))
{
	test();
	suite_unload();
	load_program(true);
	test();
}

/* --- counters */

struct counts {
	uint64_t service[SERVICE_COUNTER_COUNT];
	uint64_t backend[BACKEND_RETURN_COUNT];
};

static void read_counts(struct counts *counts)
{
	run_counters(bpf_map__fd(skel->maps.service_return), SERVICE, counts->service, SERVICE_COUNTER_COUNT);
	run_counters(bpf_map__fd(skel->maps.backend_return), BACKEND, counts->backend, BACKEND_RETURN_COUNT);
}

static int run_out(const struct frame_spec *in)
{
	struct frame_spec spec = *in;
	struct frame frame;

	spec.source = BACKEND_ADDRESS;
	spec.destination = spec.destination ? spec.destination : "198.51.100.7";
	frame_build(&frame, &spec);
	balancer_drain(skel);
	return balancer_run(skel, &frame);
}

static size_t length_of(const struct frame_spec *in)
{
	struct frame frame;

	frame_build(&frame, in);
	return frame.length;
}

/* A packet, and the message counters that must increase by 1; 0: none. */
static void check_counts(
	const char *what, const struct frame_spec *in, uint32_t service, uint32_t backend, uint64_t packets)
{
	struct counts before, after;
	struct balancer_counts inward, inward_after;

	read_counts(&before);
	balancer_count(skel, 4, &inward);
	run_out(in);
	read_counts(&after);
	balancer_count(skel, 4, &inward_after);
	for (uint32_t i = 0; i < SERVICE_COUNTER_COUNT; i++) {
		uint64_t wanted = i == service && i;

		wanted = i == SERVICE_COUNTER_packets ? packets : wanted;
		wanted = i == SERVICE_COUNTER_bytes ? packets * length_of(in) : wanted;
		cr_expect_eq(after.service[i] - before.service[i], wanted, "%s: counter %u of the service: %lu", what,
			i, after.service[i] - before.service[i]);
	}
	for (uint32_t i = 0; i < BACKEND_RETURN_COUNT; i++) {
		uint64_t wanted = i == backend && i;

		wanted = i == BACKEND_RETURN_packets ? packets : wanted;
		wanted = i == BACKEND_RETURN_bytes ? packets * length_of(in) : wanted;
		cr_expect_eq(after.backend[i] - before.backend[i], wanted, "%s: counter %u of the backend: %lu", what,
			i, after.backend[i] - before.backend[i]);
	}
	cr_expect_arr_eq(inward.service_messages, inward_after.service_messages, sizeof(inward.service_messages));
	cr_expect_arr_eq(inward.backend_messages, inward_after.backend_messages, sizeof(inward.backend_messages));
}

/* Responses in the common order of headers, and in one for which the program must read all headers. */
static const char *const forms[] = {
	"SIP/2.0 %u Reason\r\n"
	"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-77ab31\r\n"
	"To: <sip:bob@example.net>;tag=314159\r\n"
	"Call-ID: %s\r\n"
	"CSeq: 17 %s\r\n\r\n",
	"\r\nSIP/2.0 %u Reason\r\n"
	"Call-ID:%s\r\n"
	"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-77ab31\r\n"
	"CSeq: 17\r\n %s\r\n"
	"t: <sip:bob@example.net>;tag=314159\r\n\r\n",
};

#define FORMS (sizeof(forms) / sizeof(*forms))

static void check_responses(void)
{
	static const struct {
		unsigned int code;
		const char *method;
		uint32_t service, backend;
	} rows[] = {
		{100, "INVITE", SERVICE_COUNTER_invite_100, BACKEND_RETURN_invite_1xx},
		{182, "INVITE", SERVICE_COUNTER_invite_other_1xx, BACKEND_RETURN_invite_1xx},
		{200, "INVITE", SERVICE_COUNTER_invite_200, BACKEND_RETURN_invite_2xx},
		{202, "INVITE", SERVICE_COUNTER_invite_other_2xx, BACKEND_RETURN_invite_2xx},
		{302, "INVITE", SERVICE_COUNTER_invite_302, BACKEND_RETURN_invite_3xx},
		{404, "INVITE", SERVICE_COUNTER_invite_404, BACKEND_RETURN_invite_4xx},
		{499, "INVITE", SERVICE_COUNTER_invite_other_4xx, BACKEND_RETURN_invite_4xx},
		{500, "INVITE", SERVICE_COUNTER_invite_500, BACKEND_RETURN_invite_5xx},
		{503, "INVITE", SERVICE_COUNTER_invite_503, BACKEND_RETURN_invite_5xx},
		{504, "INVITE", SERVICE_COUNTER_invite_other_5xx, BACKEND_RETURN_invite_5xx},
		{603, "INVITE", SERVICE_COUNTER_invite_603, BACKEND_RETURN_invite_6xx},
		{604, "INVITE", SERVICE_COUNTER_invite_other_6xx, BACKEND_RETURN_invite_6xx},
		{700, "INVITE", SERVICE_COUNTER_invite_invalid, BACKEND_RETURN_invite_invalid},
		{200, "REGISTER", SERVICE_COUNTER_register_200, BACKEND_RETURN_other_2xx},
		{401, "REGISTER", SERVICE_COUNTER_register_401, BACKEND_RETURN_other_4xx},
		{481, "BYE", SERVICE_COUNTER_other_481, BACKEND_RETURN_other_4xx},
		{700, "BYE", SERVICE_COUNTER_other_invalid, BACKEND_RETURN_other_invalid},
		{503, "", SERVICE_COUNTER_unknown_503, BACKEND_RETURN_other_5xx},
	};

	for (size_t i = 0; i < FORMS * sizeof(rows) / sizeof(*rows); i++) {
		unsigned int code = rows[i / FORMS].code;
		char text[1024];

		snprintf(text, sizeof(text), forms[i % FORMS], code, ROW_CALL_ID, rows[i / FORMS].method);
		check_counts(text, &(struct frame_spec){.payload = text}, rows[i / FORMS].service,
			rows[i / FORMS].backend, 1);
		check_counts("with VLAN tags", &(struct frame_spec){.payload = text, .vlan = {100, 200}},
			rows[i / FORMS].service, rows[i / FORMS].backend, 1);
	}
}

Test(return_path, responses_by_code_and_method)
{
	run_twice(check_responses);
}

static void check_requests(void)
{
	static const char invite[] = "INVITE sip:a@198.51.100.7 SIP/2.0\r\nTo: <sip:a@example.net>%s\r\n"
				     "Call-ID: " ROW_CALL_ID "\r\nCSeq: 1 INVITE\r\n\r\n";
	static const char bye[] = "BYE sip:a@198.51.100.7 SIP/2.0\r\nTo: <sip:a@example.net>;tag=1\r\n"
				  "Call-ID: " ROW_CALL_ID "\r\nCSeq: 2 BYE\r\n\r\n";
	static const char notify[] = "NOTIFY sip:a@198.51.100.7 SIP/2.0\r\nTo: <sip:a@example.net>\r\n"
				     "Call-ID: " ROW_CALL_ID "\r\nCSeq: 3 NOTIFY\r\n\r\n";
	char text[512];

	snprintf(text, sizeof(text), invite, "");
	check_counts(text, &(struct frame_spec){.payload = text}, SERVICE_COUNTER_initial_invite,
		BACKEND_RETURN_initial_invite, 1);
	snprintf(text, sizeof(text), invite, ";tag=7");
	check_counts(text, &(struct frame_spec){.payload = text}, SERVICE_COUNTER_in_dialog_invite,
		BACKEND_RETURN_in_dialog, 1);
	check_counts(
		bye, &(struct frame_spec){.payload = bye}, SERVICE_COUNTER_in_dialog_bye, BACKEND_RETURN_in_dialog, 1);
	check_counts(notify, &(struct frame_spec){.payload = notify}, SERVICE_COUNTER_initial_notify,
		BACKEND_RETURN_initial_other, 1);
	check_counts("a keepalive", &(struct frame_spec){.payload = "\r\n\r\n"}, SERVICE_COUNTER_not_sip,
		BACKEND_RETURN_not_sip, 1);
}

Test(return_path, requests_of_servers)
{
	run_twice(check_requests);
}

static void check_traffic(void)
{
	static const char ringing[] = "SIP/2.0 180 Ringing\r\nCall-ID: " ROW_CALL_ID "\r\nCSeq: 1 INVITE\r\n\r\n";
	static const struct frame_spec quote = {
		.source = "198.51.100.7", .destination = BACKEND_ADDRESS, .payload = ROW_INVITE};

	check_counts("TCP",
		&(struct frame_spec){
			.source_port = 5061, .protocol = IPPROTO_TCP, .tcp_header = true, .payload = ringing},
		0, 0, 1);
	check_counts("media", &(struct frame_spec){.source_port = 10000, .payload = "\x80rtp"}, 0, 0, 1);
	check_counts("message_counters: false", &(struct frame_spec){.source_port = 5070, .payload = ringing}, 0, 0, 0);
	check_counts("a port without a service", &(struct frame_spec){.source_port = 53, .payload = ringing}, 0, 0, 0);
	check_counts("no route", &(struct frame_spec){.destination = "198.51.100.9", .payload = ringing}, 0, 0, 0);
	check_counts(
		"to the balancer", &(struct frame_spec){.destination = "203.0.113.1", .payload = ringing}, 0, 0, 0);
	check_counts("sent by the daemon", &(struct frame_spec){.destination = "203.0.113.9", .payload = ringing},
		SERVICE_COUNTER_invite_180, BACKEND_RETURN_invite_1xx, 1);
	check_counts("ICMP", &(struct frame_spec){.icmp_type = 3, .quote = &quote}, 0, 0, 1);
	check_counts("a first fragment", &(struct frame_spec){.payload = ringing, .more_fragments = true, .id = 9000},
		SERVICE_COUNTER_invite_180, BACKEND_RETURN_invite_1xx, 1);
	check_counts(
		"a later fragment", &(struct frame_spec){.payload = "x", .fragment_offset = 1480, .id = 9000}, 0, 0, 1);
}

Test(return_path, packets_without_a_message)
{
	run_twice(check_traffic);
}

/* --- passive health */

static void respond(unsigned int form, unsigned int code, const char *call, const char *method)
{
	char text[1024];

	snprintf(text, sizeof(text), forms[form], code, call, method);
	cr_assert_eq(run_out(&(struct frame_spec){.payload = text}), XDP_REDIRECT);
}

static struct passive_state passive_state(void)
{
	struct passive_state state;

	run_must(bpf_map_lookup_elem(bpf_map__fd(skel->maps.passive_states), &(uint32_t){BACKEND}, &state), "state");
	return state;
}

static void check_passive(unsigned int form)
{
	static const struct {
		unsigned int code;
		const char *call, *method;
		uint32_t finals, failures, run; /* afterwards, of INVITE */
	} rows[] = {
		{503, "1@a", "INVITE", 1, 1, 1},
		{503, "1@a", "INVITE", 1, 1, 1}, /* repeated until the ACK arrives */
		{504, "2@a", "INVITE", 2, 2, 2},
		{407, "3@a", "INVITE", 2, 2, 2},
		{401, "3@a", "INVITE", 2, 2, 2},
		{100, "4@a", "INVITE", 2, 2, 2},
		{180, "4@a", "INVITE", 2, 2, 2},
		{200, "4@a", "BYE", 2, 2, 2},
		{200, "5@a", "OPTIONS", 2, 2, 2},
		{503, "6@a", "BYE", 2, 2, 2},
		{699, "7@a", "INVITE", 3, 3, 3},
		{500, "8@a", "INVITE", 4, 3, 0},
		{503, "9@a", "INVITE", 5, 4, 1},
		{404, "10@a", "INVITE", 6, 4, 0},
		{503, "11@a", "INVITE", 7, 5, 1},
		{200, "12@a", "REGISTER", 7, 5, 1},
		{200, "12@a", "INVITE", 8, 5, 0},
		{700, "13@a", "INVITE", 8, 5, 0},
	};
	struct passive_state state, none = {};

	put(skel->maps.passive_states, &(uint32_t){BACKEND}, &none);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		respond(form, rows[i].code, rows[i].call, rows[i].method);
		state = passive_state();
		cr_expect_eq(state.of[PASSIVE_INVITE].finals, rows[i].finals, "row %zu: %llu", i,
			state.of[PASSIVE_INVITE].finals);
		cr_expect_eq(state.of[PASSIVE_INVITE].failures, rows[i].failures, "row %zu: %llu", i,
			state.of[PASSIVE_INVITE].failures);
		cr_expect_eq(state.of[PASSIVE_INVITE].run, rows[i].run, "row %zu: %u", i, state.of[PASSIVE_INVITE].run);
	}
	respond(form, 503, "14@a", "REGISTER");
	state = passive_state();
	cr_expect_eq(state.of[PASSIVE_REGISTER].finals, 2);
	cr_expect_eq(state.of[PASSIVE_REGISTER].failures, 1);
	cr_expect_eq(state.of[PASSIVE_REGISTER].run, 1);
	cr_expect_eq(state.of[PASSIVE_INVITE].run, 0);
}

static void check_all_forms(void)
{
	for (unsigned int form = 0; form < FORMS; form++)
		check_passive(form);
}

Test(return_path, results_for_passive_health)
{
	run_twice(check_all_forms);
}

static void check_no_rule(void)
{
	put_source(5060, IPPROTO_UDP, NAT_COUNTS | NAT_MESSAGES);
	respond(0, 503, "1@a", "INVITE");
	cr_expect_eq(passive_state().of[PASSIVE_INVITE].finals, 0);
}

Test(return_path, without_passive_health)
{
	run_twice(check_no_rule);
}
