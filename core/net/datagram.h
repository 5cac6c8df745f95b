/* SPDX-License-Identifier: GPL-2.0 */
/* Builds the Ethernet frame of a UDP datagram that is never sent. Its checksums are 0. No I/O. */
#pragma once

#include <stdint.h>
#include "endpoint.h"

#define DATAGRAM_PAYLOAD_MAX 65507          /* bytes, with an IPv4 header without options */
#define DATAGRAM_FRAME_MAX (14 + 65535 + 8) /* bytes */

struct datagram {
	struct endpoint source;
	struct endpoint destination; /* of the same family */
	struct mac mac;              /* destination MAC address of the frame */
	const void *payload;
	size_t length; /* of the payload, bytes */
	uint32_t mtu;  /* a longer datagram is fragmented */
};

/* Writes the frame, or the frame of the first fragment, to `out`, a buffer of DATAGRAM_FRAME_MAX bytes. Returns the
 * length of the frame. */
size_t datagram_build(const struct datagram *datagram, uint8_t *out);

/* Puts an Ethernet header before an IP packet. Returns the length of the frame. */
size_t datagram_ethernet(const struct mac *mac, const uint8_t *packet, size_t length, uint8_t *out);
