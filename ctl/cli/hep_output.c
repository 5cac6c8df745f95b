// SPDX-License-Identifier: GPL-2.0
/* See hep_output.h. */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "core/hep/hep_reader.h"
#include "ctl/maps/clock.h"
#include "hep_output.h"

struct hep_output {
	int fd;
	struct hep_reader *reader;
	long long sent, lost;
	uint8_t packet[HEP_SIZE_MAX];
};

static int connect_to(const struct endpoint *to)
{
	const struct sockaddr_in ipv4 = {
		.sin_family = AF_INET, .sin_port = htons(to->port), .sin_addr.s_addr = to->address.word[3]};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(to->port)};
	bool is_ipv4 = address_is_ipv4(&to->address);
	int fd = socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(&ipv6.sin6_addr, &to->address, sizeof(ipv6.sin6_addr));
	if (fd < 0)
		return -errno;
	if (connect(fd, is_ipv4 ? (const void *)&ipv4 : (const void *)&ipv6, is_ipv4 ? sizeof(ipv4) : sizeof(ipv6))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

struct hep_output *hep_output_open(const char *address, char error[HEP_OUTPUT_ERROR_SIZE])
{
	struct hep_output *output;
	struct endpoint to;
	__u64 secret[2];
	int fd;

	if (hep_address_parse(address, &to)) {
		snprintf(error, HEP_OUTPUT_ERROR_SIZE,
			"--hep must be udp:, an address and a port, such as udp:10.0.0.50:9060, not '%.64s'", address);
		return NULL;
	}
	fd = connect_to(&to);
	if (fd < 0 || getrandom(secret, sizeof(secret), 0) != sizeof(secret)) {
		snprintf(error, HEP_OUTPUT_ERROR_SIZE, "cannot send to %.64s: %s", address,
			strerror(fd < 0 ? -fd : errno));
		return NULL;
	}
	output = allocate(1, sizeof(*output));
	output->fd = fd;
	output->reader = hep_reader_new(secret);
	return output;
}

/* The first error of a connected socket may report an ICMP error that an earlier packet caused, so try twice. */
static bool send_packet(const struct hep_output *output, size_t length)
{
	return send(output->fd, output->packet, length, 0) >= 0 || send(output->fd, output->packet, length, 0) >= 0;
}

void hep_output_put(
	struct hep_output *output, int64_t nanoseconds, const uint8_t *frame, size_t captured, size_t length)
{
	const struct hep_frame copy = {.bytes = frame,
		.length = captured,
		.original = length,
		.now = clock_usec() * 1000,
		.time = nanoseconds / 1000};
	static const struct hep_agent agent;
	struct hep_message message;
	size_t size;

	if (!hep_read(output->reader, &copy, &message))
		return;
	size = hep_write(&agent, &message, output->packet);
	if (size && send_packet(output, size))
		output->sent++;
	else
		output->lost++;
}

void hep_output_close(struct hep_output *output)
{
	struct hep_counts counts;

	if (!output)
		return;
	counts = hep_reader_counts(output->reader, UINT64_MAX);
	fprintf(stderr, "sipxdp-ctl: %lld messages sent by HEP, %lld not sent\n", output->sent,
		output->lost + (long long)(counts.incomplete + counts.too_long));
	close(output->fd);
	hep_reader_free(output->reader);
	free(output);
}
