// SPDX-License-Identifier: GPL-2.0
/* Probes a server as sipxdpd does, for tests and for manual use.
 *
 * usage: probe [KEY=VALUE]... ADDRESS PORT
 *        probe answer ADDRESS PORT
 *
 *   type=options|register|tcp|tls|icmp|none  transport=udp|tcp|tls
 *   interval=MS timeout=MS fall=N rise=N codes=CODE,... from=URI uri=URI user=USER
 *   verify=yes|no ca=FILE sni=NAME     as in 'probe:' in sipxdpd's file
 *   seed=unknown|up|down               its health before the first probe
 *   results=N                          exit after N results
 *   targets=N seconds=N                probe it as N servers for this time, and print a summary
 *
 * Prints one line for each result: "pass MICROSECONDS HEALTH" or "fail HEALTH REASON"; and "changed
 * HEALTH" where the daemon would be notified. Each line of standard input contains further KEY=VALUE,
 * which apply from then on. `answer` is a server for many probes: it responds to each OPTIONS over UDP
 * with 200. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ctl/daemon/probe/probes.h"

static const char *const HEALTHS[] = {[HEALTH_UNKNOWN] = "unknown", [HEALTH_UP] = "up", [HEALTH_DOWN] = "down", NULL};
static const char *const TYPES[] = {[PROBE_NONE] = "none",
	[PROBE_OPTIONS] = "options",
	[PROBE_REGISTER] = "register",
	[PROBE_TCP] = "tcp",
	[PROBE_TLS] = "tls",
	[PROBE_ICMP] = "icmp",
	NULL};
static const char *const TRANSPORTS[] = {
	[TRANSPORT_UDP] = "udp", [TRANSPORT_TCP] = "tcp", [TRANSPORT_TLS] = "tls", NULL};

struct asker {
	sd_event *loop;
	struct probe_namespace *space;
	struct probes *probes;
	struct config_probe probe;
	struct probe_target target;
	size_t targets;
	unsigned int seconds;
	uint64_t results; /* exit after this number of results; 0: never */
	uint64_t printed;
};

static void refuse(const char *text)
{
	fprintf(stderr, "probe: invalid argument: %s\n", text);
	exit(2);
}

/* --- keys */

static int word(const char *const *words, const char *text)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	refuse(text);
	return 0;
}

static void set_codes(struct config_probe *probe, char *text)
{
	memset(probe->ok_codes, 0, sizeof(probe->ok_codes));
	for (char *code = strtok(text, ","); code; code = strtok(NULL, ","))
		probe->ok_codes[atoi(code) / 8 % sizeof(probe->ok_codes)] |= 1 << atoi(code) % 8;
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = *value ? strdup(value) : NULL;
}

static void set(struct asker *asker, char *assignment)
{
	struct config_probe *probe = &asker->probe;
	char *value = strchr(assignment, '=');
	const struct {
		const char *key;
		uint32_t *number;
		char **text;
	} keys[] = {
		{"interval", &probe->interval, NULL},
		{"timeout", &probe->timeout, NULL},
		{"fall", &probe->fall, NULL},
		{"rise", &probe->rise, NULL},
		{"seconds", &asker->seconds, NULL},
		{"from", NULL, &probe->from},
		{"uri", NULL, &probe->request_uri},
		{"user", NULL, &probe->user},
		{"ca", NULL, &probe->ca},
		{"sni", NULL, &probe->sni},
	};

	if (!value)
		refuse(assignment);
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strcmp(keys[i].key, assignment) != 0)
			continue;
		if (keys[i].text)
			return set_text(keys[i].text, value);
		*keys[i].number = strtoul(value, NULL, 10);
		return;
	}
	if (strcmp(assignment, "type") == 0)
		probe->type = word(TYPES, value);
	else if (strcmp(assignment, "transport") == 0)
		probe->transport = word(TRANSPORTS, value);
	else if (strcmp(assignment, "codes") == 0)
		set_codes(probe, value);
	else if (strcmp(assignment, "verify") == 0)
		probe->verify = strcmp(value, "no") != 0;
	else if (strcmp(assignment, "seed") == 0)
		asker->target.seed = word(HEALTHS, value);
	else if (strcmp(assignment, "targets") == 0)
		asker->targets = strtoul(value, NULL, 10);
	else if (strcmp(assignment, "results") == 0)
		asker->results = strtoul(value, NULL, 10);
	else
		refuse(assignment);
}

static void set_address(struct asker *asker, const char *address, const char *port)
{
	if (address_parse(address, &asker->target.target) < 0)
		refuse(address);
	asker->target.route.address = asker->target.target;
	asker->target.port = atoi(port);
}

/* --- probing */

static void follow(struct asker *asker)
{
	struct probe_target *targets = calloc(asker->targets, sizeof(*targets));

	for (size_t i = 0; i < asker->targets; i++) {
		targets[i] = asker->target;
		snprintf(targets[i].pool, NAME_SIZE, "pool");
		snprintf(targets[i].name, NAME_SIZE, "%zu", i);
	}
	probes_set_targets(asker->probes, targets, asker->targets);
	free(targets);
}

static void on_changed(void *data)
{
	struct asker *asker = data;
	const struct health_state *state = probes_health(asker->probes, "pool", "0", &asker->target.route.address);

	if (asker->targets != 1 || !state)
		return;
	if (*state->trouble)
		printf("cannot %s %s\n", HEALTHS[state->health], state->trouble);
	else
		printf("changed %s\n", HEALTHS[state->health]);
}

