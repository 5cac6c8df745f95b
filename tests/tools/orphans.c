// SPDX-License-Identifier: GPL-2.0
/* A flood of later fragments without first fragments: 60-byte frames to a VIP, each of a different
 * datagram, from sources in 198.18.0.0/15. Limited in number.
 *
 * usage: orphans VIP COUNT RATE */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 32
#define CARRIED 24

struct orphan {
	struct iphdr ip;
	char data[CARRIED];
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
}

static void wait_until(uint64_t time)
{
	const struct timespec until = {.tv_sec = time / 1000000000, .tv_nsec = time % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* The kernel sets the checksum. */
static struct orphan orphan(in_addr_t vip, uint32_t number)
{
	return (struct orphan){.ip = {.version = 4,
				       .ihl = 5,
				       .tot_len = htons(sizeof(struct orphan)),
				       .id = htons(number >> 4),
				       .frag_off = htons(1480 / 8),
				       .ttl = 64,
				       .protocol = IPPROTO_UDP,
				       .saddr = htonl(0xc6120000 | (number * 2654435761U >> 15)),
				       .daddr = vip}};
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct orphan orphans[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = {};
	int out = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	uint64_t start = now();
	uint32_t count, rate;

	if (argc != 4 || out < 0 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: orphans VIP COUNT RATE, as root\n");
		return 2;
	}
	count = strtoul(argv[2], NULL, 10);
	rate = strtoul(argv[3], NULL, 10);
	for (uint32_t sent = 0; sent < count; sent += BATCH) {
		for (uint32_t i = 0; i < BATCH; i++) {
			orphans[i] = orphan(to.sin_addr.s_addr, sent + i);
			parts[i] = (struct iovec){&orphans[i], sizeof(orphans[i])};
			messages[i].msg_hdr = (struct msghdr){
				.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &parts[i], .msg_iovlen = 1};
		}
		if (sendmmsg(out, messages, BATCH, 0) < 0) {
			perror("sendmmsg");
			return 1;
		}
		wait_until(start + (sent + BATCH) * UINT64_C(1000000000) / rate);
	}
	printf("%u in %.3f s\n", count, (now() - start) / 1e9);
	return 0;
}
