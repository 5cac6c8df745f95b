/* SPDX-License-Identifier: GPL-2.0 */
/* Sends numbered SIP requests from one network namespace to a VIP, receives them in the namespaces of
 * the backends, and reports losses, duplicates and reordering. One process sends and receives, so it can limit the
 * packets in flight to `window`, which is below the smallest queue of a lab. A busy machine therefore causes no losses,
 * and each loss has its cause in the balancer. */
#include "in_namespace.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

#define MAX_RECEIVERS 64
#define MAX_STREAMS 131072
#define MAX_PORTS 64
#define MAX_PACKETS 100000000ULL
#define MILLISECOND 1000000ULL
#define WRITE_OFF (300 * MILLISECOND) /* packets that arrive later count as lost */

/* A stream has its own Call-ID: all its packets have one owner. */
struct stream {
	uint64_t last; /* number of the last received packet, + 1 */
	int receiver;  /* index of the receiver; -1: none yet */
};

static struct {
	const char *from;
	struct sockaddr_in to;
	unsigned int rate, streams, window, seconds, ports, run;
	bool calls, answers;
} options = {.rate = 10000, .streams = 256, .window = 128, .seconds = 10, .ports = 1};

static struct {
	uint64_t sent, received, duplicated, reordered, moved, foreign, answered;
	uint64_t by_receiver[MAX_RECEIVERS];
} count;

static struct stream streams[MAX_STREAMS];
static uint8_t *seen; /* by number: RECEIVED, ANSWERED */

enum {
	RECEIVED = 1,
	ANSWERED = 2,
};
static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static int open_sender(void)
{
	int sock = socket_in(options.from, AF_INET, SOCK_DGRAM, 0);

	if (connect(sock, (struct sockaddr *)&options.to, sizeof(options.to)))
		fail("cannot send from %s: %s", options.from, strerror(errno));
	return sock;
}

static int open_receiver(const char *namespace)
{
	int sock = socket_in(namespace, AF_INET, SOCK_DGRAM, 0), size = 64 << 20;
	struct sockaddr_in own = options.to;

	if (options.answers)
		own.sin_addr.s_addr = INADDR_ANY;
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(sock, (struct sockaddr *)&own, sizeof(own)))
		fail("cannot receive in %s: %s", namespace, strerror(errno));
	return sock;
}

/* The packets of a stream leave from all ports in turn. */
static bool send_one(const struct pollfd *senders)
{
	uint64_t number = count.sent;
	int sock = senders[number / options.streams % options.ports].fd;
	const char *method = "OPTIONS", *tag = "";
	char text[512];
	int length;

	if (options.calls) {
		method = number < options.streams ? "INVITE" : "INFO";
		tag = number < options.streams ? "" : ";tag=t";
	}
	length = snprintf(text, sizeof(text),
		"%s sip:numbered@example.net SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bK-%llu\r\n"
		"Max-Forwards: 70\r\n"
		"From: <sip:numbered@example.net>;tag=n\r\n"
		"To: <sip:numbered@example.net>%s\r\n"
		"Call-ID: %u-%u-numbered@example.net\r\n"
		"CSeq: %llu %s\r\n"
		"Content-Length: 0\r\n\r\n",
		method, (unsigned long long)number, tag, options.run, (unsigned int)(number % options.streams),
		(unsigned long long)number, method);
	if (send(sock, text, length, 0) != length)
		return false;
	count.sent++;
	return true;
}

static void note(uint64_t number, int receiver)
{
	struct stream *stream = &streams[number % options.streams];

	count.by_receiver[receiver]++;
	if (seen[number] & RECEIVED) {
		count.duplicated++;
		return;
	}
	seen[number] |= RECEIVED;
	count.received++;
	count.reordered += number + 1 < stream->last;
	count.moved += stream->receiver >= 0 && stream->receiver != receiver;
	stream->last = number + 1;
	stream->receiver = receiver;
}

