// SPDX-License-Identifier: GPL-2.0
/* Handles the kernel's notifications: records the links, and marks routes and hops that may be out of date. At the end
 * of a burst of notifications, schedules new requests for the marked routes and hops. Also repeats failed requests
 * every 2 s. */
#define _GNU_SOURCE /* tdestroy */
#include <search.h>
#include <string.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include "core/base/memory.h"
#include "neighbour_private.h"

#define QUIET_TIME (50 * MILLISECOND) /* routing daemons change routes in bursts, often as a delete and an add */

static void wait_for_quiet(struct neighbours *n)
{
	neighbour_start_timer(n->quiet, neighbour_now(n) + QUIET_TIME);
}

static void all_stale(struct neighbours *n)
{
	n->stale = true;
	n->moved = true;
	wait_for_quiet(n);
}

/* --- links */

static int compare_links(const void *a, const void *b)
{
	uint32_t left = ((const struct netlink_link *)a)->ifindex, right = ((const struct netlink_link *)b)->ifindex;

	return left < right ? -1 : left > right;
}

struct netlink_link *neighbour_link_find(const struct neighbours *n, uint32_t ifindex)
{
	struct netlink_link key = {.ifindex = ifindex};
	struct netlink_link **found = tfind(&key, &n->links, compare_links);

	return found ? *found : NULL;
}

static void take_link(void *data, const struct nlmsghdr *message)
{
	struct neighbours *n = data;
	struct netlink_link link, *known;

	if (!netlink_read_link(message, &link))
		return;
	known = neighbour_link_find(n, link.ifindex);
	if (message->nlmsg_type == RTM_DELLINK) {
		tdelete(&link, &n->links, compare_links);
		free(known);
	} else if (!known) {
		known = allocate(1, sizeof(*known));
		memcpy(known, &link, sizeof(link));
		if (!tsearch(known, &n->links, compare_links))
			abort(); /* as allocate() does */
	} else if (memcmp(known, &link, sizeof(link)) != 0) {
		memcpy(known, &link, sizeof(link));
	} else {
		return;
	}
	all_stale(n);
	neighbour_report(n); /* own_macs may have changed */
}

void neighbour_links_free(struct neighbours *n)
{
	tdestroy(n->links, free);
	n->links = NULL;
}

void neighbour_links_load(struct neighbours *n)
{
	neighbour_links_free(n);
	n->lost = netlink_dump_links(&n->requests, take_link, n) < 0;
}

/* --- the kernel's neighbours, also those that no watch uses */

struct known_neighbour {
	struct hop_key key;
	struct mac mac;
};

static int compare_known(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hop_key));
}

void neighbour_known_free(struct neighbours *n)
{
	tdestroy(n->known, free);
	n->known = NULL;
}

static void forget_known(struct neighbours *n, struct known_neighbour *known)
{
	tdelete(&known->key, &n->known, compare_known);
	free(known);
}

static void learn_known(struct neighbours *n, const struct hop_key *key, struct mac mac)
{
	struct known_neighbour *known = allocate(1, sizeof(*known));

	*known = (struct known_neighbour){.key = *key, .mac = mac};
	if (!tsearch(known, &n->known, compare_known))
		abort(); /* as allocate() does */
}

/* Returns whether packets to this neighbour now need a different MAC address, or can no longer be sent. The kernel also
 * reports each time that it resolves a neighbour again, which happens several times a second with many neighbours. */
static bool has_moved(struct neighbours *n, const struct nlmsghdr *message, const struct netlink_neighbour *entry)
{
	bool usable = message->nlmsg_type == RTM_NEWNEIGH && entry->state & NUD_USABLE;
	const struct hop_key key = {entry->ifindex, entry->address};
	struct known_neighbour **found = tfind(&key, &n->known, compare_known);
	bool moved = found ? !usable || memcmp(&(*found)->mac, &entry->mac, sizeof(entry->mac)) != 0 : usable;

	if (found && moved)
		forget_known(n, *found);
	if (usable && moved)
		learn_known(n, &key, entry->mac);
	return moved;
}

