// SPDX-License-Identifier: GPL-2.0
/* See preview.h. */

#include <arpa/inet.h>
#include "core/config/config_diff.h"
#include "core/base/memory.h"
#include "preview.h"
#include "removed_backends.h"

void effects_free(struct effects *effects)
{
	messages_free(&effects->steps);
	messages_free(&effects->disruptions);
	messages_free(&effects->warnings);
	free(effects->moves);
	*effects = (struct effects){0};
}

/* Transfers the descriptions and the numbers of moving slots from a plan to the effects. */
static void take_plan(struct effects *effects, struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].text)
			messages_add(&effects->steps, "%s", plan->steps[i].text);
	messages_take(&effects->disruptions, &plan->disruptions);
	effects->moves = plan->moves;
	effects->move_count = plan->move_count;
	plan->moves = NULL;
}

static void assume_backends(
	struct farm *farm, const struct image *running, struct preview_now now, struct messages *assumed)
{
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		struct farm_pool *pool = &farm->pools[i];

		for (size_t j = 0; j < pool->count; j++) {
			struct farm_backend *backend = &pool->backends[j];

			if (farm_assume_usable(backend, running))
				messages_add(assumed, "backend %s/%s: receives no packets until it %s",
					pool->config->name, backend->record.name,
					pool->config->probe.type ? "can be reached and has passed its probes"
								 : "can be reached");
		}
		farm_decide_outage(farm, pool, now.listening, now.listened);
		for (size_t j = 0; j < pool->count; j++)
			farm_update_state(farm, pool, &pool->backends[j], now.epoch);
		farm_update_fail_open(pool, now.listened);
	}
}

/* Without `admin:` in the file, a reload keeps the state that an operator set. */
static void describe_kept_admin_states(const struct farm *farm, struct messages *steps)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];
			const struct config_backend *config = farm_backend_config(&farm->pools[i], backend);

			if (farm_backend_exists(backend) && backend->record.admin != ADMIN_READY && config &&
				!config->sets_admin)
				messages_add(steps, "backend %s/%s: stays in %s: the file does not set `admin:`",
					backend->record.pool, backend->record.name,
					config_admin_name(backend->record.admin));
		}
}

/* The line of the backend in the previous file, if the backend is leaving and now has no configuration; NULL: none. */
static const struct config_backend *deleted_line(
	const struct config *before, const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct config_pool *old = config_find_pool(before, pool->config->name);

	if (!old || !(backend->record.overrides & OVERRIDE_LEAVING) || farm_backend_config(pool, backend))
		return NULL;
	return config_find_backend(old, backend->record.name);
}

/* A leaving backend keeps its calls without its line, except those that find it by the hints or ports of the line. */
static void find_deleted_names(const struct config *before, const struct farm *farm, struct messages *disruptions)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];
			const struct config_backend *line = deleted_line(before, &farm->pools[i], backend);

			if (line && (line->hint_count || line->ports.first))
				messages_add(disruptions,
					"backend %s/%s: it is leaving, and its calls may use the `hints:` or `ports:` "
					"of its line: delete the line after the backend has been removed",
					backend->record.pool, backend->record.name);
		}
}

/* A backend that did not receive packets has no established calls. */
static void find_nat_disruption(
	const struct farm_backend *backend, const struct backend *entry, struct messages *disruptions)
{
	bool was_nat = entry->forward == FORWARD_NAT, is_nat = backend->forward == FORWARD_NAT;
	const struct backend_record *record = &backend->record;

	if (!farm_backend_exists(backend) || !entry->forward)
		return;
	if (was_nat != is_nat)
		messages_add(disruptions, "backend %s/%s: forward: packets of established calls will go to %s",
			record->pool, record->name,
			is_nat ? "the address of the server instead of the VIP"
			       : "the VIP instead of the address of the server");
	else if (is_nat && ntohs(entry->port) != backend->port)
		messages_add(disruptions,
			"backend %s/%s: port: responses of established calls come from the previous port and are not "
			"translated",
			record->pool, record->name);
}

/* Compares with the running maps, because a backend that joined has no line in the file. */
static void find_nat_disruptions(const struct farm *farm, const struct image *running, struct messages *disruptions)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];

			find_nat_disruption(backend, &running->backends[backend->id], disruptions);
		}
}

void preview_warn(const struct farm_pool *pool, struct messages *warnings)
{
	if (!farm_pool_takes_new_calls(pool))
		messages_add(warnings, "pool %s: no healthy backend accepts new calls; the balancer %s",
			pool->config->name,
			pool->fail_open ? "sends them to backends that fail their probes (FAIL OPEN)"
					: "cannot forward them");
}

static void describe_file(const struct farm *farm, struct effects *effects)
{
	describe_kept_admin_states(farm, &effects->steps);
	for (size_t i = 0; i < farm->config->pool_count; i++)
		preview_warn(&farm->pools[i], &effects->warnings);
}

void preview(struct effects *effects, const struct desired *desired, const struct config *before, struct farm *farm,
	const struct image *running, struct preview_now now)
{
	struct messages assumed = {0};
	struct image *image;
	struct plan *plan;

	config_diff(before, farm->config, &effects->steps, &effects->disruptions);
	if (before != farm->config) {
		find_nat_disruptions(farm, running, &effects->disruptions);
		find_deleted_names(before, farm, &effects->disruptions);
		removed_backends_find(farm, running, now.has_calls, &effects->disruptions);
	}
	messages_cut(&effects->disruptions, MESSAGES_SHOWN);
	assume_backends(farm, running, now, &assumed);
	image = desired_preview(desired, farm, running, now.ms);
	plan = plan_new(running, image);
	take_plan(effects, plan);
	messages_take(&effects->steps, &assumed);
	if (before != farm->config)
		describe_file(farm, effects);
	plan_free(plan);
	image_free(image);
}
