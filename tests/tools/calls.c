/* SPDX-License-Identifier: GPL-2.0 */
/* Makes calls through a VIP and checks that all messages of a call reach one server. Callers, callees and servers are
 * this process, in their network namespaces: it sends the messages of callers and callees to the VIP, from random
 * source ports, and receives them where the servers are. The next message of a call follows when its predecessor has
 * reached the server; a message without an answer is sent again. With direct server return the responses of servers do
 * not pass the balancers, so none are sent.
 *
 * Commands on standard input, one a line; each is repeated on standard output when it has been executed:
 *   dead SERVER     its calls end, and do not count
 *   alive SERVER    it takes calls again
 *   blind BALANCER  it forwards, but does not exchange its calls with the others
 *   sees BALANCER   it exchanges them again
 *   report          prints the counters
 *   end             no further calls; the process ends with the last call */
#include "in_namespace.h"
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include "call_steps.h"

#define PORT 5060
#define MAX_PEERS 16
#define PORTS 32         /* source ports */
#define MAX_CALLS 131072 /* remembered */
#define MAX_SENT 100000000ULL
#define SENT_AT_ONCE 64 /* below the smallest queue of a lab */
#define T1 500          /* ms (RFC 3261 section 17.1.1.1); at most eight times as long */
#define INITIAL 2000    /* ms, less than record_time: how long an initial request is repeated */
#define SILENCE 6000    /* ms, less than record_time and drain_timeout together: the longest silence of a call */
#define UNANSWERED 16   /* one of so many messages is answered at its first repetition only */
#define REPORTED 2000   /* wrong messages of a kind that are printed */

enum call_state {
	LIVE,
	COMPLETED,
	ABANDONED, /* the balancers promise nothing about its next message: it is too late */
	ORPHANED,  /* its server died */
	EARLY,     /* misrouted before it was established */
	UNKNOWN,   /* misrouted after a blind balancer has forwarded a message of it */
	MISROUTED,
	STATES
};

static const char *const states[] = {"live", "completed", "abandoned", "orphaned", "early", "unknown", "misrouted"};

/* The arrival of a message at a server */
struct arrival {
	uint64_t time; /* ms of CLOCK_REALTIME, from the kernel: this process may read it much later; 0: none */
	int8_t step, server, balancer;
};

struct call {
	uint32_t number;
	uint8_t state, first, step, end, attempts;
	uint8_t ports[2]; /* of each side */
	int8_t server;    /* that received the first INVITE; -1: none yet */
	bool either, leaver;
	/* ms: its beginning, the next transmission, the first transmission of this message, the last arrival */
	uint64_t start, due, began, heard;
	uint64_t sent;             /* ms of CLOCK_REALTIME: its first transmission, which may be lost */
	struct arrival way[STEPS]; /* the first one of each message */
};

static struct peer {
	char *name;
	uint64_t received;
	bool dead;             /* a server */
	struct ether_addr mac; /* of a balancer */
	bool blind;
	uint64_t until; /* ms: when it was blind last */
} servers[MAX_PEERS], balancers[MAX_PEERS];

static struct {
	const char *from;
	in_addr_t vip;
	unsigned int rate, seed;
} options;

static struct {
	uint64_t calls, by_state[STATES], mixed, sent, received, twice;
} count;

static unsigned int server_count, balancer_count;
static struct call calls[MAX_CALLS];
static uint32_t live[MAX_CALLS], live_count;
static uint8_t *arrived; /* by number of transmission */
static int senders[PORTS];
static bool ending;

static uint64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000ULL + time.tv_nsec / 1000000;
}

static unsigned int below(unsigned int limit)
{
	return limit ? rand() % limit : 0;
}

/* --- the course of a call */

static bool is_callee(const struct call *call, enum side side)
{
	return side == CALLEE || (side == EITHER && call->either) || (side == LEAVER && call->leaver);
}

static void transmit(const struct call *call)
{
	const struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = options.vip, .sin_port = htons(PORT)};
	const struct step *step = &steps[call->step];
	bool callee = is_callee(call, step->from);
	char text[2 * STEP_SIZE];
	int length = write_step(step, options.seed, call->number, callee, text);

	length += snprintf(text + length, sizeof(text) - length, "X-Sent: %u %u %llu\r\nContent-Length: 0\r\n\r\n",
		call->number, call->step, (unsigned long long)count.sent);
	sendto(senders[call->ports[callee != (step->code > 0)]], text, length, 0, (const struct sockaddr *)&to,
		sizeof(to));
	count.sent++; /* also if the router has no balancer: then the message is lost */
}

