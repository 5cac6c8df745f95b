// SPDX-License-Identifier: GPL-2.0
/* rtnetlink: builds requests, sends them, and receives answers. netlink_read.c parses the messages. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include "core/net/address.h"
#include "netlink.h"

#define DATAGRAMS_AT_ONCE 256

/* --- requests */

static struct nlmsghdr *begin(struct netlink_batch *batch, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(batch->buffer + batch->size);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	return message;
}

static void end(struct netlink_batch *batch, const struct nlmsghdr *message)
{
	batch->size += NLMSG_ALIGN(message->nlmsg_len);
	batch->count++;
}

static uint8_t family_of(const struct address *address)
{
	return address_is_ipv4(address) ? AF_INET : AF_INET6;
}

static void put_address(struct nlmsghdr *message, uint16_t type, const struct address *address)
{
	if (address_is_ipv4(address))
		mnl_attr_put(message, type, sizeof(address->word[3]), &address->word[3]);
	else
		mnl_attr_put(message, type, sizeof(*address), address);
}

void netlink_get_route(struct netlink_batch *batch, const struct address *address)
{
	struct nlmsghdr *message = begin(batch, RTM_GETROUTE, 0);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->rtm_family = family_of(address);
	header->rtm_dst_len = header->rtm_family == AF_INET ? 32 : 128;
	put_address(message, RTA_DST, address);
	end(batch, message);
}

static struct nlmsghdr *begin_neighbour(struct netlink_batch *batch, uint16_t type, uint16_t flags, uint8_t entry_flags,
	uint32_t ifindex, const struct address *address)
{
	struct nlmsghdr *message = begin(batch, type, flags);
	struct ndmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ndm_family = family_of(address);
	header->ndm_ifindex = ifindex;
	header->ndm_flags = entry_flags;
	put_address(message, NDA_DST, address);
	return message;
}

void netlink_get_neighbour(struct netlink_batch *batch, uint32_t ifindex, const struct address *address)
{
	end(batch, begin_neighbour(batch, RTM_GETNEIGH, 0, 0, ifindex, address));
}

/* NTF_EXT_LEARNED exempts an entry from gc_thresh3 (by default 1,024 entries per family on the whole
 * machine) and from garbage collection while it is FAILED. NTF_USE is for kernels before 5.16, which
 * ignore the attribute for "managed". */
void netlink_manage_neighbour(
	struct netlink_batch *batch, uint32_t ifindex, const struct address *address, bool create, uint8_t protocol)
{
	struct nlmsghdr *message = begin_neighbour(batch, RTM_NEWNEIGH,
		NLM_F_ACK | (create ? NLM_F_CREATE | NLM_F_EXCL : 0), NTF_USE | NTF_EXT_LEARNED, ifindex, address);

	mnl_attr_put_u8(message, NDA_PROTOCOL, protocol);
	mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	end(batch, message);
}

/* A request for a managed entry must not contain a state: the kernel refuses it. */
void netlink_forget_neighbour(struct netlink_batch *batch, uint32_t ifindex, const struct address *address)
{
	end(batch, begin_neighbour(batch, RTM_NEWNEIGH, NLM_F_ACK, NTF_EXT_LEARNED, ifindex, address));
}

/* The flags of a request replace all earlier flags of the entry; this request has no flags. */
void netlink_release_neighbour(struct netlink_batch *batch, uint32_t ifindex, const struct address *address)
{
	end(batch, begin_neighbour(batch, RTM_NEWNEIGH, NLM_F_ACK, NTF_USE, ifindex, address));
}

void netlink_set_up(struct netlink_batch *batch, uint32_t ifindex, uint32_t mtu, uint32_t queue)
{
	struct nlmsghdr *message = begin(batch, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ifi_index = ifindex;
	header->ifi_flags = header->ifi_change = IFF_UP;
	mnl_attr_put_u32(message, IFLA_MTU, mtu);
	mnl_attr_put_u32(message, IFLA_TXQLEN, queue);
	end(batch, message);
}

static struct nlmsghdr *begin_route(
	struct netlink_batch *batch, uint16_t type, uint16_t flags, const struct rtmsg *route)
{
	struct nlmsghdr *message = begin(batch, type, NLM_F_ACK | flags);

	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(*route)), route, sizeof(*route));
	return message;
}

static void put_local_route(
	struct netlink_batch *batch, uint16_t type, uint16_t flags, uint32_t ifindex, const struct address *address)
{
	const struct rtmsg route = {.rtm_family = family_of(address),
		.rtm_dst_len = address_is_ipv4(address) ? 32 : 128,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_HOST,
		.rtm_type = RTN_LOCAL};
	struct nlmsghdr *message = begin_route(batch, type, flags, &route);

	put_address(message, RTA_DST, address);
	mnl_attr_put_u32(message, RTA_OIF, ifindex);
	end(batch, message);
}

void netlink_add_local_route(struct netlink_batch *batch, uint32_t ifindex, const struct address *address)
{
	put_local_route(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, ifindex, address);
}

void netlink_remove_local_route(struct netlink_batch *batch, uint32_t ifindex, const struct address *address)
{
	put_local_route(batch, RTM_DELROUTE, 0, ifindex, address);
}

