// SPDX-License-Identifier: GPL-2.0
/* Affinity by user, and hints: one row for each result. test_hints.c tests all forms of the headers. */

#include <linux/bpf.h>
#include "rows.h"

#define MESSAGE(line, via, from)                                                                                       \
	line "\r\nVia: SIP/2.0/UDP " via ";branch=z9hG4bK-77ab31\r\nFrom: " from ";tag=9fxced76sl\r\n"                 \
	     "To: Bob <sip:bob@example.net>\r\nCall-ID: " ROW_CALL_ID "\r\nCSeq: 1 INVITE\r\n\r\n"
#define TO_USER(text) .service = SERVICE_USER, .in = {.payload = text, .destination_port = 5064}
#define REQUEST "INVITE sip:bob@example.net SIP/2.0"
#define CLIENT "198.51.100.7"

#define TEN(text) text text text text text text text text text text

static const struct row rows[] = {
	{
		.sentence = "the user in From selects the backend",
		TO_USER(MESSAGE(REQUEST, CLIENT, "<sip:alice@example.com>")),
		.verdict = VERDICT_user,
		.action = XDP_TX,
		.call_id = "alice",
	},
	{
		.sentence = "a message without a user in From is forwarded by its source",
		TO_USER(MESSAGE(REQUEST, CLIENT, "<sip:example.com>")),
		.verdict = VERDICT_no_user,
		.action = XDP_TX,
	},
	{
		.sentence = "a keepalive to a service with affinity by user is forwarded by its source",
		TO_USER("\r\n\r\n"),
		.verdict = VERDICT_not_sip,
		.action = XDP_TX,
	},
	{
		.sentence = "a response to a backend's request goes to that backend",
		TO_USER(MESSAGE("SIP/2.0 200 OK", "10.0.0.3:5060", "<sip:alice@example.com>")),
		.verdict = VERDICT_hint,
		.action = XDP_TX,
		.backend = 3,
	},
	{
		.sentence = "a request that names a backend goes to that backend",
		TO_USER(MESSAGE("BYE sip:px@10.0.0.2 SIP/2.0", CLIENT, "<sip:alice@example.com>")),
		.verdict = VERDICT_hint,
		.action = XDP_TX,
		.backend = 2,
	},
	{
		.sentence = "a request with too many lines before its Route is forwarded by its user",
		TO_USER(REQUEST "\r\nFrom: <sip:alice@example.com>\r\n" TEN(TEN("R\r\n"))
				TEN("R\r\n") "Route: <sip:10.0.0.2;lr>\r\nCall-ID: 1\r\n\r\n"),
		.verdict = VERDICT_headers_too_far,
		.action = XDP_TX,
		.call_id = "alice",
	},
};

const struct row_table rows_names = {"names", rows, sizeof(rows) / sizeof(rows[0])};
