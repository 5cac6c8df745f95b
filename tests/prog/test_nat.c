// SPDX-License-Identifier: GPL-2.0
/* NAT of packets from backends: the source becomes the VIP, and the packet leaves by the route of the kernel. Expected
 * frames have checksums that are calculated from all bytes. rows_nat.c has the packets to backends. */

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bpf/abi_punt.h"
#include "balancer.h"
#include "nat_network.h"
#include "rng.h"
#include "rows.h"
#include "shared.h"
#include "sip_message.h"
#include "suite.h"

#define FRAMES 100000

static void load(void)
{
	nat_network_enter();
	nat_network_load(false);
}

TestSuite(nat, .init = load, .fini = suite_unload);

/* A packet from backend 1, and the source that it receives. */
struct out_row {
	const char *sentence;
	enum row_family families;
	struct frame_spec in;            /* without addresses: from backend 1 to the client */
	const char *vip[2];              /* new source, IPv4 and IPv6 [the first VIP] */
	uint16_t port;                   /* new source port; 0: the port stays */
	enum verdict verdict;            /* [nat_out] */
	int action;                      /* [XDP_REDIRECT] */
	const struct frame_spec *before; /* an earlier packet, with the same addresses */
	struct poke pokes[3];
};

#define TCP .protocol = IPPROTO_TCP, .tcp_header = true
#define PASSES .verdict = VERDICT_not_service, .action = XDP_PASS
#define SECOND_VIP .vip = {"192.0.2.20", "2001:db8::20"}
#define QUOTE(...)                                                                                                     \
	.quote = &(const struct frame_spec)                                                                            \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}

static const struct frame_spec first = {.payload = ROW_INVITE, .more_fragments = true, .id = 8001};
static const struct frame_spec first_of_other = {
	.payload = "dns", .source_port = 53, .more_fragments = true, .id = 8002};

static const struct out_row rows[] = {
	{"UDP", .in = {.payload = ROW_INVITE, .tos = 0xb8, .id = 0xfedc, .dont_fragment = true}},
	{"UDP from a different port", .in = {.payload = ROW_INVITE, .source_port = 15060}, .port = 5062},
	{"UDP to a different port of the client", .in = {.payload = ROW_INVITE "x", .destination_port = 40001}},
	{"UDP without a payload", .in = {.source_port = 15060}, .port = 5062},
	{"UDP without a checksum keeps none", IPV4_ONLY, .in = {.payload = ROW_INVITE}, .pokes = {{40}, {41}}},
	{"UDP with IP options", .in = {.payload = ROW_INVITE, .option_words = 2, .extensions = 2}},
	{"UDP in a range of ports", .in = {.payload = "\x80media", .source_port = 10005}, SECOND_VIP},
	{"UDP with VLAN tags: the tags are removed", .in = {.payload = ROW_INVITE, .vlan = {100, 200}}},
	{"TCP", .in = {TCP, .source_port = 15061, .payload = "SIP/2.0 200 OK\r\n"}, .port = 5061},
	{"TCP from a port of a UDP service passes", .in = {TCP, .source_port = 5060}, PASSES},
	{"a port without a service passes", .in = {.payload = "dns", .source_port = 53}, PASSES},
	{"a port beyond the range passes", .in = {.payload = "media", .source_port = 10008}, PASSES},
	{"a packet for the balancer itself passes", IPV4_ONLY, .in = {.destination = "203.0.113.1"}, PASSES},
	{"a packet for the balancer itself passes", IPV6_ONLY, .in = {.destination = "2001:db8:2::1"}, PASSES},
	{"a packet without a route passes", IPV4_ONLY, .in = {.destination = "8.8.8.8"}, PASSES},
	{"a TTL of 1 passes", .in = {.ttl = 1}, .verdict = VERDICT_ttl_expired, .action = XDP_PASS},
	{"an unreachable client", IPV4_ONLY, .in = {.destination = "198.51.100.9"}, .verdict = VERDICT_nat_no_route,
		.action = XDP_PASS},
	{"an unreachable client", IPV6_ONLY, .in = {.destination = "2001:db8::9"}, .verdict = VERDICT_nat_no_route,
		.action = XDP_PASS},
	{"ICMP about a packet of the client", IPV4_ONLY, .in = {.icmp_type = 3, QUOTE(.payload = ROW_INVITE)}},
	{"ICMPv6 about a packet of the client", IPV6_ONLY, .in = {.icmp_type = 1, QUOTE(.payload = ROW_INVITE)}},
	{"ICMP about a packet to a different port", IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(.payload = ROW_INVITE, .destination_port = 15060), .quote_length = 28},
		.port = 5062},
	{"ICMP of a router", IPV4_ONLY, .in = {.source = "10.1.1.1", .icmp_type = 11, QUOTE(.payload = ROW_INVITE)}},
	{"ICMP about TCP", IPV4_ONLY, .in = {.icmp_type = 3, QUOTE(TCP, .destination_port = 15061, .payload = "x")},
		.port = 5061},
	{"ICMPv6 about TCP", IPV6_ONLY, .in = {.icmp_type = 1, QUOTE(TCP, .destination_port = 15061)}, .port = 5061},
	{"ICMP that quotes 8 bytes of TCP", IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(TCP, .destination_port = 15061), .quote_length = 28}, .port = 5061},
	{"a first fragment", .in = {.payload = ROW_INVITE, .more_fragments = true, .id = 8000}},
	{"a first fragment of protocol 0 passes", IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .more_fragments = true, .id = 8004}, .pokes = {{23}}, PASSES},
	{"a later fragment", .before = &first, .in = {.payload = "last", .fragment_offset = 1480, .id = 8001}},
	{"a later fragment of a datagram that passed", .before = &first_of_other,
		.in = {.payload = "last", .fragment_offset = 1480, .id = 8002}, PASSES},
	{"a later fragment before the first one is held", .in = {.payload = "x", .fragment_offset = 1480, .id = 8003},
		.verdict = VERDICT_held_fragment, .action = XDP_DROP},
	{"a packet from a different address passes", IPV4_ONLY, .in = {.source = "10.0.0.99"}, PASSES},
};

