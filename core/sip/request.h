/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the parts of a request that a response needs (RFC 3261 section 8.2.6). No I/O. All input is untrusted. */
#pragma once

#include "span.h"

/* The headers that a response copies from the request. */
enum request_header {
	REQUEST_VIA,
	REQUEST_FROM,
	REQUEST_TO,
	REQUEST_CALL_ID,
	REQUEST_CSEQ,
	REQUEST_HEADERS,
};

struct sip_request {
	struct span method;
	struct span headers;                 /* all lines after the start-line */
	struct span values[REQUEST_HEADERS]; /* of Via: the first one */
	bool complete;                       /* the message contains the blank line after the headers */
};

/* Reads a message, which may be truncated. False if there must be no response: it is not a request, lacks one of the
 * copied headers, or has one of them twice (Via excepted). */
bool request_read(struct span message, struct sip_request *request);

/* Returns which of the copied headers is in this line, and its value; REQUEST_HEADERS: none. */
enum request_header request_header(struct span line, struct span *value);

/* Takes the next header. False: no header follows. */
bool request_take_header(struct span *headers, struct span *line);

/* The branch of the topmost Via; empty if it has none. */
struct span request_branch(const struct sip_request *request);

/* Does the value of a To header have a tag? */
bool request_has_tag(struct span to);
