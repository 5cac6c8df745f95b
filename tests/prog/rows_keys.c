// SPDX-License-Identifier: GPL-2.0
/* Keys other than the Call-ID: the TCP connection and the source. Also services with separate pools for single methods.
 */

#include <linux/bpf.h>
#include "rows.h"

#define REST                                                                                                           \
	" sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7\r\nCall-ID: " ROW_CALL_ID "\r\nCSeq: 1\r\n\r\n"
#define TO_SPLIT(text) .service = SERVICE_SPLIT, .in = {.payload = text, .destination_port = 5063}
#define BY_CALL_ID .verdict = VERDICT_call_id, .action = XDP_TX, .call_id = ROW_CALL_ID

/* The 16 bytes of a TCP header after the ports: header length 5 words, SYN. */
#define TCP_REST "\0\0\0\1\0\0\0\0\x50\2\xff\xff\0\0\0\0"

static const struct row rows[] = {
	{
		.sentence = "a TCP connection is forwarded by its flow",
		.service = SERVICE_TCP,
		.in = {.protocol = 6,
			.destination_port = 5061,
			.source_port = 40001,
			.payload = TCP_REST,
			.payload_length = 16},
		.verdict = VERDICT_flow,
		.action = XDP_TX,
	},
	{
		.sentence = "the contents of a TCP connection do not matter",
		.service = SERVICE_TCP,
		.in = {.protocol = 6,
			.destination_port = 5061,
			.source_port = 40001,
			.payload = TCP_REST ROW_INVITE,
			.payload_length = 16 + sizeof(ROW_INVITE)},
		.verdict = VERDICT_flow,
		.action = XDP_TX,
	},
	{
		.sentence = "a truncated TCP header is passed to the kernel",
		.in = {.protocol = 6, .destination_port = 5061, .payload = "0123456", .payload_length = 7},
		.verdict = VERDICT_malformed,
		.action = XDP_PASS,
	},
	{
		.sentence = "UDP to the port of a TCP service belongs to no service",
		.in = {.payload = ROW_INVITE, .destination_port = 5061},
		.verdict = VERDICT_not_service,
		.action = XDP_PASS,
	},
	{
		.sentence = "affinity source: the source port does not matter",
		.service = SERVICE_NEAR,
		.in = {.payload = ROW_INVITE, .destination_port = 5062, .source_port = 40002},
		.by_address = true,
		.verdict = VERDICT_source,
		.action = XDP_TX,
	},
	{
		.sentence = "a REGISTER goes to the pool of its method",
		TO_SPLIT("REGISTER" REST),
		.other_pool = true,
		BY_CALL_ID,
	},
	{
		.sentence = "a REGISTER after empty lines goes to the pool of its method",
		TO_SPLIT("\r\n\r\nREGISTER" REST),
		.other_pool = true,
		BY_CALL_ID,
	},
	{
		.sentence = "an INVITE goes to the service's pool",
		TO_SPLIT("INVITE" REST),
		BY_CALL_ID,
	},
	{
		.sentence = "a SUBSCRIBE goes to the service's pool",
		TO_SPLIT("SUBSCRIBE" REST),
		BY_CALL_ID,
	},
	{
		.sentence = "a response to any method goes to the service's pool",
		TO_SPLIT("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.7\r\nCall-ID: " ROW_CALL_ID
			 "\r\nCSeq: 1 REGISTER\r\n\r\n"),
		BY_CALL_ID,
	},
	{
		.sentence = "an unknown method goes to the pool for unknown methods",
		TO_SPLIT("FROBNICATE" REST),
		.other_pool = true,
		BY_CALL_ID,
	},
	{
		.sentence = "invite in lower case counts as INVITE, as in servers",
		TO_SPLIT("invite" REST),
		BY_CALL_ID,
	},
	{
		.sentence = "Subscribe in mixed case counts as SUBSCRIBE",
		TO_SPLIT("Subscribe" REST),
		BY_CALL_ID,
	},
	{
		.sentence = "a longer name that begins like a method is a different method",
		TO_SPLIT("INVITED" REST),
		.other_pool = true,
		BY_CALL_ID,
	},
	{
		.sentence = "a longer name with the same first eight letters is a different method",
		TO_SPLIT("SUBSCRIBERS" REST),
		.other_pool = true,
		BY_CALL_ID,
	},
	{
		.sentence = "non-SIP goes to the pool of the service",
		TO_SPLIT("\r\n\r\n"),
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
};

const struct row_table rows_keys = {"keys", rows, sizeof(rows) / sizeof(rows[0])};
