// SPDX-License-Identifier: GPL-2.0
/* Checks hints that are addresses. A hint must not be the address of a different backend. It must also not be an
 * address and port that new calls use. A service uses only the hints of its own pools, so only backends that share a
 * service conflict. Sharing is not transitive. Therefore this check is not in unique_claims.c, which compares claims
 * within one scope. */
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

#define SIP_PORT 5060 /* the default port (RFC 3261, section 19.1.1): new calls use it */

/* The object that an address belongs to: a backend, or a service with this VIP. */
struct holder {
	const struct address *address;
	const struct config_pool *pool;
	const struct config_backend *backend; /* NULL: the address is a VIP */
	const struct config_service *service;
};

struct holders {
	struct holder *list;
	size_t count;
};

static int compare_holders(const void *left, const void *right)
{
	const struct holder *a = left, *b = right;

	return memcmp(a->address, b->address, sizeof(*a->address));
}

static struct holders list_holders(const struct parse *parse)
{
	const struct config *config = parse->config;
	struct holders holders = {.list = allocate(parse->backend_count + parse->vip_count, sizeof(*holders.list))};
	size_t i, j;

	for (i = 0; i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];

		for (j = 0; j < pool->backend_count; j++)
			holders.list[holders.count++] = (struct holder){
				.address = &pool->backends[j].address, .pool = pool, .backend = &pool->backends[j]};
	}
	for (i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		for (j = 0; service->protocol == IPPROTO_UDP && j < service->vip_count; j++)
			holders.list[holders.count++] =
				(struct holder){.address = &service->vips[j], .service = service};
	}
	if (holders.count)
		qsort(holders.list, holders.count, sizeof(*holders.list), compare_holders);
	return holders;
}

/* The first element with this address; NULL if there is none. */
static const struct holder *find_holder(const struct holders *holders, const struct address *address)
{
	const struct holder key = {.address = address};
	size_t first = 0, end = holders->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (compare_holders(&holders->list[middle], &key) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	if (first == holders->count || compare_holders(&holders->list[first], &key))
		return NULL;
	return &holders->list[first];
}

/* Does a UDP service use both pools? */
static bool pools_meet(const struct config *config, size_t a, size_t b)
{
	size_t i;

	for (i = 0; a != b && i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		if (service->protocol == IPPROTO_UDP && config_service_uses_pool(service, a) &&
			config_service_uses_pool(service, b))
			return true;
	}
	return a == b;
}

static bool has_port(const struct config_service *service, uint16_t port)
{
	return !service->port || (service->port <= port && port <= service->last_port);
}

static bool is_one_port(const struct config_service *service)
{
	return service->port && service->port == service->last_port;
}

static void refuse_address(struct faults *faults, const struct hint_owner *owner, const struct holder *holder)
{
	faults_add(faults, owner->position,
		"a hint of backend %s cannot be %s: it is the address of backend %s of pool %s (line %d); remove the "
		"hint",
		owner->backend->name, owner->hint->host, holder->backend->name, holder->pool->name,
		holder->backend->position.line);
}

static void refuse_port(struct faults *faults, const struct hint_owner *owner, const struct config_service *service)
{
	faults_add(faults, owner->position,
		"a hint of backend %s cannot be port %u of %s: it is a port of service %s (line %d), which new calls "
		"use; use a port that only this backend uses, or a different name",
		owner->backend->name, owner->hint->port, owner->hint->host, service->name, service->position.line);
}

/* Ports of a VIP can be hints if at least one port remains for new calls. */
static void check_hint(
	const struct parse *parse, const struct holders *holders, const struct hint_owner *owner, struct faults *faults)
{
	const struct holder *end = holders->list + holders->count, *holder;
	const struct config_service *service = NULL;
	const uint16_t port = owner->hint->port;
	bool other_port = false;

	for (holder = find_holder(holders, &owner->hint->address);
		holder && holder < end && address_equal(holder->address, &owner->hint->address); holder++) {
		if (holder->backend && pools_meet(parse->config, owner->pool, holder->pool - parse->config->pools)) {
			refuse_address(faults, owner, holder);
			return;
		}
		if (holder->backend || !config_service_uses_pool(holder->service, owner->pool))
			continue;
		if (has_port(holder->service, port))
			service = holder->service;
		other_port = other_port || !is_one_port(holder->service) || holder->service->port != port;
	}
	if (port && service && (port == SIP_PORT || !other_port))
		refuse_port(faults, owner, service);
}

void config_check_hints(const struct parse *parse, struct faults *faults)
{
	struct holders holders;
	size_t i;

	if (!parse->hint_owner_count)
		return;
	holders = list_holders(parse);
	for (i = 0; i < parse->hint_owner_count; i++)
		check_hint(parse, &holders, &parse->hint_owners[i], faults);
	free(holders.list);
}