static struct frame_spec row_spec(const struct frame_spec *in, bool ipv6)
{
	struct frame_spec spec = *in;
	static struct frame_spec quote;

	spec.source = spec.source ? spec.source : ipv6 ? "fd00::1" : "10.0.0.1";
	spec.destination = spec.destination ? spec.destination : ipv6 ? "2001:db8::7" : "198.51.100.7";
	if (spec.quote) {
		quote = *spec.quote;
		quote.source = spec.destination;
		quote.destination = ipv6 ? "fd00::1" : "10.0.0.1";
		spec.quote = &quote;
	}
	return spec;
}

static void put_pokes(struct frame *frame, const struct out_row *row)
{
	for (const struct poke *poke = row->pokes; poke->at; poke++)
		frame->data[poke->at] = poke->value;
}

/* The packet as the client receives it. */
static void expect_out(const struct out_row *row, const struct frame_spec *in, bool ipv6, struct frame *out)
{
	static const char *const vip[] = {"192.0.2.10", "2001:db8::10"};
	struct frame_spec spec = *in, quote;

	spec.source = row->vip[ipv6] ? row->vip[ipv6] : vip[ipv6];
	spec.source_port = row->port ? row->port : spec.source_port;
	spec.ttl = 63;
	spec.from_mac = NAT_OUT_MAC;
	spec.to_mac = NAT_GATEWAY_MAC;
	memset(spec.vlan, 0, sizeof(spec.vlan));
	if (spec.quote) {
		quote = *spec.quote;
		quote.destination = spec.source;
		quote.destination_port = row->port ? row->port : quote.destination_port;
		spec.quote = &quote;
	}
	frame_build(out, &spec);
	put_pokes(out, row);
}

static void check_same(const char *sentence, const char *family, const struct frame *out, const struct frame *expected)
{
	size_t at = 0;

	cr_expect_eq(out->length, expected->length, "%s (%s): frame out has %zu bytes, not %zu", sentence, family,
		out->length, expected->length);
	while (at < expected->length && out->data[at] == expected->data[at])
		at++;
	cr_expect_eq(at, expected->length, "%s (%s): frame out differs at byte %zu: %02x, not %02x", sentence, family,
		at, out->data[at], expected->data[at]);
}

