// SPDX-License-Identifier: GPL-2.0
/* See farm_balance.h. */

#include "farm_balance.h"

static bool has_limit(const struct farm_pool *pool,
	uint32_t (*limit)(const struct config_pool *pool, const struct config_backend *backend))
{
	bool found = limit(pool->config, NULL);

	for (size_t i = 0; i < pool->count && !found; i++)
		found = farm_backend_exists(&pool->backends[i]) &&
			limit(pool->config, farm_backend_config(pool, &pool->backends[i]));
	return found;
}

bool farm_limits_calls(const struct farm_pool *pool)
{
	return has_limit(pool, config_backend_max_calls);
}

bool farm_limits_rate(const struct farm_pool *pool)
{
	return has_limit(pool, config_backend_max_rate);
}

bool farm_places_calls(const struct farm_pool *pool)
{
	return pool->config->balance != BALANCE_HASH || pool->config->load_limit || farm_limits_calls(pool) ||
	       farm_limits_rate(pool);
}

bool farm_counts_all_calls(const struct farm_pool *pool)
{
	return pool->config->balance == BALANCE_LEAST_CALLS || pool->config->balance == BALANCE_ROUND_ROBIN ||
	       farm_limits_calls(pool);
}
