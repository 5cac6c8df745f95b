// SPDX-License-Identifier: GPL-2.0
/* Decides whether a call is live, from its messages that pass the balancer. Each row is the sequence of messages of a
 * call on the wire, with the expected state after each message. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "bpf/call.h"
#include "bpf/sip_dialog.h"
#include "sip_guard.h"

#define MESSAGES 12

#define LIVE true
#define OVER false

static const __u64 hash_key[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/* The variable parts of one message, and whether the call is live after it. */
struct message {
	const char *line;
	const char *via; /* the text after "Via:" */
	const char *from;
	const char *to;
	const char *cseq;
	bool live;
	const char *more; /* additional header lines */
};

#define VIA(branch) " SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK" branch
#define ALICE "Alice <sip:alice@example.com>;tag=a1"
#define BOB "Bob <sip:bob@example.com>"
#define TAGGED(tag) BOB ";tag=" tag
#define OF(tag) "Bob <sip:bob@example.com>;tag=" tag
#define REQUEST(method) method " sip:bob@example.com SIP/2.0"
#define NEW(method, branch, is)                                                                                        \
	{                                                                                                              \
		REQUEST(method), VIA(branch), ALICE, BOB, "1 " method, is, ""                                          \
	}
#define AGAIN(method, branch, is)                                                                                      \
	{                                                                                                              \
		REQUEST(method), VIA(branch), ALICE, BOB, "2 " method, is, ""                                          \
	}
#define ACK_AGAIN(branch, to, is)                                                                                      \
	{                                                                                                              \
		REQUEST("ACK"), VIA(branch), ALICE, to, "2 ACK", is, ""                                                \
	}
#define WITHIN(method, branch, is)                                                                                     \
	{                                                                                                              \
		REQUEST(method), VIA(branch), ALICE, TAGGED("b1"), "2 " method, is, ""                                 \
	}
#define ACK(branch, to, is)                                                                                            \
	{                                                                                                              \
		REQUEST("ACK"), VIA(branch), ALICE, to, "1 ACK", is, ""                                                \
	}
#define BACK(method, branch, is)                                                                                       \
	{                                                                                                              \
		REQUEST(method), VIA(branch), OF("b1"), "<sip:alice@example.com>;tag=a1", "7 " method, is, ""          \
	}
#define ANSWER(code, method, to, is)                                                                                   \
	{                                                                                                              \
		"SIP/2.0 " code " Text", VIA("px"), ALICE, to, "1 " method, is, ""                                     \
	}

/* The budget for the headers of one message. */
static __u16 budget;

static __u32 parameter(struct sip_text t, __u32 colon, __u64 name, bool *found)
{
	__u32 at = 0;

	*found = colon && sip_parameter(t, colon, name, &at, &budget) == SIP_FOUND;
	return *found && sip_value_at(t, at, &at, &budget) == SIP_FOUND ? sip_token(t, at, hash_key) : 0;
}

static enum method cseq_method(struct sip_text t, __u32 colon, __u32 *number)
{
	__u32 at = 0;

	*number = 0;
	if (!colon || sip_value_at(t, colon, &at, &budget) != SIP_FOUND)
		return METHOD_NONE;
	*number = sip_number(t, &at) + 1;
	return sip_value_at(t, at - 1, &at, &budget) == SIP_FOUND ? sip_named_method(t, at) : METHOD_NONE;
}

static bool expires_now(struct sip_text t, __u32 colon)
{
	__u32 at = 0;

	return colon && sip_value_at(t, colon, &at, &budget) == SIP_FOUND && sip_is_zero(t, at);
}

