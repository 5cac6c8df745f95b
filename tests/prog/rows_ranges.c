// SPDX-License-Identifier: GPL-2.0
/* Port ranges: media ports of one backend, and ports of a service. */

#include <linux/bpf.h>
#include "rows.h"

#define RTP "\x80\x00\x00\x01\x00\x00\x00\xa0\x12\x34\x56\x78media"

static const struct frame_spec first = {.payload = RTP, .destination_port = 10003, .more_fragments = true, .id = 5001};
static const struct frame_spec first_of_service = {
	.payload = ROW_INVITE, .destination_port = 6003, .more_fragments = true, .id = 5002};

static const struct row rows[] = {
	{
		.sentence = "the first port of a backend's range",
		.in = {.payload = RTP, .destination_port = 10000},
		.verdict = VERDICT_port_range,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "the last port of a backend's range",
		.in = {.payload = RTP, .destination_port = 10009},
		.verdict = VERDICT_port_range,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "a range of one port, next to the range of a different backend",
		.in = {.payload = RTP, .destination_port = 10010},
		.verdict = VERDICT_port_range,
		.action = XDP_TX,
		.backend = 2,
	},
	{
		.sentence = "the port before a range belongs to no backend",
		.in = {.payload = RTP, .destination_port = 9999},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "the port after a range belongs to no backend",
		.in = {.payload = RTP, .destination_port = 10011},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a range applies to one protocol",
		.in = {.payload = "0123456789012345", .protocol = 6, .destination_port = 10003},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a range applies to one VIP",
		.families = IPV4_ONLY,
		.in = {.payload = RTP, .destination = "192.0.2.11", .destination_port = 10003},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a VIP without the flag has no ranges",
		.in = {.payload = RTP, .destination_port = 10003},
		.setup = {.no_ranges = true},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "SIP in a backend's range is not read",
		.in = {.payload = ROW_INVITE, .destination_port = 10003},
		.verdict = VERDICT_port_range,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "a backend's range precedes the service for all ports",
		.families = IPV4_ONLY,
		.in = {.payload = RTP, .destination = "192.0.2.20", .destination_port = 10003},
		.verdict = VERDICT_port_range,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "a port outside the ranges is for the service for all ports",
		.service = SERVICE_ANY,
		.in = {.payload = ROW_INVITE, .destination_port = 10011},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "a backend's range through a tunnel",
		.families = IPV4_ONLY,
		.in = {.payload = RTP, .destination_port = 10003},
		.setup = {.forward = FORWARD_IPIP},
		.tunnel = &(const struct frame_spec){},
		.verdict = VERDICT_port_range,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "a backend's range with VLAN tags",
		.in = {.payload = RTP, .destination_port = 10003, .vlan = {100, 200}},
		.verdict = VERDICT_port_range,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "a range whose backend is unreachable: passed to the kernel",
		.in = {.payload = RTP, .destination_port = 10003},
		.setup = {.unreachable = true},
		.verdict = VERDICT_no_backend,
		.action = XDP_PASS,
	},
	{
		.sentence = "a range whose backend is dead: passed to the kernel",
		.in = {.payload = RTP, .destination_port = 10003},
		.setup = {.dead = true},
		.verdict = VERDICT_no_backend,
		.action = XDP_PASS,
	},
	{
		.sentence = "the first fragment of a datagram to a range",
		.in = {.payload = RTP, .destination_port = 10003, .more_fragments = true, .id = 5000},
		.verdict = VERDICT_port_range,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "a later fragment of a datagram to a range",
		.before = &first,
		.in = {.payload = "last", .fragment_offset = 1480, .id = 5001},
		.verdict = VERDICT_fragment,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "an ICMP error about a packet from a range: to the backend of the range",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 3,
			.quote =
				&(const struct frame_spec){
					.payload = RTP, .source_port = 10003, .destination_port = 40000},
			.quote_length = 28},
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "an ICMPv6 error about a packet from a range: to the backend of the range",
		.families = IPV6_ONLY,
		.in = {.icmp_type = 2,
			.quote =
				&(const struct frame_spec){
					.payload = RTP, .source_port = 10009, .destination_port = 40000}},
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "a service's range precedes the service for all ports",
		.service = SERVICE_ONE,
		.in = {.payload = ROW_INVITE, .destination_port = 6000},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "the last port of a service's range",
		.service = SERVICE_ONE,
		.in = {.payload = "\r\n\r\n", .destination_port = 6021},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
	{
		.sentence = "the port after a service's range",
		.service = SERVICE_ANY,
		.in = {.payload = ROW_INVITE, .destination_port = 6022},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "a later fragment to a service's range",
		.service = SERVICE_ONE,
		.before = &first_of_service,
		.in = {.payload = "last", .fragment_offset = 1480, .id = 5002},
		.verdict = VERDICT_fragment,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "an ICMP error about a packet from a service's range",
		.families = IPV4_ONLY,
		.service = SERVICE_ONE,
		.in = {.icmp_type = 3, .quote = &(const struct frame_spec){.payload = ROW_INVITE, .source_port = 6003}},
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "a range of a missing service is passed to the kernel",
		.in = {.payload = ROW_INVITE, .destination_port = 6003},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
};

const struct row_table rows_ranges = {"ranges", rows, sizeof(rows) / sizeof(rows[0])};
