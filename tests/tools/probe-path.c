// SPDX-License-Identifier: GPL-2.0
/* Sends probes to a VIP on chosen backends, as sipxdpd does, and prints which server answered. For tests
 * while no sipxdpd runs, because the replies have only one reader.
 *
 * usage: probe-path [-s] udp|tcp|ping VIP PORT COUNT BACKEND-ID...
 *
 * Opens COUNT sockets for each backend of the pinned map, all at the same time, and sends a different
 * text on each. The server must answer with its name, a blank, and the text. Prints
 * for each socket "BACKEND-ID ANSWER", where ANSWER is
 *   the name, or "echo_reply" for an echo request
 *   mixed TEXT      the answer belongs to a different socket
 *   - REASON        no answer within 2 s, or an error
 * -s: keeps running until it is ended. Exit status: 1 if a socket could not be opened. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "core/net/address.h"
#include "ctl/maps/maps.h"
#include "ctl/daemon/probe/probe_path.h"

#define WAIT_USEC 2000000
#define GOODBYE_USEC 100000 /* so that connections end on both sides */
#define TEXT_SIZE 2048
#define ECHO_HEADER 8

static const struct kind {
	const char *name;
	int type;
	int protocol; /* 0: ICMP of the VIP's family */
} kinds[] = {{"udp", SOCK_DGRAM, IPPROTO_UDP}, {"tcp", SOCK_STREAM, IPPROTO_TCP}, {"ping", SOCK_DGRAM, 0}};

struct run {
	sd_event *loop;
	struct probe_path *path;
	const struct kind *kind;
	struct address vip;
	uint16_t port;
	size_t count; /* probes without an answer */
	bool stay;
};

struct probe {
	struct run *run;
	sd_event_source *source;
	uint32_t backend;
	int fd;
	bool sent;
	char text[32];
};

static void end(struct probe *probe, const char *answer, const char *more)
{
	printf("%u %s%s\n", probe->backend, answer, more);
	sd_event_source_unref(probe->source);
	probe->source = NULL;
	probe_path_close(probe->run->path, probe->fd);
	if (--probe->run->count == 0 && !probe->run->stay)
		sd_event_add_time_relative(probe->run->loop, NULL, CLOCK_MONOTONIC, GOODBYE_USEC, 0, NULL, NULL);
}

static void report_answer(struct probe *probe, char *answer)
{
	char *text = strchr(answer, ' ');

	if (!probe->run->kind->protocol && strcmp(answer, probe->text) == 0) {
		end(probe, "echo_reply", "");
	} else if (text && strcmp(text + 1, probe->text) == 0) {
		*text = '\0';
		end(probe, answer, "");
	} else {
		end(probe, "mixed ", answer);
	}
}

/* The kernel sets identifier and checksum. */
static ssize_t send_text(struct probe *probe)
{
	char packet[ECHO_HEADER + sizeof(probe->text)] = {};

	if (probe->run->kind->protocol)
		return send(probe->fd, probe->text, strlen(probe->text), MSG_NOSIGNAL);
	packet[0] = (char)(address_is_ipv4(&probe->run->vip) ? 8 : 128);
	strcpy(packet + ECHO_HEADER, probe->text);
	return send(probe->fd, packet, ECHO_HEADER + strlen(probe->text), MSG_NOSIGNAL);
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct probe *probe = data;
	size_t header = probe->run->kind->protocol ? 0 : ECHO_HEADER;
	char text[TEXT_SIZE];
	ssize_t size;

	(void)fd;
	if (!probe->sent && (events & EPOLLOUT)) {
		probe->sent = true;
		sd_event_source_set_io_events(source, EPOLLIN);
		if (send_text(probe) < 0)
			end(probe, "- ", strerror(errno));
		return 0;
	}
	size = recv(probe->fd, text, sizeof(text) - 1, 0);
	if (size < 0 && errno == EAGAIN)
		return 0;
	if (size < (ssize_t)header || size == 0) {
		end(probe, "- ", size < 0 ? strerror(errno) : "closed");
	} else {
		text[size] = '\0';
		report_answer(probe, text + header);
	}
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct probe *probe = data;

	(void)source;
	(void)usec;
	if (probe->source)
		end(probe, "- ", "no answer");
	return 0;
}

static int connect_to(const struct run *run, int fd)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(run->port)};
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(run->port), .sin_addr.s_addr = run->vip.word[3]};
	int error;

	memcpy(&in6.sin6_addr, &run->vip, sizeof(run->vip));
	if (address_is_ipv4(&run->vip))
		error = connect(fd, (struct sockaddr *)&in, sizeof(in));
	else
		error = connect(fd, (struct sockaddr *)&in6, sizeof(in6));
	return error < 0 && errno != EINPROGRESS ? -errno : 0;
}

static int start(struct run *run, struct probe *probe, uint32_t id, unsigned number)
{
	struct backend backend;
	int protocol = run->kind->protocol, error, map = maps_open_pin(PIN_DIR, "backends");

	error = bpf_map_lookup_elem(map, &id, &backend);
	close(map);
	if (error)
		return error;
	if (!protocol)
		protocol = address_is_ipv4(&run->vip) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	*probe = (struct probe){.run = run, .backend = id};
	snprintf(probe->text, sizeof(probe->text), "probe-%u-%u", id, number);
	probe->fd = probe_path_socket(run->path, run->kind->type, protocol, &run->vip, &backend);
	if (probe->fd < 0)
		return probe->fd;
	error = connect_to(run, probe->fd);
	if (error)
		return error;
	run->count++;
	sd_event_add_io(run->loop, &probe->source, probe->fd, EPOLLIN | EPOLLOUT, on_ready, probe);
	return sd_event_add_time_relative(run->loop, NULL, CLOCK_MONOTONIC, WAIT_USEC, 0, on_timeout, probe);
}

/* Reads the first four words into `run`. */
static int read_words(struct run *run, char **words)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(words[0], kinds[i].name) == 0)
			run->kind = &kinds[i];
	run->port = atoi(words[2]);
	return run->kind && !address_parse(words[1], &run->vip) ? 0 : -EINVAL;
}

static int start_all(struct run *run, char **ids, unsigned backends, unsigned each)
{
	struct probe *probes = calloc((size_t)backends * each, sizeof(*probes));
	int error = 0;

	for (unsigned i = 0; i < backends * each && error >= 0; i++)
		error = start(run, &probes[i], atoi(ids[i % backends]), i);
	return error;
}

int main(int argc, char **argv)
{
	struct run run = {.stay = argc > 1 && strcmp(argv[1], "-s") == 0};
	struct probe_namespace *space = NULL;
	int error;

	argc -= run.stay;
	argv += run.stay;
	if (argc < 6 || read_words(&run, argv + 1)) {
		fprintf(stderr, "usage: probe-path [-s] udp|tcp|ping VIP PORT COUNT BACKEND-ID...\n");
		return 2;
	}
	setlinebuf(stdout);
	sd_event_default(&run.loop);
	error = probe_namespace_start(&space) ?: probe_path_new(&run.path, run.loop, space, PIN_DIR);
	if (error)
		fprintf(stderr, "probe-path: cannot make the path for probes: %s\n", strerror(-error));
	else
		error = start_all(&run, argv + 5, argc - 5, atoi(argv[4]));
	if (error < 0)
		fprintf(stderr, "probe-path: %s\n", strerror(-error));
	else
		error = sd_event_loop(run.loop);
	probe_path_free(run.path);
	probe_namespace_end(space);
	sd_event_unref(run.loop);
	return error != 0;
}
