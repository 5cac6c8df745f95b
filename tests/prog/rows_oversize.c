// SPDX-License-Identifier: GPL-2.0
/* Packets that exceed the MTU of the route to their backend: the daemon or the kernel receives them unchanged, or they
 * are dropped. */

#include <linux/bpf.h>
#include "rows.h"

#define HELD .verdict = VERDICT_oversize, .action = XDP_DROP
#define LEFT_ALONE .verdict = VERDICT_too_big, .action = XDP_PASS
#define JUMBO .payload = ROW_INVITE, .payload_length = 3000
#define NARROW .mtu = 100

static const struct frame_spec first = {
	.payload = "\x80media", .destination_port = 10003, .more_fragments = true, .id = 5201};

static const struct row rows[] = {
	{"IPv4: one byte too long for the route", IPV4_ONLY, .in = {.payload = ROW_INVITE},
		.setup = {.mtu = 20 + ROW_INVITE_UDP - 1}, HELD},
	{"IPv6: one byte too long for the route", IPV6_ONLY, .in = {.payload = ROW_INVITE},
		.setup = {.mtu = 40 + ROW_INVITE_UDP - 1}, HELD},
	{"IPv4 in IPv4: one byte too long for the route", IPV4_ONLY, .in = {.payload = ROW_INVITE},
		.setup = {.forward = FORWARD_IPIP, .mtu = 20 + 20 + ROW_INVITE_UDP - 1}, HELD},
	{"IPv6 in IPv4: one byte too long for the route", IPV6_ONLY, .in = {.payload = ROW_INVITE},
		.setup = {.forward = FORWARD_IPIP, .mtu = 20 + 40 + ROW_INVITE_UDP - 1}, HELD},
	{"IPv6 in IPv6: one byte too long for the route", IPV6_ONLY, .in = {.payload = ROW_INVITE},
		.setup = {.forward = FORWARD_IPIP, .ipv6_backends = true, .mtu = 40 + 40 + ROW_INVITE_UDP - 1}, HELD},
	{"too large and with a TTL of 1: the size is checked first", .in = {.payload = ROW_INVITE, .ttl = 1},
		.setup = {.forward = FORWARD_IPIP, .mtu = 68}, HELD},
	{"TCP is held, too", .service = SERVICE_TCP,
		.in = {.protocol = 6, .destination_port = 5061, .payload = ROW_INVITE}, .setup = {NARROW}, HELD},
	{"merged TCP segments are forwarded unchanged", .service = SERVICE_TCP,
		.in = {.protocol = 6, .destination_port = 5061, JUMBO}, .verdict = VERDICT_flow, .action = XDP_TX},
	{"... but not in a tunnel", .service = SERVICE_TCP, .in = {.protocol = 6, .destination_port = 5061, JUMBO},
		.setup = {.forward = FORWARD_IPIP}, .verdict = VERDICT_merged_segments, .action = XDP_DROP},
	{"a first fragment is held", .in = {.payload = ROW_INVITE, .more_fragments = true, .id = 5200},
		.setup = {NARROW}, HELD},
	{"a frame with VLAN tags is held", .in = {.payload = ROW_INVITE, .vlan = {100, 200}}, .setup = {NARROW}, HELD},
	{"IPv4: a later fragment is held", IPV4_ONLY, .before = &first,
		.in = {.payload = ROW_INVITE, .fragment_offset = 1480, .id = 5201}, .setup = {NARROW}, HELD},
	{"a packet for the port range of one backend is held", .in = {.payload = ROW_INVITE, .destination_port = 10003},
		.setup = {NARROW}, HELD},
	{"a jumbo frame with Don't Fragment: its start is held", IPV4_ONLY, .in = {JUMBO, .dont_fragment = true}, HELD},
	{"a jumbo frame of IPv6: its start is held", IPV6_ONLY, .in = {JUMBO}, HELD},
	{"a jumbo frame that needs fragmentation is passed to the kernel", IPV4_ONLY, .in = {JUMBO}, LEFT_ALONE},
	{"... or dropped, if it is TCP", IPV4_ONLY, .service = SERVICE_TCP,
		.in = {.protocol = 6, .destination_port = 5061, JUMBO, .more_fragments = true, .id = 5202},
		.verdict = VERDICT_too_big_tcp, .action = XDP_DROP},
	{"the largest possible frame is held", IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .payload_length = 2036 - 14 - 28}, HELD},
	{"a frame with one byte more is passed to the kernel", IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .payload_length = 2036 - 14 - 28 + 1}, LEFT_ALONE},
	{"an ICMP error that is too large is passed to the kernel", IPV4_ONLY,
		.in = {.icmp_type = 3, .quote = &(const struct frame_spec){.payload = ROW_INVITE}}, .setup = {NARROW},
		LEFT_ALONE},
	{"an ICMPv6 error that is too large is passed to the kernel", IPV6_ONLY,
		.in = {.icmp_type = 1, .quote = &(const struct frame_spec){.payload = ROW_INVITE}}, .setup = {NARROW},
		LEFT_ALONE},
};

const struct row_table rows_oversize = {"oversize", rows, sizeof(rows) / sizeof(rows[0])};