/* --- notifications */

static void take_neighbour(struct neighbours *n, const struct nlmsghdr *message)
{
	struct netlink_neighbour entry;
	struct hop *hop;

	if (!netlink_read_neighbour(message, &entry))
		return;
	n->moved |= has_moved(n, message, &entry);
	hop = neighbour_hop_find(n, entry.ifindex, &entry.address);
	if (!hop || !neighbour_hop_is_wanted(hop))
		return;
	/* A deleted entry is first reported as FAILED and not managed, so read the entry again, but later. If the
	 * daemon recreated it at once, `ip neigh flush` would find the entry again and never end. */
	if (message->nlmsg_type == RTM_NEWNEIGH && (entry.managed || entry.state & NUD_USABLE)) {
		neighbour_hop_learn(n, hop, &entry);
	} else {
		hop->stale = true;
		wait_for_quiet(n);
	}
}

/* The change may affect the route of each address in its prefix. */
static void take_route(struct neighbours *n, const struct nlmsghdr *message)
{
	struct netlink_route route;
	size_t i;

	n->moved = true;
	if (!netlink_read_route(message, &route))
		return;
	i = neighbour_lower_bound(n->watches, n->count, &route.prefix);
	for (; i < n->count && netlink_route_covers(&route, &n->watches[i]->address); i++) {
		n->watches[i]->stale = true;
		wait_for_quiet(n);
	}
}

static void take_message(void *data, const struct nlmsghdr *message)
{
	struct neighbours *n = data;

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return take_link(n, message);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return take_neighbour(n, message);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return take_route(n, message);
	case RTM_NEWNETCONF:
	case RTM_DELNETCONF:
		n->moved = true;
		return;
	default: /* an address, a rule or a next-hop object: the kernel does not report which routes depend on it */
		return all_stale(n);
	}
}

int neighbour_on_incoming(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct neighbours *n = data;

	(void)source;
	(void)fd;
	(void)events;
	n->moved = false;
	if (netlink_receive(&n->events, take_message, n) != 0) {
		n->moved = n->lost = true;
		neighbour_known_free(n); /* the next notification of each neighbour counts as a change */
		wait_for_quiet(n);
	}
	if (n->moved)
		n->rerouted(n->data);
	return 0;
}

/* --- timers */

int neighbour_on_quiet(sd_event_source *source, uint64_t usec, void *data)
{
	struct neighbours *n = data;
	bool lost = n->lost, all = n->stale || lost;
	struct hop *hop;
	size_t i;

	(void)source;
	(void)usec;
	n->stale = false;
	if (lost)
		neighbour_links_load(n);
	for (i = 0; i < n->count; i++) {
		if (all || n->watches[i]->stale)
			neighbour_schedule(n, &n->watches[i]->task, STEP_LOOKUP);
		n->watches[i]->stale = false;
	}
	for (hop = LIST_FIRST(&n->hops); hop; hop = LIST_NEXT(hop, member)) {
		if (neighbour_hop_is_wanted(hop) && (lost || hop->stale))
			neighbour_schedule(n, &hop->task, STEP_QUERY);
		hop->stale = false;
	}
	return 0;
}

int neighbour_on_retry(sd_event_source *source, uint64_t usec, void *data)
{
	struct neighbours *n = data;
	struct hop *hop;
	size_t i;

	for (hop = LIST_FIRST(&n->hops); hop; hop = LIST_NEXT(hop, member))
		if (neighbour_hop_is_wanted(hop) && (hop->error || (!hop->fixed && !hop->managed)))
			neighbour_schedule(n, &hop->task, STEP_QUERY);
	for (i = 0; i < n->count; i++)
		if (n->watches[i]->error)
			neighbour_schedule(n, &n->watches[i]->task, STEP_LOOKUP);
	if (n->lost)
		wait_for_quiet(n);
	neighbour_path_age(n);
	sd_event_source_set_time(source, usec + RETRY_TIME);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}
