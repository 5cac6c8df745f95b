// SPDX-License-Identifier: GPL-2.0
/* See hint_groups.h. */

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "hint_groups.h"
#include "core/base/memory.h"

/* Compares the pools of two services. At this point each service is a separate group. */
static int compare_groups(const struct hint_group *a, const struct hint_group *b)
{
	if (a->pool_count != b->pool_count)
		return a->pool_count < b->pool_count ? -1 : 1;
	return memcmp(a->pools, b->pools, a->pool_count * sizeof(*a->pools));
}

static int compare_services(const void *left, const void *right)
{
	const struct hint_group *a = left, *b = right;
	int order = compare_groups(a, b);

	if (order)
		return order;
	return a->service < b->service ? -1 : a->service > b->service;
}

/* Merges services that use the same pools. The first service of a group represents it. */
static void join_groups(struct hint_groups *groups, const struct hint_group *services, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!i || compare_groups(&services[i - 1], &services[i])) {
			groups->list = array_grow(groups->list, groups->count, sizeof(*groups->list));
			groups->list[groups->count++] = services[i];
		}
		groups->of[services[i].service] = groups->count - 1;
	}
}

struct hint_groups *hint_groups_new(const struct config *config)
{
	struct hint_groups *groups = allocate(1, sizeof(*groups));
	struct hint_group *services = allocate(config->service_count, sizeof(*services));
	size_t count = 0;

	groups->of = allocate(config->service_count, sizeof(*groups->of));
	for (size_t i = 0; i < config->service_count; i++) {
		if (config->services[i].protocol != IPPROTO_UDP)
			continue;
		services[count].service = i;
		services[count].pool_count = config_service_pools(&config->services[i], services[count].pools);
		count++;
	}
	qsort(services, count, sizeof(*services), compare_services);
	join_groups(groups, services, count);
	free(services);
	return groups;
}

void hint_groups_free(struct hint_groups *groups)
{
	free(groups->list);
	free(groups->of);
	free(groups);
}

static size_t entries_of(const struct config_pool *pool)
{
	size_t entries = pool->backend_count;

	for (size_t i = 0; i < pool->backend_count; i++)
		entries += pool->backends[i].hint_count;
	return entries;
}

size_t hint_groups_entries(const struct hint_groups *groups, const struct config *config)
{
	size_t *of_pool = allocate(config->pool_count, sizeof(*of_pool)), entries = 0;

	for (size_t i = 0; i < config->pool_count; i++)
		of_pool[i] = entries_of(&config->pools[i]);
	for (size_t i = 0; i < groups->count; i++)
		for (size_t j = 0; j < groups->list[i].pool_count; j++)
			entries += of_pool[groups->list[i].pools[j]];
	free(of_pool);
	return entries;
}
