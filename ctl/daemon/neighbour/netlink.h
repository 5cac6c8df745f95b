/* SPDX-License-Identifier: GPL-2.0 */
/* rtnetlink: its messages as C structures, and the exchange of requests and answers with the kernel.
 * Keeps no state; neighbour.c decides what to watch and what an answer means for a backend. */
#pragma once

#include <libmnl/libmnl.h>
#include "bpf/abi.h"

struct netlink_link {
	uint32_t ifindex;
	uint32_t mtu;
	uint32_t master;          /* its bridge or bond; 0: none */
	uint32_t lower;           /* the device below a VLAN, macvlan or similar device; 0: none */
	uint32_t lower_namespace; /* 1 + the id of the lower device's network namespace; 0: this one */
	bool up;                  /* administratively up */
	bool running;             /* administratively up and has carrier */
	bool ethernet;
	struct mac mac;
	char name[16];
	char kind[16]; /* "vlan", "bridge" ...; "" for a network card */
};

struct netlink_route {
	uint8_t type;   /* RTN_UNICAST, RTN_LOCAL ... */
	uint8_t length; /* of the prefix, 0 to 128; an IPv4 prefix counts from 96 */
	uint32_t ifindex;
	struct address prefix;
	struct address gateway; /* all zero: on link */
	struct address source;
	uint32_t mtu; /* MTU of the route, if lower than the interface's; 0: not set */
};

struct netlink_neighbour {
	uint32_t ifindex;
	struct address address;
	uint16_t state; /* NUD_REACHABLE ... */
	bool managed;   /* the kernel keeps the entry fresh by itself */
	uint8_t protocol;
	struct mac mac; /* all zero: unknown */
};

/* An address of this machine. */
struct netlink_address {
	uint32_t ifindex;
	uint8_t length; /* prefix length of its network, as in struct prefix_key */
	bool usable;    /* global scope; not tentative, deprecated or, in IPv6, temporary */
	struct address address;
};

/* Parse a message into a structure. False if the message is truncated or of a different kind (bridges
 * use the same message types). */
bool netlink_read_link(const struct nlmsghdr *message, struct netlink_link *out);
bool netlink_read_route(const struct nlmsghdr *message, struct netlink_route *out);
bool netlink_read_neighbour(const struct nlmsghdr *message, struct netlink_neighbour *out);
bool netlink_read_address(const struct nlmsghdr *message, struct netlink_address *out);

/* Parses the answer to netlink_get_route(): a route, or an error that stands for a route type
 * (RTN_THROW: no route). Returns 0, or -errno; after an error the type is RTN_UNSPEC. */
int netlink_read_lookup(int error, const struct nlmsghdr *message, struct netlink_route *out);

bool netlink_route_covers(const struct netlink_route *route, const struct address *address);

/* A batch of requests. Initialise it to zero. */
#define NETLINK_BATCH 64
struct netlink_batch {
	unsigned count;
	size_t size;
	char buffer[NETLINK_BATCH * 64] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* Each function adds one request. A batch holds at most NETLINK_BATCH. */
void netlink_get_route(struct netlink_batch *batch, const struct address *address);
void netlink_get_neighbour(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);

/* Makes the kernel resolve an address and keep its entry fresh; marks the entry with the protocol number.
 * Without `create`, the kernel answers -ENOENT if the entry does not exist; with `create`, -EEXIST if it exists. */
void netlink_manage_neighbour(
	struct netlink_batch *batch, uint32_t ifindex, const struct address *address, bool create, uint8_t protocol);

/* Clears the MAC address of an entry and ends its management by the kernel. When the entry is managed again, the kernel
 * broadcasts its requests. Without this step it would first send them to the previous MAC address only. */
void netlink_forget_neighbour(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);

/* Turns the entry into an ordinary one that ages. */
void netlink_release_neighbour(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);

/* Sets an interface up, with this MTU and this length of its transmit queue, in packets. */
void netlink_set_up(struct netlink_batch *batch, uint32_t ifindex, uint32_t mtu, uint32_t queue);

/* Adds or removes a local route: packets to the address are delivered on this machine, through the
 * interface. Sockets can bind to the address with IP_FREEBIND. */
void netlink_add_local_route(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);
void netlink_remove_local_route(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);

/* Adds a default route for the address's family, on link through the interface. */
void netlink_add_default_route(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);

struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
};

/* Opens a non-blocking socket with a receive buffer of this number of bytes. 0 or -errno. */
int netlink_open(struct netlink *netlink, int receive_buffer);

/* Like netlink_open(), but uses an open, non-blocking socket of NETLINK_ROUTE and takes ownership of it. */
int netlink_open_socket(struct netlink *netlink, int fd, int receive_buffer);
int netlink_join(struct netlink *netlink, int group); /* RTNLGRP_LINK ... */
void netlink_close(struct netlink *netlink);

/* Sends a batch. Calls `answer` for each answer with the index of its request and an error: 0 or -errno. The message is
 * NULL after an error, and if the request only changes something. Returns 0 if all requests were answered. If it
 * returns -errno, the remaining answers never arrive. Does not block: the kernel answers before the send returns. */
typedef void netlink_answer(void *data, unsigned index, int error, const struct nlmsghdr *message);
int netlink_exchange(struct netlink *netlink, struct netlink_batch *batch, netlink_answer *answer, void *data);

/* Calls `handle` for every link, every IPv4 and IPv6 neighbour, or every address. 0 or -errno; -EINTR: the data
 * changed during the dump, and the caller must repeat it. */
typedef void netlink_message(void *data, const struct nlmsghdr *message);
int netlink_dump_links(struct netlink *netlink, netlink_message *handle, void *data);
int netlink_dump_neighbours(struct netlink *netlink, netlink_message *handle, void *data);
int netlink_dump_addresses(struct netlink *netlink, netlink_message *handle, void *data);

/* Calls `handle` for the notifications that have arrived, up to a limit. 0 or -errno; -ENOBUFS if some
 * were lost. */
int netlink_receive(struct netlink *netlink, netlink_message *handle, void *data);