/* Reads the number of a packet of this process. */
static bool read_number(const char *text, unsigned long long *number)
{
	const char *field = strstr(text, "\r\nCall-ID: ");
	unsigned int run;

	if (field && sscanf(field, "\r\nCall-ID: %u-%*u-numbered@example.net\r\nCSeq: %llu ", &run, number) == 2 &&
		run == options.run && *number < count.sent)
		return true;
	count.foreign++;
	return false;
}

static void receive_all(int sock, int receiver)
{
	unsigned long long number;
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	char text[2048];
	ssize_t length;

	while ((length = recvfrom(sock, text, sizeof(text) - 1, 0, (struct sockaddr *)&from, &size)) >= 0) {
		text[length] = 0;
		if (!read_number(text, &number))
			continue;
		note(number, receiver);
		if (options.answers)
			sendto(sock, text, length, 0, (struct sockaddr *)&from, size);
	}
}

/* The socket is connected: it receives only packets from the VIP and its port. */
static void receive_answers(int sock)
{
	unsigned long long number;
	char text[2048];
	ssize_t length;

	while ((length = recv(sock, text, sizeof(text) - 1, 0)) >= 0) {
		text[length] = 0;
		if (!read_number(text, &number))
			continue;
		count.duplicated += !!(seen[number] & ANSWERED);
		count.answered += !(seen[number] & ANSWERED);
		seen[number] |= ANSWERED;
	}
}

/* The number of packets that have completed their way. */
static uint64_t completed(void)
{
	return options.answers ? count.answered : count.received;
}

/* Waits at most `msec`, then receives all that has arrived. */
static void receive(const struct pollfd *senders, struct pollfd *receivers, int receiver_count, int msec)
{
	poll(receivers, receiver_count, msec);
	for (int i = 0; i < receiver_count; i++)
		if (receivers[i].revents)
			receive_all(receivers[i].fd, i);
	for (unsigned int i = 0; options.answers && i < options.ports; i++)
		receive_answers(senders[i].fd);
}

/* Sends at the given rate and receives until a signal, then receives the remaining packets. */
static void run(const struct pollfd *senders, struct pollfd *receivers, int receiver_count)
{
	uint64_t start = now(), end = start + options.seconds * 1000 * MILLISECOND, progress = start, before = 0;
	uint64_t due, time = start, written_off = 0;

	while ((time = now()) < end && !stop && count.sent < MAX_PACKETS) {
		if (completed() != before) {
			before = completed();
			progress = time;
		} else if (time - progress > WRITE_OFF) {
			written_off = count.sent - completed();
			progress = time;
		}
		due = (time - start) / 1000 * options.rate / 1000000;
		while (count.sent < due && (int64_t)(count.sent - completed() - written_off) < options.window)
			if (!send_one(senders))
				break;
		receive(senders, receivers, receiver_count, 1);
	}
	end = now() + 1000 * MILLISECOND;
	while (completed() < count.sent && now() < end)
		receive(senders, receivers, receiver_count, 10);
}

static unsigned int number_option(const char *name, const char *text, unsigned int most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || !value || value > most)
		fail("--%s is 1 to %u, not %s", name, most, text);
	return value;
}

static void usage(FILE *out)
{
	fputs("usage: numbered --from NAMESPACE --to ADDRESS:PORT [OPTION...] NAMESPACE...\n"
	      "Sends from the first namespace (a file such as /run/netns/NAME), receives in the others.\n"
	      "  --rate N      packets a second (10000)\n"
	      "  --streams N   different Call-IDs (256)\n"
	      "  --run N       number in all Call-IDs (the process)\n"
	      "  --ports N     source ports, which the packets of each stream use in turn (1)\n"
	      "  --calls       each stream is a call: an INVITE, then requests with a To tag (default: OPTIONS)\n"
	      "  --answers     the receivers send each packet back from their own addresses (default: listen on "
	      "ADDRESS)\n"
	      "  --window N    limit of packets in flight (128)\n"
	      "  --seconds N   how long, unless a SIGTERM ends it before (10)\n"
	      "Exit status: 0 nothing lost and nothing twice, 1 otherwise, 2 usage or no socket.\n",
		out);
}

