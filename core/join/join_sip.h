/* SPDX-License-Identifier: GPL-2.0 */
/* Heartbeats in SIP: an OPTIONS with
 *
 *   X-Sipxdp-Heartbeat: action=start; pool=proxies; name=px4; address=10.0.0.14; time=...; signature=...
 *
 * and the answer to it (RFC 3261, 8.2.6 and 18.2). Pure; reads hostile input. */
#pragma once

#include "join.h"

/* Room for an answer to any request: a line has three bytes or more, and gets one more where
 * it ends in a bare LF. */
#define JOIN_SIP_ANSWER_SIZE (2 * JOIN_REQUEST_MAX)

/* Who sent a datagram, and where the answer is to go. */
struct join_peer {
	struct address address;
	uint16_t port; /* host order */
};

/* Finds the heartbeat in a datagram of JOIN_REQUEST_MAX bytes at most; what points into `message` is valid as long as
 * that. 200; else the status of the refusal, for which `text` says why; or 0 for what nobody answers: no request, an
 * ACK, or one without the headers that an answer repeats. */
unsigned int join_sip_read(struct span message, struct join_request *request, const char **text);

/* Writes the answer to a request that join_sip_read has a status for, and changes the
 * peer's port to the one that its Via asks for (18.2.2; RFC 3581). There is no challenge
 * to a signature, so that 401 becomes 403. `tag` is that of To. Returns the length. */
size_t join_sip_answer(struct span message, const struct join_answer *answer, uint64_t tag, struct join_peer *peer,
	char out[JOIN_SIP_ANSWER_SIZE]);