void netlink_add_default_route(struct netlink_batch *batch, uint32_t ifindex, const struct address *address)
{
	const struct rtmsg route = {.rtm_family = family_of(address),
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST};
	struct nlmsghdr *message = begin_route(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route);

	mnl_attr_put_u32(message, RTA_OIF, ifindex);
	end(batch, message);
}

/* --- the socket */

int netlink_open_socket(struct netlink *netlink, int fd, int receive_buffer)
{
	netlink->socket = mnl_socket_fdopen(fd);
	if (!netlink->socket) {
		close(fd);
		return -ENOMEM;
	}
	if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	/* Without CAP_NET_ADMIN the limit is net.core.rmem_max. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof(receive_buffer)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	return 0;
}

int netlink_open(struct netlink *netlink, int receive_buffer)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	return fd < 0 ? -errno : netlink_open_socket(netlink, fd, receive_buffer);
}

int netlink_join(struct netlink *netlink, int group)
{
	return mnl_socket_setsockopt(netlink->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 ? -errno : 0;
}

void netlink_close(struct netlink *netlink)
{
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	netlink->socket = NULL;
}

/* Calls `handle` for the messages of one datagram. 0 or -errno. */
static int receive_one(struct netlink *netlink, netlink_message *handle, void *data)
{
	char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
	ssize_t size = mnl_socket_recvfrom(netlink->socket, buffer, sizeof(buffer));
	int left = size;

	if (size < 0)
		return -errno;
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		handle(data, message);
	return 0;
}

int netlink_receive(struct netlink *netlink, netlink_message *handle, void *data)
{
	int error = 0, i;

	for (i = 0; i < DATAGRAMS_AT_ONCE && !error; i++)
		error = receive_one(netlink, handle, data);
	return error == -EAGAIN ? 0 : error;
}

static int error_of(const struct nlmsghdr *message)
{
	const struct nlmsgerr *header = mnl_nlmsg_get_payload(message);

	return mnl_nlmsg_get_payload_len(message) >= sizeof(header->error) ? header->error : -EBADMSG;
}

struct exchange {
	netlink_answer *answer;
	void *data;
	uint32_t first; /* sequence number of the first request */
	unsigned count;
	unsigned answered;
};

/* Answers arrive in the order of the requests. Late answers to an earlier, failed exchange have other sequence
 * numbers. */
static void take_answer(void *data, const struct nlmsghdr *message)
{
	struct exchange *exchange = data;
	uint32_t index = message->nlmsg_seq - exchange->first;

	if (index >= exchange->count)
		return;
	exchange->answered++;
	if (message->nlmsg_type == NLMSG_ERROR)
		exchange->answer(exchange->data, index, error_of(message), NULL);
	else
		exchange->answer(exchange->data, index, 0, message);
}

int netlink_exchange(struct netlink *netlink, struct netlink_batch *batch, netlink_answer *answer, void *data)
{
	struct exchange exchange = {.answer = answer, .data = data, .first = netlink->sequence, .count = batch->count};
	struct nlmsghdr *message = (struct nlmsghdr *)batch->buffer;
	int left = batch->size, error = 0;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		message->nlmsg_seq = netlink->sequence++;
	if (mnl_socket_sendto(netlink->socket, batch->buffer, batch->size) < 0)
		return -errno;
	while (exchange.answered < exchange.count && !error)
		error = receive_one(netlink, take_answer, &exchange);
	return error;
}

struct dump {
	netlink_message *handle;
	void *data;
	uint32_t sequence;
	bool done;
	int error;
};

static void take_dumped(void *data, const struct nlmsghdr *message)
{
	struct dump *dump = data;

	if (message->nlmsg_seq != dump->sequence)
		return;
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		dump->error = -EINTR;
	if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
		dump->done = true;
		dump->error = error_of(message) ?: dump->error;
	} else {
		dump->handle(dump->data, message);
	}
}

/* The kernel writes the next part of a dump when the previous part is read, so this function does not block either. */
static int run_dump(struct netlink *netlink, struct nlmsghdr *request, netlink_message *handle, void *data)
{
	struct dump dump = {.handle = handle, .data = data, .sequence = netlink->sequence};
	int error = 0;

	request->nlmsg_seq = netlink->sequence++;
	if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (!dump.done && !error)
		error = receive_one(netlink, take_dumped, &dump);
	return error ?: dump.error;
}

int netlink_dump_links(struct netlink *netlink, netlink_message *handle, void *data)
{
	struct netlink_batch batch = {};
	struct nlmsghdr *message = begin(&batch, RTM_GETLINK, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return run_dump(netlink, message, handle, data);
}

int netlink_dump_neighbours(struct netlink *netlink, netlink_message *handle, void *data)
{
	struct netlink_batch batch = {};
	struct nlmsghdr *message = begin(&batch, RTM_GETNEIGH, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(message, sizeof(struct ndmsg));
	return run_dump(netlink, message, handle, data);
}

int netlink_dump_addresses(struct netlink *netlink, netlink_message *handle, void *data)
{
	struct netlink_batch batch = {};
	struct nlmsghdr *message = begin(&batch, RTM_GETADDR, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(message, sizeof(struct ifaddrmsg));
	return run_dump(netlink, message, handle, data);
}
