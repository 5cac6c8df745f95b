// SPDX-License-Identifier: GPL-2.0
/* The `ports:` of backends, which apply to each VIP of each service that uses their pool. On one
 * VIP, a port may belong to only one backend or service. */
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

/* A VIP of a service that uses a pool. */
struct use {
	const struct address *vip;
	size_t pool;
};

struct uses {
	struct use *list;
	size_t count;
};

static void add_use(struct uses *uses, const struct address *vip, size_t pool)
{
	uses->list = array_grow(uses->list, uses->count, sizeof(*uses->list));
	uses->list[uses->count++] = (struct use){vip, pool};
}

static bool vip_is_known(const struct address *vip)
{
	static const struct address unknown;

	return !address_equal(vip, &unknown);
}

static void add_uses(struct uses *uses, const struct config_service *service, const bool *has_ports)
{
	size_t vip;
	int method;

	for (vip = 0; vip < service->vip_count; vip++) {
		if (!vip_is_known(&service->vips[vip]))
			continue;
		if (service->pool != POOL_UNKNOWN && has_ports[service->pool])
			add_use(uses, &service->vips[vip], service->pool);
		for (method = 0; method < METHOD_COUNT; method++) {
			if (service->methods[method] != CONFIG_NO_POOL && has_ports[service->methods[method]])
				add_use(uses, &service->vips[vip], service->methods[method]);
		}
	}
}

static int compare_uses(const void *left, const void *right)
{
	const struct use *a = left, *b = right;

	if (a->pool != b->pool)
		return a->pool < b->pool ? -1 : 1;
	return memcmp(a->vip, b->vip, sizeof(*a->vip));
}

/* Backends of one pool do not conflict here: CLAIM_BACKEND_PORTS has already compared their ports. */
static void add_claim(struct parse *parse, const struct use *use, const struct port_owner *owner)
{
	claims_add(&parse->claims, (struct claim){.kind = CLAIM_VIP_BACKEND,
					   .scope = IPPROTO_UDP,
					   .key = use->vip,
					   .length = sizeof(*use->vip),
					   .first = owner->backend->ports.first,
					   .last = owner->backend->ports.last,
					   .sharing = 1 + use->pool,
					   .owner = owner->backend->name,
					   .position = owner->position});
}

/* Uses and owners are sorted by pool. */
static void claim_uses(struct parse *parse, const struct uses *uses, struct faults *faults)
{
	const struct port_owner *end = parse->port_owners + parse->port_owner_count;
	const struct port_owner *of_pool = parse->port_owners, *owner;
	size_t i, count = 0;

	for (i = 0; i < uses->count; i++) {
		const struct use *use = &uses->list[i];

		if (i && compare_uses(use - 1, use) == 0)
			continue;
		while (of_pool->pool < use->pool)
			of_pool++;
		for (owner = of_pool; owner < end && owner->pool == use->pool; owner++) {
			if (++count > PORT_RANGES) {
				faults_add(faults, owner->position,
					"too many 'ports': each VIP of each backend counts, and at most %d are "
					"possible",
					PORT_RANGES);
				return;
			}
			add_claim(parse, use, owner);
		}
	}
}

void config_claim_vip_ports(struct parse *parse, struct faults *faults)
{
	const struct config *config = parse->config;
	struct uses uses = {};
	bool *has_ports;
	size_t i;

	if (!parse->port_owner_count)
		return;
	has_ports = allocate(config->pool_count, sizeof(*has_ports));
	for (i = 0; i < parse->port_owner_count; i++)
		has_ports[parse->port_owners[i].pool] = true;
	for (i = 0; i < config->service_count; i++)
		add_uses(&uses, &config->services[i], has_ports);
	if (uses.count)
		qsort(uses.list, uses.count, sizeof(*uses.list), compare_uses);
	claim_uses(parse, &uses, faults);
	free(uses.list);
	free(has_ports);
}