static void run_out(const struct out_row *row, bool ipv6)
{
	const char *family = ipv6 ? "IPv6" : "IPv4";
	struct frame_spec spec = row_spec(&row->in, ipv6), before;
	int action = row->action ? row->action : XDP_REDIRECT, result;
	enum verdict verdict = row->verdict ? row->verdict : VERDICT_nat_out;
	static struct frame frame, expected;
	uint64_t counted;

	if (row->before) {
		before = row_spec(row->before, ipv6);
		frame_build(&frame, &before);
		balancer_run(skel, &frame);
	}
	frame_build(&frame, &spec);
	put_pokes(&frame, row);
	expected = frame;
	if (action == XDP_REDIRECT)
		expect_out(row, &spec, ipv6, &expected);
	balancer_drain(skel);
	counted = balancer_verdict(skel, verdict);
	result = balancer_run(skel, &frame);
	cr_expect_eq(result, action, "%s (%s): XDP action %d, not %d", row->sentence, family, result, action);
	cr_expect_eq(balancer_verdict(skel, verdict), counted + 1, "%s (%s): the verdict is not %s", row->sentence,
		family, balancer_verdict_name(verdict));
	check_same(row->sentence, family, &frame, &expected);
}

static void run_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].families != IPV6_ONLY)
			run_out(&rows[i], false);
		if (rows[i].families != IPV4_ONLY)
			run_out(&rows[i], true);
	}
}

Test(nat, packets_from_backends)
{
	run_rows();
}

Test(nat, packets_from_backends_by_the_stages)
{
	suite_unload();
	nat_network_load(true);
	run_rows();
}

/* The source stays, so the response does not pass the balancer (docs/nat.md, "What does not work"). */
static void call_vips(void)
{
	static const struct {
		const char *vip;
		uint16_t port;
	} rows[] = {{"192.0.2.10", 5060}, {"192.0.2.20", 5070}};
	static struct frame frame;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t counted = balancer_verdict(skel, VERDICT_call_id);

		frame_build(&frame, &(struct frame_spec){.source = "10.0.0.1",
					    .destination = rows[i].vip,
					    .destination_port = rows[i].port,
					    .payload = ROW_INVITE});
		cr_expect_eq(balancer_run(skel, &frame), XDP_TX, "%s", rows[i].vip);
		cr_expect_eq(balancer_verdict(skel, VERDICT_call_id), counted + 1, "%s", rows[i].vip);
		cr_expect_arr_eq(frame.data + 26, "\x0a\x00\x00\x01", 4, "%s: source", rows[i].vip);
		cr_expect_arr_eq(frame.data + 30, "\x0a\x00\x00", 3, "%s: destination", rows[i].vip);
	}
}

Test(nat, a_backend_that_calls_a_vip_is_a_client)
{
	call_vips();
	suite_unload();
	nat_network_load(true);
	call_vips();
}

/* --- packets for the daemon */

static int copy_punt(void *data, void *record, size_t size)
{
	memcpy(data, record, size < sizeof(struct punt) ? size : sizeof(struct punt));
	return 0;
}

/* Runs a packet from backend 1 and reads the record that it leaves in this ring buffer. Returns the XDP action. */
static int run_punted(const struct bpf_map *map, const struct frame_spec *in, struct punt *punt)
{
	struct ring_buffer *ring;
	struct frame frame;
	int action;

	balancer_drain(skel);
	memset(punt, 0, sizeof(*punt));
	ring = ring_buffer__new(bpf_map__fd(map), copy_punt, punt, NULL);
	cr_assert(ring);
	frame_build(&frame, in);
	action = balancer_run(skel, &frame);
	cr_expect_eq(ring_buffer__consume(ring), 1);
	ring_buffer__free(ring);
	return action;
}

