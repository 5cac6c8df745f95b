/* SPDX-License-Identifier: GPL-2.0 */
/* The messages of the calls of calls.c, in their order. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define STEPS 16
#define STEP_SIZE 512 /* of its text, at most */

enum side {
	CALLER,
	CALLEE,
	EITHER, /* the side that changes the session */
	LEAVER, /* the side that ends the call */
};

enum tag {
	NO_TAG, /* an initial request, or its CANCEL */
	TAG,    /* of the side that did not send the request */
	REFUSAL_TAG,
};

#define AT_ONCE 0
#define BRIEF 200 /* ms */
#define TALK 3000

struct step {
	const char *method;
	int code; /* 0: a request */
	enum side from;
	int number, branch;
	enum tag to;
	unsigned int before; /* the longest pause before it, ms; the shortest one is a quarter */
};

static const struct step steps[] = {
	/* a challenge, and an INVITE with credentials */
	{"INVITE", 0, CALLER, 1, 1, NO_TAG, AT_ONCE},
	{"ACK", 0, CALLER, 1, 1, REFUSAL_TAG, AT_ONCE},
	/* an answered call */
	{"INVITE", 0, CALLER, 2, 2, NO_TAG, AT_ONCE},
	{"INVITE", 180, CALLER, 2, 2, TAG, BRIEF},
	{"INVITE", 200, CALLER, 2, 2, TAG, BRIEF},
	{"ACK", 0, CALLER, 2, 3, TAG, AT_ONCE},
	{"INVITE", 0, EITHER, 3, 4, TAG, TALK},
	{"INVITE", 200, EITHER, 3, 4, TAG, AT_ONCE},
	{"ACK", 0, EITHER, 3, 5, TAG, AT_ONCE},
	{"BYE", 0, LEAVER, 4, 6, TAG, TALK},
	{"BYE", 200, LEAVER, 4, 6, TAG, AT_ONCE},
	/* a cancelled call */
	{"INVITE", 0, CALLER, 1, 1, NO_TAG, AT_ONCE},
	{"INVITE", 180, CALLER, 1, 1, TAG, BRIEF},
	{"CANCEL", 0, CALLER, 1, 1, NO_TAG, BRIEF},
	{"INVITE", 487, CALLER, 1, 1, TAG, AT_ONCE},
	{"ACK", 0, CALLER, 1, 1, TAG, AT_ONCE},
};

#define ESTABLISHED 5 /* the first message after the response to the INVITE */
#define ESTABLISHED_END 11

static const struct {
	uint8_t first, end;
} flows[] = {{0, ESTABLISHED_END}, {2, ESTABLISHED_END}, {2, ESTABLISHED_END}, {11, 16}};

_Static_assert(COUNT(steps) <= STEPS, "the way of a call has room for all messages");

/* The sender of an ACK does not wait for an answer. */
static bool is_answered(int step)
{
	return strcmp(steps[step].method, "ACK") != 0;
}

/* Writes a message without its last headers; returns its length. `callee`: the callee has sent the request. */
static int write_step(const struct step *step, unsigned int seed, unsigned int call, bool callee, char *text)
{
	const char *from = callee ? "callee" : "caller", *to = callee ? "caller" : "callee";
	char start[64], tag[32] = "";

	if (step->code)
		snprintf(start, sizeof(start), "SIP/2.0 %d Reason", step->code);
	else
		snprintf(start, sizeof(start), "%s sip:user@example.net SIP/2.0", step->method);
	if (step->to != NO_TAG)
		snprintf(tag, sizeof(tag), ";tag=%s%u", step->to == REFUSAL_TAG ? "refusal" : to, call);
	return snprintf(text, STEP_SIZE,
		"%s\r\n"
		"Via: SIP/2.0/UDP 198.51.100.100:5060;branch=z9hG4bK%u-%d\r\n"
		"Max-Forwards: 70\r\n"
		"From: <sip:one@example.net>;tag=%s%u\r\n"
		"To: <sip:other@example.net>%s\r\n"
		"Call-ID: %u-%u@calls.example.net\r\n"
		"CSeq: %d %s\r\n",
		start, call, step->branch, from, call, tag, seed, call, step->number, step->method);
}
