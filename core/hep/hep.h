/* SPDX-License-Identifier: GPL-2.0 */
/* Writes SIP messages as packets of the Homer Encapsulation Protocol, version 3 (HEPv3, also called EEP), which Homer,
 * heplify-server, sngrep and other capture servers receive over UDP. A packet is the word "HEP3", the length of the
 * packet in 16 bits, and chunks. A chunk has a vendor id, a type and its length, of 16 bits each, and data. All
 * numbers are big-endian. No I/O. */
#pragma once

#include "core/net/endpoint.h"
#include "core/sip/span.h"

#define HEP_SIZE_MAX 65507 /* the longest UDP payload in an IPv4 packet */

/* The sender of the packets. */
struct hep_agent {
	uint32_t id;
	const char *password; /* NULL: none */
	const char *node;     /* name of the sender; NULL: none */
};

/* A SIP message that was sent over UDP. */
struct hep_message {
	struct endpoint source, destination;
	uint64_t time;       /* us since the epoch */
	struct span call_id; /* correlates the messages of a call; empty: none */
	struct span text;
};

/* Reads the address of a capture server: "udp:10.0.0.50:9060" or "udp:[2001:db8::50]:9060". 0 or -EINVAL. */
int hep_address_parse(const char *text, struct endpoint *out);

/* Writes the packet of a message. Returns its bytes, or 0 if the message is too long for a packet. */
size_t hep_write(const struct hep_agent *agent, const struct hep_message *message, uint8_t out[HEP_SIZE_MAX]);