static bool was_at_several_balancers(const struct call *call)
{
	for (int i = 0; i < STEPS; i++)
		if (call->way[i].time && call->way[i].balancer != call->way[call->first].balancer)
			return true;
	return false;
}

static void finish(struct call *call, enum call_state state)
{
	if (call->state == LIVE)
		count.mixed += was_at_several_balancers(call);
	else
		count.by_state[call->state]--;
	call->state = state;
	count.by_state[state]++;
}

/* Prepares the message call->step. After a long pause the sides use other ports, thus other balancers. */
static void begin_step(struct call *call, uint64_t time)
{
	unsigned int pause;

	if (call->step == call->end) {
		finish(call, COMPLETED);
		return;
	}
	pause = steps[call->step].before;
	for (int i = 0; i < 2 && (pause == TALK || call->step == call->first); i++)
		call->ports[i] = below(PORTS);
	call->attempts = 0;
	call->due = time + pause / 4 + below(pause - pause / 4);
}

static void begin_call(uint64_t time)
{
	uint32_t number = count.calls++;
	struct call *call = &calls[number % MAX_CALLS];
	unsigned int flow = below(COUNT(flows));

	if (number >= MAX_CALLS && call->state == LIVE)
		fail("more than %d calls are live", MAX_CALLS);
	*call = (struct call){.number = number,
		.server = -1,
		.start = time,
		.first = flows[flow].first,
		.step = flows[flow].first,
		.end = flows[flow].end,
		.either = below(2),
		.leaver = below(2)};
	begin_step(call, time);
	live[live_count++] = number % MAX_CALLS;
}

/* Returns true if the balancers need not know the call any more (docs/design/migration.md), because its messages were
 * lost or this process was delayed. */
static bool is_too_late(const struct call *call, uint64_t time)
{
	if (call->attempts && time - call->began > INITIAL && steps[call->step].to == NO_TAG)
		return true;
	return call->server >= 0 && time - call->heard > SILENCE;
}

/* Sends the message of a call, for the first time or again. */
static void advance(struct call *call, uint64_t time)
{
	if (is_too_late(call, time)) {
		finish(call, ABANDONED);
		return;
	}
	if (!call->attempts++)
		call->began = time;
	if (!call->sent)
		call->sent = now(CLOCK_REALTIME);
	call->due = time + (T1 << (call->attempts < 4 ? call->attempts - 1 : 3));
	transmit(call);
	if (!is_answered(call->step)) {
		call->step++;
		begin_step(call, time);
	}
}

/* Sends what is due, but a limited number of messages. */
static void send_due(uint64_t time)
{
	static uint32_t next;
	unsigned int sent = 0;

	for (uint32_t visited = 0, all = live_count; visited < all && sent < SENT_AT_ONCE; visited++) {
		struct call *call;

		next = next < live_count ? next : 0;
		call = &calls[live[next]];
		if (call->state == LIVE && call->due <= time) {
			advance(call, time);
			sent++;
		}
		if (call->state == LIVE)
			next++;
		else
			live[next] = live[--live_count];
	}
}

/* --- arrivals */

static void print_wrong(const struct call *call, enum call_state state, const struct arrival *arrival)
{
	printf("wrong: %s at %.3f, call %u-%u@calls.example.net of %s: [%s %d %s %s] [-%llu ms sent]", states[state],
		arrival->time / 1000.0, options.seed, call->number, servers[call->server].name,
		steps[arrival->step].method, steps[arrival->step].code, balancers[arrival->balancer].name,
		servers[arrival->server].name, (unsigned long long)(arrival->time - call->sent));
	for (int i = 0; i < STEPS; i++)
		if (call->way[i].time)
			printf(" [-%llu ms %s %d %s %s]", (unsigned long long)(arrival->time - call->way[i].time),
				steps[i].method, steps[i].code, balancers[call->way[i].balancer].name,
				servers[call->way[i].server].name);
	putchar('\n');
}

static bool was_blind(const struct call *call, int balancer)
{
	return balancers[balancer].blind || balancers[balancer].until > call->start;
}

/* A message has reached a different server than the first INVITE. */
static void misroute(struct call *call, const struct arrival *arrival)
{
	enum call_state state = MISROUTED;

	if (was_blind(call, arrival->balancer) || was_blind(call, call->way[call->first].balancer))
		state = UNKNOWN;
	else if (arrival->step < ESTABLISHED || arrival->step >= ESTABLISHED_END)
		state = EARLY;
	if (count.by_state[state] < REPORTED)
		print_wrong(call, state, arrival);
	finish(call, state);
}

