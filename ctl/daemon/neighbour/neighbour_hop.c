// SPDX-License-Identifier: GPL-2.0
/* Owns the hops: finds them, makes them, lets follows onto them and off again, and keeps
 * what their neighbour entries say. What is to be asked of the kernel because of that it
 * only schedules. */
#include <search.h>
#include <string.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include "core/base/memory.h"
#include "neighbour_private.h"

#define NUD_FIXED (NUD_PERMANENT | NUD_NOARP) /* the kernel does not resolve it */

static int compare_hops(const void *a, const void *b)
{
	return memcmp(&((const struct hop *)a)->key, &((const struct hop *)b)->key, sizeof(struct hop_key));
}

struct hop *neighbour_hop_find(const struct neighbours *n, uint32_t ifindex, const struct address *address)
{
	struct hop key = {.key = {ifindex, *address}};
	struct hop **found = tfind(&key, &n->hop_by_key, compare_hops);

	return found ? *found : NULL;
}

struct hop *neighbour_hop_make(struct neighbours *n, uint32_t ifindex, const struct address *address)
{
	struct hop *hop = allocate(1, sizeof(*hop));

	hop->key = (struct hop_key){ifindex, *address};
	if (!tsearch(hop, &n->hop_by_key, compare_hops))
		abort(); /* as allocate() does */
	LIST_INIT(&hop->follows);
	LIST_INSERT_HEAD(&n->hops, hop, member);
	return hop;
}

void neighbour_hop_free(struct neighbours *n, struct hop *hop)
{
	neighbour_unschedule(n, &hop->task);
	LIST_REMOVE(hop, member);
	tdelete(hop, &n->hop_by_key, compare_hops);
	free(hop);
}

struct hop *neighbour_hop_towards(struct neighbours *n, const struct follow *follow)
{
	static const struct address none;
	const struct netlink_link *link = neighbour_link_find(n, follow->way.ifindex);
	const struct address *address = &follow->way.gateway;

	if (follow->type != RTN_UNICAST || !link || !link->ethernet)
		return NULL;
	if (address_equal(address, &none))
		address = &follow->address;
	return neighbour_hop_find(n, link->ifindex, address) ?: neighbour_hop_make(n, link->ifindex, address);
}

bool neighbour_hop_is_wanted(const struct hop *hop)
{
	return !LIST_EMPTY(&hop->follows);
}

void neighbour_hop_detach(struct neighbours *n, struct follow *follow)
{
	struct hop *hop = follow->hop;

	if (!hop)
		return;
	LIST_REMOVE(follow, member);
	follow->hop = NULL;
	if (!neighbour_hop_is_wanted(hop))
		neighbour_schedule(n, &hop->task, STEP_RELEASE);
}

void neighbour_hop_attach(struct neighbours *n, struct follow *follow, struct hop *hop)
{
	if (!hop)
		return;
	if (!neighbour_hop_is_wanted(hop))
		neighbour_schedule(n, &hop->task, STEP_QUERY);
	LIST_INSERT_HEAD(&hop->follows, follow, member);
	follow->hop = hop;
}

void neighbour_hop_set(struct neighbours *n, struct hop *hop, enum route_state state, int error, struct mac mac)
{
	struct follow *follow;

	if (hop->state == state && hop->error == error && memcmp(&hop->mac, &mac, sizeof(mac)) == 0)
		return;
	hop->state = state;
	hop->error = error;
	hop->mac = mac;
	for (follow = LIST_FIRST(&hop->follows); follow; follow = LIST_NEXT(follow, member))
		neighbour_derive(n, follow);
}

bool neighbour_hop_may_manage(const struct hop *hop)
{
	return !hop->fixed && (!hop->managed || hop->ours);
}

/* It is there: that is the answer to what it was asked last. */
static void take_answer(struct neighbours *n, struct hop *hop)
{
	if (hop->asking || hop->answered_at == hop->asked_at)
		return;
	hop->answered_at = hop->asked_at;
	neighbour_report(n);
}

/* An entry that is being resolved again says nothing: what its hop was, it is until
 * the answer comes, or does not. A hop that was READY is asked once more before it is
 * believed to be gone: its calls would move, and one burst of losses can do that. */
void neighbour_hop_learn(struct neighbours *n, struct hop *hop, const struct netlink_neighbour *entry)
{
	hop->exists = true;
	hop->fixed = entry->state & NUD_FIXED;
	hop->managed = entry->managed;
	hop->ours = entry->managed && entry->protocol == NEIGHBOUR_PROTOCOL;
	if (entry->state & NUD_USABLE && !mac_is_zero(&entry->mac)) {
		hop->asked = false;
		neighbour_hop_set(n, hop, ROUTE_READY, 0, entry->mac);
		take_answer(n, hop);
	} else if (entry->state & NUD_FAILED && hop->state == ROUTE_READY && !hop->asked &&
		   neighbour_hop_may_manage(hop)) {
		neighbour_schedule(n, &hop->task, STEP_MANAGE);
	} else if (entry->state & NUD_FAILED) {
		neighbour_hop_set(n, hop, ROUTE_FAILED, 0, hop->mac);
	} else if (hop->state == ROUTE_UNKNOWN) {
		neighbour_hop_set(n, hop, ROUTE_PENDING, 0, hop->mac);
	}
}

void neighbour_hop_refused(struct neighbours *n, struct hop *hop, int error)
{
	neighbour_hop_set(n, hop, hop->state == ROUTE_READY ? ROUTE_READY : ROUTE_FAILED, error, hop->mac);
}

void neighbour_hop_forget(struct hop *hop)
{
	hop->exists = hop->fixed = hop->managed = hop->ours = false;
}