static void read_options(int argc, char **argv)
{
	static const struct option table[] = {{"from", required_argument, NULL, 'f'},
		{"to", required_argument, NULL, 't'}, {"rate", required_argument, NULL, 'r'},
		{"streams", required_argument, NULL, 's'}, {"window", required_argument, NULL, 'w'},
		{"seconds", required_argument, NULL, 'S'}, {"ports", required_argument, NULL, 'p'},
		{"calls", no_argument, NULL, 'c'}, {"answers", no_argument, NULL, 'a'},
		{"run", required_argument, NULL, 'R'}, {"help", no_argument, NULL, 'h'}, {0}};
	char *colon;
	int option;

	while ((option = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		switch (option) {
		case 'f':
			options.from = optarg;
			break;
		case 't':
			colon = strrchr(optarg, ':');
			if (!colon)
				fail("--to is ADDRESS:PORT, not %s", optarg);
			*colon = 0;
			options.to.sin_family = AF_INET;
			options.to.sin_port = htons(number_option("to", colon + 1, 65535));
			if (inet_pton(AF_INET, optarg, &options.to.sin_addr) != 1)
				fail("--to has no IPv4 address: %s", optarg);
			break;
		case 'r':
			options.rate = number_option("rate", optarg, 1000000);
			break;
		case 's':
			options.streams = number_option("streams", optarg, MAX_STREAMS);
			break;
		case 'p':
			options.ports = number_option("ports", optarg, MAX_PORTS);
			break;
		case 'R':
			options.run = number_option("run", optarg, UINT32_MAX);
			break;
		case 'c':
			options.calls = true;
			break;
		case 'a':
			options.answers = true;
			break;
		case 'w':
			options.window = number_option("window", optarg, 1000000);
			break;
		case 'S':
			options.seconds = number_option("seconds", optarg, 86400);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (!options.from || !options.to.sin_family || optind == argc || argc - optind > MAX_RECEIVERS) {
		usage(stderr);
		exit(2);
	}
}

/* The number of streams whose packets this receiver has received. */
static unsigned int streams_of(int receiver)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < options.streams; i++)
		found += streams[i].receiver == receiver;
	return found;
}

int main(int argc, char **argv)
{
	struct pollfd receivers[MAX_RECEIVERS], senders[MAX_PORTS];
	int receiver_count;

	options.run = getpid();
	read_options(argc, argv);
	receiver_count = argc - optind;
	for (int i = 0; i < receiver_count; i++)
		receivers[i] = (struct pollfd){.fd = open_receiver(argv[optind + i]), .events = POLLIN};
	for (unsigned int i = 0; i < options.ports; i++)
		senders[i].fd = open_sender();
	for (unsigned int i = 0; i < options.streams; i++)
		streams[i].receiver = -1;
	seen = mmap(NULL, MAX_PACKETS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (seen == MAP_FAILED)
		fail("no memory for %llu packets", MAX_PACKETS);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);

	run(senders, receivers, receiver_count);

	printf("sent %llu received %llu lost %llu duplicated %llu reordered %llu moved %llu foreign %llu answered %llu "
	       "by",
		(unsigned long long)count.sent, (unsigned long long)count.received,
		(unsigned long long)(count.sent - count.received), (unsigned long long)count.duplicated,
		(unsigned long long)count.reordered, (unsigned long long)count.moved, (unsigned long long)count.foreign,
		(unsigned long long)count.answered);
	for (int i = 0; i < receiver_count; i++)
		printf(" %llu", (unsigned long long)count.by_receiver[i]);
	printf(" streams");
	for (int i = 0; i < receiver_count; i++)
		printf(" %u", streams_of(i));
	putchar('\n');
	return count.sent != count.received || count.sent != completed() || count.duplicated;
}
