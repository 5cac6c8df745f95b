// SPDX-License-Identifier: GPL-2.0
/* The simplest Call-ID balancer with sockets: receives up to 64 messages by recvmmsg, finds each Call-ID, and forwards
 * the messages by sendmmsg. Shows the minimum cost in user space.
 *
 * usage: plain_forwarder ADDRESS PORT BACKEND...      runs until a signal */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define BATCH 64
#define SIZE 2048
#define BACKENDS 16

static char buffers[BATCH][SIZE];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];
static struct sockaddr_in backends[BACKENDS];
static int backend_count;

/* FNV-1a hash of the Call-ID; 0 if the message has none. */
static uint32_t call_id_hash(const char *text, size_t length)
{
	const char *end = text + length, *line = text;
	uint32_t hash = 2166136261u;

	while ((line = memchr(line, '\n', end - line)) && end - ++line > 9) {
		if (*line == '\r')
			return 0;
		if (strncasecmp(line, "Call-ID:", 8) != 0)
			continue;
		for (line += 8; line < end && *line == ' '; line++)
			;
		for (; line < end && *line != '\r' && *line != '\n'; line++)
			hash = (hash ^ (uint8_t)*line) * 16777619;
		return hash;
	}
	return 0;
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};

	inet_pton(AF_INET, address, &to.sin_addr);
	return to;
}

static void forward(int receive, int send)
{
	int count;

	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){buffers[i], SIZE};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	count = recvmmsg(receive, messages, BATCH, MSG_WAITFORONE, NULL);
	for (int i = 0; i < count; i++) {
		uint32_t hash = call_id_hash(buffers[i], messages[i].msg_len);

		vectors[i].iov_len = messages[i].msg_len;
		messages[i].msg_hdr.msg_name = &backends[hash % backend_count];
		messages[i].msg_hdr.msg_namelen = sizeof(*backends);
	}
	for (int sent = 0; sent < count;) {
		int now = sendmmsg(send, messages + sent, count - sent, 0);

		sent += now > 0 ? now : 1; /* a message that cannot be sent is lost, like any UDP datagram */
	}
}

int main(int argc, char **argv)
{
	int receive = socket(AF_INET, SOCK_DGRAM, 0), send = socket(AF_INET, SOCK_DGRAM, 0), size = 8 << 20;
	struct sockaddr_in own;

	if (argc < 4 || argc > 3 + BACKENDS) {
		fprintf(stderr, "usage: plain_forwarder ADDRESS PORT BACKEND...\n");
		return 2;
	}
	own = address_of(argv[1], argv[2]);
	for (backend_count = 0; argv[3 + backend_count]; backend_count++)
		backends[backend_count] = address_of(argv[3 + backend_count], "5060");
	setsockopt(receive, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(send, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (bind(receive, (struct sockaddr *)&own, sizeof(own))) {
		perror("bind");
		return 1;
	}
	for (;;)
		forward(receive, send);
}
