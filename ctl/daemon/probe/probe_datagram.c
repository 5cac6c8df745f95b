// SPDX-License-Identifier: GPL-2.0
/* Probes of one datagram: SIP over UDP, and ICMP echo. One socket serves many probes. The ids in a response show
 * whether the response belongs to the last probe. A lost datagram is not sent again: `fall` allows for losses. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "probe_private.h"

static bool is_echo(const struct prober *prober)
{
	return prober->profile->probe.type == PROBE_ICMP;
}

static bool open_socket(struct prober *prober)
{
	bool ipv6 = !address_is_ipv4(&prober->message.target);
	int protocol = !is_echo(prober) ? 0 : ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	return probe_socket_open(prober, SOCK_DGRAM, protocol, EPOLLIN);
}

static int write_probe(const struct prober *prober, char buffer[PROBE_MESSAGE_SIZE])
{
	if (!is_echo(prober))
		return probe_message_write(&prober->message, buffer);
	probe_echo_write(&prober->message.ids, !address_is_ipv4(&prober->message.target), (uint8_t *)buffer);
	return PROBE_ECHO_SIZE;
}

static void start(struct prober *prober)
{
	char buffer[PROBE_MESSAGE_SIZE];
	int length;

	prober->awaited = probe_response_name(prober);
	if (prober->fd < 0 && !open_socket(prober))
		return;
	length = write_probe(prober, buffer);
	if (length < 0)
		probe_fail_errno(prober, "cannot write the request", length);
	else if (send(prober->fd, buffer, length, 0) < 0)
		probe_fail_errno(prober, "cannot send", -errno);
}

static void take(struct prober *prober, const uint8_t *packet, size_t length)
{
	bool ipv6 = !address_is_ipv4(&prober->message.target);

	if (!is_echo(prober))
		probe_take_message(prober, (const char *)packet, length);
	else if (probe_echo_matches(&prober->message.ids, ipv6, packet, length))
		probe_pass(prober);
}

static void ready(struct prober *prober)
{
	uint8_t *buffer = prober->probes->buffer;
	ssize_t length = recv(prober->fd, buffer, sizeof(prober->probes->buffer), 0);

	if (length >= 0 && prober->awaited)
		take(prober, buffer, length);
	else if (length >= 0 || errno == EAGAIN || errno == EINTR)
		return; /* a late response */
	else if (prober->awaited)
		probe_fail_errno(prober, "cannot receive", -errno);
	else
		probe_socket_close(prober);
}

const struct probe_kind probe_datagram = {.start = start, .ready = ready};
