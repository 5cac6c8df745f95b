// SPDX-License-Identifier: GPL-2.0
/* Inconsistent headers: such packets are never forwarded. */

#include <linux/bpf.h>
#include "rows.h"

/* Offsets of the changed bytes in frames without VLAN tags. */
#define IPV4(offset) (14 + (offset))
#define IPV6(offset) (14 + (offset))
#define UDP_IN_IPV4(offset) (14 + 20 + (offset))
#define UDP_IN_IPV6(offset) (14 + 40 + (offset))

#define MALFORMED .verdict = VERDICT_malformed, .action = XDP_PASS

static const struct row rows[] = {
	{
		.sentence = "IPv4: version 6 in the header",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV4(0), 0x65}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: version 4 in the header",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV6(0), 0x40}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a header of four words",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV4(0), 0x44}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a header of four words, followed by bytes like a UDP header",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .destination = "192.0.2.20", .source_port = 100},
		.pokes = {{IPV4(0), 0x44}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a header of zero words",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV4(0), 0x40}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a total length one byte beyond the frame",
		.families = IPV4_ONLY,
		.in = {.payload = "", .payload_length = 0},
		.pokes = {{IPV4(3), 29}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: the largest total length",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV4(2), 0xff}, {IPV4(3), 0xff}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a total length of zero",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV4(2), 0}, {IPV4(3), 0}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a total length below the header",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV4(2), 0}, {IPV4(3), 19}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a total length below the header with its options",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .option_words = 2},
		.pokes = {{IPV4(2), 0}, {IPV4(3), 27}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a total length that ends within the UDP header",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV4(2), 0}, {IPV4(3), 27}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a header without payload",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV4(2), 0}, {IPV4(3), 20}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: options beyond the end of the packet",
		.families = IPV4_ONLY,
		.in = {.payload = "\r\n\r\n"},
		.pokes = {{IPV4(0), 0x4f}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: a payload length one byte beyond the frame",
		.families = IPV6_ONLY,
		.in = {.payload = "", .payload_length = 0},
		.pokes = {{IPV6(5), 9}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: the largest payload length",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV6(4), 0xff}, {IPV6(5), 0xff}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: a payload length of zero, as in a jumbogram",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV6(4), 0}, {IPV6(5), 0}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: a payload length that ends within the UDP header",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV6(4), 0}, {IPV6(5), 7}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: an extension header across the end of the packet",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE, .extensions = 1},
		.pokes = {{IPV6(41), 255}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: an extension header after the end of the packet",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE, .extensions = 2},
		.pokes = {{IPV6(4), 0}, {IPV6(5), 8}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: a later fragment in a packet that ends before its fragment header",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE, .fragment_offset = 8},
		.pokes = {{IPV6(4), 0}, {IPV6(5), 7}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: extension headers after the end of the frame",
		.families = IPV6_ONLY,
		.in = {.payload = "\r\n\r\n", .extensions = 2},
		.pokes = {{IPV6(41), 200}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a UDP length one byte beyond the packet",
		.families = IPV4_ONLY,
		.in = {.payload = "\r\n\r\n"},
		.pokes = {{UDP_IN_IPV4(5), 13}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: a UDP length one byte beyond the packet",
		.families = IPV6_ONLY,
		.in = {.payload = "\r\n\r\n"},
		.pokes = {{UDP_IN_IPV6(5), 13}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a UDP length beyond the packet, followed by padding",
		.families = IPV4_ONLY,
		.in = {.payload = "\r\n\r\n"},
		.pokes = {{UDP_IN_IPV4(5), 13}},
		.trailer = 14,
		MALFORMED,
	},
	{
		.sentence = "IPv4: a UDP length below its header",
		.families = IPV4_ONLY,
		.in = {.payload = "\r\n\r\n"},
		.pokes = {{UDP_IN_IPV4(5), 7}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: a UDP length below its header",
		.families = IPV6_ONLY,
		.in = {.payload = "\r\n\r\n"},
		.pokes = {{UDP_IN_IPV6(5), 7}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a UDP length of zero",
		.families = IPV4_ONLY,
		.in = {.payload = "\r\n\r\n"},
		.pokes = {{UDP_IN_IPV4(5), 0}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: a UDP length of zero, as in a jumbogram",
		.families = IPV6_ONLY,
		.in = {.payload = "\r\n\r\n"},
		.pokes = {{UDP_IN_IPV6(5), 0}},
		MALFORMED,
	},
	{
		.sentence = "IPv4: a first fragment that ends within the UDP header",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .more_fragments = true},
		.pokes = {{IPV4(2), 0}, {IPV4(3), 24}},
		MALFORMED,
	},
	{
		.sentence = "IPv6: no next header",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE},
		.pokes = {{IPV6(6), 59}},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "an IPv6 packet with mapped IPv4 addresses",
		.families = IPV6_ONLY,
		.in = {.payload = ROW_INVITE, .destination = "::ffff:192.0.2.10"},
		.verdict = VERDICT_malformed,
		.action = XDP_PASS,
	},
};

const struct row_table rows_malformed = {"malformed", rows, sizeof(rows) / sizeof(rows[0])};
