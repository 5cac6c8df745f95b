/* SPDX-License-Identifier: GPL-2.0 */
/* rtnetlink: its messages as values, and how requests reach the kernel and answers
 * come back. Keeps nothing and decides nothing: what is followed, and what an answer
 * means for a backend, is neighbour.c's. */
#pragma once

#include <libmnl/libmnl.h>
#include "bpf/abi.h"

struct netlink_link {
	uint32_t ifindex;
	uint32_t mtu;
	uint32_t master;          /* the bridge or bond that it is a port of; 0: of none */
	uint32_t lower;           /* the interface that it lies on, for VLANs and the like; 0: on none */
	uint32_t lower_namespace; /* 1 + the id of the network namespace of that one; 0: this one */
	bool up;                  /* set up by the operator */
	bool running;             /* and has carrier */
	bool ethernet;
	struct mac mac;
	char name[16];
	char kind[16]; /* "vlan", "bridge" ...; "" of a network card */
};

struct netlink_route {
	uint8_t type;   /* RTN_UNICAST, RTN_LOCAL ... */
	uint8_t length; /* of the prefix, 0 to 128: that of IPv4 counts from 96 */
	uint32_t ifindex;
	struct address prefix;
	struct address gateway; /* all zero: on link */
	struct address source;
	uint32_t mtu; /* of the way, where it is known to be less than that of the interface; 0: it is not */
};

struct netlink_neighbour {
	uint32_t ifindex;
	struct address address;
	uint16_t state; /* NUD_REACHABLE ... */
	bool managed;   /* the kernel keeps it fresh by itself */
	uint8_t protocol;
	struct mac mac; /* all zero: unknown */
};

/* An address of this machine. */
struct netlink_address {
	uint32_t ifindex;
	uint8_t length; /* of its network's prefix, as in struct prefix_key */
	bool usable;    /* of global scope, neither tentative nor deprecated nor, in IPv6, temporary */
	struct address address;
};

/* Read a message into a value. False when it is of another kind (a bridge's tables
 * speak in the same messages) or cut short. */
bool netlink_read_link(const struct nlmsghdr *message, struct netlink_link *out);
bool netlink_read_route(const struct nlmsghdr *message, struct netlink_route *out);
bool netlink_read_neighbour(const struct nlmsghdr *message, struct netlink_neighbour *out);
bool netlink_read_address(const struct nlmsghdr *message, struct netlink_address *out);

/* Reads what netlink_get_route() is answered: a route, or an error that stands for a
 * type of route (RTN_THROW: no route). 0 or -errno, then the type is RTN_UNSPEC. */
int netlink_read_lookup(int error, const struct nlmsghdr *message, struct netlink_route *out);

bool netlink_route_covers(const struct netlink_route *route, const struct address *address);

/* Requests that go to the kernel together. Start from all zero. */
#define NETLINK_BATCH 64
struct netlink_batch {
	unsigned count;
	size_t size;
	char buffer[NETLINK_BATCH * 64] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* Each adds one request, of which a batch holds NETLINK_BATCH. */
void netlink_get_route(struct netlink_batch *batch, const struct address *address);
void netlink_get_neighbour(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);

/* Has the kernel resolve an address and keep it fresh, marked as this protocol's.
 * -ENOENT when it has no entry, with `create` -EEXIST when it has one. */
void netlink_manage_neighbour(
	struct netlink_batch *batch, uint32_t ifindex, const struct address *address, bool create, uint8_t protocol);

/* Makes the kernel forget the MAC address of an entry, and that it manages the entry. When it
 * is to manage the entry again, it asks all machines, and not only the one that had the address. */
void netlink_forget_neighbour(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);

/* Makes it an ordinary entry, that ages. */
void netlink_release_neighbour(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);

/* Sets an interface up, with so many packets that may wait to be sent. */
void netlink_set_up(struct netlink_batch *batch, uint32_t ifindex, uint32_t mtu, uint32_t queue);

/* Whatever goes to this address arrives here by that interface, or no longer. Sockets can
 * have the address with IP_FREEBIND. */
void netlink_add_local_route(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);
void netlink_remove_local_route(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);

/* All else of this address's family goes out by it, on link. */
void netlink_add_default_route(struct netlink_batch *batch, uint32_t ifindex, const struct address *address);

struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
};

/* Opens a socket that never blocks, for so many bytes of answers. 0 or -errno. */
int netlink_open(struct netlink *netlink, int receive_buffer);
int netlink_join(struct netlink *netlink, int group); /* RTNLGRP_LINK ... */
void netlink_close(struct netlink *netlink);

/* Sends a batch and hands over each answer with the place of its request: 0 and a
 * message (NULL when the request is one to do something), or -errno. 0 when all were
 * answered, else -errno, and the rest never will be. Does not wait: the kernel
 * answers before it returns from the send. */
typedef void netlink_answer(void *data, unsigned index, int error, const struct nlmsghdr *message);
int netlink_exchange(struct netlink *netlink, struct netlink_batch *batch, netlink_answer *answer, void *data);

/* Hands over every link, every IPv4 and IPv6 neighbour or every address. 0, or -errno; -EINTR when
 * something changed meanwhile and the whole is better read again. */
typedef void netlink_message(void *data, const struct nlmsghdr *message);
int netlink_dump_links(struct netlink *netlink, netlink_message *handle, void *data);
int netlink_dump_neighbours(struct netlink *netlink, netlink_message *handle, void *data);
int netlink_dump_addresses(struct netlink *netlink, netlink_message *handle, void *data);

/* Hands over what has come by itself, a limited number at a time. 0, or -errno;
 * -ENOBUFS when some was lost. */
int netlink_receive(struct netlink *netlink, netlink_message *handle, void *data);
