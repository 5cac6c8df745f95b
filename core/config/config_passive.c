// SPDX-License-Identifier: GPL-2.0
/* The key `passive:` of a pool: `true`, or a mapping with keys of its own. */
#include <netinet/in.h>
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

#define FALL_MAX 1000
#define FIRST_CODE 500

void config_default_passive(struct config_passive *passive)
{
	*passive = (struct config_passive){.fall = 3, .window = 10 * SECOND, .share = 50};
	config_add_code(passive->codes, 503);
	config_add_code(passive->codes, 504);
}

static void read_codes(struct reader *reader, const struct node *value, void *object)
{
	config_read_codes(reader, value, ((struct config_passive *)object)->codes);
}

static void write_codes(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	config_write_codes(writer->out, ((const struct config_passive *)object)->codes);
}

#define MEMBER(name) .member = offsetof(struct config_passive, name)

const struct key config_passive_keys[] = {
	{.name = "fall",
		.read = config_read_u32,
		.write = config_write_u32,
		MEMBER(fall),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = FALL_MAX,
		.help = "Consecutive failed responses after which a backend is down. It is also down after this number "
			"of INVITEs that received no response within 32 s."},
	{.name = "codes",
		.read = read_codes,
		.write = write_codes,
		.flags = KEY_LIST,
		.min = FIRST_CODE,
		.expected = "a status code from 500 to 699, 5xx or 6xx (4xx codes report faults of clients)",
		.help = "Status codes of failed responses."},
	{.name = "window",
		.read = config_read_time,
		.write = config_write_time,
		MEMBER(window),
		.type = VALUE_TIME,
		.min = SECOND,
		.max = 60 * SECOND,
		.help = "Time in which `share` is measured, and the shortest time for which a backend is down."},
	{.name = "share",
		.read = config_read_u32,
		.write = config_write_u32,
		MEMBER(share),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = 100,
		.help = "In per cent. A backend is down if this share of its responses in the window has failed."},
	{},
};

#undef MEMBER

void config_read_passive(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;
	char noun[NAME_SIZE + 32];
	int is_set = true;

	config_default_passive(&pool->passive);
	pool->passive.position = value->position;
	snprintf(noun, sizeof(noun), "'passive' of %s", reader->label);
	if (value->kind == NODE_MAPPING)
		reader_mapping(reader, value, noun, config_passive_keys, &pool->passive);
	else
		reader_word(reader, value, &is_set);
	pool->passive.is_set = is_set;
	if (is_set && pool->forward != FORWARD_NAT)
		faults_add(reader->faults, value->position,
			"%s: only for forward nat, because only then do the responses of the backends pass the "
			"balancer; remove it",
			noun);
}

/* Writes the values of all keys, as "{fall: 3, codes: [503, 504], window: 10s, share: 50}". */
void config_write_passive(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_passive *passive = &((const struct config_pool *)object)->passive;
	const char *before = "{";

	(void)key;
	if (!passive->is_set)
		return;
	for (const struct key *row = config_passive_keys; row->name; row++) {
		fprintf(writer->out, "%s%s: ", before, row->name);
		row->write(writer, row, passive);
		before = ", ";
	}
	fputc('}', writer->out);
}

/* The services of a pool. */
struct users {
	const struct config_service *any, *udp, *uncounted;
};

static void add_user(struct users *users, const struct config_service *service)
{
	users->any = service;
	if (service->protocol != IPPROTO_UDP)
		return;
	users->udp = service;
	if (!service->message_counters)
		users->uncounted = service;
}

void config_check_passive(const struct config *config, struct faults *faults)
{
	struct users *users = allocate(config->pool_count, sizeof(*users));

	for (size_t i = 0; i < config->service_count; i++) {
		size_t pools[METHOD_COUNT], count = config_service_pools(&config->services[i], pools);

		for (size_t j = 0; j < count; j++)
			add_user(&users[pools[j]], &config->services[i]);
	}
	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];

		if (!pool->passive.is_set)
			continue;
		if (users[i].uncounted)
			faults_add(faults, pool->passive.position,
				"'passive' of pool %s needs the message counters of service %s; remove "
				"`message_counters: false` there",
				pool->name, users[i].uncounted->name);
		else if (users[i].any && !users[i].udp)
			faults_add(faults, pool->passive.position,
				"'passive' of pool %s: no service with protocol udp uses the pool, and the balancer "
				"reads no responses in TCP connections; remove it",
				pool->name);
	}
	free(users);
}