static void read_call(const char *text, size_t length, struct call_message *message)
{
	struct sip_text t = sip_text((const __u8 *)text, (const __u8 *)text + length, length, 0);
	__u32 method, from, to, branch, number;
	struct sip_lines lines = {};
	struct sip_start start;
	bool tagged, found;

	cr_assert_eq(sip_find_start(t, 0, &start), SIP_FOUND);
	lines.at = start.line;
	budget = SIP_PACKET_BUDGET;
	cr_assert_eq(sip_find_header(t, &lines, SIP_HEADER_COUNT, &budget), SIP_NOT_THERE);
	method = cseq_method(t, lines.colon[SIP_CSEQ], &number);
	if (!start.code)
		method = start.method;
	from = parameter(t, lines.colon[SIP_FROM], SIP_TAG_NAME, &found);
	branch = parameter(t, lines.colon[SIP_VIA], SIP_BRANCH_NAME, &found);
	to = parameter(t, lines.colon[SIP_TO], SIP_TAG_NAME, &tagged);
	*message = (struct call_message){
		.event = call_event(method, start.code, tagged, expires_now(t, lines.colon[SIP_EXPIRES])),
		.kind = method == METHOD_SUBSCRIBE ? CALL_IS_SUBSCRIPTION : CALL_IS_INVITE,
		.dialog = call_dialog(from, to),
		.branch = branch,
		.number = number,
	};
}

static void take(struct dialogs *call, const struct message *m)
{
	struct call_message message;
	char text[1024];
	int length;

	length = snprintf(text, sizeof(text),
		"%s\r\nVia:%s\r\nMax-Forwards: 70\r\nTo: %s\r\nFrom: %s\r\nCall-ID: one@example.com\r\nCSeq: %s\r\n"
		"%sContent-Length: 0\r\n\r\n",
		m->line, m->via, m->to, m->from, m->cseq, m->more);
	read_call(text, length, &message);
	call_update(call, &message);
}