/* The balancers forget a call that has ended, so nothing is repeated then. */
static bool is_unanswered(const struct call *call)
{
	return call->attempts == 1 && strcmp(steps[call->step].method, "BYE") && !below(UNANSWERED);
}

static void arrive(struct call *call, const struct arrival *arrival)
{
	uint64_t time = now(CLOCK_MONOTONIC);

	if (call->server < 0) {
		call->server = arrival->server;
		if (servers[call->server].dead && call->state == LIVE)
			finish(call, ORPHANED);
	}
	if (call->server != arrival->server && call->state < ORPHANED)
		misroute(call, arrival);
	if (!call->way[arrival->step].time)
		call->way[arrival->step] = *arrival;
	call->heard = time;
	if (call->state != LIVE || arrival->step != call->step || is_unanswered(call))
		return;
	call->step++;
	begin_step(call, time);
}

static int balancer_of(const uint8_t *mac)
{
	for (unsigned int i = 0; i < balancer_count; i++)
		if (!memcmp(&balancers[i].mac, mac, ETH_ALEN))
			return i;
	fail("a message comes from the unknown MAC address %s", ether_ntoa((const struct ether_addr *)mac));
}

/* `arrival` is complete except for the step. */
static void receive_message(const char *text, struct arrival *arrival)
{
	const char *field = strstr(text, "\r\nX-Sent: ");
	unsigned long long number;
	unsigned int call, step;

	if (!field || sscanf(field, "\r\nX-Sent: %u %u %llu\r\n", &call, &step, &number) != 3 || number >= count.sent ||
		call >= count.calls || step >= STEPS)
		fail("%s received something else: %s", servers[arrival->server].name, text);
	arrival->step = step;
	if (arrived[number]) {
		count.twice++;
		return;
	}
	arrived[number] = 1;
	count.received++;
	servers[arrival->server].received++;
	balancers[arrival->balancer].received++;
	if (calls[call % MAX_CALLS].number == call)
		arrive(&calls[call % MAX_CALLS], arrival);
}

/* When the kernel received a packet, ms of CLOCK_REALTIME (SO_TIMESTAMPNS) */
static uint64_t arrival_time(struct msghdr *message)
{
	const struct cmsghdr *item = CMSG_FIRSTHDR(message);
	struct timespec time;

	if (!item || item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_TIMESTAMPNS)
		fail("the kernel has not said when a packet arrived");
	memcpy(&time, CMSG_DATA(item), sizeof(time));
	return time.tv_sec * 1000ULL + time.tv_nsec / 1000000;
}

/* The socket receives the IP packets of this interface, and the MAC addresses of their senders. It also receives frames
 * to the MAC address of a dead server, which a switch sends to all. */
