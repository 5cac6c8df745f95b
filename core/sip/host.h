/* SPDX-License-Identifier: GPL-2.0 */
/* Hosts as SIP writes them: names and addresses, with a port or without. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HOST_SIZE 256 /* bytes with the closing NUL */

/* Reads "px1.example.net", "10.0.0.11:5062" or "[2001:db8::11]:5060" (RFC 3261, 25.1:
 * hostport). The host is written in lower case, an address in its usual spelling and
 * without brackets; a port that is not there is 0. 0, or -EINVAL. */
int host_parse(const char *text, char host[HOST_SIZE], uint16_t *port);

/* A name of a host (RFC 1123, 2.1): letters, digits and hyphens between dots. The last
 * part begins with a letter, so that no address is a name. */
bool host_name_is_valid(const char *name);
