// SPDX-License-Identifier: GPL-2.0
/* Ports whose service differs between two images although no entry of this port changes its value: the entry may be
 * new or gone, and the port then belongs to a range, or to the service of all ports. See plan_private.h. */

#include <arpa/inet.h>
#include "plan_private.h"

#define PORT_BITS 16
#define LAST_PORT 65535

static const struct service *find_service(const struct image *image, const struct service_key *vip, uint16_t port)
{
	struct service_key key = *vip;

	key.port = htons(port);
	return hash_map_find(image->maps[IMAGE_SERVICES], &key);
}

/* The smallest range that contains the port; NULL if there is none. */
static const struct port_range *find_range(const struct image *image, const struct service_key *vip, uint16_t port)
{
	const struct port_range *range = NULL;

	for (int free_bits = 0; free_bits <= PORT_BITS && !range; free_bits++) {
		struct port_range_key key = {.prefix = PORT_RANGE_KEY_BITS(PORT_BITS - free_bits),
			.protocol = vip->protocol,
			.vip = vip->vip,
			.port = htons(port >> free_bits << free_bits)};

		range = hash_map_find(image->maps[IMAGE_RANGES], &key);
	}
	return range;
}

/* Finds the owner of a port in the same order as bpf/classify.h. */
static struct port_owner find_owner(const struct image *image, const struct service_key *vip, uint16_t port)
{
	const struct service *service = find_service(image, vip, port);
	const struct port_range *range = service ? NULL : find_range(image, vip, port);

	if (range && range->backend)
		return (struct port_owner){.backend = range->backend};
	if (!service)
		service = find_service(image, vip, range ? ntohs(range->port) : 0);
	return (struct port_owner){.service = service};
}

static void compare_port(struct draft *draft, const struct service_key *vip, uint32_t port)
{
	struct service_key key = *vip;

	key.port = htons(port);
	if (port && port <= LAST_PORT)
		plan_compare_port(
			draft, &key, find_owner(draft->running, vip, port), find_owner(draft->desired, vip, port));
}

/* The owner can only change at the first port of an entry, and at the first port behind it. */
static void compare_ports(struct draft *draft, const struct image *image)
{
	struct hash_map_entry entry;
	size_t cursor = 0;

	while (hash_map_next(image->maps[IMAGE_SERVICES], &cursor, &entry)) {
		const struct service_key *key = entry.key;

		compare_port(draft, key, ntohs(key->port));
		compare_port(draft, key, ntohs(key->port) + 1);
	}
	cursor = 0;
	while (hash_map_next(image->maps[IMAGE_RANGES], &cursor, &entry)) {
		const struct port_range_key *key = entry.key;
		const struct service_key vip = {.vip = key->vip, .protocol = key->protocol};

		compare_port(draft, &vip, ntohs(key->port));
		compare_port(draft, &vip, ntohs(key->port) + (1U << (PORT_RANGE_KEY_BITS(PORT_BITS) - key->prefix)));
	}
}

void plan_ports(struct draft *draft)
{
	compare_ports(draft, draft->running);
	compare_ports(draft, draft->desired);
}
