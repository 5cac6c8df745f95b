// SPDX-License-Identifier: GPL-2.0
/* See hint_groups.h. */

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "hint_groups.h"
#include "memory.h"

static bool *pools_used(const struct config *config, const struct config_service *service)
{
	bool *used = allocate(config->pool_count, sizeof(*used));

	for (int method = 0; method < METHOD_COUNT; method++)
		used[config_pool_of_method(service, method)] = true;
	return used;
}

static bool pool_has_names(const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->backend_count; i++)
		if (pool->backends[i].hint_count)
			return true;
	return false;
}

static void add_group(struct hint_groups *groups, const struct config *config, bool *pools, size_t service)
{
	struct hint_group group = {.pools = pools, .service = service};

	for (size_t i = 0; i < config->pool_count; i++)
		group.has_names |= pools[i] && pool_has_names(&config->pools[i]);
	groups->list = reallocate(groups->list, groups->count + 1, sizeof(*groups->list));
	groups->list[groups->count++] = group;
}

static void join_group(struct hint_groups *groups, const struct config *config, size_t service)
{
	bool *pools = pools_used(config, &config->services[service]);
	size_t i = 0;

	while (i < groups->count && memcmp(groups->list[i].pools, pools, config->pool_count * sizeof(*pools)) != 0)
		i++;
	if (i == groups->count)
		add_group(groups, config, pools, service);
	else
		free(pools);
	groups->of[service] = i;
}

struct hint_groups *hint_groups_new(const struct config *config)
{
	struct hint_groups *groups = allocate(1, sizeof(*groups));

	groups->of = allocate(config->service_count, sizeof(*groups->of));
	for (size_t i = 0; i < config->service_count; i++)
		if (config->services[i].protocol == IPPROTO_UDP)
			join_group(groups, config, i);
	return groups;
}

void hint_groups_free(struct hint_groups *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		free(groups->list[i].pools);
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
	size_t entries = 0;

	for (size_t i = 0; i < config->pool_count; i++) {
		size_t users = 0;

		for (size_t j = 0; j < groups->count; j++)
			users += groups->list[j].pools[i];
		entries += users * entries_of(&config->pools[i]);
	}
	return entries;
}