/* Runs after every turn of the loop, and prints a new result. */
static int print_result(sd_event_source *source, void *data)
{
	struct asker *asker = data;
	const struct health_state *state = probes_health(asker->probes, "pool", "0", &asker->target.route.address);

	(void)source;
	if (!state || state->passed + state->failed == asker->printed)
		return 0;
	asker->printed = state->passed + state->failed;
	if (state->last_passed)
		printf("pass %u %s\n", state->last, HEALTHS[state->health]);
	else
		printf("fail %s %s\n", HEALTHS[state->health], state->reason);
	return asker->printed == asker->results ? sd_event_exit(asker->loop, 0) : 0;
}

static double processor_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int print_sum(sd_event_source *source, uint64_t usec, void *data)
{
	struct asker *asker = data;
	uint64_t passed = 0, failed = 0;
	const char *reason = "";
	char name[NAME_SIZE];

	(void)source;
	(void)usec;
	for (size_t i = 0; i < asker->targets; i++) {
		const struct health_state *state;

		snprintf(name, sizeof(name), "%zu", i);
		state = probes_health(asker->probes, "pool", name, &asker->target.route.address);
		passed += state->passed;
		failed += state->failed;
		if (state->reason[0])
			reason = state->reason;
	}
	printf("%lu passed, %lu failed, %.0f a second, %.1f us of processor time each%s%s\n", passed, failed,
		(double)(passed + failed) / asker->seconds, processor_seconds() * 1e6 / (passed + failed),
		failed ? ": " : "", reason);
	return sd_event_exit(asker->loop, 0);
}

static int on_command(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct asker *asker = data;
	char text[4096];
	ssize_t size = read(fd, text, sizeof(text) - 1);

	(void)events;
	if (size <= 0)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	text[size] = '\0';
	for (char *rest = text, *part; (part = strsep(&rest, " \n"));)
		if (*part)
			set(asker, part);
	follow(asker);
	return 0;
}

static int ask(struct asker *asker)
{
	sigset_t ending;
	int error;

	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	signal(SIGPIPE, SIG_IGN);
	sd_event_default(&asker->loop);
	sd_event_add_signal(asker->loop, NULL, SIGTERM, NULL, NULL);
	sd_event_add_signal(asker->loop, NULL, SIGINT, NULL, NULL);
	(void)sd_event_add_io(asker->loop, NULL, STDIN_FILENO, EPOLLIN, on_command, asker);
	if (asker->seconds)
		sd_event_add_time_relative(
			asker->loop, NULL, CLOCK_MONOTONIC, asker->seconds * 1000000, 1, print_sum, asker);
	else
		sd_event_add_post(asker->loop, NULL, print_result, asker);
	error = probe_namespace_start(&asker->space)
			?: probes_new(&asker->probes, asker->loop, asker->space, PIN_DIR, on_changed, asker);
	if (!error) {
		follow(asker);
		error = sd_event_loop(asker->loop);
	}
	probes_free(asker->probes);
	probe_namespace_end(asker->space);
	sd_event_unref(asker->loop);
	free(asker->probe.from);
	free(asker->probe.request_uri);
	free(asker->probe.user);
	free(asker->probe.ca);
	free(asker->probe.sni);
	return error != 0;
}

/* --- the server: sends back the request except its first line */

static int answer(const char *address, const char *port)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), buffer_size = 16 << 20;
	static const char status[] = "SIP/2.0 200 OK\r\n";
	char buffer[4096 + sizeof(status)], *request = buffer + sizeof(status), *headers;
	socklen_t length;
	ssize_t size;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_size, sizeof(buffer_size));
	if (inet_pton(AF_INET, address, &from.sin_addr) != 1 || bind(fd, (struct sockaddr *)&from, sizeof(from))) {
		fprintf(stderr, "probe: cannot answer at %s: %s\n", address, strerror(errno));
		return 1;
	}
	for (;;) {
		length = sizeof(from);
		size = recvfrom(fd, request, 4096, 0, (struct sockaddr *)&from, &length);
		headers = size > 0 ? memmem(request, size, "\r\n", 2) : NULL;
		if (!headers)
			continue;
		headers += 2;
		memcpy(headers - strlen(status), status, strlen(status));
		sendto(fd, headers - strlen(status), request + size - headers + strlen(status), 0,
			(struct sockaddr *)&from, length);
	}
}

int main(int argc, char **argv)
{
	char codes[] = "200,483";
	struct asker asker = {
		.probe = {.type = PROBE_OPTIONS,
			.to_address = true,
			.interval = 100,
			.timeout = 500,
			.fall = 3,
			.rise = 2,
			.verify = true},
		.targets = 1,
	};

	setlinebuf(stdout);
	if (argc == 4 && strcmp(argv[1], "answer") == 0)
		return answer(argv[2], argv[3]);
	if (argc < 3)
		refuse("usage: probe [KEY=VALUE]... ADDRESS PORT");
	asker.target.probe = &asker.probe;
	set_codes(&asker.probe, codes);
	for (int i = 1; i < argc - 2; i++)
		set(&asker, argv[i]);
	set_address(&asker, argv[argc - 2], argv[argc - 1]);
	return ask(&asker);
}
