/* SPDX-License-Identifier: GPL-2.0 */
/* Builds and reads the Ethernet frames of the packet tests. Shares no code with bpf/: its knowledge of headers
 * comes from the RFCs, not from the program under test. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_SIZE 10240
#define FRAME_ECHO_REPLY 256 /* stands for type 0: an icmp_type of 0 means that the packet is not ICMP */

struct frame {
	uint8_t data[FRAME_SIZE];
	size_t length;
};

/* A frame as a test row describes it; brackets contain the default of an omitted member. */
struct frame_spec {
	const char *source;        /* address, IPv4 or IPv6 ["198.51.100.7"] */
	const char *destination;   /* ["192.0.2.10"] */
	uint16_t source_port;      /* [5060] */
	uint16_t destination_port; /* [5060] */
	uint8_t protocol;          /* [UDP] */
	bool tcp_header;           /* a TCP header of 20 bytes; without it, TCP consists of the ports and the payload */
	const char *payload;       /* [""] */
	size_t payload_length;     /* [strlen(payload)] */
	const char *to_mac;        /* ["02:00:00:00:00:01"] */
	const char *from_mac;      /* ["02:00:00:00:00:99"] */
	uint16_t vlan[2];          /* tags, outermost first; 0 is none */
	uint8_t ttl;               /* [64] */
	uint8_t tos;
	uint16_t id;
	bool dont_fragment;
	bool more_fragments;
	uint16_t fragment_offset;       /* bytes */
	uint8_t option_words;           /* IPv4 options, words of 4 bytes */
	uint8_t extensions;             /* number of IPv6 destination options headers */
	bool options_in_fragments;      /* one more such header after the Fragment header */
	uint16_t ethertype;             /* instead of the correct one */
	const struct frame_spec *inner; /* an IP packet as the payload: IP-in-IP, or with `gue` GUE */
	bool gue;                       /* the inner packet follows a UDP header, whose checksum is 0 in IPv4 */
	uint16_t icmp_type;             /* of an ICMP or ICMPv6 message; FRAME_ECHO_REPLY: 0 */
	const struct frame_spec *quote; /* the packet that it quotes */
	size_t quote_length;            /* quoted bytes [all] */
	bool quote_extended; /* the message gives the length of the quote, and an extension follows (RFC 4884) */
};

/* Builds a frame with correct lengths and checksums. */
void frame_build(struct frame *frame, const struct frame_spec *spec);

/* Writes the correct checksum to the UDP datagram in the IP packet at `ip`, which has `length` bytes. */
void frame_put_udp_checksum(uint8_t *ip, size_t length);

/* Returns whether the IPv4 header at `ip` and its checksum are correct. */
bool frame_ipv4_is_sound(const uint8_t *ip, size_t length);

/* Returns whether the checksum of the UDP datagram, or of the ICMP message, in the IP packet at `ip` is
 * correct. */
bool frame_udp_is_sound(const uint8_t *ip, size_t length);
bool frame_icmp_is_sound(const uint8_t *ip, size_t length);
