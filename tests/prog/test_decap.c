// SPDX-License-Identifier: GPL-2.0
/* The program for backends removes the outer header of an IP-in-IP packet that a balancer sends to this host
 * and that contains a packet to a VIP. It passes every other packet unchanged. The addresses: this host is
 * 10.0.0.1 and fd00::1; the balancers are 198.51.100.0/28 and 2001:db8::7; the VIPs are 192.0.2.10,
 * 2001:db8::10 and this host's IPv4 address. */

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <string.h>
#include "bpf/abi.h"
#include "bpf/decap.skel.h"
#include "require.h"
#include "rows.h"
#include "shared.h"

#define US4 "10.0.0.1"
#define US6 "fd00::1"

struct decap_row {
	const char *sentence;
	struct frame_spec in;
	struct poke pokes[4];
	size_t trailer;
	struct run_options run;
	enum decap_verdict verdict;
	const struct frame_spec *inner; /* the expected packet, if it differs from the tunnelled one */
};

/* The inner packets. */
static const struct frame_spec invite4 = {.payload = ROW_INVITE, .ttl = 63, .tos = 0x20, .id = 5};
static const struct frame_spec invite6 = {.payload = ROW_INVITE, .ttl = 63, .destination = "2001:db8::10"};
static const struct frame_spec options4 = {.payload = ROW_INVITE, .option_words = 4, .id = 6};
static const struct frame_spec empty4 = {.payload = ""};
static const struct frame_spec first_fragment4 = {.payload = ROW_INVITE, .more_fragments = true, .id = 8};
static const struct frame_spec twice4 = {.destination = US4, .inner = &invite4};
static const struct frame_spec stranger4 = {.payload = ROW_INVITE, .destination = "192.0.2.11"};
static const struct frame_spec stranger6 = {.payload = ROW_INVITE, .destination = "2001:db8::11"};
static const struct frame_spec loopback4 = {.payload = ROW_INVITE, .destination = "127.0.0.1"};
static const struct frame_spec posing6 = {.payload = ROW_INVITE, .destination = "::ffff:192.0.2.10"};

/* The same with an ECN mark (RFC 3168) in the last two bits of the traffic class. */
#define ECT1 1
#define ECT0 2
#define CE 3
#define DSCP 0xb8
#define MARKED(name, bits)                                                                                             \
	static const struct frame_spec name##4_##bits = {.payload = ROW_INVITE, .tos = DSCP | (bits), .id = 5};        \
	static const struct frame_spec name##6_##bits = {                                                              \
		.payload = ROW_INVITE, .tos = DSCP | (bits), .destination = "2001:db8::10"}
MARKED(invite, ECT0);
MARKED(invite, ECT1);
MARKED(invite, CE);

/* RFC 6040, figure 4: the outer and the inner mark, and the resulting mark. */
#define ECN_ROW(text, to, outer, carried, out, end)                                                                    \
	{                                                                                                              \
		.sentence = text ": " #outer " outside, " #carried,                                                    \
		.in = {.destination = to, .tos = outer, .inner = &carried}, .inner = &out, .verdict = VERDICT_##end    \
	}
