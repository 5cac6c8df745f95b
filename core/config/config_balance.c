// SPDX-License-Identifier: GPL-2.0
/* The keys that share load by calls: `balance`, `max_calls`, `max_rate`, `load_limit`, `overload`. */
#include <netinet/in.h>
#include "config_private.h"

const struct word config_balance_words[] = {
	{"hash", BALANCE_HASH},
	{"bounded", BALANCE_BOUNDED},
	{"least-calls", BALANCE_LEAST_CALLS},
	{"round-robin", BALANCE_ROUND_ROBIN},
	{},
};

const struct word config_overload_words[] = {
	{"hash", false},
	{"refuse", true},
	{},
};

const char *config_balance_name(enum balance_method balance)
{
	return config_balance_words[balance].text;
}

void config_read_balance(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;
	int balance;

	if (reader_word(reader, value, &balance))
		pool->balance = balance;
}

void config_write_balance(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	fputs(config_balance_name(((const struct config_pool *)object)->balance), writer->out);
}

void config_read_overload(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;
	int refuse;

	if (reader_word(reader, value, &refuse))
		pool->refuse_overload = refuse;
}

void config_write_overload(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	fputs(config_overload_words[((const struct config_pool *)object)->refuse_overload].text, writer->out);
}

void config_write_limit(const struct writer *writer, const struct key *key, const void *object)
{
	uint32_t limit = *(const uint32_t *)((const char *)object + key->member);

	if (limit)
		fprintf(writer->out, "%u", limit);
}

uint32_t config_backend_max_calls(const struct config_pool *pool, const struct config_backend *backend)
{
	return backend && backend->max_calls ? backend->max_calls : pool->max_calls;
}

uint32_t config_backend_max_rate(const struct config_pool *pool, const struct config_backend *backend)
{
	return backend && backend->max_rate ? backend->max_rate : pool->max_rate;
}

static bool limits_calls(const struct config_pool *pool)
{
	bool found = pool->max_calls;

	for (size_t i = 0; i < pool->backend_count; i++)
		found |= pool->backends[i].max_calls != 0;
	return found;
}

static bool limits_rate(const struct config_pool *pool)
{
	bool found = pool->max_rate;

	for (size_t i = 0; i < pool->backend_count; i++)
		found |= pool->backends[i].max_rate != 0;
	return found;
}

/* Writes the first key because of which a new call may go to a backend that does not own its slot. Returns false if
 * there is none. */
static bool name_cause(const struct config_pool *pool, char text[NAME_SIZE])
{
	if (pool->balance != BALANCE_HASH)
		snprintf(text, NAME_SIZE, "balance %s", config_balance_name(pool->balance));
	else if (limits_calls(pool))
		snprintf(text, NAME_SIZE, "max_calls");
	else if (pool->load_limit)
		snprintf(text, NAME_SIZE, "load_limit");
	else if (limits_rate(pool))
		snprintf(text, NAME_SIZE, "max_rate");
	else
		return false;
	return true;
}

static void check_service(const struct config_service *service, const struct config_pool *pool, struct faults *faults)
{
	char cause[NAME_SIZE];

	if ((service->protocol == IPPROTO_UDP && service->affinity == AFFINITY_CALL_ID) || !name_cause(pool, cause))
		return;
	faults_add(faults, service->position,
		"service %s: pool %s has %s, which needs protocol udp and affinity call-id", service->name, pool->name,
		cause);
}

/* The balancer would never count so many calls. */
static void check_max_calls(const struct config *config, const struct config_pool *pool, struct faults *faults)
{
	uint32_t most = pool->max_calls, counted = config->limits.counted_calls;

	for (size_t i = 0; i < pool->backend_count; i++)
		if (pool->backends[i].max_calls > most)
			most = pool->backends[i].max_calls;
	if (most > counted)
		faults_add(faults, pool->position,
			"pool %s: 'max_calls' %u is more than the %u calls that `limits: counted_calls` has room for",
			pool->name, most, counted);
}

static void check_load(const struct config *config, const struct config_pool *pool, struct faults *faults)
{
	if (pool->load_limit && !pool->probe.load_header && !config->join.listen.port)
		faults_add(faults, pool->position,
			"pool %s: 'load_limit' needs loads: from heartbeats ('join'), or 'load_header' of the probe",
			pool->name);
}

void config_check_balance(const struct config *config, struct faults *faults)
{
	for (size_t i = 0; i < config->pool_count; i++) {
		check_max_calls(config, &config->pools[i], faults);
		check_load(config, &config->pools[i], faults);
	}
	for (size_t i = 0; i < config->service_count; i++) {
		size_t pools[METHOD_COUNT], count = config_service_pools(&config->services[i], pools);

		for (size_t j = 0; j < count; j++)
			check_service(&config->services[i], &config->pools[pools[j]], faults);
	}
}
