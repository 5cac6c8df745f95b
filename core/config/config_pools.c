// SPDX-License-Identifier: GPL-2.0
/* The meaning of the keys of pools. */
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

#define DEFAULT_MIN_ALIVE 10
#define DEFAULT_RECORD_TIME (32 * SECOND) /* Timers B and F (RFC 3261, 17.1): until a transaction has ended */
#define DEFAULT_DRAIN_TIMEOUT HOUR

static void read_name(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;

	config_claim_name(reader, value, pool->name, CLAIM_POOL, 0);
}

static const struct word forward_words[] = {
	{"dsr", FORWARD_DSR},
	{"ipip", FORWARD_IPIP},
	{},
};

bool config_read_forward(struct reader *reader, const struct node *value, enum forward_method *out)
{
	int forward;

	if (!reader_word(reader, value, forward_words, &forward))
		return false;
	*out = forward;
	return true;
}

const char *config_forward_name(enum forward_method forward)
{
	return forward == FORWARD_IPIP ? "ipip" : "dsr";
}

static void write_forward(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	fputs(config_forward_name(((const struct config_pool *)object)->forward), writer->out);
}

static void read_forward(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;

	config_read_forward(reader, value, &pool->forward);
}

static void read_min_alive(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;

	reader_number(reader, value, 0, 100, &pool->min_alive);
}

static void read_record_time(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;

	reader_time(reader, value, 0, HOUR, &pool->record_time);
}

static void read_drain_timeout(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;

	reader_time(reader, value, SECOND, 7 * DAY, &pool->drain_timeout);
}

static void read_slow_start(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;

	reader_time(reader, value, 0, HOUR, &pool->slow_start);
}

#define MEMBER(name) .member = offsetof(struct config_pool, name)

const struct key config_pool_keys[] = {
	{.name = "name", .required = true, .read = read_name},
	{.name = "forward", .read = read_forward, .write = write_forward, .flags = KEY_ALWAYS},
	{.name = "min_alive",
		.read = read_min_alive,
		.write = config_write_u32,
		MEMBER(min_alive),
		.flags = KEY_ALWAYS},
	{.name = "probe", .read = config_read_probe},
	{.name = "record_time", .read = read_record_time, .write = config_write_time, MEMBER(record_time)},
	{.name = "drain_timeout", .read = read_drain_timeout, .write = config_write_time, MEMBER(drain_timeout)},
	{.name = "slow_start", .read = read_slow_start, .write = config_write_time, MEMBER(slow_start)},
	{.name = "backends", .required = true, .read = config_read_backends},
	{.name = "groups", .read = config_read_groups},
	{},
};

#undef MEMBER

static int compare_pools(const void *left, const void *right)
{
	const struct config_pool *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

void config_default_pool(struct config_pool *pool)
{
	pool->forward = FORWARD_DSR;
	pool->min_alive = DEFAULT_MIN_ALIVE;
	pool->record_time = DEFAULT_RECORD_TIME;
	pool->drain_timeout = DEFAULT_DRAIN_TIMEOUT;
	config_default_probe(&pool->probe, PROBE_NONE);
}

void config_read_pools(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;
	struct parse *parse = reader->context;
	const struct node *item;
	struct config_pool *pool;
	size_t i = 0;

	config->pools = reader_items(reader, value, sizeof(*pool), false, &config->pool_count);
	if (!config->pools)
		return;
	parse->pools_by_name = allocate(config->pool_count, sizeof(pool));
	for (item = node_first(value); item; item = node_next(value, item), i++) {
		pool = &config->pools[i];
		pool->position = item->position;
		config_default_pool(pool);
		parse->pools_by_name[i] = pool;
		parse->pool = i;
		config_check_limit(reader, item->position, i + 1, config->limits.pools, "pools", MAX_POOLS);
		reader_mapping(reader, item, "a pool", config_pool_keys, pool);
	}
	qsort(parse->pools_by_name, i, sizeof(pool), compare_pools);
}

const struct config_pool *config_named_pool(const struct parse *parse, const char *name)
{
	struct config_pool wanted = {};
	const struct config_pool *key = &wanted, **found;

	strcpy(wanted.name, name);
	found = bsearch(&key, parse->pools_by_name, parse->config->pool_count, sizeof(key), compare_pools);
	return found ? *found : NULL;
}