static const struct {
	const char *name;
	struct message messages[MESSAGES];
} calls[] = {
	{"a complete call", {NEW("INVITE", "1", LIVE), ACK("2", TAGGED("b1"), LIVE), WITHIN("BYE", "3", OVER)}},
	{"the callee hangs up", {NEW("INVITE", "1", LIVE), ACK("2", TAGGED("b1"), LIVE), BACK("BYE", "9", OVER)}},
	{"an earlier call", {WITHIN("BYE", "3", OVER)}},
	{"an earlier call with a re-INVITE",
		{WITHIN("INVITE", "3", LIVE), WITHIN("ACK", "4", LIVE), WITHIN("UPDATE", "5", LIVE),
			BACK("INFO", "6", LIVE), WITHIN("BYE", "7", OVER)}},
	{"an INVITE that fails", {NEW("INVITE", "1", LIVE), ACK("1", TAGGED("x"), OVER), ACK("1", TAGGED("x"), OVER)}},
	{"an INVITE with credentials",
		{NEW("INVITE", "1", LIVE), ACK("1", TAGGED("x"), OVER), AGAIN("INVITE", "2", LIVE),
			ACK_AGAIN("3", TAGGED("b1"), LIVE), WITHIN("BYE", "4", OVER)}},
	{"an INVITE with credentials, followed by late messages of the first INVITE",
		{NEW("INVITE", "1", LIVE), AGAIN("INVITE", "2", LIVE), ACK("1", TAGGED("x"), LIVE),
			NEW("INVITE", "1", LIVE), ACK_AGAIN("3", TAGGED("b1"), LIVE), WITHIN("BYE", "4", OVER),
			AGAIN("INVITE", "2", OVER), ACK("1", TAGGED("x"), OVER)}},
	{"an INVITE with credentials that are refused",
		{NEW("INVITE", "1", LIVE), AGAIN("INVITE", "2", LIVE), ACK("1", TAGGED("x"), LIVE),
			ACK_AGAIN("2", TAGGED("y"), OVER), AGAIN("INVITE", "2", OVER)}},
	{"a late retransmission of a failed INVITE",
		{NEW("INVITE", "1", LIVE), ACK("1", TAGGED("x"), OVER), NEW("INVITE", "1", OVER)}},
	{"a cancelled call", {NEW("INVITE", "1", LIVE), NEW("CANCEL", "1", LIVE), ACK("1", TAGGED("b1"), OVER)}},
	{"a cancelled call whose INVITE was not seen", {NEW("CANCEL", "1", LIVE), ACK("1", TAGGED("b1"), OVER)}},
	{"a call that is cancelled after PRACK and UPDATE",
		{NEW("INVITE", "1", LIVE), WITHIN("PRACK", "2", LIVE), WITHIN("UPDATE", "3", LIVE),
			NEW("CANCEL", "1", LIVE), ACK("1", TAGGED("b2"), OVER)}},
	{"... whose INVITE was not seen",
		{WITHIN("PRACK", "2", LIVE), NEW("CANCEL", "1", LIVE), ACK("1", TAGGED("b1"), OVER)}},
	{"a CANCEL that is too late, for a call whose INVITE was not seen",
		{ACK("2", TAGGED("b1"), LIVE), NEW("CANCEL", "1", LIVE), WITHIN("BYE", "3", OVER),
			NEW("CANCEL", "1", OVER)}},
	{"a CANCEL that is too late: the ACK belongs to a success",
		{NEW("INVITE", "1", LIVE), NEW("CANCEL", "1", LIVE), ACK("2", TAGGED("b1"), LIVE),
			NEW("CANCEL", "1", LIVE), WITHIN("BYE", "3", OVER)}},
	{"a re-INVITE that is cancelled",
		{NEW("INVITE", "1", LIVE), ACK("2", TAGGED("b1"), LIVE), WITHIN("INVITE", "3", LIVE),
			WITHIN("CANCEL", "3", LIVE), WITHIN("ACK", "3", LIVE), WITHIN("BYE", "4", OVER)}},
	{"a re-INVITE that is refused",
		{NEW("INVITE", "1", LIVE), ACK("2", TAGGED("b1"), LIVE), WITHIN("INVITE", "3", LIVE),
			ANSWER("488", "INVITE", TAGGED("b1"), LIVE), WITHIN("ACK", "3", LIVE)}},
	{"a fork with two legs, one of which ends",
		{NEW("INVITE", "1", LIVE), ACK("2", TAGGED("b1"), LIVE), ACK("3", TAGGED("b2"), LIVE),
			WITHIN("BYE", "4", LIVE), {REQUEST("BYE"), VIA("5"), ALICE, TAGGED("b2"), "3 BYE", OVER, ""}}},
	{"a fork with three legs: which of them are live is unknown",
		{NEW("INVITE", "1", LIVE), ACK("2", TAGGED("b1"), LIVE), ACK("3", TAGGED("b2"), LIVE),
			ACK("4", TAGGED("b3"), LIVE), WITHIN("BYE", "5", LIVE)}},
	{"the next branch of a fork begins after a failed one",
		{NEW("INVITE", "1", LIVE), NEW("CANCEL", "1", LIVE), ACK("1", TAGGED("b1"), OVER),
			NEW("INVITE", "2", LIVE), NEW("INVITE", "1", LIVE), ACK("3", TAGGED("b2"), LIVE),
			NEW("INVITE", "2", LIVE), {REQUEST("BYE"), VIA("4"), ALICE, TAGGED("b2"), "2 BYE", OVER, ""},
			NEW("INVITE", "2", OVER)}},
	{"a fork with two branches at the same time, the first of which fails",
		{NEW("INVITE", "1", LIVE), NEW("INVITE", "2", LIVE), ACK("1", TAGGED("b1"), LIVE),
			NEW("CANCEL", "2", LIVE), ACK("3", TAGGED("b2"), LIVE),
			{REQUEST("BYE"), VIA("4"), ALICE, TAGGED("b2"), "2 BYE", OVER, ""}}},
	{"... the second of which fails", {NEW("INVITE", "1", LIVE), NEW("INVITE", "2", LIVE),
						  ACK("2", TAGGED("b2"), LIVE), ACK("3", TAGGED("b1"), LIVE)}},
	{"an early dialog ends when a different one is confirmed",
		{NEW("INVITE", "1", LIVE), WITHIN("PRACK", "2", LIVE), ACK("3", TAGGED("b2"), LIVE),
			{REQUEST("BYE"), VIA("4"), ALICE, TAGGED("b2"), "3 BYE", OVER, ""}}},
	{"a re-INVITE of the server that meets one of the client",
		{WITHIN("UPDATE", "1", LIVE), ANSWER("100", "INVITE", TAGGED("b1"), LIVE),
			ANSWER("491", "INVITE", TAGGED("b1"), LIVE), WITHIN("BYE", "2", OVER)}},
	{"a re-INVITE of the server that meets one of the client, for an earlier call",
		{ANSWER("180", "INVITE", TAGGED("b1"), LIVE), ANSWER("491", "INVITE", TAGGED("b1"), LIVE)}},
	{"retransmissions after the BYE",
		{WITHIN("UPDATE", "1", LIVE), WITHIN("BYE", "2", OVER), WITHIN("UPDATE", "1", OVER)}},
	{"a BYE over TCP, whose response passes",
		{WITHIN("UPDATE", "1", LIVE), ANSWER("200", "BYE", TAGGED("b1"), OVER)}},
	{"a BYE that needs credentials", {WITHIN("UPDATE", "1", LIVE), ANSWER("407", "BYE", TAGGED("b1"), LIVE)}},
	{"only responses: the callee is busy",
		{ANSWER("100", "INVITE", BOB, OVER), ANSWER("180", "INVITE", TAGGED("b1"), LIVE),
			ANSWER("486", "INVITE", TAGGED("b1"), OVER)}},
	{"only responses, of two callees",
		{ANSWER("180", "INVITE", TAGGED("b1"), LIVE), ANSWER("180", "INVITE", TAGGED("b2"), LIVE),
			ANSWER("486", "INVITE", TAGGED("b1"), LIVE), ANSWER("200", "INVITE", TAGGED("b2"), LIVE),
			ANSWER("200", "BYE", TAGGED("b2"), OVER)}},
	{"only responses: the call is answered",
		{ANSWER("200", "INVITE", TAGGED("b1"), LIVE), ANSWER("200", "BYE", TAGGED("b1"), OVER)}},
	{"a subscription",
		{NEW("SUBSCRIBE", "1", LIVE), WITHIN("SUBSCRIBE", "2", LIVE),
			{REQUEST("SUBSCRIBE"), VIA("3"), ALICE, TAGGED("b1"), "3 SUBSCRIBE", OVER, "Expires: 0\r\n"}}},
	{"a subscription that polls once",
		{{REQUEST("SUBSCRIBE"), VIA("3"), ALICE, BOB, "3 SUBSCRIBE", OVER, "Expires:0\r\n"}}},
	{"requests that start no call",
		{NEW("REGISTER", "1", OVER), NEW("OPTIONS", "2", OVER), NEW("MESSAGE", "3", OVER),
			ANSWER("200", "OPTIONS", TAGGED("b1"), OVER), NEW("PUBLISH", "4", OVER)}},
};

