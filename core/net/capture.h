/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the packets of a capture file in one of two formats: pcap, as tcpdump and `sipxdp-ctl trace --pcap` write it,
 * and pcapng, as Wireshark writes it. No I/O. All input is untrusted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_INTERFACES 64 /* maximum number of interfaces; packets of all others are skipped */

/* A capture file in memory, which must outlive this struct. */
struct capture {
	const uint8_t *bytes;
	size_t length;
	size_t at;
	uint32_t link; /* type of the link layer; in a pcapng file, the type for the next packet */
	bool swapped;  /* the byte order of the file is not that of this machine */
	bool is_pcapng;
	size_t interfaces; /* pcapng: number of interfaces; `links` has the link layer of each */
	uint16_t links[CAPTURE_INTERFACES];
};

struct captured {
	const uint8_t *data; /* points into the capture: a frame, or an IP packet */
	size_t length;
	size_t original; /* length of the packet before it was truncated */
	bool is_frame;   /* `data` begins with an Ethernet header, otherwise with an IP header */
};

/* Returns true if the first bytes are those of a capture file. */
bool capture_is_capture(const uint8_t *bytes, size_t length);

/* Reads the file header. Returns 0, or -EINVAL and the reason as a constant text. */
int capture_open(struct capture *capture, const uint8_t *bytes, size_t length, const char **reason);

/* Reads the next packet. Returns 1, or 0 at the end, or -EINVAL if the file ends within a packet or is
 * damaged. Skips packets that are neither Ethernet nor IP. */
int capture_next(struct capture *capture, struct captured *out);
