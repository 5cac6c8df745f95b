/* SPDX-License-Identifier: GPL-2.0 */
/* Heartbeats in SIP: an OPTIONS request with the header
 *
 *   X-Sipxdp-Heartbeat: action=start; pool=proxies; name=px4; address=10.0.0.14; time=...; signature=...
 *
 * and the response to it (RFC 3261, 8.2.6 and 18.2). No I/O. All input is untrusted. */
#pragma once

#include "core/net/endpoint.h"
#include "join.h"

/* Size of the longest response. The response can exceed the request because a bare LF becomes CRLF, which adds one
 * byte to a line of at least three bytes. */
#define JOIN_SIP_ANSWER_SIZE (2 * JOIN_REQUEST_MAX)

/* Finds the heartbeat in a datagram of at most JOIN_REQUEST_MAX bytes. `request` points into `message`. Returns 200; or
 * the status of a refusal, with the reason in `text`; or 0 if the balancer must not respond: to a datagram that is not
 * a request, to an ACK, or to a request without the headers that a response needs. */
unsigned int join_sip_read(struct span message, struct join_request *request, const char **text);

/* Writes the response to a request for which join_sip_read() returned a status. Sets the peer's port to the port
 * from the Via header (18.2.2; RFC 3581). Sends 403 instead of 401, because there is no challenge. `tag` is the To
 * tag. Returns the length. */
size_t join_sip_answer(struct span message, const struct join_answer *answer, uint64_t tag, struct endpoint *peer,
	char out[JOIN_SIP_ANSWER_SIZE]);
