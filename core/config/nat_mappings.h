/* SPDX-License-Identifier: GPL-2.0 */
/* The ports on which backends with `forward: nat` receive the packets of VIPs. On the return path, the balancer
 * replaces the source of a packet from such a port with the VIP. It keeps no state of the connection. Each port of a
 * backend must therefore belong to only one port of one VIP. No I/O. */
#pragma once

#include "config.h"

/* A backend with `forward: nat`. */
struct nat_backend {
	const char *name;
	uint32_t id; /* not used here */
	struct address address;
	uint16_t port;             /* host order; 0: the port of the VIP */
	struct config_ports ports; /* `ports:` */
};

struct nat_mapping {
	const struct nat_mapping *conflict; /* set by nat_mappings_check() */
	struct nat_backend backend;
	struct address vip;
	size_t service;       /* index into config.services */
	uint16_t first, last; /* ports of the backend, host order; 0 to 65535: all */
	uint16_t vip_port;    /* the port of the VIP that belongs to `first`; in a range, all ports stay the same */
	uint8_t protocol;
	bool is_media; /* the ports are from `ports:` of the backend, not from the service */
};

#define NAT_MAPPINGS (NAT_SOURCES / 2) /* at most; the map also has an entry for each address of a backend */

struct nat_mappings {
	struct nat_mapping *list;
	size_t count;
};

/* The `port:` of a backend in the file, or of its pool, host order; 0: neither has one. */
uint16_t nat_port(const struct config_pool *pool, const struct config_backend *backend);

/* Writes to `text` why a backend cannot receive the packets of a service, and returns it; NULL: the backend can. */
#define NAT_TEXT_SIZE 320
const char *nat_obstacle(
	const struct config_service *service, const struct nat_backend *backend, char text[NAT_TEXT_SIZE]);

/* Adds the mappings of a backend for all VIPs of a service that uses its pool. */
void nat_mappings_add(
	struct nat_mappings *mappings, const struct config *config, size_t service, const struct nat_backend *backend);

/* Sorts the mappings. If a port of a backend belongs to two ports or VIPs, sets `conflict` in the mapping of the later
 * service to the other mapping. If several ranges overlap, finds at least one pair. Returns true without conflicts. */
bool nat_mappings_check(struct nat_mappings *mappings);

/* Writes a description of the conflict of a mapping to `text`, and returns it. */
const char *nat_conflict_text(const struct config *config, const struct nat_mapping *mapping, char text[NAT_TEXT_SIZE]);

void nat_mappings_free(struct nat_mappings *mappings);
