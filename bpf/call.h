/* SPDX-License-Identifier: GPL-2.0 */
/* Determines from the messages of a call whether the call is still live. These are pure functions: they access
 * no map and no clock. They compile for the kernel and for user space.
 *
 * With direct server return the balancer sees only the messages that clients and callees send to the VIP, not those
 * of the servers. The state of a call is a set of dialogs (RFC 3261 section 12) and at most one pending INVITE. The
 * hash of its two tags identifies a dialog. The call has ended when the set is empty and no INVITE is pending. If it
 * is unknown whether the call has ended, it counts as live. */
#pragma once

#include "abi_calls.h"

/* The effect of a message on its call. */
enum call_event {
	CALL_NOTHING, /* no effect: the message is ambiguous, or does not belong to an INVITE or SUBSCRIBE dialog */
	CALL_BEGINS,  /* INVITE or SUBSCRIBE without a To tag */
	CALL_CANCELS,
	CALL_ACKS,
	CALL_RINGS,   /* provisional response to INVITE with a To tag, or its PRACK */
	CALL_TALKS,   /* UPDATE or INFO, before or after the final response to INVITE */
	CALL_GOES_ON, /* any other message within a dialog */
	CALL_REFUSED, /* final response other than success to INVITE or SUBSCRIBE */
	CALL_ENDS,    /* BYE, its final response, or SUBSCRIBE with Expires: 0 */
};

#define CALL_CONFIRMED 1      /* flag in the hash of a dialog: not only provisional responses have arrived */
#define CALL_UNKNOWN_BRANCH 1 /* stored for a pending INVITE whose branch is unknown */

/* The hash of a dialog. Either side may send requests, with its own tag in From. Therefore the hash must not
 * depend on the order of the tags. */
static __always_inline __u32 call_dialog(__u32 from_tag, __u32 to_tag)
{
	__u32 both = (from_tag ^ to_tag) * 0x9e3779b1 + from_tag * to_tag;

	return (both & ~CALL_CONFIRMED) ? both & ~CALL_CONFIRMED : 2;
}

static __always_inline __u32 call_request_event(__u32 method, bool tagged, bool expires_now)
{
	switch (method) {
	case METHOD_INVITE:
		return tagged ? CALL_GOES_ON : CALL_BEGINS;
	case METHOD_SUBSCRIBE:
		if (expires_now)
			return tagged ? CALL_ENDS : CALL_NOTHING;
		return tagged ? CALL_GOES_ON : CALL_BEGINS;
	case METHOD_ACK:
		return CALL_ACKS;
	case METHOD_CANCEL:
		return tagged ? CALL_NOTHING : CALL_CANCELS; /* the CANCEL of a re-INVITE does not end the dialog */
	case METHOD_BYE:
		return CALL_ENDS;
	case METHOD_PRACK:
		return tagged ? CALL_RINGS : CALL_NOTHING;
	case METHOD_UPDATE:
	case METHOD_INFO:
		return tagged ? CALL_TALKS : CALL_NOTHING;
	}
	return CALL_NOTHING;
}

/* `method` is the method in CSeq. A 401 or 407 response to BYE does not end the dialog: the sender repeats the
 * BYE with credentials. A 491 refuses only a re-INVITE (RFC 3261 section 21.4.27). */
static __always_inline __u32 call_response_event(__u32 method, __u32 code, bool tagged, bool expires_now)
{
	bool success = code >= 200 && code < 300;

	if (code <= 100 || !tagged)
		return CALL_NOTHING;
	switch (method) {
	case METHOD_INVITE:
		if (code < 200)
			return CALL_RINGS;
		if (code == 491)
			return CALL_NOTHING;
		return success ? CALL_GOES_ON : CALL_REFUSED;
	case METHOD_SUBSCRIBE:
		if (success)
			return expires_now ? CALL_ENDS : CALL_GOES_ON;
		return code < 300 ? CALL_NOTHING : CALL_REFUSED;
	case METHOD_BYE:
		return code < 200 || code == 401 || code == 407 ? CALL_NOTHING : CALL_ENDS;
	case METHOD_PRACK:
		return success ? CALL_RINGS : CALL_NOTHING;
	case METHOD_UPDATE:
	case METHOD_INFO:
		return success ? CALL_TALKS : CALL_NOTHING;
	}
	return CALL_NOTHING;
}

/* Returns the event of a message: of a request if `code` is 0, otherwise of a response with this CSeq method. */
static __always_inline __u32 call_event(__u32 method, __u32 code, bool tagged, bool expires_now)
{
	return code ? call_response_event(method, code, tagged, expires_now)
		    : call_request_event(method, tagged, expires_now);
}

static __always_inline bool call_is_dialog(__u32 known, __u32 dialog)
{
	return known && (known & ~CALL_CONFIRMED) == dialog;
}

