/* SPDX-License-Identifier: GPL-2.0 */
/* The contents of probes, and the check of their responses: OPTIONS and REGISTER (RFC 3261), and ICMP echo. No
 * I/O: bytes in, bytes out. The input may be hostile. */
#pragma once

#include "core/config/config.h"

#define PROBE_MESSAGE_SIZE 4096
#define PROBE_ECHO_SIZE 32
#define PROBE_STATUS_SIZE 80 /* "503 Service Unavailable" */

/* Random numbers that identify one probe. No sender can guess them. */
struct probe_ids {
	uint64_t branch;
	uint64_t call_id;
	uint64_t tag;
};

struct probe_message {
	const struct config_probe *probe; /* OPTIONS or REGISTER */
	struct address local, target;
	uint16_t local_port, target_port; /* host order */
	struct probe_ids ids;
};

/* Writes the request. Max-Forwards is 0, so that a proxy answers the probe itself and does not forward it to a
 * healthy server (16.3). A REGISTER without Contact only queries the bindings (10.2.3). Returns the length, or
 * -EMSGSIZE. */
int probe_message_write(const struct probe_message *message, char buffer[PROBE_MESSAGE_SIZE]);

/* Returns the status code, 100 to 699, if the branch of the topmost Via, the Call-ID and the CSeq match the request
 * (17.1.3), else 0. `status` receives the status line in printable ASCII. */
unsigned int probe_message_check(
	const struct probe_message *message, const char *response, size_t length, char status[PROBE_STATUS_SIZE]);

/* The load that the response reports in this header, 0 to 100; a larger number is 100. -1: none, or not a number. */
int probe_message_load(const char *header, const char *response, size_t length);

/* Finds the first message of a stream (18.3): *start and *end become its limits. Skips leading CRLFs, which are
 * keep-alives. Returns 1; 0 if more bytes are needed; -EBADMSG if the end cannot be determined. A message without
 * Content-Length has no body. */
int probe_message_find(const char *stream, size_t length, size_t *start, size_t *end);

/* Writes an echo request. Computes the checksum for ICMPv4; the kernel does so for ICMPv6. */
void probe_echo_write(const struct probe_ids *ids, bool ipv6, uint8_t buffer[PROBE_ECHO_SIZE]);

/* Is this packet the reply to the echo request with these ids? Skips a leading IPv4 header. */
bool probe_echo_matches(const struct probe_ids *ids, bool ipv6, const uint8_t *packet, size_t length);