/* With a key that several calls share, all CSeq numbers are unknown. */
Test(call, calls_that_share_an_entry)
{
	const struct call_message invite = {.event = CALL_BEGINS, .branch = 11},
				  other = {.event = CALL_BEGINS, .branch = 12},
				  ack = {.event = CALL_ACKS, .branch = 13, .dialog = 20},
				  bye = {.event = CALL_ENDS, .branch = 14, .dialog = 20},
				  failed = {.event = CALL_ACKS, .branch = 12, .dialog = 22};
	struct dialogs call = {};

	call_update(&call, &invite);
	call_update(&call, &ack);
	call_update(&call, &other);
	call_update(&call, &bye);
	cr_expect(call_is_live(&call), "the other call rings");
	call_update(&call, &failed);
	cr_expect_not(call_is_live(&call));
	call = (struct dialogs){};
	call_update(&call, &invite);
	call_update(&call, &other);
	call_update(&call, &failed);
	cr_expect(call_is_live(&call), "the first call rings");
}

Test(call, is_live_or_has_ended)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		struct dialogs call = {};

		for (size_t j = 0; j < MESSAGES && calls[i].messages[j].line; j++) {
			take(&call, &calls[i].messages[j]);
			cr_expect_eq(call_is_live(&call), calls[i].messages[j].live, "%s: after message %zu it %s",
				calls[i].name, j + 1, call_is_live(&call) ? "is live" : "has ended");
		}
	}
}

