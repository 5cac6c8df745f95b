/* SPDX-License-Identifier: GPL-2.0 */
/* Queries about an interface and its XDP program. */
#pragma once

#include <ifaddrs.h>
#include <stdbool.h>
#include <stdint.h>
#include "bpf/abi.h"

enum mode {
	MODE_NATIVE,
	MODE_GENERIC,
	MODE_OFFLOAD,
};

const char *mode_name(enum mode mode);

struct xdp_state {
	uint32_t program_id; /* 0: there is none */
	enum mode mode;
};

/* Returns true if the frames of the interface start with an Ethernet header. This is the case for the loopback
 * device, but not for tun and ipip devices. */
bool interface_has_ethernet(const char *name);

/* Reads the MAC address of the interface. Returns 0, or -errno without a message. */
int interface_mac(const char *name, struct mac *out);

/* Reads the MTU: the maximum number of bytes from the start of the IP header. Returns 0, or -errno without a
 * message. */
int interface_mtu(const char *name, uint32_t *out);

/* Reads two flags of the interface. Sets both to false if the flags cannot be read. */
void interface_flags(const char *name, bool *is_up, bool *is_loopback);

/* Runs an ethtool command, a structure of <linux/ethtool.h>. Returns 0, or -errno without a message. */
int interface_ethtool(const char *name, void *command);

/* Returns whether the interface is a veth device. */
bool interface_is_veth(const char *name);

/* Returns whether this entry of getifaddrs() is an address of the interface that other hosts can reach (neither
 * loopback nor link-local). getifaddrs() lists an IPv4 address with a label, such as eth0:1, under that label. */
bool interface_address(const struct ifaddrs *entry, const char *interface, struct address *out);

/* Returns 0, or -errno without a message. */
int interface_query(int ifindex, struct xdp_state *out);

/* "XDP program 'pass' (id 12)"; without the name if it cannot be read. */
#define PROGRAM_TEXT_SIZE 64
const char *interface_program_text(uint32_t program_id, char text[PROGRAM_TEXT_SIZE]);