static void receive_all(int sock, int server)
{
	struct sockaddr_ll from;
	union {
		struct iphdr ip;
		char bytes[2048];
	} packet;
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec part = {&packet, sizeof(packet) - 1};
	struct msghdr message = {.msg_name = &from, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
	ssize_t length;

	while (message.msg_namelen = sizeof(from), message.msg_controllen = sizeof(control),
		(length = recvmsg(sock, &message, 0)) >= 0) {
		size_t header = packet.ip.ihl * 4 + sizeof(struct udphdr);
		struct arrival arrival = {.server = server};

		packet.bytes[length] = 0;
		if (from.sll_pkttype != PACKET_HOST || packet.ip.protocol != IPPROTO_UDP ||
			packet.ip.daddr != options.vip || (size_t)length <= header)
			continue;
		arrival.balancer = balancer_of(from.sll_addr);
		arrival.time = arrival_time(&message);
		receive_message(packet.bytes + header, &arrival);
	}
}

/* --- commands */

static void print_count(const char *name, uint64_t value)
{
	printf("%s %llu ", name, (unsigned long long)value);
}

static void print_report(void)
{
	print_count("calls", count.calls);
	for (int i = COMPLETED; i < STATES; i++)
		print_count(states[i], count.by_state[i]);
	print_count("mixed", count.mixed);
	print_count("sent", count.sent);
	print_count("received", count.received);
	print_count("twice", count.twice);
	for (unsigned int i = 0; i < server_count; i++)
		print_count(servers[i].name, servers[i].received);
	for (unsigned int i = 0; i < balancer_count; i++)
		print_count(balancers[i].name, balancers[i].received);
	putchar('\n');
}

static struct peer *find(struct peer *peers, unsigned int peer_count, const char *name)
{
	for (unsigned int i = 0; i < peer_count; i++)
		if (!strcmp(peers[i].name, name))
			return &peers[i];
	fail("unknown name: %s", name);
}

static void set_dead(struct peer *server, bool dead)
{
	server->dead = dead;
	for (uint32_t i = 0; dead && i < live_count; i++)
		if (calls[live[i]].state == LIVE && calls[live[i]].server == server - servers)
			finish(&calls[live[i]], ORPHANED);
}

static void set_blind(struct peer *balancer, bool blind)
{
	balancer->blind = blind;
	balancer->until = now(CLOCK_MONOTONIC);
}

static void execute(const char *command)
{
	const char *name = strchr(command, ' ') ? strchr(command, ' ') + 1 : "";

	if (!strncmp(command, "dead ", 5) || !strncmp(command, "alive ", 6))
		set_dead(find(servers, server_count, name), *command == 'd');
	else if (!strncmp(command, "blind ", 6) || !strncmp(command, "sees ", 5))
		set_blind(find(balancers, balancer_count, name), *command == 'b');
	else if (!strcmp(command, "report"))
		print_report();
	else if (!strcmp(command, "end"))
		ending = true;
	else
		fail("unknown command: %s", command);
	printf("%s\n", command);
}

static void read_commands(void)
{
	static char line[64];
	static size_t length;

	while (length < sizeof(line) - 1 && read(STDIN_FILENO, line + length, 1) == 1) {
		if (line[length++] != '\n')
			continue;
		line[length - 1] = 0;
		length = 0;
		execute(line);
	}
}

static void run(struct pollfd *receivers)
{
	uint64_t time, start = now(CLOCK_MONOTONIC);

	while (!ending || live_count) {
		read_commands();
		for (unsigned int i = 0; i < server_count; i++)
			receive_all(receivers[i].fd, i);
		time = now(CLOCK_MONOTONIC);
		for (int begun = 0; !ending && begun < SENT_AT_ONCE; begun++)
			if (count.calls < (time - start) * options.rate / 1000)
				begin_call(time);
		send_due(time);
		if (count.sent > MAX_SENT - SENT_AT_ONCE)
			fail("more than %llu messages", MAX_SENT);
		poll(receivers, server_count, 5);
	}
}

/* Opens the socket of a server. A second socket, which nothing reads, keeps the kernel from refusing the messages. */
static int open_server(const char *namespace)
{
	const struct sockaddr_in vip = {.sin_family = AF_INET, .sin_addr.s_addr = options.vip, .sin_port = htons(PORT)};
	int fd, size = 64 << 20, on = 1;

	if (bind(socket_in(namespace, AF_INET, SOCK_DGRAM, 0), (const struct sockaddr *)&vip, sizeof(vip)))
		fail("cannot receive in %s: %s", namespace, strerror(errno));
	fd = socket_in(namespace, AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	return fd;
}

static void __attribute__((noreturn)) usage(void)
{
	fputs("usage: calls NAMESPACE VIP CALLS-A-SECOND SEED BALANCER=MAC... SERVER=NAMESPACE...\n"
	      "A namespace is a file such as /run/netns/NAME; the first one is that of the callers.\n",
		stderr);
	exit(2);
}

/* BALANCER=MAC or SERVER=NAMESPACE */
static void read_peer(char *text, struct pollfd *receivers)
{
	char *value = strchr(text, '=');
	struct ether_addr mac;

	if (!value || server_count == MAX_PEERS || balancer_count == MAX_PEERS)
		usage();
	*value++ = 0;
	if (ether_aton_r(value, &mac)) {
		balancers[balancer_count++] = (struct peer){.name = text, .mac = mac};
		return;
	}
	receivers[server_count] = (struct pollfd){.fd = open_server(value), .events = POLLIN};
	servers[server_count++].name = text;
}

int main(int argc, char **argv)
{
	struct pollfd receivers[MAX_PEERS];

	if (argc < 7)
		usage();
	options.from = argv[1];
	options.vip = inet_addr(argv[2]);
	options.rate = strtoul(argv[3], NULL, 10);
	options.seed = strtoul(argv[4], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);
	srand(options.seed);
	arrived = mmap(NULL, MAX_SENT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arrived == MAP_FAILED)
		fail("no memory for %llu messages", MAX_SENT);
	for (int i = 5; i < argc; i++)
		read_peer(argv[i], receivers);
	for (int i = 0; i < PORTS; i++)
		senders[i] = socket_in(options.from, AF_INET, SOCK_DGRAM, 0);
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	run(receivers);
	print_report();
	return 0;
}
