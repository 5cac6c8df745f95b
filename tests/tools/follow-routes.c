// SPDX-License-Identifier: GPL-2.0
/* Watches the routes to some addresses as sipxdpd does, for tests and for manual use.
 *
 * usage: follow-routes ADDRESS...
 *
 * Prints one line for each change of a route:
 *   ADDRESS STATE INTERFACE NEXT-HOP SOURCE MTU [via-gateway] [REASON]
 * with "-" for an unknown field. Reads commands from standard input, and ends when it is closed:
 *   follow ADDRESS...   replaces the watched addresses
 *   local ADDRESS...    prints "ADDRESS local" or "ADDRESS remote"
 *   rerouted            prints "rerouted COUNT": the number of reported changes that may affect any packet */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "core/net/address.h"
#include "ctl/daemon/neighbour/neighbour.h"

static const char *const STATES[] = {
	[ROUTE_UNKNOWN] = "unknown",
	[ROUTE_PENDING] = "pending",
	[ROUTE_READY] = "ready",
	[ROUTE_FAILED] = "failed",
};

struct follower {
	struct neighbours *neighbours;
	sd_event *loop;
	struct address *addresses;
	struct route *printed; /* as last printed, same index as addresses */
	size_t count;
	unsigned int rerouted;
};

static void print_route(const struct address *address, const struct route *route)
{
	static const struct address none;
	char name[ADDRESS_TEXT_SIZE], source[ADDRESS_TEXT_SIZE], mac[MAC_TEXT_SIZE];

	printf("%s %s %s %s %s %u%s%s%s\n", address_format(address, name), STATES[route->state],
		route->interface[0] ? route->interface : "-",
		mac_is_zero(&route->next_hop) ? "-" : mac_format(&route->next_hop, mac),
		address_equal(&route->source, &none) ? "-" : address_format(&route->source, source), route->mtu,
		route->gateway ? " via-gateway" : "", route->reason[0] ? " " : "", route->reason);
}

static void on_changed(void *data)
{
	struct follower *follower = data;
	size_t i;

	for (i = 0; i < follower->count; i++) {
		const struct route *route = neighbours_route(follower->neighbours, &follower->addresses[i]);

		if (memcmp(route, &follower->printed[i], sizeof(*route)) != 0)
			print_route(&follower->addresses[i], route);
		memcpy(&follower->printed[i], route, sizeof(*route));
	}
}

static void on_rerouted(void *data)
{
	struct follower *follower = data;

	follower->rerouted++;
}

/* Parses `count` words as addresses, or exits. */
static struct address *read_addresses(char **words, size_t count)
{
	struct address *addresses = calloc(count + 1, sizeof(*addresses));
	size_t i;

	for (i = 0; i < count; i++) {
		if (address_parse(words[i], &addresses[i]) < 0) {
			fprintf(stderr, "follow-routes: not an address: %s\n", words[i]);
			exit(2);
		}
	}
	return addresses;
}

static int follow(struct follower *follower, char **words, size_t count)
{
	free(follower->addresses);
	free(follower->printed);
	follower->addresses = read_addresses(words, count);
	follower->printed = calloc(count + 1, sizeof(*follower->printed));
	follower->count = count;
	return neighbours_watch(follower->neighbours, follower->addresses, count);
}

static int print_locality(struct follower *follower, char **words, size_t count)
{
	struct address *addresses = read_addresses(words, count);
	size_t i;

	for (i = 0; i < count; i++) {
		int local = neighbours_is_local(follower->neighbours, &addresses[i]);

		printf("%s %s\n", words[i], local < 0 ? strerror(-local) : local ? "local" : "remote");
	}
	free(addresses);
	return 0;
}

/* A read returns complete lines: a test writes each line at once, and a pipe keeps up to 4,096 bytes
 * together. */
static int on_command(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct follower *follower = data;
	char text[4096], *words[sizeof(text) / 2], *line, *rest = text;
	ssize_t size = read(fd, text, sizeof(text) - 1);

	(void)source;
	(void)events;
	if (size <= 0)
		return sd_event_exit(follower->loop, 0);
	text[size] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		size_t count = 0;
		char *word = strtok(line, " ");

		for (; word; word = strtok(NULL, " "))
			words[count++] = word;
		if (count && strcmp(words[0], "follow") == 0)
			follow(follower, words + 1, count - 1);
		else if (count && strcmp(words[0], "local") == 0)
			print_locality(follower, words + 1, count - 1);
		else if (count && strcmp(words[0], "rerouted") == 0)
			printf("rerouted %u\n", follower->rerouted);
		else if (count)
			fprintf(stderr, "follow-routes: no such command: %s\n", words[0]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct follower follower = {};
	sigset_t ending;
	int error;

	setlinebuf(stdout);
	sd_event_default(&follower.loop);
	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	sd_event_add_signal(follower.loop, NULL, SIGTERM, NULL, NULL);
	sd_event_add_signal(follower.loop, NULL, SIGINT, NULL, NULL);
	error = neighbours_new(&follower.neighbours, follower.loop, on_changed, on_rerouted, &follower);
	if (!error)
		error = follow(&follower, argv + 1, argc - 1);
	if (error)
		fprintf(stderr, "follow-routes: cannot follow routes: %s\n", strerror(-error));
	/* /dev/null and files cannot be polled; then the program runs until a signal. */
	if (!error)
		(void)sd_event_add_io(follower.loop, NULL, STDIN_FILENO, EPOLLIN, on_command, &follower);
	error = error ?: sd_event_loop(follower.loop);
	neighbours_free(follower.neighbours);
	free(follower.addresses);
	free(follower.printed);
	sd_event_unref(follower.loop);
	return error != 0;
}
