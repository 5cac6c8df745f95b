// SPDX-License-Identifier: GPL-2.0
/* Replies of backends to probes: from a VIP to a source address of probes. */

#include <linux/bpf.h>
#include "rows.h"

#define FROM_VIP(address, to) .source = address, .destination = to, .destination_port = 40000
#define IPV4_REPLY FROM_VIP("192.0.2.10", TEST_PROBE_ADDRESS)
#define IPV6_REPLY FROM_VIP("2001:db8::10", TEST_PROBE_ADDRESS6)
#define ANSWER "SIP/2.0 200 OK\r\nCall-ID: probe-1\r\n\r\n"

/* An ICMP error from a router or a backend about a probe. */
#define QUOTED_PROBE(address, ...)                                                                                     \
	.quote = &(const struct frame_spec)                                                                            \
	{                                                                                                              \
		.source = TEST_PROBE_ADDRESS, .destination = address, .source_port = 40000, __VA_ARGS__                \
	}

#define HELD .verdict = VERDICT_probe_reply, .action = XDP_DROP
#define KERNELS .verdict = VERDICT_not_service, .action = XDP_PASS
#define LOST .verdict = VERDICT_lost_probe_reply, .action = XDP_PASS

static const struct row rows[] = {
	{.sentence = "UDP from a VIP to a probe's address",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .payload = ANSWER},
		HELD},
	{.sentence = "UDP from a VIP to a probe's address, in IPv6",
		.families = IPV6_ONLY,
		.in = {IPV6_REPLY, .payload = ANSWER},
		HELD},
	{.sentence = "from any port of a VIP to a probe's address",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .source_port = 9, .payload = ANSWER},
		HELD},
	{.sentence = "from a second VIP to a probe's address",
		.families = IPV4_ONLY,
		.in = {FROM_VIP("192.0.2.20", TEST_PROBE_ADDRESS), .payload = ANSWER},
		HELD},
	{.sentence = "a reply with VLAN tags",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .payload = ANSWER, .vlan = {100, 200}},
		HELD},
	{.sentence = "TCP from a VIP to a probe's address",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .protocol = 6, .payload = "0123456789012345"},
		HELD},
	{.sentence = "TCP from a VIP to a probe's address, in IPv6",
		.families = IPV6_ONLY,
		.in = {IPV6_REPLY, .protocol = 6, .payload = "0123456789012345"},
		HELD},
	{.sentence = "an echo reply",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .icmp_type = 8},
		.pokes = {{14 + 20, 0}},
		HELD},
	{.sentence = "an echo reply in IPv6", .families = IPV6_ONLY, .in = {IPV6_REPLY, .icmp_type = 129}, HELD},
	{.sentence = "port unreachable: the VIP has no listening socket",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .icmp_type = 3, QUOTED_PROBE("192.0.2.10")},
		HELD},
	{.sentence = "an error about a probe, from any router",
		.families = IPV4_ONLY,
		.in = {FROM_VIP("203.0.113.1", TEST_PROBE_ADDRESS), .icmp_type = 11, QUOTED_PROBE("192.0.2.10")},
		HELD},
	{.sentence = "an error about an echo request",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .icmp_type = 3, QUOTED_PROBE("192.0.2.10", .icmp_type = 8)},
		HELD},
	{.sentence = "a reply that is too large for the ring buffer",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .payload = ANSWER, .payload_length = 2100},
		LOST},

	{.sentence = "from an address that is not a VIP to a probe's address",
		.families = IPV4_ONLY,
		.in = {.destination = TEST_PROBE_ADDRESS, .payload = ANSWER},
		KERNELS},
	{.sentence = "from an address that is not a VIP to a probe's address, in IPv6",
		.families = IPV6_ONLY,
		.in = {.destination = TEST_PROBE_ADDRESS6, .payload = ANSWER},
		KERNELS},
	{.sentence = "from a VIP to an address that is not a source of probes",
		.families = IPV4_ONLY,
		.in = {FROM_VIP("192.0.2.10", "203.0.113.250"), .payload = ANSWER},
		KERNELS},
	{.sentence = "a first fragment of a reply",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .payload = ANSWER, .more_fragments = true, .id = 5001},
		KERNELS},
	{.sentence = "a later fragment of a reply",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .payload = ANSWER, .fragment_offset = 1480, .id = 5002},
		KERNELS},
	{.sentence = "a different protocol from a VIP",
		.families = IPV4_ONLY,
		.in = {IPV4_REPLY, .protocol = 47, .payload = "0123456789"},
		KERNELS},
	{.sentence = "an error about a packet whose destination is not a VIP",
		.families = IPV4_ONLY,
		.in = {.destination = TEST_PROBE_ADDRESS, .icmp_type = 3, QUOTED_PROBE("203.0.113.9")},
		KERNELS},
	{.sentence = "a neighbour solicitation is passed to the kernel, also from a VIP",
		.families = IPV6_ONLY,
		.in = {IPV6_REPLY, .icmp_type = 135},
		KERNELS},
	{.sentence = "from a VIP to the port of a service: the service receives it",
		.families = IPV4_ONLY,
		.in = {.source = "192.0.2.20", .payload = ROW_INVITE},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID},
};

const struct row_table rows_probes = {"probes", rows, sizeof(rows) / sizeof(rows[0])};
