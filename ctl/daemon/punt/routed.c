// SPDX-License-Identifier: GPL-2.0
/* See routed.h. */

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bpf/packet.h"
#include "routed.h"

/* The source address of the packet as the source for the routing rules (ip rule add from ADDRESS). The kernel does not
 * read it from the packet. */
union source {
	struct cmsghdr header;
	uint8_t ipv4[CMSG_SPACE(sizeof(struct in_pktinfo))];
	uint8_t ipv6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static void put_source(struct msghdr *message, union source *source, const struct packet *packet)
{
	struct in_pktinfo ipv4 = {.ipi_spec_dst.s_addr = packet->source.word[3]};
	struct in6_pktinfo ipv6 = {};
	const void *info = packet->ipv6 ? (const void *)&ipv6 : &ipv4;
	size_t size = packet->ipv6 ? sizeof(ipv6) : sizeof(ipv4);

	memcpy(&ipv6.ipi6_addr, &packet->source, sizeof(ipv6.ipi6_addr));
	source->header = (struct cmsghdr){.cmsg_len = CMSG_LEN(size),
		.cmsg_level = packet->ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
		.cmsg_type = packet->ipv6 ? IPV6_PKTINFO : IP_PKTINFO};
	memcpy(CMSG_DATA(&source->header), info, size);
	message->msg_control = source;
	message->msg_controllen = CMSG_SPACE(size);
}

int routed_send(const struct routed *routed, const void *frame, uint32_t length)
{
	struct cursor cursor = {.data = frame, .data_end = frame + length, .length = length};
	struct packet packet = {};
	union source source = {};
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
	struct iovec bytes;
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

	if (packet_parse_ip(&cursor, &packet) != VERDICT_CONTINUE)
		return -EINVAL;
	bytes = (struct iovec){.iov_base = (uint8_t *)frame + packet.ip, .iov_len = packet.end - packet.ip};
	ipv4.sin_addr.s_addr = packet.destination.word[3];
	memcpy(&ipv6.sin6_addr, &packet.destination, sizeof(ipv6.sin6_addr));
	message.msg_name = packet.ipv6 ? (void *)&ipv6 : &ipv4;
	message.msg_namelen = packet.ipv6 ? sizeof(ipv6) : sizeof(ipv4);
	put_source(&message, &source, &packet);
	if (sendmsg(packet.ipv6 ? routed->ipv6 : routed->ipv4, &message, MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}

/* A socket of the protocol IPPROTO_RAW sends complete packets and receives none. */
static int open_socket(int family, int level, int option)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), error;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, level, option, &(int){1}, sizeof(int)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int routed_open(struct routed *routed)
{
	routed->ipv4 = open_socket(AF_INET, IPPROTO_IP, IP_FREEBIND);
	routed->ipv6 = open_socket(AF_INET6, IPPROTO_IPV6, IPV6_FREEBIND);
	/* The kernel may have no IPv6. */
	return routed->ipv4 < 0 ? routed->ipv4 : 0;
}

void routed_close(const struct routed *routed)
{
	if (routed->ipv4 >= 0)
		close(routed->ipv4);
	if (routed->ipv6 >= 0)
		close(routed->ipv6);
}
