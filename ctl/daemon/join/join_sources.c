// SPDX-License-Identifier: GPL-2.0
/* See join_sources.h. */
#include <errno.h>
#include "core/net/address_set.h"
#include "core/base/memory.h"
#include "ctl/maps/clock.h"
#include "join_sources.h"
#include "ctl/daemon/neighbour/netlink.h"

#define ANSWERS_BYTES (1 << 20)
#define KNOWN_MAX (4 * MAX_BACKENDS)
#define REFRESH_TIME 10000 /* ms between two reads of this machine's networks */

struct join_sources {
	const struct farm *farm;
	struct netlink netlink;
	struct prefix_key *networks; /* of this machine; the default for `from:` */
	size_t network_count;
	uint64_t refreshed; /* when networks and backends were last read, ms */
	struct address_set known;
};

/* --- the networks of this machine */

static bool has_backend(const struct farm *farm, const struct prefix_key *network)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++)
			if (prefix_contains(network, &farm->pools[i].backends[j].record.address))
				return true;
	return false;
}

/* An address without a network, such as a VIP with a full prefix length, counts only if it is the listen address. */
static void take_network(void *data, const struct nlmsghdr *message)
{
	struct join_sources *sources = data;
	struct netlink_address address;
	struct prefix_key network;

	if (!netlink_read_address(message, &address) || address.length > PREFIX_BITS)
		return;
	network = prefix_of(&address.address, address.length);
	if (!prefix_contains(&network, &sources->farm->config->join.listen.address) &&
		(network.bits == PREFIX_BITS || !has_backend(sources->farm, &network)))
		return;
	sources->networks = reallocate(sources->networks, sources->network_count + 1, sizeof(network));
	sources->networks[sources->network_count++] = network;
}

static void read_networks(struct join_sources *sources)
{
	do {
		sources->network_count = 0;
	} while (netlink_dump_addresses(&sources->netlink, take_network, sources) == -EINTR);
}

static bool is_inside(const struct join_sources *sources, const struct address *peer)
{
	const struct config_join *join = &sources->farm->config->join;
	const struct prefix_key *networks = join->from_count ? join->from : sources->networks;
	size_t count = join->from_count ? join->from_count : sources->network_count;

	for (size_t i = 0; i < count; i++)
		if (prefix_contains(&networks[i], peer))
			return true;
	return false;
}

/* --- known addresses */

void join_sources_add_known(struct join_sources *sources, const struct address *peer)
{
	if (sources->known.count >= KNOWN_MAX)
		address_set_clear(&sources->known);
	address_set_add(&sources->known, peer);
}

static void know_backends(struct join_sources *sources)
{
	const struct farm *farm = sources->farm;

	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++)
			join_sources_add_known(sources, &farm->pools[i].backends[j].record.address);
}

/* A new `from:` also applies to servers that have authenticated before. */
static void forget_outsiders(struct join_sources *sources)
{
	struct address_set before = sources->known;
	struct address peer;
	size_t cursor = 0;

	sources->known = (struct address_set){0};
	while (address_set_next(&before, &cursor, &peer))
		if (is_inside(sources, &peer))
			address_set_add(&sources->known, &peer);
	address_set_clear(&before);
}

static void refresh(struct join_sources *sources)
{
	sources->refreshed = clock_msec();
	read_networks(sources);
	know_backends(sources);
}

void join_sources_set_farm(struct join_sources *sources, const struct farm *farm)
{
	sources->farm = farm;
	sources->refreshed = clock_msec();
	read_networks(sources);
	forget_outsiders(sources);
	know_backends(sources);
}

static enum join_source classify(const struct join_sources *sources, const struct address *peer)
{
	if (address_set_has(&sources->known, peer))
		return JOIN_KNOWN;
	return is_inside(sources, peer) ? JOIN_STRANGER : JOIN_OUTSIDER;
}

/* Before it rejects a peer, reads networks and backends again, because they may have changed. */
enum join_source join_sources_classify(struct join_sources *sources, const struct address *peer)
{
	enum join_source found = classify(sources, peer);

	if (found != JOIN_OUTSIDER || clock_msec() - sources->refreshed < REFRESH_TIME)
		return found;
	refresh(sources);
	return classify(sources, peer);
}

/* --- setup and cleanup */

int join_sources_new(struct join_sources **out)
{
	struct join_sources *sources = allocate(1, sizeof(*sources));
	int error = netlink_open(&sources->netlink, ANSWERS_BYTES);

	if (error) {
		free(sources);
		return error;
	}
	*out = sources;
	return 0;
}

void join_sources_free(struct join_sources *sources)
{
	if (!sources)
		return;
	netlink_close(&sources->netlink);
	address_set_clear(&sources->known);
	free(sources->networks);
	free(sources);
}
