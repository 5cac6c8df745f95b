// SPDX-License-Identifier: GPL-2.0
/* Call attempts and failures per second of each service during the last 15 minutes. The history is needed because an
 * operator usually opens the status page after a problem has occurred. Belongs to the worker. */
#include <string.h>
#include "core/base/history.h"
#include "core/base/memory.h"
#include "ctl/maps/clock.h"
#include "observe_private.h"

#define SERVICES_MAX 256 /* maximum number of services; each takes 1.5 KiB here, and a system call in each interval */

struct service_history {
	char name[NAME_SIZE];
	struct history calls, failures;
};

struct observe_history {
	struct service_history *services;
	size_t count;
};

/* Failures of a server or of the network; the responses of a caller or callee that declines do not count. RFC 6076 4.8
 * has the same list for ineffective session attempts: 408, 500, 503 and 504. */
static uint64_t count_failures(const struct service_traffic *traffic)
{
	return traffic->invite_408 + traffic->invite_500 + traffic->invite_503 + traffic->invite_other_5xx;
}

static struct service_history *find(const struct observe_history *history, const char *name)
{
	for (size_t i = 0; i < history->count; i++)
		if (!strcmp(history->services[i].name, name))
			return &history->services[i];
	return NULL;
}

/* The number of services that have a history: none without `metrics:`. */
static size_t count_services(const struct config *config)
{
	if (!config->metrics.listen.port)
		return 0;
	return config->service_count < SERVICES_MAX ? config->service_count : SERVICES_MAX;
}

static bool has_services(const struct observe_history *history, const struct config *config)
{
	if (history->count != count_services(config))
		return false;
	for (size_t i = 0; i < history->count; i++)
		if (strcmp(history->services[i].name, config->services[i].name))
			return false;
	return true;
}

/* After a reload, keeps the history of services with a new position in the list, and drops the history of removed
 * services. */
static void follow_configuration(struct observe_history *history, const struct config *config)
{
	size_t count = count_services(config);
	struct service_history *services = allocate(count, sizeof(*services));

	for (size_t i = 0; i < count; i++) {
		const struct service_history *old = find(history, config->services[i].name);

		if (old)
			services[i] = *old;
		strcpy(services[i].name, config->services[i].name);
	}
	free(history->services);
	history->services = services;
	history->count = count;
}

void observe_history_update(struct observe_history *history, struct daemon *daemon)
{
	uint64_t now = clock_msec();

	if (!has_services(history, daemon->farm->config))
		follow_configuration(history, daemon->farm->config);
	for (size_t i = 0; i < history->count; i++) {
		struct service_history *service = &history->services[i];
		uint32_t id = daemon->farm->service_ids[i];
		struct service_traffic traffic, returned;

		if (!history_is_due(&service->calls, now))
			continue;
		worker_yield(daemon->worker);
		maps_service_traffic(daemon->maps, id, &traffic);
		maps_service_return(daemon->maps, id, &returned);
		history_add(&service->calls, now, traffic.initial_invite);
		history_add(&service->failures, now, count_failures(&traffic) + count_failures(&returned));
	}
}

bool observe_history_latest(const struct observe_history *history, const char *service, double *calls, double *failures)
{
	const struct service_history *found = find(history, service);
	size_t count = found ? history_count(&found->calls) : 0;

	if (!count)
		return false;
	*calls = history_rate(&found->calls, count - 1);
	*failures = history_rate(&found->failures, count - 1);
	return true;
}

static json_t *rates_json(const struct history *history)
{
	json_t *rates = json_array();

	for (size_t i = 0; i < history_count(history); i++)
		json_array_append_new(rates, json_real(history_rate(history, i)));
	return rates;
}

json_t *observe_history_report(struct daemon *daemon, const struct request *request)
{
	const struct observe_history *history = observe_history_of(daemon->observe);
	json_t *services = json_array();

	(void)request;
	for (size_t i = 0; i < history->count; i++)
		json_array_append_new(services, json_pack("{s:s, s:o, s:o}", "name", history->services[i].name, "calls",
							rates_json(&history->services[i].calls), "failures",
							rates_json(&history->services[i].failures)));
	return protocol_ok(json_pack("{s:i, s:i, s:o}", "interval", HISTORY_INTERVAL / 1000, "samples", HISTORY_SAMPLES,
		"services", services));
}

struct observe_history *observe_history_new(void)
{
	return allocate(1, sizeof(struct observe_history));
}

void observe_history_free(struct observe_history *history)
{
	free(history->services);
	free(history);
}
