// SPDX-License-Identifier: GPL-2.0
/* /healthz and /readyz, for programs that evaluate the status code. */
#include <stdio.h>
#include <string.h>
#include "core/base/memory.h"
#include "ctl/daemon/control/report.h"
#include "observe_private.h"

void observe_healthz(struct daemon *daemon, enum observe_format format, struct observe_page *page)
{
	(void)daemon, (void)format;
	observe_put_text(page, 200, "ok\n");
}

/* Writes a line for each interface to which no balancer is attached. */
static void check_interfaces(const struct daemon *daemon, FILE *out)
{
	const struct config *config = daemon->farm->config;

	if (maps_are_pinned(daemon->maps, daemon->pin_directory) == 0)
		fputs("the balancer is detached and forwards no packets\n", out);
	for (size_t i = 0; i < config->interface_count; i++)
		if (!strcmp(maps_attach_mode(daemon->maps, daemon->pin_directory, config->interfaces[i]), "none"))
			fprintf(out, "interface %s: no balancer is attached\n", config->interfaces[i]);
}

/* Returns the reason why the pool cannot serve calls; NULL if it can. A pool that fails open forwards to backends that
 * fail their probes. */
static const char *find_pool_fault(const struct daemon *daemon, const struct farm_pool *pool)
{
	if (!report_serving(daemon, pool))
		return "no backend can receive packets";
	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_is_alive(pool, &pool->backends[i]) && pool->backends[i].record.state != STATE_DOWN)
			return NULL;
	return "no backend passes its probes";
}

/* Writes a line for each service and pool without a live backend. */
static void check_services(const struct daemon *daemon, FILE *out)
{
	const struct config *config = daemon->farm->config;
	const char **faults = allocate(config->pool_count, sizeof(*faults));
	size_t pools[METHOD_COUNT];

	for (size_t i = 0; i < config->pool_count; i++)
		faults[i] = find_pool_fault(daemon, &daemon->farm->pools[i]);
	for (size_t i = 0; i < config->service_count; i++) {
		size_t count = config_service_pools(&config->services[i], pools);

		for (size_t j = 0; j < count; j++)
			if (faults[pools[j]])
				fprintf(out, "service %s: pool %s: %s\n", config->services[i].name,
					config->pools[pools[j]].name, faults[pools[j]]);
	}
	free(faults);
}

/* While sipxdp-loader switches to new maps, the daemon fills maps that are not in use yet. The previous maps are
 * still used for forwarding, so the balancer stays ready. */
void observe_readyz(struct daemon *daemon, enum observe_format format, struct observe_page *page)
{
	FILE *out = open_memstream(&page->text, &page->length);

	(void)format;
	if (!daemon->using_next_maps) {
		check_interfaces(daemon, out);
		check_services(daemon, out);
	}
	fflush(out);
	page->type = "text/plain; charset=utf-8";
	page->status = page->length ? 503 : 200;
	if (!page->length)
		fputs("ready\n", out);
	fclose(out);
}