/* Adds a dialog. A late retransmission does not revive the dialog that ended last. */
static __always_inline void call_add(struct dialogs *call, __u32 dialog, __u32 confirmed)
{
	if (!dialog || call->closed == dialog)
		return;
	if (call_is_dialog(call->known[0], dialog))
		call->known[0] |= confirmed;
	else if (call_is_dialog(call->known[1], dialog))
		call->known[1] |= confirmed;
	else if (!call->known[0])
		call->known[0] = dialog | confirmed;
	else if (!call->known[1])
		call->known[1] = dialog | confirmed;
	else
		call->overflow |= CALL_MORE_DIALOGS;
}

static __always_inline void call_remove(struct dialogs *call, __u32 dialog)
{
	if (call_is_dialog(call->known[0], dialog))
		call->known[0] = 0;
	if (call_is_dialog(call->known[1], dialog))
		call->known[1] = 0;
}

/* Ends a dialog that was never confirmed. If `dialog` is 0, ends all such dialogs. A confirmed dialog remains, because
 * a refused re-INVITE does not end its dialog (RFC 3261 section 14.1). */
static __always_inline void call_refuse(struct dialogs *call, __u32 dialog)
{
	if (!(call->known[0] & CALL_CONFIRMED) && (!dialog || call->known[0] == dialog))
		call->known[0] = 0;
	if (!(call->known[1] & CALL_CONFIRMED) && (!dialog || call->known[1] == dialog))
		call->known[1] = 0;
}

/* Is this a late message of an earlier INVITE, or of one that was acknowledged? */
static __always_inline bool call_is_late(const struct dialogs *call, const struct call_message *message)
{
	return (message->number && message->number < call->invite) ||
	       (message->branch && message->branch == call->completed);
}

/* INVITE and SUBSCRIBE outside a dialog come from one side, which increments the CSeq number. A proxy that forks an
 * INVITE does not change its number, but each copy has a branch of its own (RFC 3261 section 16.6). */
static __always_inline void call_begin(struct dialogs *call, const struct call_message *message, __u32 branch)
{
	if (call_is_late(call, message))
		return;
	if (call->pending && call->pending != branch && message->number == call->invite)
		call->overflow |= CALL_MORE_BRANCHES;
	else
		call->pending = branch;
	call->invite = message->number;
}

/* A CANCEL has the branch and the number of its INVITE (RFC 3261 section 9.1). It does not begin a second one. */
static __always_inline void call_cancel(struct dialogs *call, const struct call_message *message)
{
	if (message->branch && (!message->number || message->number > call->invite))
		call_begin(call, message, message->branch);
}

/* The pending INVITE has its final response. */
static __always_inline void call_complete(struct dialogs *call)
{
	if (call->pending)
		call->completed = call->pending;
	call->pending = 0;
}

/* The ACK of a failed INVITE has the branch of that INVITE. The ACK of a 2xx response has a different branch (RFC 3261
 * section 17.1.1.3). Early dialogs end with the first 2xx response (section 13.2.2.4). */
static __always_inline void call_acknowledge(struct dialogs *call, const struct call_message *message)
{
	bool failed = message->branch && message->branch == call->pending;

	if (call_is_late(call, message))
		return;
	if (failed || (message->number && message->number == call->invite))
		call_refuse(call, 0);
	if (!failed) {
		call_add(call, message->dialog, CALL_CONFIRMED);
		call->overflow &= ~CALL_MORE_BRANCHES;
	}
	call->invite = message->number;
	call_complete(call);
}

static __always_inline bool call_is_live(const struct dialogs *call)
{
	return call->pending || call->known[0] || call->known[1] || call->overflow;
}

/* A number that differs, except by chance, if the dialogs of a call differ. */
static __always_inline __u64 call_digest(const struct dialogs *call)
{
	__u64 digest = call->pending;

	digest = digest * 31 + call->invite;
	digest = digest * 31 + call->completed;
	digest = digest * 31 + call->closed;
	digest = digest * 31 + call->known[0];
	digest = digest * 31 + call->known[1];
	return digest * 31 + call->overflow;
}

/* Returns true if a message with this event makes a call without dialogs live. */
static __always_inline bool call_may_begin(__u32 event)
{
	return event != CALL_NOTHING && event != CALL_REFUSED && event != CALL_ENDS;
}

/* Updates the dialogs of a call for one message. For a new call, all members are 0. */
static __always_inline void call_update(struct dialogs *call, const struct call_message *message)
{
	__u32 branch = message->branch ? message->branch : CALL_UNKNOWN_BRANCH;

	switch (message->event) {
	case CALL_BEGINS:
		call_begin(call, message, branch);
		break;
	case CALL_CANCELS:
		call_cancel(call, message);
		break;
	case CALL_ACKS:
		call_acknowledge(call, message);
		break;
	case CALL_RINGS:
		call_add(call, message->dialog, 0);
		break;
	case CALL_TALKS:
		call_add(call, message->dialog, call->pending ? 0 : CALL_CONFIRMED);
		break;
	case CALL_GOES_ON:
		call_add(call, message->dialog, CALL_CONFIRMED);
		break;
	case CALL_REFUSED:
		call_refuse(call, message->dialog);
		break;
	case CALL_ENDS:
		call_remove(call, message->dialog);
		call->closed = message->dialog;
		if (message->number)
			call_complete(call);
		break;
	}
}
