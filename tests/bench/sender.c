// SPDX-License-Identifier: GPL-2.0
/* Sends the bench's typical INVITE from a socket, each time with a different Call-ID.
 *
 * usage: sender ADDRESS PORT COUNT RATE      RATE in messages a second */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include "measure.h"
#include "messages.h"

#define BATCH 32

static char payload[BATCH][FRAME_SIZE];

static void send_batch(int fd, size_t length, uint32_t number)
{
	struct iovec vectors[BATCH];
	struct mmsghdr messages[BATCH] = {};

	for (int i = 0; i < BATCH; i++) {
		char digits[16];

		snprintf(digits, sizeof(digits), "%010u", (number + i) * 2654435761u);
		memcpy(payload[i] + MESSAGE_TYPICAL_CALL_ID - MESSAGE_HEADERS, digits, 10);
		vectors[i] = (struct iovec){payload[i], length};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	sendmmsg(fd, messages, BATCH, 0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct frame frame;
	uint64_t start;
	size_t length;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || atoi(argv[4]) <= 0) {
		fprintf(stderr, "usage: sender ADDRESS PORT COUNT RATE\n");
		return 2;
	}
	to.sin_port = htons(atoi(argv[2]));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		perror("connect");
		return 1;
	}
	message_build(MESSAGE_TYPICAL, &frame);
	length = frame.length - MESSAGE_HEADERS;
	for (int i = 0; i < BATCH; i++)
		memcpy(payload[i], frame.data + MESSAGE_HEADERS, length);
	start = measure_wall_ns();
	for (uint32_t sent = 0; sent < (uint32_t)atoi(argv[3]); sent += BATCH) {
		while (measure_wall_ns() - start < sent * (1000000000ULL / atoi(argv[4])))
			nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
		send_batch(fd, length, sent);
	}
	return 0;
}
