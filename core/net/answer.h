/* SPDX-License-Identifier: GPL-2.0 */
/* Builds the frame of an answer to a punted packet: from the destination of the packet to its source, with the VLAN
 * tags of the packet. No I/O. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "bpf/abi_punt.h"
#include "bpf/packet.h"

/* The number of bytes of the frame that the record contains. */
size_t answer_bytes(const struct punt *punt);

/* Reads the headers of the packet. False for a packet that the XDP program never punts. */
bool answer_parse(const struct punt *punt, struct packet *packet);

/* Is the source a single host, and the destination neither multicast nor broadcast (RFC 1122 section 3.2.2)? Only such
 * a packet may be answered. */
bool answer_is_allowed(const struct punt *punt, const struct packet *packet);

/* Writes the Ethernet header and the VLAN tags. Returns their size in bytes. */
size_t answer_put_link(uint8_t *frame, const struct punt *punt, const struct packet *packet);

/* Writes an IPv4 or IPv6 header for a payload of `length` bytes. Returns its size in bytes. `tos` is the type of
 * service or the traffic class. */
size_t answer_put_ip(uint8_t *ip, const struct packet *packet, uint8_t tos, uint8_t protocol, size_t length);

/* Updates the header checksum of an IPv4 header of `size` bytes. */
void answer_put_ipv4_checksum(uint8_t *ip, size_t size);

/* The checksum of an IP payload with its pseudo header (RFC 768; RFC 8200 section 8.1). ICMPv4 has no pseudo header. */
uint16_t answer_checksum(const struct packet *packet, uint8_t protocol, const uint8_t *payload, size_t length);
