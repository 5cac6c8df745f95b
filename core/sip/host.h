/* SPDX-License-Identifier: GPL-2.0 */
/* Hosts in SIP messages: names and addresses, with or without a port. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HOST_SIZE 256 /* bytes, including the closing NUL */

/* Reads "px1.example.net", "10.0.0.11:5062" or "[2001:db8::11]:5060" (RFC 3261, section 25.1,
 * hostport). `host` is in lower case, or an address in its canonical text form without
 * brackets. A missing port is 0. Returns 0 or -EINVAL. */
int host_parse(const char *text, char host[HOST_SIZE], uint16_t *port);

enum hint_kind {
	HINT_HOST,
	HINT_PARAMETER, /* ";node=px1": a parameter of a URI or a Via */
	HINT_TAG,       /* "tag=px1-": the start of the tags of a server (RFC 3261, section 19.3) */
};

/* The kind of a hint that hint_parse() has read. */
enum hint_kind hint_kind(const char *hint);

/* Reads a host as host_parse() does, a parameter or a tag. A parameter consists of letters, digits and "-._".
 * Parameters of RFC 3261 (section 19.1.1) are refused, because messages of all calls contain them. A tag consists of
 * letters and digits, and one of "-._" at its end. Both are converted to lower case. Returns 0 or -EINVAL. */
int hint_parse(const char *text, char hint[HOST_SIZE], uint16_t *port);

/* Is `name` a host name (RFC 1123, section 2.1)? A host name has labels of letters, digits and hyphens, separated by
 * dots. The last label begins with a letter, so an address is not a host name. */
bool host_name_is_valid(const char *name);
