// SPDX-License-Identifier: GPL-2.0
/* Fragmented datagrams: all fragments go to the backend of the first one. */

#include <linux/bpf.h>
#include "rows.h"

static const struct frame_spec first = {.payload = ROW_INVITE, .more_fragments = true, .id = 7};
static const struct frame_spec first_with_options = {
	.payload = ROW_INVITE, .more_fragments = true, .id = 4012, .options_in_fragments = true};
static const struct frame_spec first_of_others = {
	.payload = ROW_INVITE, .more_fragments = true, .id = 4009, .source = "198.51.100.8"};

static const struct frame_spec first_of_no_service = {
	.payload = ROW_INVITE, .more_fragments = true, .id = 4010, .destination_port = 9};
static const struct frame_spec first_of_ping = {.icmp_type = 8, .more_fragments = true, .id = 4011};

static const struct row rows[] = {
	{
		.sentence = "a first fragment goes to the owner of its Call-ID",
		.in = {.payload = ROW_INVITE, .more_fragments = true, .id = 7},
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "a first fragment without the Call-ID goes to the owner of its source",
		.in = {.payload = "INVITE sip:bob@example.net SIP/2.0\r\nX: 0123456789\r\nY: 0123",
			.more_fragments = true,
			.id = 11},
		.verdict = VERDICT_call_id_too_far,
		.action = XDP_TX,
	},
	{
		.sentence = "a middle fragment goes to the backend of the first one",
		.before = &first,
		.in = {.payload = "middle", .fragment_offset = 1480, .more_fragments = true, .id = 7},
		.verdict = VERDICT_fragment,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "the last fragment goes to the backend of the first one",
		.before = &first,
		.in = {.payload = "last", .fragment_offset = 2960, .id = 7},
		.verdict = VERDICT_fragment,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "IPv6 options after the Fragment header are skipped",
		.before = &first_with_options,
		.families = IPV6_ONLY,
		.in = {.payload = "last", .fragment_offset = 2960, .id = 4012, .options_in_fragments = true},
		.verdict = VERDICT_fragment,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "later fragments are also tunnelled",
		.before = &first,
		.setup = {.forward = FORWARD_IPIP},
		.families = IPV4_ONLY,
		.in = {.payload = "last", .fragment_offset = 2960, .id = 7},
		.tunnel = &(const struct frame_spec){.id = 7},
		.verdict = VERDICT_fragment,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "later fragments with VLAN tags are forwarded",
		.before = &first,
		.in = {.payload = "last", .fragment_offset = 2960, .id = 7, .vlan = {100, 200}},
		.verdict = VERDICT_fragment,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "a fragment with the largest offset is forwarded",
		.before = &first,
		.in = {.payload = "far", .fragment_offset = 32768, .id = 7},
		.verdict = VERDICT_fragment,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
	},
	{
		.sentence = "a later fragment of a different datagram waits for its first one",
		.before = &first,
		.in = {.payload = "other", .fragment_offset = 1480, .id = 8},
		.verdict = VERDICT_held_fragment,
		.action = XDP_DROP,
	},
	{
		.sentence = "the same identification from a different source is a different datagram",
		.families = IPV4_ONLY,
		.before = &first_of_others,
		.in = {.payload = "other", .fragment_offset = 1480, .id = 4009},
		.verdict = VERDICT_held_fragment,
		.action = XDP_DROP,
	},
	{
		.sentence =
			"a later fragment of a datagram for no service is passed to the kernel, as its first one was",
		.before = &first_of_no_service,
		.in = {.payload = "other", .fragment_offset = 1480, .id = 4010},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "the same identification with a different protocol is a different datagram",
		.before = &first_of_ping,
		.families = IPV4_ONLY,
		.in = {.payload = "other", .protocol = 1, .fragment_offset = 1480, .id = 4011},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a first fragment of protocol 0 is for no service",
		.families = IPV4_ONLY,
		.in = {.payload = ROW_INVITE, .more_fragments = true, .id = 4012},
		.pokes = {{14 + 9, 0}},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "a fragment that is too large to be held is passed to the kernel",
		.in = {.payload = ROW_INVITE, .payload_length = 2100, .fragment_offset = 1480, .id = 12},
		.verdict = VERDICT_orphan_fragment,
		.action = XDP_PASS,
	},
	{
		.sentence = "a later fragment to an address that is not a VIP is passed to the kernel",
		.families = IPV4_ONLY,
		.in = {.payload = "x", .destination = "192.0.2.99", .fragment_offset = 1480, .id = 7},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
};

const struct row_table rows_fragments = {"fragments", rows, sizeof(rows) / sizeof(rows[0])};
