/* SPDX-License-Identifier: GPL-2.0 */
/* Writes a response without a body, as a server does (RFC 3261 sections 8.2.6 and 18.2; RFC 3581 section 4). No I/O. */
#pragma once

#include "core/net/endpoint.h"
#include "request.h"

struct response {
	unsigned int status;
	const char *reason;
	uint64_t tag;        /* of To, if the request has none */
	const char *headers; /* other headers, with their line ends */
};

/* Writes the response to a request from `peer`, and sets the port of `peer` to the port that the response must go to.
 * The topmost Via gets the address of `peer`, so the sender cannot select a different one. Returns the length; 0: the
 * response needs more than `size` bytes. */
size_t response_write(const struct sip_request *request, const struct response *response, struct endpoint *peer,
	char *out, size_t size);
