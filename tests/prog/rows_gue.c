// SPDX-License-Identifier: GPL-2.0
/* GUE: the program adds an outer IP header and a UDP header. The UDP checksum of IPv6 is computed over the whole
 * packet by the frame builder, and from the headers by the program. */

#include <linux/bpf.h>
#include "rows.h"

#define OTHER_IFINDEX 77

#define OUTER(...) (&(const struct frame_spec){__VA_ARGS__})
#define IPV4_WAY .forward = FORWARD_GUE
#define IPV6_WAY .forward = FORWARD_GUE, .ipv6_backends = true
#define SENT .verdict = VERDICT_call_id, .action = XDP_TX, .call_id = ROW_CALL_ID
#define NO_CHECKSUM                                                                                                    \
	{14 + 20 + 6, 0},                                                                                              \
	{                                                                                                              \
		14 + 20 + 7, 0                                                                                         \
	}

static const struct row rows[] = {
	{
		.sentence = "IPv4 in IPv4",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .tos = 0xb8, .id = 0xbeef, .dont_fragment = true},
		.setup = {IPV4_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0xb8, .id = 0xbeef),
	},
	{
		.sentence = "IPv6 in IPv4",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE, .tos = 0xb9},
		.setup = {IPV4_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0xb9),
	},
	{
		.sentence = "IPv4 in IPv6",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .tos = 0xb9, .id = 0xbeef},
		.setup = {IPV6_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0xb9),
	},
	{
		.sentence = "IPv6 in IPv6",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE, .tos = 0xb8},
		.setup = {IPV6_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0xb8),
	},
	{
		.sentence = "an odd number of bytes in IPv6",
		.in = {.payload = ROW_INVITE "x"},
		.setup = {IPV6_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "a UDP checksum of zero in IPv6: the bytes are added up",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE "x"},
		.pokes = {NO_CHECKSUM},
		.setup = {IPV6_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "a UDP checksum of zero in IPv4",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {NO_CHECKSUM},
		.setup = {IPV4_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "a first fragment in IPv6: the bytes are added up",
		.in = {.payload = ROW_INVITE, .more_fragments = true, .id = 9},
		.setup = {IPV6_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "IPv4 options stay in the inner header",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .option_words = 3},
		.setup = {IPV6_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "IPv6 extension headers stay in the inner packet: the bytes are added up",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE, .extensions = 2},
		.setup = {IPV6_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence =
			"a message without a Call-ID takes its source port from the hash of source address and port",
		.in = {.payload = "\r\n\r\n"},
		.setup = {IPV6_WAY},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "a service by source address takes the source port from the hash of the address",
		.service = SERVICE_NEAR,
		.in = {.payload = ROW_INVITE, .destination_port = 5062},
		.setup = {IPV4_WAY},
		.verdict = VERDICT_source,
		.action = XDP_TX,
		.by_address = true,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "a TTL of 2 is the lowest that is forwarded",
		.in = {.payload = ROW_INVITE, .ttl = 2},
		.setup = {IPV6_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "a TTL of 1 is too low for a tunnel: passed to the kernel",
		.in = {.payload = ROW_INVITE, .ttl = 1},
		.setup = {IPV4_WAY},
		.verdict = VERDICT_ttl_expired,
		.action = XDP_PASS,
	},
	{
		.sentence = "IPv4 in IPv4: exactly fits the route",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.setup = {IPV4_WAY, .mtu = 28 + 20 + ROW_INVITE_UDP},
		SENT,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "IPv6 in IPv6: exactly fits the route",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE},
		.setup = {IPV6_WAY, .mtu = 48 + 40 + ROW_INVITE_UDP},
		SENT,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "IPv4 in IPv4: one byte too long for the route",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.setup = {IPV4_WAY, .mtu = 28 + 20 + ROW_INVITE_UDP - 1},
		.verdict = VERDICT_oversize,
		.action = XDP_DROP,
	},
	{
		.sentence = "IPv6 in IPv6: one byte too long for the route",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE},
		.setup = {IPV6_WAY, .mtu = 48 + 40 + ROW_INVITE_UDP - 1},
		.verdict = VERDICT_oversize,
		.action = XDP_DROP,
	},
	{
		.sentence = "both QinQ tags stay before the outer header",
		.in = {.payload = ROW_INVITE, .vlan = {100, 200}},
		.setup = {IPV6_WAY},
		SENT,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "a redirected frame loses both QinQ tags",
		.in = {.payload = ROW_INVITE, .vlan = {100, 200}},
		.setup = {IPV6_WAY, .ifindex = OTHER_IFINDEX},
		.verdict = VERDICT_call_id,
		.action = XDP_REDIRECT,
		.call_id = ROW_CALL_ID,
		.tunnel = OUTER(.tos = 0),
		.untagged = true,
	},
	{
		.sentence = "Ethernet padding is not in the checksum",
		.in = {.payload = "\r\n\r\n"},
		.trailer = 14,
		.setup = {IPV6_WAY},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
		.tunnel = OUTER(.tos = 0),
	},
	{
		.sentence = "the port of a backend takes its source port from the hash of source address and port",
		.in = {.payload = "RTP", .destination_port = 10010},
		.setup = {IPV6_WAY},
		.verdict = VERDICT_port_range,
		.action = XDP_TX,
		.backend = 2,
		.tunnel = OUTER(.tos = 0),
	},
};

const struct row_table rows_gue = {"gue", rows, sizeof(rows) / sizeof(rows[0])};
