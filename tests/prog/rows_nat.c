// SPDX-License-Identifier: GPL-2.0
/* NAT: packets to a backend receive its address and its port. The expected frames have checksums that are calculated
 * from all bytes. test_nat.c has the packets from backends. */

#include <linux/bpf.h>
#include <netinet/in.h>
#include "rows.h"

#define OTHER_IFINDEX 77

#define SAME_PORT                                                                                                      \
	{                                                                                                              \
		.forward = FORWARD_NAT                                                                                 \
	}
#define OTHER_PORT                                                                                                     \
	{                                                                                                              \
		.forward = FORWARD_NAT, .port = 15060                                                                  \
	}

#define OK                                                                                                             \
	"SIP/2.0 200 OK\r\n"                                                                                           \
	"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-77ab31\r\n"                                                 \
	"Call-ID: " ROW_CALL_ID "\r\n"                                                                                 \
	"CSeq: 1 INVITE\r\n\r\n"

#define QUOTE(...)                                                                                                     \
	.quote = &(const struct frame_spec)                                                                            \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}

#define TO_OWNER .verdict = VERDICT_call_id, .action = XDP_TX, .call_id = ROW_CALL_ID
#define TO_FLOW .service = SERVICE_TCP, .verdict = VERDICT_flow, .action = XDP_TX
#define ERROR_TO_OWNER .verdict = VERDICT_icmp_error, .action = XDP_TX, .call_id = ROW_CALL_ID
#define ERROR_TO_FLOW .service = SERVICE_TCP, .verdict = VERDICT_icmp_error, .action = XDP_TX
#define TO_RANGE .verdict = VERDICT_port_range, .action = XDP_TX, .backend = 3, .keeps_port = true
#define TCP .protocol = IPPROTO_TCP, .tcp_header = true
#define LARGE_ID .id = 0xfedc

static const struct frame_spec first = {.payload = ROW_INVITE, .more_fragments = true, .id = 7001};

static const struct row rows[] = {
	{"a UDP packet", .in = {.payload = ROW_INVITE, LARGE_ID}, .setup = SAME_PORT, TO_OWNER},
	{"a UDP packet to a different port", .in = {.payload = ROW_INVITE}, .setup = OTHER_PORT, TO_OWNER},
	{"a UDP packet of an odd length", .in = {.payload = ROW_INVITE "x"}, .setup = OTHER_PORT, TO_OWNER},
	{"a UDP packet without a payload", .in = {}, .setup = OTHER_PORT, .verdict = VERDICT_not_sip, .action = XDP_TX},
	{"a UDP packet without a checksum keeps none", IPV4_ONLY, .in = {.payload = ROW_INVITE}, .pokes = {{40}, {41}},
		.setup = OTHER_PORT, TO_OWNER},
	{"a UDP packet with IP options", .in = {.payload = ROW_INVITE, .option_words = 3, .extensions = 2},
		.setup = OTHER_PORT, TO_OWNER},
	{"a tagged UDP packet through the same interface", .in = {.payload = ROW_INVITE, .vlan = {100, 200}},
		.setup = OTHER_PORT, TO_OWNER},
	{"a tagged UDP packet through a different interface", .in = {.payload = ROW_INVITE, .vlan = {100}},
		.setup = {.forward = FORWARD_NAT, .port = 15060, .ifindex = OTHER_IFINDEX}, .verdict = VERDICT_call_id,
		.action = XDP_REDIRECT, .call_id = ROW_CALL_ID, .untagged = true},
	{"a packet with Ethernet padding", .in = {.payload = ROW_INVITE}, .trailer = 9, .setup = OTHER_PORT, TO_OWNER},
	{"the TTL stays", .in = {.payload = ROW_INVITE, .ttl = 1}, .setup = OTHER_PORT, TO_OWNER},
	{"a TCP segment", .in = {TCP, .destination_port = 5061, .payload = "REGISTER"}, .setup = SAME_PORT, TO_FLOW},
	{"a TCP segment to a different port", .in = {TCP, .destination_port = 5061}, .setup = OTHER_PORT, TO_FLOW},
	{"a TCP segment with IP options", .in = {TCP, .destination_port = 5061, .option_words = 1, .extensions = 1},
		.setup = OTHER_PORT, TO_FLOW},
	{"a port of one backend does not change", .in = {.payload = "media", .destination_port = 10003},
		.setup = OTHER_PORT, TO_RANGE},
	{"an ICMP error about a UDP packet", IPV4_ONLY, .in = {.icmp_type = 3, QUOTE(.payload = OK)},
		.setup = OTHER_PORT, ERROR_TO_OWNER},
	{"an ICMPv6 error about a UDP packet", IPV6_ONLY, .in = {.icmp_type = 2, QUOTE(.payload = OK)},
		.setup = OTHER_PORT, ERROR_TO_OWNER},
	{"an ICMP error of a router, port unchanged", IPV4_ONLY,
		.in = {.icmp_type = 11, .source = "203.0.113.1", QUOTE(.payload = OK)}, .setup = SAME_PORT,
		ERROR_TO_OWNER},
	{"an ICMPv6 error with extension headers", IPV6_ONLY,
		.in = {.icmp_type = 1, .extensions = 2, QUOTE(.payload = OK, .extensions = 1)}, .setup = OTHER_PORT,
		ERROR_TO_OWNER},
	{"an ICMP error that quotes IP options", IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(.payload = OK, .option_words = 2)}, .setup = OTHER_PORT, ERROR_TO_OWNER},
	{"an ICMP error with an extension", IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(.payload = OK), .quote_length = 160, .quote_extended = true},
		.setup = OTHER_PORT, ERROR_TO_OWNER},
	{"an ICMP error that quotes 8 bytes of UDP", IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(.payload = OK, .destination_port = 40001), .quote_length = 28},
		.setup = OTHER_PORT, .verdict = VERDICT_icmp_error, .action = XDP_TX},
	{"an ICMP error about a TCP segment", IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(TCP, .source_port = 5061, .payload = "SIP/2.0 200 OK")},
		.setup = OTHER_PORT, ERROR_TO_FLOW},
	{"an ICMPv6 error about a TCP segment", IPV6_ONLY,
		.in = {.icmp_type = 2, QUOTE(TCP, .source_port = 5061, .payload = "SIP/2.0 200 OK")},
		.setup = OTHER_PORT, ERROR_TO_FLOW},
	{"an ICMP error that quotes 8 bytes of TCP", IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(TCP, .source_port = 5061), .quote_length = 28}, .setup = OTHER_PORT,
		ERROR_TO_FLOW},
	{"a first fragment", .in = {.payload = ROW_INVITE, .more_fragments = true, .id = 7000}, .setup = OTHER_PORT,
		TO_OWNER},
	{"a later fragment changes only its address", .before = &first,
		.in = {.payload = "last", .fragment_offset = 2960, .id = 7001}, .setup = OTHER_PORT,
		.verdict = VERDICT_fragment, .action = XDP_TX, .call_id = ROW_CALL_ID},
};

const struct row_table rows_nat = {"nat", rows, sizeof(rows) / sizeof(rows[0])};
