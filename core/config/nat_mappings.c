// SPDX-License-Identifier: GPL-2.0
/* See nat_mappings.h. The check for conflicts sorts the mappings, because a file may have 10,000 backends. */
#include <stdio.h>
#include <string.h>
#include "core/base/memory.h"
#include "core/net/address.h"
#include "nat_mappings.h"

uint16_t nat_port(const struct config_pool *pool, const struct config_backend *backend)
{
	return backend && backend->port ? backend->port : pool->port;
}

static void add(struct nat_mappings *mappings, const struct nat_mapping *mapping)
{
	mappings->list = array_grow(mappings->list, mappings->count, sizeof(*mappings->list));
	mappings->list[mappings->count++] = *mapping;
}

/* The first VIP of the service whose family differs from that of the backend. */
static const struct address *foreign_vip(const struct config_service *service, const struct address *backend)
{
	for (size_t i = 0; i < service->vip_count; i++)
		if (address_is_ipv4(&service->vips[i]) != address_is_ipv4(backend))
			return &service->vips[i];
	return NULL;
}

static bool has_one_port(const struct config_service *service)
{
	return service->port && service->port == service->last_port;
}

const char *nat_obstacle(
	const struct config_service *service, const struct nat_backend *backend, char text[NAT_TEXT_SIZE])
{
	const struct address *vip = foreign_vip(service, &backend->address);
	char address[ADDRESS_TEXT_SIZE];

	if (vip)
		snprintf(text, NAT_TEXT_SIZE,
			"service %s (line %d) has the VIP %s, and 'forward: nat' does not translate between IPv4 and "
			"IPv6: use a service and a pool for each family",
			service->name, service->position.line, address_format(vip, address));
	else if (backend->port && !has_one_port(service))
		snprintf(text, NAT_TEXT_SIZE,
			"service %s (line %d) has more than one port, and the backend receives packets on port %u "
			"('forward: nat'): remove 'port:' from the backend or its pool, or use a different pool",
			service->name, service->position.line, backend->port);
	else
		return NULL;
	return text;
}

/* The ports of a service on a backend. Port 0 of a service stands for all ports. */
static void add_service(struct nat_mappings *mappings, const struct config_service *service, struct nat_mapping mapping)
{
	bool moves = mapping.backend.port && has_one_port(service);

	mapping.protocol = service->protocol;
	mapping.vip_port = service->port;
	mapping.first = moves ? mapping.backend.port : service->port;
	mapping.last = moves ? mapping.backend.port : service->port ? service->last_port : UINT16_MAX;
	add(mappings, &mapping);
}

/* `ports:` of a backend are UDP ports, whatever the protocol of the service. */
static void add_ports(struct nat_mappings *mappings, struct nat_mapping mapping)
{
	mapping.protocol = IPPROTO_UDP;
	mapping.is_media = true;
	mapping.first = mapping.vip_port = mapping.backend.ports.first;
	mapping.last = mapping.backend.ports.last;
	add(mappings, &mapping);
}

void nat_mappings_add(
	struct nat_mappings *mappings, const struct config *config, size_t service, const struct nat_backend *backend)
{
	const struct config_service *of = &config->services[service];
	struct nat_mapping mapping = {.backend = *backend, .service = service};

	for (size_t i = 0; i < of->vip_count; i++) {
		mapping.vip = of->vips[i];
		add_service(mappings, of, mapping);
		if (backend->ports.first)
			add_ports(mappings, mapping);
	}
}

/* --- conflicts */

static int compare_backends(const struct nat_mapping *a, const struct nat_mapping *b)
{
	int order = memcmp(&a->backend.address, &b->backend.address, sizeof(a->backend.address));

	return order ? order : a->protocol - b->protocol;
}

static int compare(const void *left, const void *right)
{
	const struct nat_mapping *a = left, *b = right;
	int order = compare_backends(a, b);

	if (!order)
		order = a->first - b->first;
	if (!order)
		order = a->last - b->last;
	if (!order)
		order = (a->service > b->service) - (a->service < b->service);
	return order ? order : memcmp(&a->vip, &b->vip, sizeof(a->vip));
}

static bool is_same(const struct nat_mapping *a, const struct nat_mapping *b)
{
	return address_equal(&a->vip, &b->vip) && a->vip_port - a->first == b->vip_port - b->first;
}

bool nat_mappings_check(struct nat_mappings *mappings)
{
	struct nat_mapping *furthest = mappings->list, *next;
	bool valid = true;

	if (!mappings->count)
		return true;
	qsort(mappings->list, mappings->count, sizeof(*mappings->list), compare);
	for (next = mappings->list + 1; next < mappings->list + mappings->count; next++) {
		if (compare_backends(furthest, next) || next->first > furthest->last) {
			furthest = next;
			continue;
		}
		if (!is_same(furthest, next)) {
			if (furthest->service > next->service)
				furthest->conflict = next;
			else
				next->conflict = furthest;
			valid = false;
		}
		if (next->last > furthest->last)
			furthest = next;
	}
	return valid;
}

const char *nat_conflict_text(const struct config *config, const struct nat_mapping *mapping, char text[NAT_TEXT_SIZE])
{
	const struct nat_mapping *other = mapping->conflict;
	const struct config_service *of = &config->services[other->service];
	char vip[ADDRESS_TEXT_SIZE], other_vip[ADDRESS_TEXT_SIZE], backend[ADDRESS_TEXT_SIZE];
	const char *protocol = config_protocol_name(mapping->protocol);
	int port = mapping->first > other->first ? mapping->first : other->first;

	snprintf(text, NAT_TEXT_SIZE,
		"%s %s port %d is translated to port %d of backend %s (%s), and so is %s %s port %d of service %s "
		"(line %d): 'forward: nat' could not distinguish their responses; use a separate pool with a different "
		"'port:'",
		address_format(&mapping->vip, vip), protocol, port - mapping->first + mapping->vip_port, port,
		mapping->backend.name, address_format(&mapping->backend.address, backend),
		address_format(&other->vip, other_vip), protocol, port - other->first + other->vip_port, of->name,
		of->position.line);
	return text;
}

void nat_mappings_free(struct nat_mappings *mappings)
{
	free(mappings->list);
	*mappings = (struct nat_mappings){};
}
