// SPDX-License-Identifier: GPL-2.0
/* ICMP about a VIP: an error goes to the owner of the packet that it quotes. A backend
 * sends from the VIP, so the quoted packet's source is the VIP. */

#include <linux/bpf.h>
#include "rows.h"

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

static const struct row rows[] = {
	{
		.sentence = "port unreachable (ICMP) goes to the owner of the quoted Call-ID",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(.payload = OK)},
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "packet too big (ICMPv6) goes to the owner of the quoted Call-ID",
		.families = IPV6_ONLY,
		.in = {.icmp_type = 2, QUOTE(.payload = OK)},
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "an ICMP error may come from any router",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 11, .source = "203.0.113.1", QUOTE(.payload = OK)},
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "a quote that ends before the Call-ID goes to the owner of the client's flow",
		.in = {.icmp_type = 3, QUOTE(.payload = OK, .destination_port = 40001), .quote_length = 28 + 20},
		.families = IPV4_ONLY,
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
	},
	{
		.sentence = "a truncated Call-ID before an extension does not count (ICMP)",
		.in = {.icmp_type = 11,
			QUOTE(.payload = OK, .destination_port = 40001),
			.quote_length = 128,
			.quote_extended = true},
		.families = IPV4_ONLY,
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
	},
	{
		.sentence = "a truncated Call-ID before an extension does not count (ICMPv6)",
		.in = {.icmp_type = 3,
			QUOTE(.payload = OK, .destination_port = 40001),
			.quote_length = 136,
			.quote_extended = true},
		.families = IPV6_ONLY,
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
	},
	{
		.sentence = "a quote with only the ports goes to the owner of the client's flow",
		.in = {.icmp_type = 1, QUOTE(.payload = OK, .destination_port = 40001), .quote_length = 48},
		.families = IPV6_ONLY,
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
	},
	{
		.sentence = "a quote with eight bytes of TCP goes to the owner of the flow",
		.service = SERVICE_TCP,
		.in = {.icmp_type = 3,
			QUOTE(.protocol = 6, .source_port = 5061, .destination_port = 40001,
				.payload = "0123456789012345"),
			.quote_length = 28},
		.families = IPV4_ONLY,
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
	},
	{
		.sentence = "ICMP errors are also tunnelled",
		.families = IPV4_ONLY,
		.setup = {.forward = FORWARD_IPIP},
		.in = {.icmp_type = 3, QUOTE(.payload = OK)},
		.tunnel = &(const struct frame_spec){},
		.verdict = VERDICT_icmp_error,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "a quote of a port without a service is passed to the kernel",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(.payload = OK, .source_port = 9)},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a quote of a packet from an address other than the VIP is passed to the kernel",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(.payload = OK, .source = "192.0.2.11")},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a quote of a later fragment is passed to the kernel",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(.payload = OK, .fragment_offset = 1480)},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a quote that is truncated within its IP header is passed to the kernel",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(.payload = OK), .quote_length = 12},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "bytes behind the ICMP message are not part of the quoted packet",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 3, QUOTE(.payload = OK), .quote_length = 20},
		.tail = "\x13\xc4\x13\xc4",
		.trailer = 24,
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "an error that quotes nothing is passed to the kernel",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 3},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a redirect is passed to the kernel",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 5, QUOTE(.payload = OK)},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "neighbour discovery is passed to the kernel",
		.families = IPV6_ONLY,
		.in = {.icmp_type = 135},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "an echo request is passed to the kernel",
		.families = IPV4_ONLY,
		.in = {.icmp_type = 8},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
};

const struct row_table rows_icmp = {"icmp", rows, sizeof(rows) / sizeof(rows[0])};