/* The daemon receives the packet as the client must receive it, except for the Ethernet header. */
static void check_held(const char *source, const char *destination, const char *vip)
{
	struct frame_spec in = {.source = source,
		.destination = destination,
		.source_port = 15060,
		.payload = ROW_INVITE,
		.vlan = {100}};
	struct frame_spec out = in;
	struct frame expected;
	struct punt punt;

	cr_expect_eq(run_punted(skel->maps.punt_nat, &in, &punt), XDP_DROP, "%s", destination);
	out.source = vip;
	out.source_port = 5062;
	out.ttl = 63;
	frame_build(&expected, &out);
	cr_expect_eq(punt.kind, PUNT_NAT_OUT);
	cr_expect_eq(punt.length, expected.length);
	cr_expect_arr_eq(punt.frame, expected.data, expected.length, "%s", destination);
}

Test(nat, the_daemon_sends_packets_whose_next_hop_is_unknown)
{
	uint64_t held = balancer_verdict(skel, VERDICT_nat_held);

	check_held("10.0.0.1", "203.0.113.9", "192.0.2.10");
	check_held("fd00::1", "2001:db8:2::9", "2001:db8::10");
	cr_expect_eq(balancer_verdict(skel, VERDICT_nat_held), held + 2);
}

/* The balancer is not attached to the interface towards the client, so XDP must not send through it. */
Test(nat, the_daemon_sends_packets_through_other_interfaces)
{
	uint32_t at = INTERFACE_MAC_INDEX(if_nametoindex("out0"));

	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.interface_macs), &at, &(struct interface_mac){}, BPF_ANY),
		"interface_macs");
	check_held("10.0.0.1", "198.51.100.7", "192.0.2.10");
}

/* If no daemon reads the ring buffer, the packet is dropped: its sender must not appear to the client with its own
 * address. */
Test(nat, a_packet_is_lost_if_the_daemon_cannot_receive_it)
{
	uint64_t lost = balancer_verdict(skel, VERDICT_nat_lost);
	struct frame frame;
	int action = 0;

	for (int i = 0; i < 200 && balancer_verdict(skel, VERDICT_nat_lost) == lost; i++) {
		frame_build(&frame,
			&(struct frame_spec){.source = "10.0.0.1", .destination = "203.0.113.9", .payload = "x"});
		action = balancer_run(skel, &frame);
		usleep(2 * PUNT_NSEC / 1000 / 100);
	}
	cr_expect_eq(balancer_verdict(skel, VERDICT_nat_lost), lost + 1);
	cr_expect_eq(action, XDP_DROP);
}

/* The route of 198.51.100.10 has an MTU of 600. */
Test(nat, packets_that_are_too_large)
{
	uint64_t passed = balancer_verdict(skel, VERDICT_too_big), held = balancer_verdict(skel, VERDICT_oversize);
	struct frame_spec in = {
		.source = "10.0.0.1", .destination = "198.51.100.10", .payload = ROW_INVITE, .payload_length = 600};
	struct frame frame, before;
	struct punt punt;

	in.payload_length = 600 - 28;
	frame_build(&frame, &in);
	cr_expect_eq(balancer_run(skel, &frame), XDP_REDIRECT);

	in.payload_length++;
	frame_build(&before, &in);
	cr_expect_eq(run_punted(skel->maps.punt_oversize, &in, &punt), XDP_DROP);
	cr_expect_eq(punt.kind, PUNT_OVERSIZE);
	cr_expect_eq(punt.mtu, 600);
	cr_expect_eq(punt.owner.nat_backend, 1);
	cr_expect_eq(punt.length, before.length);
	cr_expect_arr_eq(punt.frame, before.data, before.length, "the fragments are translated later");
	cr_expect_eq(balancer_verdict(skel, VERDICT_oversize), held + 1);

	in.dont_fragment = true;
	frame_build(&frame, &in);
	before = frame;
	cr_expect_eq(balancer_run(skel, &frame), XDP_PASS);
	check_same("Don't Fragment", "IPv4", &frame, &before);
	cr_expect_eq(balancer_verdict(skel, VERDICT_too_big), passed + 1);
}