/* Forms of a Via. The ACK of a success has a new branch; the ACK of a failure has the branch of the INVITE. The code
 * must never confuse the two. */
static const struct {
	const char *before, *after;
	bool known; /* true: the branch is found; false: the call counts as live */
} vias[] = {
	{" SIP/2.0/UDP h;branch=", "", true},
	{" SIP/2.0/UDP host:5060 ;branch=", "", true},
	{" SIP/2.0/UDP host:5060; branch=", "", true},
	{" SIP/2.0/UDP host:5060;branch = ", " ;rport", true},
	{" SIP/2.0/UDP host:5060;rport;BRANCH=", ";received=10.0.0.1", true},
	{"\r\n SIP/2.0/UDP\r\n host:5060\r\n ;branch=", "", true},
	{" SIP / 2.0 / UDP host:5060;alias;x=\"a;branch=b\";branch=", "", true},
	{" SIP/2.0/UDP [2001:db8::1]:5060;branch=", ", SIP/2.0/UDP b;branch=z9hG4bKother", true},
	{" SIP/2.0/UDP host:5060;xbranch=", "", false},
	{" SIP/2.0/UDP host:5060;i=", "", false},
};

Test(call, spellings_of_branches)
{
	for (size_t i = 0; i < sizeof(vias) / sizeof(*vias); i++) {
		char first[128], second[128];
		struct message invite = NEW("INVITE", "", LIVE), failure = ACK("", TAGGED("b1"), OVER),
			       success = failure;
		struct dialogs call = {}, other = {};

		snprintf(first, sizeof(first), "%sz9hG4bK11%s", vias[i].before, vias[i].after);
		snprintf(second, sizeof(second), "%sz9hG4bK12%s", vias[i].before, vias[i].after);
		invite.via = failure.via = first;
		success.via = second;
		take(&call, &invite);
		other = call;
		take(&call, &success);
		cr_expect(call_is_live(&call), "Via:%s: the ACK of a success ends the call", first);
		take(&other, &failure);
		cr_expect_eq(call_is_live(&other), !vias[i].known, "Via:%s: the ACK of a failure", first);
	}
}

/* A truncated message is not read beyond its end, and ends no call. */
Test(call, a_truncated_message_ends_no_call)
{
	static const char text[] = "BYE sip:bob@example.com SIP/2.0\r\nv: SIP/2.0/UDP host;branch=z9hG4bK1\r\n"
				   "t: <sip:bob@example.com>;tag=b1\r\nf: <sip:alice@example.com>;tag=a1\r\n"
				   "i: one@example.com\r\nCSeq: 4711 BYE\r\nExpires: 0\r\n\r\n";
	size_t length = sizeof(text) - 1;

	for (size_t cut = SIP_MINIMUM; cut <= length; cut++) {
		const __u8 *copy = sip_guard_end(text, cut);
		struct sip_text t = sip_text(copy, copy + cut, cut, 0);
		struct sip_lines lines = {};
		__u32 whole, part, number;
		bool found;

		budget = SIP_PACKET_BUDGET;
		sip_find_header(t, &lines, SIP_HEADER_COUNT, &budget);
		part = parameter(t, lines.colon[SIP_TO], SIP_TAG_NAME, &found);
		whole = parameter(sip_text((const __u8 *)text, (const __u8 *)text + length, length, 0),
			lines.colon[SIP_TO], SIP_TAG_NAME, &found);
		cr_expect(!part || part == whole, "cut at %zu: a different tag", cut);
		cr_expect_eq(lines.at == SIP_HEADERS_END, cut == length || cut == length - 1, "cut at %zu", cut);
		cseq_method(t, lines.colon[SIP_CSEQ], &number);
		expires_now(t, lines.colon[SIP_EXPIRES]);
	}
}
