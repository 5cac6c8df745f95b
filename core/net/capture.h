/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the packets of a capture file in the pcap format, as tcpdump and `sipxdp-ctl trace --pcap` write it. Pure. All
 * input is untrusted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A capture file in memory, which must outlive this struct. */
struct capture {
	const uint8_t *bytes;
	size_t length;
	size_t at;
	uint32_t link; /* type of the link layer */
	bool swapped;  /* its numbers have the other byte order */
};

struct captured {
	const uint8_t *data; /* of the capture: a frame, or an IP packet */
	size_t length;
	size_t original; /* length of the packet before it was truncated */
	bool is_frame;   /* `data` begins with an Ethernet header, otherwise with an IP header */
};

/* Do the bytes begin like a capture file, of a format that is supported or not? */
bool capture_is_capture(const uint8_t *bytes, size_t length);

/* Reads the file header. 0, or -EINVAL with a constant text that says why. */
int capture_open(struct capture *capture, const uint8_t *bytes, size_t length, const char **reason);

/* Reads the next packet. Returns 1, or 0 at the end, or -EINVAL if the file ends within a packet. Skips packets that
 * are neither Ethernet nor IP. */
int capture_next(struct capture *capture, struct captured *out);