Test(nat, without_nat_no_packet_changes)
{
	struct frame frame, before;

	nat_network_set_flags(0);
	frame_build(&frame, &(struct frame_spec){.source = "10.0.0.1", .destination = "198.51.100.7"});
	before = frame;
	cr_expect_eq(balancer_run(skel, &frame), XDP_PASS);
	check_same("without NAT_ACTIVE", "IPv4", &frame, &before);
}

/* --- random packets */

/* A packet of any kind from backend 1 whose source must change. */
static void write_packet(
	struct rng *rng, bool ipv6, const char *text, struct frame_spec *spec, struct frame_spec *quote)
{
	struct frame_spec plain = {.payload = text,
		.payload_length = 1 + rng_below(rng, strlen(text)),
		.tcp_header = rng_percent(rng, 30),
		.option_words = rng_percent(rng, 20) ? rng_below(rng, 11) : 0,
		.extensions = rng_percent(rng, 20) ? rng_below(rng, 3) : 0,
		.id = rng_bits(rng),
		.tos = rng_bits(rng),
		.ttl = 2 + rng_below(rng, 250)};

	plain.protocol = plain.tcp_header ? IPPROTO_TCP : IPPROTO_UDP;
	*spec = plain;
	if (!rng_percent(rng, 30))
		return;
	*quote = plain;
	*spec = (struct frame_spec){.quote = quote,
		.icmp_type = ipv6 ? 1 + rng_below(rng, 4) : 3,
		.quote_length = rng_percent(rng, 50) ? 100 + 8 * rng_below(rng, 30) : 0};
}

/* Runs a random packet from backend 1 and compares the result with the packet that a server with the VIP would send. */
static void run_random(struct rng *rng, const char *text, uint64_t seed, uint32_t n)
{
	bool ipv6 = rng_percent(rng, 50), tcp;
	const char *vip = ipv6 ? "2001:db8::10" : "192.0.2.10", *client = ipv6 ? "2001:db8::7" : "198.51.100.7";
	const char *backend = ipv6 ? "fd00::1" : "10.0.0.1";
	struct frame_spec spec, quote;
	struct frame frame, expected;
	uint16_t port, client_port = rng_bits(rng);

	write_packet(rng, ipv6, text, &spec, &quote);
	tcp = spec.quote ? quote.tcp_header : spec.tcp_header;
	port = tcp ? 15061 : 15060;
	if (!client_port)
		client_port = 1;
	spec.source = backend;
	spec.destination = client;
	spec.source_port = port;
	spec.destination_port = client_port;
	if (spec.quote) {
		quote.source = client;
		quote.destination = backend;
		quote.source_port = client_port;
		quote.destination_port = port;
	}
	frame_build(&frame, &spec);
	spec.source = vip;
	spec.source_port = tcp ? 5061 : 5062;
	spec.ttl = (spec.ttl ? spec.ttl : 64) - 1;
	spec.from_mac = NAT_OUT_MAC;
	spec.to_mac = NAT_GATEWAY_MAC;
	quote.destination = vip;
	quote.destination_port = tcp ? 5061 : 5062;
	frame_build(&expected, &spec);
	cr_assert_eq(balancer_run(skel, &frame), XDP_REDIRECT, "SIPXDP_SEED=%lu, frame %u", seed, n);
	cr_assert(frame.length == expected.length && !memcmp(frame.data, expected.data, frame.length),
		"SIPXDP_SEED=%lu, frame %u: the packet differs", seed, n);
}

static void run_all_random(void)
{
	uint64_t seed = rng_seed();
	uint32_t frames = rng_frames(FRAMES);

	for (uint32_t n = 0; n < frames; n++) {
		struct rng rng = rng_start(seed, n);
		struct sip_message message;
		char call_id[SIP_CALL_ID_SIZE];

		sip_message_call_id(&rng, call_id);
		sip_message_write(&rng, call_id, &message);
		message.text[message.length < 1200 ? message.length : 1200] = 0;
		run_random(&rng, message.text, seed, n);
	}
}

Test(nat, random_packets_have_correct_checksums, .timeout = 170)
{
	run_all_random();
}

Test(nat, random_packets_have_correct_checksums_by_the_stages, .timeout = 170)
{
	suite_unload();
	nat_network_load(true);
	run_all_random();
}
