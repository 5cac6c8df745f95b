// SPDX-License-Identifier: GPL-2.0
/* Look-ups in a configuration, copying and freeing it. */
#include <netinet/in.h>
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

/* --- look-ups */

bool config_name_is_valid(const char *name)
{
	size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return length > 0 && length < NAME_SIZE && name[length] == '\0';
}

const char *config_group_name(const struct config_pool *pool, const struct config_backend *backend)
{
	return backend->group ? pool->groups[backend->group - 1] : NULL;
}

struct config_pool *config_find_pool(const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->pool_count; i++) {
		if (strcmp(config->pools[i].name, name) == 0)
			return &config->pools[i];
	}
	return NULL;
}

struct config_backend *config_find_backend(const struct config_pool *pool, const char *name)
{
	size_t i;

	for (i = 0; i < pool->backend_count; i++) {
		if (strcmp(pool->backends[i].name, name) == 0)
			return &pool->backends[i];
	}
	return NULL;
}

enum forward_method config_backend_forward(const struct config_pool *pool, const struct config_backend *backend)
{
	return backend->forward ? backend->forward : pool->forward;
}

bool config_pool_is_counted(const struct config *config, size_t pool)
{
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		if (service->protocol == IPPROTO_UDP && service->affinity == AFFINITY_CALL_ID &&
			config_service_uses_pool(service, pool))
			return true;
	}
	return false;
}

/* --- copies */

static void copy_backends(struct config_pool *pool)
{
	struct config_backend *backend;

	pool->backends = duplicate(pool->backends, pool->backend_count, sizeof(*backend));
	for (backend = pool->backends; backend < pool->backends + pool->backend_count; backend++)
		backend->hints = duplicate(backend->hints, backend->hint_count, sizeof(*backend->hints));
}

static void copy_probe_texts(struct config_probe *probe)
{
	probe->from = config_copy_text(probe->from);
	probe->request_uri = config_copy_text(probe->request_uri);
	probe->user = config_copy_text(probe->user);
	probe->ca = config_copy_text(probe->ca);
	probe->sni = config_copy_text(probe->sni);
	probe->load_header = config_copy_text(probe->load_header);
}

struct config *config_copy(const struct config *config)
{
	struct config *copy = duplicate(config, 1, sizeof(*copy));
	struct config_service *service;
	struct config_pool *pool;

	copy->interfaces = duplicate(copy->interfaces, copy->interface_count, sizeof(*copy->interfaces));
	copy->macs = duplicate(copy->macs, copy->mac_count, sizeof(*copy->macs));
	copy->join.secret = config_copy_text(copy->join.secret);
	copy->join.from = duplicate(copy->join.from, copy->join.from_count, sizeof(*copy->join.from));
	copy->capture.password = config_copy_text(copy->capture.password);
	copy->capture.node = config_copy_text(copy->capture.node);
	config_copy_guard(&copy->guard);
	copy->services = duplicate(copy->services, copy->service_count, sizeof(*service));
	for (service = copy->services; service < copy->services + copy->service_count; service++) {
		service->vips = duplicate(service->vips, service->vip_count, sizeof(*service->vips));
		service->guard.lists =
			duplicate(service->guard.lists, service->guard.list_count, sizeof(*service->guard.lists));
	}
	copy->pools = duplicate(copy->pools, copy->pool_count, sizeof(*pool));
	for (pool = copy->pools; pool < copy->pools + copy->pool_count; pool++) {
		pool->groups = duplicate(pool->groups, pool->group_count, sizeof(*pool->groups));
		copy_probe_texts(&pool->probe);
		copy_backends(pool);
	}
	return copy;
}

/* --- freeing */

static void free_pool(struct config_pool *pool)
{
	size_t i;

	for (i = 0; i < pool->backend_count; i++)
		free(pool->backends[i].hints);
	free(pool->backends);
	free(pool->groups);
	free(pool->probe.from);
	free(pool->probe.request_uri);
	free(pool->probe.user);
	free(pool->probe.ca);
	free(pool->probe.sni);
	free(pool->probe.load_header);
}

void config_free(struct config *config)
{
	size_t i;

	if (!config)
		return;
	for (i = 0; i < config->service_count; i++) {
		free(config->services[i].vips);
		free(config->services[i].guard.lists);
	}
	config_free_guard(&config->guard);
	for (i = 0; i < config->pool_count; i++)
		free_pool(&config->pools[i]);
	free(config->interfaces);
	free(config->macs);
	free(config->join.secret);
	free(config->join.from);
	free(config->capture.password);
	free(config->capture.node);
	free(config->services);
	free(config->pools);
	free(config);
}