#define ECN_ROWS(to, version, text)                                                                                    \
	ECN_ROW(text, to, CE, invite##version##_ECT0, invite##version##_CE, decapsulated),                             \
		ECN_ROW(text, to, CE, invite##version##_ECT1, invite##version##_CE, decapsulated),                     \
		ECN_ROW(text, to, CE, invite##version##_CE, invite##version##_CE, decapsulated),                       \
		ECN_ROW(text, to, CE, invite##version, invite##version, decap_congested),                              \
		ECN_ROW(text, to, ECT1, invite##version##_ECT0, invite##version##_ECT1, decapsulated),                 \
		ECN_ROW(text, to, ECT1, invite##version##_ECT1, invite##version##_ECT1, decapsulated),                 \
		ECN_ROW(text, to, ECT1, invite##version##_CE, invite##version##_CE, decapsulated),                     \
		ECN_ROW(text, to, ECT1, invite##version, invite##version, decapsulated),                               \
		ECN_ROW(text, to, ECT0, invite##version##_ECT0, invite##version##_ECT0, decapsulated),                 \
		ECN_ROW(text, to, ECT0, invite##version##_ECT1, invite##version##_ECT1, decapsulated),                 \
		ECN_ROW(text, to, ECT0, invite##version, invite##version, decapsulated),                               \
		ECN_ROW(text, to, 0, invite##version##_CE, invite##version##_CE, decapsulated),                        \
		ECN_ROW(text, to, 0, invite##version##_ECT0, invite##version##_ECT0, decapsulated)

static const struct decap_row rows[] = {
	{
		.sentence = "IPv4 in IPv4",
		.in = {.destination = US4, .inner = &invite4},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "IPv6 in IPv4",
		.in = {.destination = US4, .inner = &invite6},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "IPv4 in IPv6",
		.in = {.destination = US6, .inner = &invite4},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "IPv6 in IPv6",
		.in = {.destination = US6, .inner = &invite6},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "the VLAN tag of a tunnelled packet is preserved",
		.in = {.destination = US4, .inner = &invite6, .vlan = {0x6064}},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "both QinQ tags are preserved",
		.in = {.destination = US6, .inner = &invite4, .vlan = {100, 200}},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "options of the outer header are removed with it",
		.in = {.destination = US4, .inner = &invite4, .option_words = 10},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "extension headers of the outer header are removed with it",
		.in = {.destination = US6, .inner = &invite6, .extensions = 2},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "options of the inner header are preserved",
		.in = {.destination = US4, .inner = &options4},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "the smallest packet: an inner header and a UDP header",
		.in = {.destination = US4, .inner = &empty4},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "a fragment as the inner packet is decapsulated",
		.in = {.destination = US4, .inner = &first_fragment4},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "Ethernet padding after the packet is preserved",
		.in = {.destination = US4, .inner = &invite4},
		.trailer = 12,
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "only the first of two outer headers is removed",
		.in = {.destination = US4, .inner = &twice4},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "an inner packet shorter than the outer payload",
		.in = {.destination = US4, .inner = &invite4},
		.pokes = {{14 + 20 + 2, 0}, {14 + 20 + 3, 60}},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "an inner packet with a wrong checksum is left for the kernel to detect",
		.in = {.destination = US4, .inner = &invite4},
		.pokes = {{14 + 20 + 10, 0xaa}},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "a tunnel to a different host",
		.in = {.destination = "10.0.0.2", .inner = &invite4},
		.verdict = VERDICT_not_tunnelled,
	},
	{
		.sentence = "an IPv6 tunnel to a different host",
		.in = {.destination = "fd00::2", .inner = &invite4},
		.verdict = VERDICT_not_tunnelled,
	},
	{
		.sentence = "a datagram to this host",
		.in = {.destination = US4, .payload = ROW_INVITE},
		.verdict = VERDICT_not_tunnelled,
	},
	{
		.sentence = "a datagram to this host over IPv6",
		.in = {.destination = US6, .payload = ROW_INVITE},
		.verdict = VERDICT_not_tunnelled,
	},
	{
		.sentence = "TCP to this host",
		.in = {.destination = US4, .payload = ROW_INVITE, .protocol = 6},
		.verdict = VERDICT_not_tunnelled,
	},
	{
		.sentence = "GRE to this host",
		.in = {.destination = US4, .payload = ROW_INVITE, .protocol = 47},
		.verdict = VERDICT_not_tunnelled,
	},
	{
		.sentence = "ARP",
		.in = {.destination = US4, .payload = "who has 10.0.0.1?", .ethertype = 0x0806},
		.verdict = VERDICT_not_tunnelled,
	},
	{
		.sentence = "an outer IPv4 header with an invalid header length",
		.in = {.destination = US4, .inner = &invite4},
		.pokes = {{14, 0x44}},
		.verdict = VERDICT_not_tunnelled,
	},
	{
		.sentence = "an outer packet whose total length is below its header length",
		.in = {.destination = US4, .inner = &invite4},
		.pokes = {{14 + 2, 0}, {14 + 3, 19}},
		.verdict = VERDICT_not_tunnelled,
	},
	{
		.sentence = "a first fragment of a tunnelled packet",
		.in = {.destination = US4, .inner = &invite4, .more_fragments = true},
		.verdict = VERDICT_decap_fragment,
	},
	{
		.sentence = "a later fragment of a tunnelled packet",
		.in = {.destination = US4, .inner = &invite4, .fragment_offset = 1480},
		.verdict = VERDICT_decap_fragment,
	},
	{
		.sentence = "a first fragment of a packet tunnelled over IPv6",
		.in = {.destination = US6, .inner = &invite4, .more_fragments = true},
		.verdict = VERDICT_decap_fragment,
	},
	{
		.sentence = "a fragment to a different host",
		.in = {.destination = "10.0.0.2", .inner = &invite4, .more_fragments = true},
		.verdict = VERDICT_not_tunnelled,
	},
	{
		.sentence = "an IPv6 packet under protocol number 4 (IPv4)",
		.in = {.destination = US4, .inner = &invite6},
		.pokes = {{14 + 9, 4}},
		.verdict = VERDICT_decap_malformed,
	},
	{
		.sentence = "an IPv4 packet under protocol number 41 (IPv6)",
		.in = {.destination = US6, .inner = &invite4},
		.pokes = {{14 + 6, 41}},
		.verdict = VERDICT_decap_malformed,
	},
	{
		.sentence = "an inner packet of an unknown IP version",
		.in = {.destination = US4, .inner = &invite4},
		.pokes = {{14 + 20, 0x55}},
		.verdict = VERDICT_decap_malformed,
	},
	{
		.sentence = "an inner IPv4 packet one byte longer than the outer payload",
		.in = {.destination = US4, .inner = &empty4},
		.pokes = {{14 + 20 + 3, 29}},
		.verdict = VERDICT_decap_malformed,
	},
	{
		.sentence = "an inner IPv4 packet one byte longer than the outer payload, followed by padding",
		.in = {.destination = US4, .inner = &empty4},
		.pokes = {{14 + 20 + 3, 29}},
		.trailer = 12,
		.verdict = VERDICT_decap_malformed,
	},
	{
		.sentence = "an inner IPv6 packet longer than the outer payload",
		.in = {.destination = US4, .inner = &invite6},
		.pokes = {{14 + 20 + 4, 0x40}},
		.verdict = VERDICT_decap_malformed,
	},
	{
		.sentence = "an outer packet that ends inside the inner header",
		.in = {.destination = US4, .inner = &invite4},
		.pokes = {{14 + 2, 0}, {14 + 3, 20 + 19}},
		.verdict = VERDICT_decap_malformed,
	},
	{
		.sentence = "an outer header without a payload",
		.in = {.destination = US4, .inner = &invite4},
		.pokes = {{14 + 2, 0}, {14 + 3, 20}},
		.verdict = VERDICT_decap_malformed,
	},
	{
		.sentence = "a tunnel from an unlisted source",
		.in = {.source = "198.51.100.16", .destination = US4, .inner = &invite4},
		.verdict = VERDICT_decap_unlisted_source,
	},
	{
		.sentence = "a tunnel over IPv6 from an unlisted source",
		.in = {.source = "2001:db8::8", .destination = US6, .inner = &invite6},
		.verdict = VERDICT_decap_unlisted_source,
	},
	{
		.sentence = "a tunnel from the last address of the listed prefix",
		.in = {.source = "198.51.100.15", .destination = US4, .inner = &invite6},
		.verdict = VERDICT_decapsulated,
	},
	{
		.sentence = "a fragment of a tunnelled packet from an unlisted source",
		.in = {.source = "198.51.100.16", .destination = US4, .inner = &invite4, .more_fragments = true},
		.verdict = VERDICT_decap_unlisted_source,
	},
	{
		.sentence = "a tunnelled packet to an address that is not a VIP",
		.in = {.destination = US4, .inner = &stranger4},
		.verdict = VERDICT_decap_unlisted_vip,
	},
	{
		.sentence = "a tunnelled IPv6 packet to an address that is not a VIP",
		.in = {.destination = US4, .inner = &stranger6},
		.verdict = VERDICT_decap_unlisted_vip,
	},
	{
		.sentence = "a tunnelled packet to the loopback address",
		.in = {.destination = US6, .inner = &loopback4},
		.verdict = VERDICT_decap_unlisted_vip,
	},
	{
		.sentence = "an inner IPv6 packet to the IPv4-mapped address of a VIP",
		.in = {.destination = US4, .inner = &posing6},
		.verdict = VERDICT_decap_malformed,
	},
	ECN_ROWS(US4, 4, "IPv4 in IPv4"),
	ECN_ROWS(US4, 6, "IPv6 in IPv4"),
	ECN_ROWS(US6, 4, "IPv4 in IPv6"),
	ECN_ROWS(US6, 6, "IPv6 in IPv6"),
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static struct decap_bpf *skel;
static const char *const names[] = {
#define NAME(name, action, normal, text) [VERDICT_##name] = #name,
	DECAP_VERDICTS(NAME)
#undef NAME
};

static void put_address(int family, const char *text)
{
	struct address address = {.word = {0, 0, htonl(0xffff), 0}};
	uint32_t one = 1;

	inet_pton(family, text, family == AF_INET ? (void *)&address.word[3] : &address);
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.decap_addresses), &address, &one, BPF_ANY), text);
}

/* `bits` is the prefix length of the 16-byte address: that of an IPv4 prefix plus 96. */
static void put_prefix(struct bpf_map *map, int family, const char *text, uint32_t bits)
{
	struct prefix_key key = {.bits = bits, .address.word = {0, 0, htonl(0xffff), 0}};
	uint32_t one = 1;

	inet_pton(family, text, family == AF_INET ? (void *)&key.address.word[3] : &key.address);
	run_must(bpf_map_update_elem(bpf_map__fd(map), &key, &one, BPF_ANY), text);
}

static void load(void)
{
	require_run();
	skel = decap_bpf__open();
	run_must(!skel, "decap");
	shared_load(skel->obj);
	put_address(AF_INET, US4);
	put_address(AF_INET6, US6);
	put_prefix(skel->maps.decap_sources, AF_INET, "198.51.100.0", 96 + 28);
	put_prefix(skel->maps.decap_sources, AF_INET6, "2001:db8::7", 128);
	put_prefix(skel->maps.decap_vips, AF_INET, "192.0.2.10", 128);
	put_prefix(skel->maps.decap_vips, AF_INET6, "2001:db8::10", 128);
	put_prefix(skel->maps.decap_vips, AF_INET, US4, 128);
}

static void unload(void)
{
	decap_bpf__destroy(skel);
}

TestSuite(decap, .init = load, .fini = unload);

static void put_pokes(struct frame *frame, const struct decap_row *row)
{
	for (size_t i = 0; i < 4 && row->pokes[i].at; i++)
		frame->data[row->pokes[i].at] = row->pokes[i].value;
	memset(frame->data + frame->length, 0xa5, row->trailer);
	frame->length += row->trailer;
}

/* The frame without its outer header: the link layer, the inner packet, and all bytes after it. */
static void expect(const struct decap_row *row, const struct frame *in, struct frame *out)
{
	size_t link = 14 + 4 * ((row->in.vlan[0] != 0) + (row->in.vlan[1] != 0));
	bool ipv6 = strchr(row->in.destination, ':'),
	     inner_ipv6 = row->in.inner && row->in.inner->destination && strchr(row->in.inner->destination, ':');
	size_t outer = ipv6 ? 40 + row->in.extensions * 8 : 20 + row->in.option_words * 4;

	outer += row->in.gue ? 8 : 0;
	*out = *in;
	if (row->verdict != VERDICT_decapsulated)
		return;
	if (row->inner) {
		frame_build(out, row->inner);
		return;
	}
	memmove(out->data + link, in->data + link + outer, in->length - link - outer);
	out->data[link - 2] = inner_ipv6 ? 0x86 : 0x08;
	out->data[link - 1] = inner_ipv6 ? 0xdd : 0x00;
	out->length -= outer;
}

static void count(uint64_t sums[DECAP_VERDICT_COUNT])
{
	run_counters(bpf_map__fd(skel->maps.decap_verdicts), 0, sums, DECAP_VERDICT_COUNT);
}

static int run_row(const struct decap_row *row)
{
	uint64_t before[DECAP_VERDICT_COUNT], after[DECAP_VERDICT_COUNT];
	struct frame in, out, expected;
	int action;

	frame_build(&in, &row->in);
	put_pokes(&in, row);
	out = in;
	count(before);
	action = run_frame(shared_program(skel->obj), &out, &row->run);
	if (action == -EINVAL)
		return action;
	count(after);
	cr_expect_eq(action, row->verdict == VERDICT_decap_congested ? XDP_DROP : XDP_PASS, "%s: action %d",
		row->sentence, action);
	for (int i = 0; i < DECAP_VERDICT_COUNT; i++)
		cr_expect_eq(after[i] - before[i], i == (int)row->verdict, "%s: verdict %s counted %lu times",
			row->sentence, names[i], after[i] - before[i]);
	expect(row, &in, &expected);
	cr_expect_eq(out.length, expected.length, "%s: %zu bytes, not %zu", row->sentence, out.length, expected.length);
	cr_expect(out.length != expected.length || memcmp(out.data, expected.data, out.length) == 0,
		"%s: unexpected content", row->sentence);
	return 0;
}

Test(decap, rows)
{
	for (size_t i = 0; i < ROWS; i++)
		cr_expect_eq(run_row(&rows[i]), 0, "%s", rows[i].sentence);
}

/* The test above fails if a row does not reach its verdict. */
Test(decap, every_verdict_is_reached)
{
	uint32_t expected[DECAP_VERDICT_COUNT] = {};

	for (size_t i = 0; i < ROWS; i++)
		expected[rows[i].verdict]++;
	for (int i = 0; i < DECAP_VERDICT_COUNT; i++)
		cr_expect(expected[i], "no row reaches the verdict %s", names[i]);
}

/* A truncated frame is not decapsulated and not changed. */
Test(decap, a_frame_cut_at_any_byte_is_unchanged)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct frame whole;

		if (rows[i].verdict != VERDICT_decapsulated || rows[i].trailer || rows[i].pokes[0].at)
			continue;
		frame_build(&whole, &rows[i].in);
		for (size_t length = 14; length < whole.length; length++) {
			struct frame frame = whole;

			frame.length = length;
			cr_expect_eq(run_frame(shared_program(skel->obj), &frame, &(struct run_options){}), XDP_PASS);
			cr_expect(frame.length == length && memcmp(frame.data, whole.data, length) == 0,
				"%s cut to %zu bytes: changed", rows[i].sentence, length);
		}
	}
}

/* In a frame of several buffers, part of the inner header may not be directly readable. */
Test(decap, a_frame_in_several_buffers)
{
	uint64_t after[DECAP_VERDICT_COUNT];
	struct frame whole;

	frame_build(&whole, &rows[0].in);
	for (size_t direct = 14; direct < whole.length; direct++) {
		struct frame frame = whole;
		uint64_t before[DECAP_VERDICT_COUNT];
		int action;

		count(before);
		action = run_frame(shared_program(skel->obj), &frame, &(struct run_options){.direct = direct});
		if (action == -EINVAL)
			cr_skip_test("this kernel's BPF_PROG_TEST_RUN cannot make frames of several buffers");
		count(after);
		cr_expect_eq(after[VERDICT_decapsulated] - before[VERDICT_decapsulated], direct >= 14 + 20 + 20,
			"%zu bytes readable", direct);
		cr_expect_eq(
			frame.length, whole.length - (direct >= 14 + 20 + 20 ? 20 : 0), "%zu bytes readable", direct);
	}
}

/* ::/0 in both lists: the loader writes it when the options list nothing. */
Test(decap, any_source_and_any_destination)
{
	struct frame_spec spec = {.source = "203.0.113.1", .destination = US4};
	struct decap_row row = {.sentence = "::/0 in both lists allows every tunnel", .verdict = VERDICT_decapsulated};

	put_prefix(skel->maps.decap_sources, AF_INET6, "::", 0);
	put_prefix(skel->maps.decap_vips, AF_INET6, "::", 0);
	for (int i = 0; i < 2; i++) {
		spec.inner = i ? &stranger6 : &stranger4;
		row.in = spec;
		cr_expect_eq(run_row(&row), 0);
	}
}

/* GUE on one of the listed ports only. Without a list, the port is 6080. */
Test(decap, ports_of_gue)
{
	static const struct decap_ports none, listed = {{7000, 6081, 65535, 1}};
	static const struct {
		const struct decap_ports *list;
		uint16_t port;
		enum decap_verdict verdict;
	} cases[] = {
		{&none, 6080, VERDICT_decapsulated},
		{&none, 7000, VERDICT_not_tunnelled},
		{&none, 0, VERDICT_not_tunnelled},
		{&listed, 7000, VERDICT_decapsulated},
		{&listed, 6081, VERDICT_decapsulated},
		{&listed, 65535, VERDICT_decapsulated},
		{&listed, 1, VERDICT_decapsulated},
		{&listed, 6080, VERDICT_not_tunnelled},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct decap_row row = {.sentence = "GUE", .verdict = cases[i].verdict};

		row.in = (struct frame_spec){
			.destination = US4, .inner = &invite4, .gue = true, .destination_port = cases[i].port};
		run_must(bpf_map_update_elem(
				 bpf_map__fd(skel->maps.decap_ports), &(uint32_t){0}, cases[i].list, BPF_ANY),
			"decap_ports");
		cr_expect_eq(run_row(&row), 0, "port %u", cases[i].port);
	}
}

/* The program removes the header that the balancer adds. */
Test(decap, restores_the_packet_that_the_balancer_encapsulated)
{
	struct balancer_setup setup = {.forward = FORWARD_IPIP, .mtu = 9000};
	struct balancer_bpf *balancer = balancer_load(&setup);

	put_prefix(skel->maps.decap_sources, AF_INET6, "::", 0);
	for (int i = 0; i < 16; i++) {
		struct frame_spec spec = {.payload = ROW_INVITE, .destination = i & 1 ? "2001:db8::10" : "192.0.2.10"};
		struct frame sent, received;

		setup.forward = i & 8 ? FORWARD_GUE : FORWARD_IPIP;
		setup.ipv6_backends = i & 2;
		spec.vlan[0] = i & 4 ? 100 : 0;
		balancer_fill(balancer, &setup);
		frame_build(&sent, &spec);
		received = sent;
		cr_expect_eq(balancer_run(balancer, &received), XDP_TX);
		for (uint32_t id = 1; id <= 4; id++) {
			struct backend backend = balancer_backend(&setup, id);
			uint32_t one = 1;

			bpf_map_update_elem(bpf_map__fd(skel->maps.decap_addresses), &backend.address, &one, BPF_ANY);
		}
		cr_expect_eq(run_frame(shared_program(skel->obj), &received, &(struct run_options){}), XDP_PASS);
		spec.ttl = 63;
		frame_build(&sent, &spec);
		cr_expect_eq(received.length, sent.length);
		cr_expect_arr_eq(received.data + 12, sent.data + 12, sent.length - 12);
	}
	balancer_unload(balancer);
}
