// SPDX-License-Identifier: GPL-2.0
/* Packets that belong to a service, packets that do not, and packets without a Call-ID. */

#include <linux/bpf.h>
#include "rows.h"

#define FLOODED .to_mac = "02:00:00:00:01:01"
#define FOR_OTHERS .verdict = VERDICT_other_host, .action = XDP_PASS
#define BINARY(text) .payload = text, .payload_length = sizeof(text) - 1

static const struct row rows[] = {
	{
		.sentence = "a request to a service goes to the owner of its Call-ID",
		.in = {.payload = ROW_INVITE},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "the source of a request does not matter",
		.in = {.payload = ROW_INVITE, .source_port = 40001, .from_mac = "02:00:00:00:00:77"},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "a different port of the VIP has no service",
		.in = {.payload = ROW_INVITE, .destination_port = 5061},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "port 0 does not match a service with a port",
		.in = {.payload = ROW_INVITE},
		.pokes = {{14 + 20 + 2, 0}, {14 + 20 + 3, 0}},
		.families = IPV4_ONLY,
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a different IPv4 address has no service",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .destination = "192.0.2.11"},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a different IPv6 address has no service",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE, .destination = "2001:db8::1:10"},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "TCP to the port of a UDP service belongs to no service",
		.in = {.payload = ROW_INVITE, .protocol = 6},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "ping to the VIP is passed to the kernel",
		.families = IPV4_ONLY,
		.in = {BINARY("abcdefgh"), .protocol = 1},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "neighbour discovery for the VIP is passed to the kernel",
		.families = IPV6_ONLY,
		.in = {BINARY("abcdefghijklmnopqrst"), .protocol = 58, .ttl = 255},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a service for all ports receives any port",
		.service = SERVICE_ANY,
		.in = {.payload = ROW_INVITE, .destination_port = 5081},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "a service for all ports receives any port without a Call-ID, too",
		.service = SERVICE_ANY,
		.in = {BINARY("\r\n\r\n"), .destination_port = 1},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
	{
		.sentence = "a service for one port precedes one for all ports",
		.service = SERVICE_ONE,
		.in = {.payload = ROW_INVITE, .destination_port = 5070},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "ARP is passed to the kernel",
		.families = IPV4_ONLY,
		.in = {BINARY("who has 192.0.2.10?"), .ethertype = 0x0806},
		.verdict = VERDICT_not_ip,
		.action = XDP_PASS,
	},
	{
		.sentence = "an Ethernet frame with a length instead of a type is not IP",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .ethertype = 0x0120},
		.verdict = VERDICT_not_ip,
		.action = XDP_PASS,
	},
	{
		.sentence = "a third VLAN tag exceeds the limit",
		.in = {.payload = ROW_INVITE, .vlan = {100, 200}, .ethertype = 0x8100},
		.verdict = VERDICT_not_ip,
		.action = XDP_PASS,
	},
	{
		.sentence = "slots without an owner: passed to the kernel",
		.in = {.payload = ROW_INVITE},
		.setup = {.nobody = true},
		.verdict = VERDICT_no_backend,
		.action = XDP_PASS,
	},
	{
		.sentence = "slots of an unreachable backend: passed to the kernel",
		.in = {.payload = ROW_INVITE},
		.setup = {.unreachable = true},
		.verdict = VERDICT_no_backend,
		.action = XDP_PASS,
	},
	{
		.sentence = "non-SIP without a backend: passed to the kernel",
		.in = {BINARY("\r\n\r\n")},
		.setup = {.nobody = true},
		.verdict = VERDICT_no_backend,
		.action = XDP_PASS,
	},
	{
		.sentence = "a CRLF keepalive is forwarded by its source",
		.in = {BINARY("\r\n\r\n")},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
	{
		.sentence = "a keepalive from a different port may have a different backend",
		.in = {BINARY("\r\n\r\n"), .source_port = 40003},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
	{
		.sentence = "a keepalive of one NUL is forwarded by its source",
		.in = {BINARY("\0")},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
	{
		.sentence = "a datagram without payload is forwarded by its source",
		.in = {.source_port = 1024},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
	{
		.sentence = "a STUN binding request is forwarded by its source",
		.in = {BINARY("\0\1\0\0\x21\x12\xa4\x42"
			      "0123456789ab")},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
	{
		.sentence = "a STUN request with a Call-ID in an attribute is not SIP",
		.in = {BINARY("\0\1\0\x20\x21\x12\xa4\x42"
			      "0123456789ab"
			      "\x80\x22\0\x1c"
			      "agent\r\nCall-ID: 1\r\nX: 23456\r\n\r\n")},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
	{
		.sentence = "an RTP packet is forwarded by its source",
		.in = {BINARY("\x80\x08\x12\x34\0\1\xa4\x42\x11\x22\x33\x44"
			      "\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5"
			      "\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5\xd5")},
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
	{
		.sentence = "SIP whose headers end without a Call-ID is forwarded by its source",
		.in = {.payload = "OPTIONS sip:example.net SIP/2.0\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: "
				  "5\r\n\r\nCall-ID: 1\r\n"},
		.verdict = VERDICT_no_call_id,
		.action = XDP_TX,
	},
	{
		.sentence = "SIP without a Call-ID from a different port may have a different backend",
		.in = {.payload = "OPTIONS sip:example.net SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n", .source_port = 40002},
		.verdict = VERDICT_no_call_id,
		.action = XDP_TX,
	},
	{
		.sentence = "SIP that ends within its headers is forwarded by its source",
		.in = {.payload = "OPTIONS sip:example.net SIP/2.0\r\nCSeq: 1 OPTIONS\r\n"},
		.verdict = VERDICT_call_id_too_far,
		.action = XDP_TX,
	},
	{
		.sentence = "SIP with a truncated Call-ID is forwarded by its source",
		.in = {.payload = "OPTIONS sip:example.net SIP/2.0\r\nCall-ID: " ROW_CALL_ID},
		.verdict = VERDICT_call_id_too_far,
		.action = XDP_TX,
	},
	{"a frame for a different host, flooded by a switch", .in = {.payload = ROW_INVITE, FLOODED}, FOR_OTHERS},
	{"a frame whose MAC address differs only in its last byte",
		.in = {.payload = ROW_INVITE, .to_mac = "02:00:00:00:00:02"}, FOR_OTHERS},
	{"a frame to the MAC address of a different interface", .in = {.payload = ROW_INVITE, FLOODED},
		.setup = {.shares_interface_mac = true}, FOR_OTHERS},
	{.sentence = "a frame to a second MAC address of the interface is accepted",
		.in = {.payload = ROW_INVITE, .to_mac = "00:00:5e:00:01:0a", .vlan = {100}},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID},
	{.sentence = "a frame is accepted if a different interface uses the element of interface_macs",
		.in = {.payload = ROW_INVITE, .vlan = {100}},
		.setup = {.shares_interface_mac = true},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID},
	{"a broadcast frame", .in = {.payload = ROW_INVITE, .to_mac = "ff:ff:ff:ff:ff:ff"}, FOR_OTHERS},
	{"a multicast frame", .in = {.payload = ROW_INVITE, .to_mac = "01:00:5e:00:00:01"}, FOR_OTHERS},
	{"a frame for a different host, with VLAN tags", .in = {.payload = ROW_INVITE, FLOODED, .vlan = {100, 200}},
		FOR_OTHERS},
	{"a frame for a different host that exceeds the MTU", .in = {.payload = ROW_INVITE, FLOODED},
		.setup = {.mtu = 100}, FOR_OTHERS},
	{"a later fragment for a different host", .in = {.payload = "x", FLOODED, .fragment_offset = 1480, .id = 7001},
		FOR_OTHERS},
	{"an echo request for a different host", IPV4_ONLY, .setup = {.ping = true}, .in = {.icmp_type = 8, FLOODED},
		FOR_OTHERS},
	{"a probe reply for a different host", IPV4_ONLY,
		.in = {.source = "192.0.2.10", .destination = "203.0.113.2", .payload = "x", FLOODED}, FOR_OTHERS},
	{"a broadcast frame that is not IP", IPV4_ONLY,
		.in = {.payload = "who has 192.0.2.10?", .ethertype = 0x0806, .to_mac = "ff:ff:ff:ff:ff:ff"},
		FOR_OTHERS},
};

const struct row_table rows_services = {"services", rows, sizeof(rows) / sizeof(rows[0])};
