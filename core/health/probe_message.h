/* SPDX-License-Identifier: GPL-2.0 */
/* What probes say, and whether what comes back is an answer to it: OPTIONS and REGISTER
 * (RFC 3261), and ICMP echo. Pure: bytes in, bytes out; reads hostile input. */
#pragma once

#include "core/config/config.h"

#define PROBE_MESSAGE_SIZE 4096
#define PROBE_ECHO_SIZE 32
#define PROBE_STATUS_SIZE 80 /* "503 Service Unavailable" */

/* What makes one probe different from all others: random, and not to be guessed. */
struct probe_ids {
	uint64_t branch;
	uint64_t call_id;
	uint64_t tag;
};

struct probe_message {
	const struct config_probe *probe; /* its type is OPTIONS or REGISTER */
	struct address local, target;
	uint16_t local_port, target_port; /* host order */
	struct probe_ids ids;
};

/* Writes the request. Max-Forwards is 0: a proxy that would pass it on to a living server
 * must answer itself (16.3). A REGISTER has no Contact and so asks only what is registered
 * (10.2.3). The length, or -EMSGSIZE. */
int probe_message_write(const struct probe_message *message, char buffer[PROBE_MESSAGE_SIZE]);

/* The status code, 100 to 699, if this is a response to that request: the branch of its
 * topmost Via, its Call-ID and its CSeq are ours (17.1.3). Else 0. `status` is what
 * the status line says, in printable ASCII. */
unsigned int probe_message_judge(
	const struct probe_message *message, const char *response, size_t length, char status[PROBE_STATUS_SIZE]);

/* Finds the first message of a stream (18.3): it lies from *start, behind CRLFs that keep
 * the connection alive, to *end. 1; 0 if more is to be read; or -EBADMSG where nobody could
 * say where it ends. One without Content-Length has no body. */
int probe_message_find(const char *stream, size_t length, size_t *start, size_t *end);

/* Writes an echo request, with the checksum that ICMP has and ICMPv6 gets from the kernel. */
void probe_echo_write(const struct probe_ids *ids, bool ipv6, uint8_t buffer[PROBE_ECHO_SIZE]);

/* Is this the reply to that request? Where the socket gives an IPv4 header too, it is
 * passed over. */
bool probe_echo_judge(const struct probe_ids *ids, bool ipv6, const uint8_t *packet, size_t length);
