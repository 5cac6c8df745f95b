// SPDX-License-Identifier: GPL-2.0
/* The flow table of packets from backends (bpf/nat_flow.h): a packet leaves as the last one of its flow, until the
 * generation rises or a period ends. Packets that differ in any property never leave as a packet of a different flow.
 * Expected frames have checksums that are calculated from all bytes. */

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "balancer.h"
#include "bpf/abi_nat.h"
#include "nat_network.h"
#include "rng.h"
#include "rows.h"
#include "suite.h"

#define OTHER_MAC "02:00:00:00:02:03" /* a second address of the gateway */
#define THIRD_MAC "02:00:00:00:02:04" /* of a second gateway, 203.0.113.3 */
#define FRAMES 20000
#define FRAMES_A_CHANGE 100

static const struct frame_spec usual = {
	.source = "10.0.0.1", .destination = "198.51.100.7", .source_port = 15060, .payload = ROW_INVITE};

/* The table is per CPU. */
static void stay_on_this_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	run_must(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

static void load(void)
{
	nat_network_enter();
	stay_on_this_cpu();
	nat_network_run("ip neigh add 203.0.113.3 lladdr " THIRD_MAC " dev out0 nud permanent");
	nat_network_load(false);
}

TestSuite(nat_flows, .init = load, .fini = suite_unload);

static void raise_generation(struct balancer_bpf *balancer)
{
	int map = bpf_map__fd(balancer->maps.nat_generation);
	uint32_t generation;

	run_must(bpf_map_lookup_elem(map, &(uint32_t){0}, &generation), "nat_generation");
	generation++;
	run_must(bpf_map_update_elem(map, &(uint32_t){0}, &generation, BPF_ANY), "nat_generation");
}

static void set_gateway(const char *mac)
{
	char command[128];

	snprintf(command, sizeof(command), "ip neigh replace 203.0.113.2 lladdr %s dev out0 nud permanent", mac);
	nat_network_run(command);
}

/* The packet as the client receives it from the VIP. */
static struct frame expect_out(const struct frame_spec *in, const char *gateway)
{
	struct frame_spec out = *in;
	struct frame frame;

	out.source = "192.0.2.10";
	out.source_port = in->protocol == IPPROTO_TCP ? 5061 : in->source_port == 15060 ? 5062 : in->source_port;
	out.ttl = (in->ttl ? in->ttl : 64) - 1;
	out.from_mac = NAT_OUT_MAC;
	out.to_mac = gateway;
	frame_build(&frame, &out);
	return frame;
}

static bool is_equal(const struct frame *a, const struct frame *b)
{
	return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

/* Runs a packet, and returns which of the gateway's addresses receives it. Any other result fails the test. */
static const char *run_to_gateway(const struct frame_spec *in)
{
	static const char *const gateways[] = {NAT_GATEWAY_MAC, OTHER_MAC, THIRD_MAC};
	struct frame frame, expected;
	int action;

	frame_build(&frame, in);
	action = balancer_run(skel, &frame);
	cr_assert_eq(action, XDP_REDIRECT, "XDP action %d", action);
	for (size_t i = 0; i < sizeof(gateways) / sizeof(*gateways); i++) {
		expected = expect_out(in, gateways[i]);
		if (is_equal(&frame, &expected))
			return gateways[i];
	}
	cr_assert_fail("the frame is not as the client should receive it");
	return NULL;
}

/* A period may end between two packets, so a single pair of packets proves nothing. */
Test(nat_flows, a_flow_keeps_its_next_hop_until_the_generation_rises)
{
	int kept = 0;

	for (int i = 0; i < 20; i++) {
		set_gateway(NAT_GATEWAY_MAC);
		raise_generation(skel);
		cr_expect_str_eq(run_to_gateway(&usual), NAT_GATEWAY_MAC);
		set_gateway(OTHER_MAC);
		kept += !strcmp(run_to_gateway(&usual), NAT_GATEWAY_MAC);
		raise_generation(skel);
		cr_expect_str_eq(run_to_gateway(&usual), OTHER_MAC);
	}
	cr_expect(kept > 0, "no packet used the table");
}

Test(nat_flows, a_flow_loses_its_next_hop_without_the_daemon)
{
	set_gateway(NAT_GATEWAY_MAC);
	run_to_gateway(&usual);
	set_gateway(OTHER_MAC);
	for (int i = 0; i < 100 && strcmp(run_to_gateway(&usual), OTHER_MAC); i++)
		usleep(100000);
	cr_expect_str_eq(run_to_gateway(&usual), OTHER_MAC);
}

/* --- two flows in one element */

/* Does this element contain a flow to this port of a client, on any CPU? */
static bool is_in_element(uint32_t at, uint16_t client_port)
{
	int cpus = libbpf_num_possible_cpus();
	struct nat_flow *flows = calloc(cpus, sizeof(*flows));
	bool found = false;

	run_must(!flows || bpf_map_lookup_elem(bpf_map__fd(skel->maps.nat_flows), &at, flows), "nat_flows");
	for (int cpu = 0; cpu < cpus; cpu++)
		found |= flows[cpu].key.destination && (ntohl(flows[cpu].key.ports) & 0xffff) == client_port;
	free(flows);
	return found;
}

/* The element that contains this flow; NAT_FLOWS: none. */
static uint32_t find_element(uint16_t client_port)
{
	uint32_t at = 0;

	while (at < NAT_FLOWS && !is_in_element(at, client_port))
		at++;
	return at;
}

/* Both flows alternate. They have different gateways and different ports of the VIP. */
Test(nat_flows, two_flows_in_one_element_replace_each_other)
{
	struct frame_spec first = usual, second = usual;
	uint32_t element;

	first.destination_port = 1000;
	second.destination = "198.51.100.20";
	second.source_port = 5060;
	nat_network_run("ip route add 198.51.100.20 via 203.0.113.3");
	run_to_gateway(&first);
	element = find_element(first.destination_port);
	cr_assert(element < NAT_FLOWS);
	for (uint32_t port = 1001; port < 65536 && is_in_element(element, first.destination_port); port++) {
		second.destination_port = port;
		run_to_gateway(&second);
	}
	cr_assert(is_in_element(element, second.destination_port), "no second flow uses the element");
	for (int i = 0; i < 100; i++) {
		cr_expect_str_eq(run_to_gateway(&first), NAT_GATEWAY_MAC);
		cr_expect(is_in_element(element, first.destination_port));
		cr_expect_str_eq(run_to_gateway(&second), THIRD_MAC);
		cr_expect(is_in_element(element, second.destination_port));
	}
}

/* --- packets that differ from a known flow in one property */

static void expect_verdict(const char *sentence, const struct frame_spec *in, enum verdict verdict)
{
	uint64_t counted = balancer_verdict(skel, verdict);
	struct frame frame;

	frame_build(&frame, in);
	balancer_drain(skel);
	balancer_run(skel, &frame);
	cr_expect_eq(balancer_verdict(skel, verdict), counted + 1, "%s: the verdict is not %s", sentence,
		balancer_verdict_name(verdict));
}

Test(nat_flows, packets_that_are_not_of_the_flow)
{
	static const struct {
		const char *sentence;
		struct frame_spec in;
		enum verdict verdict;
	} rows[] = {
		{"a TTL of 1", {.ttl = 1}, VERDICT_ttl_expired},
		{"a frame for a different host", {.to_mac = "02:00:00:00:00:77"}, VERDICT_other_host},
		{"TCP between the same ports", {.protocol = IPPROTO_TCP, .tcp_header = true}, VERDICT_not_service},
		{"a different port of the server", {.source_port = 53}, VERDICT_not_service},
		{"a different server", {.source = "10.0.0.99"}, VERDICT_not_service},
		{"the balancer as the client", {.destination = "203.0.113.1"}, VERDICT_not_service},
		{"an unreachable client", {.destination = "198.51.100.9"}, VERDICT_nat_no_route},
		{"a client without a neighbour entry", {.destination = "203.0.113.9"}, VERDICT_nat_held},
		{"a VIP as the client", {.destination = "192.0.2.10"}, VERDICT_call_id},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct frame_spec in = rows[i].in;

		in.source = in.source ? in.source : usual.source;
		in.destination = in.destination ? in.destination : usual.destination;
		in.source_port = in.source_port ? in.source_port : usual.source_port;
		in.payload = usual.payload;
		for (int twice = 0; twice < 2; twice++) {
			run_to_gateway(&usual);
			expect_verdict(rows[i].sentence, &in, rows[i].verdict);
		}
		cr_expect_str_eq(run_to_gateway(&usual), NAT_GATEWAY_MAC, "%s", rows[i].sentence);
	}
}

Test(nat_flows, a_known_flow_has_the_mtu_of_its_route)
{
	struct frame_spec fits = usual, too_large = usual;

	fits.destination = too_large.destination = "198.51.100.10";
	fits.payload_length = 600 - 28;
	too_large.payload_length = 600 - 27;
	fits.payload = too_large.payload = ROW_INVITE ROW_INVITE;
	for (int i = 0; i < 10; i++) {
		cr_expect_str_eq(run_to_gateway(&fits), NAT_GATEWAY_MAC);
		expect_verdict("too large", &too_large, VERDICT_oversize);
	}
	too_large.dont_fragment = true;
	expect_verdict("too large, Don't Fragment", &too_large, VERDICT_too_big);
}

/* The kernel's policy rules select a route by a member of the key. They contain numbers of protocols, because the
 * guests of tests/kernels/ have no /etc/protocols. */
static void check_rule(const char *rule, const struct frame_spec *in)
{
	char command[256];

	snprintf(command, sizeof(command), "ip rule add %s lookup 100", rule);
	nat_network_run(command);
	raise_generation(skel);
	for (int i = 0; i < 3; i++) {
		cr_expect_str_eq(run_to_gateway(&usual), NAT_GATEWAY_MAC, "%s", rule);
		cr_expect_str_eq(run_to_gateway(in), THIRD_MAC, "%s", rule);
	}
	snprintf(command, sizeof(command), "ip rule del %s lookup 100", rule);
	nat_network_run(command);
}

Test(nat_flows, policy_rules_apply)
{
	struct frame_spec in = usual;

	nat_network_run("ip route add default via 203.0.113.3 table 100");
	in.destination_port = 40001;
	check_rule("ipproto 17 dport 40001", &in);
	in = usual;
	in.source_port = 5060;
	check_rule("from 192.0.2.10 sport 5060", &in);
	in = usual;
	in.tos = 0x10;
	check_rule("tos 0x10", &in);
	in = usual;
	in.protocol = IPPROTO_TCP;
	in.tcp_header = true;
	in.source_port = 15061;
	check_rule("ipproto 6", &in);
	in = usual;
	in.destination = "198.51.100.8";
	check_rule("to 198.51.100.8", &in);
}

Test(nat_flows, changes_of_the_maps_apply_with_the_next_generation)
{
	struct nat_source key = {.port = htons(15060), .protocol = IPPROTO_UDP};
	int map = bpf_map__fd(skel->maps.nat_sources);

	run_to_gateway(&usual);
	nat_network_set_flags(0);
	expect_verdict("without NAT_ACTIVE", &usual, VERDICT_not_service);
	nat_network_set_flags(NAT_ACTIVE);
	run_to_gateway(&usual);
	key.address = balancer_address("10.0.0.1");
	run_must(bpf_map_delete_elem(map, &key), "nat_sources");
	raise_generation(skel);
	expect_verdict("without an entry in nat_sources", &usual, VERDICT_not_service);
}

/* --- random packets and changes: the fast path, with its table, and the stages have the same result */

static struct frame_spec write_packet(struct rng *rng)
{
	static const char *const clients[] = {"198.51.100.7", "198.51.100.8", "198.51.100.9", "198.51.100.10",
		"203.0.113.1", "203.0.113.9", "203.0.113.2", "8.8.8.8"};
	static const uint16_t ports[] = {5060, 15060, 15061, 53, 10003};
	struct frame_spec spec = {
		.source = rng_percent(rng, 98) ? "10.0.0.1" : "10.0.0.2",
		.destination = clients[rng_below(rng, sizeof(clients) / sizeof(*clients))],
		.source_port = ports[rng_below(rng, sizeof(ports) / sizeof(*ports))],
		.destination_port = rng_percent(rng, 50) ? 5060 : 40001,
		.protocol = rng_percent(rng, 70) ? IPPROTO_UDP : IPPROTO_TCP,
		.payload = ROW_INVITE ROW_INVITE,
		.payload_length = rng_percent(rng, 80) ? rng_below(rng, 500) : 500 + rng_below(rng, 300),
		.to_mac = rng_percent(rng, 98) ? NULL : "02:00:00:00:00:77",
		.ttl = rng_percent(rng, 95) ? 64 : 1 + rng_below(rng, 2),
		.tos = rng_percent(rng, 80) ? 0 : 0x10,
		.dont_fragment = rng_percent(rng, 50),
	};

	spec.tcp_header = spec.protocol == IPPROTO_TCP;
	return spec;
}

static void change_something(struct rng *rng)
{
	static const char *const commands[] = {
		"ip neigh replace 203.0.113.2 lladdr " OTHER_MAC " dev out0 nud permanent",
		"ip neigh replace 203.0.113.2 lladdr " NAT_GATEWAY_MAC " dev out0 nud permanent",
		"ip neigh replace 203.0.113.9 lladdr 02:00:00:00:02:09 dev out0 nud permanent",
		"ip neigh del 203.0.113.9 dev out0 2> /dev/null || true",
		"ip route replace 198.51.100.8 via 203.0.113.3",
		"ip route replace 198.51.100.8 via 203.0.113.2 mtu lock 700",
		"ip route replace unreachable 198.51.100.8",
		"ip rule del tos 0x10 lookup 100 2> /dev/null || true",
		"ip rule del tos 0x10 lookup 100 2> /dev/null; ip rule add tos 0x10 lookup 100",
		"ip route replace 198.51.100.0/24 nexthop via 203.0.113.2 nexthop via 203.0.113.3",
		"ip route replace 198.51.100.0/24 via 203.0.113.2",
		"sysctl -qw net.ipv4.ip_forward=0",
		"sysctl -qw net.ipv4.ip_forward=1",
		"sysctl -qw net.ipv4.ip_forward=1",
		"sysctl -qw net.ipv4.fib_multipath_hash_policy=0",
		"sysctl -qw net.ipv4.fib_multipath_hash_policy=1",
	};

	nat_network_run(commands[rng_below(rng, sizeof(commands) / sizeof(*commands))]);
}

/* One of two programs. Its ring buffers are read at once, as the daemon does; if not, the verdict depends on time. */
struct side {
	struct balancer_bpf *skel;
	struct ring_buffer *rings;
	struct frame frame;
	int action;
	uint64_t verdicts[VERDICT_COUNT];
};

static int drop_record(void *context, void *record, size_t size)
{
	(void)context, (void)record, (void)size;
	return 0;
}

static void begin(struct side *side, struct balancer_bpf *loaded)
{
	side->skel = loaded;
	side->rings = ring_buffer__new(bpf_map__fd(loaded->maps.punt_nat), drop_record, NULL, NULL);
	run_must(!side->rings ||
			 ring_buffer__add(side->rings, bpf_map__fd(loaded->maps.punt_oversize), drop_record, NULL),
		"ring buffers");
}

static void run_side(struct side *side, const struct frame_spec *spec)
{
	frame_build(&side->frame, spec);
	side->action = balancer_run(side->skel, &side->frame);
	ring_buffer__consume(side->rings);
	run_counters(bpf_map__fd(side->skel->maps.verdicts), 0, side->verdicts, VERDICT_COUNT);
}

Test(nat_flows, the_fast_path_has_the_same_result_as_the_stages, .timeout = 170)
{
	uint32_t frames = rng_frames(FRAMES);
	uint64_t seed = rng_seed();
	static struct side fast, stages;

	nat_network_run("ip route add default via 203.0.113.3 table 100");
	begin(&fast, skel);
	nat_network_load(true);
	begin(&stages, skel);
	for (uint32_t n = 0; n < frames; n++) {
		struct rng rng = rng_start(seed, n);
		struct frame_spec spec = write_packet(&rng);

		if (n % FRAMES_A_CHANGE == 0) {
			change_something(&rng);
			raise_generation(fast.skel);
		}
		run_side(&fast, &spec);
		run_side(&stages, &spec);
		cr_assert(fast.action == stages.action && is_equal(&fast.frame, &stages.frame) &&
				  !memcmp(fast.verdicts, stages.verdicts, sizeof(fast.verdicts)),
			"SIPXDP_SEED=%lu, frame %u: results differ, XDP actions %d and %d", seed, n, fast.action,
			stages.action);
	}
	cr_expect(fast.verdicts[VERDICT_nat_out] > frames / 10, "only %lu packets were sent",
		fast.verdicts[VERDICT_nat_out]);
	ring_buffer__free(fast.rings);
	ring_buffer__free(stages.rings);
	balancer_unload(fast.skel);
}
