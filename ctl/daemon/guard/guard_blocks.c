// SPDX-License-Identifier: GPL-2.0
/* See guard_blocks.h. */
#include <errno.h>
#include <ifaddrs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "core/base/memory.h"
#include "ctl/daemon/log.h"
#include "ctl/daemon/http/endpoint_socket.h"
#include "generation.h"
#include "guard_blocks.h"
#include "guard_lists.h"

#define SHORTEST_IPV4 8 /* a shorter prefix needs `force` */
#define SHORTEST_IPV6 16
#define NO_GUARD UINT32_MAX

struct guard_blocks {
	struct blocks *entries;
	bool is_unsynced; /* the map lacks a change */
	bool is_syncing;  /* guard_blocks_sync() is in progress */
};

struct guard_blocks *guard_blocks_new(void)
{
	struct guard_blocks *blocks = allocate(1, sizeof(*blocks));

	blocks->entries = blocks_new();
	return blocks;
}

void guard_blocks_free(struct guard_blocks *blocks)
{
	if (!blocks)
		return;
	blocks_free(blocks->entries);
	free(blocks);
}

const struct blocks *guard_blocks_entries(const struct daemon *daemon)
{
	return daemon->guard_blocks->entries;
}

/* The clock of the entries continues while the machine sleeps, and cannot be set. */
static uint64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

uint64_t guard_blocks_expiry(uint32_t duration)
{
	return duration ? now_msec() + duration : 0;
}

uint64_t guard_blocks_rest(const struct block *block)
{
	uint64_t now = now_msec();

	if (!block->value.expires)
		return 0;
	return block->value.expires > now ? block->value.expires - now : 1;
}

__attribute__((format(printf, 3, 4))) static int refuse(
	int result, char error[BLOCKS_ERROR_SIZE], const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(error, BLOCKS_ERROR_SIZE, format, values);
	va_end(values);
	return result;
}

/* --- the map */

/* The id of the guard of an entry: 0 for all guards. NO_GUARD if its service has no guard of its own any more: the
 * entry then waits for the next configuration. */
static uint32_t guard_of(const struct daemon *daemon, const char *service)
{
	if (!*service)
		return 0;
	for (uint32_t id = 1; id < GUARDS; id++)
		if (!strncmp(daemon->running->guard_names[id].name, service, NAME_SIZE))
			return id;
	return NO_GUARD;
}

static int put_into_map(const struct daemon *daemon, const struct block *block)
{
	uint32_t guard = guard_of(daemon, block->value.service);

	return guard == NO_GUARD ? 0 : maps_put_block(daemon->maps, guard, &block->prefix, &block->value);
}

static int remove_from_map(const struct daemon *daemon, const struct prefix_key *prefix, const char *service)
{
	uint32_t guard = guard_of(daemon, service);

	return guard == NO_GUARD ? 0 : maps_remove_block(daemon->maps, guard, prefix);
}

static void note_failure(struct daemon *daemon, int error)
{
	if (!error)
		return;
	if (!daemon->guard_blocks->is_unsynced)
		log_error("cannot change the map of blocked prefixes: %s; trying again every second", strerror(-error));
	daemon->guard_blocks->is_unsynced = true;
}

/* Keys in the map without an entry in `blocks`. */
struct stale {
	const struct daemon *daemon;
	struct guard_prefix *keys;
	size_t count;
};

static void find_stale(uint32_t guard, const struct prefix_key *prefix, const struct guard_block *value, void *data)
{
	struct stale *stale = data;
	const struct blocks *entries = stale->daemon->guard_blocks->entries;

	if (guard_of(stale->daemon, value->service) == guard && blocks_find(entries, prefix, value->service))
		return;
	stale->keys = array_grow(stale->keys, stale->count, sizeof(*stale->keys));
	stale->keys[stale->count++] =
		(struct guard_prefix){.bits = prefix->bits, .guard = guard, .address = prefix->address};
}

static int remove_stale(struct daemon *daemon)
{
	struct stale stale = {.daemon = daemon};
	int error = maps_visit_blocks(daemon->maps, find_stale, &stale);

	for (size_t i = 0; i < stale.count && !error; i++) {
		const struct prefix_key prefix = {stale.keys[i].bits, stale.keys[i].address};

		error = maps_remove_block(daemon->maps, stale.keys[i].guard, &prefix);
	}
	free(stale.keys);
	return error;
}

/* The event loop may change the entries whenever the worker yields, so this loop searches for its position again. */
void guard_blocks_sync(struct daemon *daemon)
{
	struct blocks *entries = daemon->guard_blocks->entries;
	const struct block *next = blocks_after(entries, NULL);
	int error = 0;

	daemon->guard_blocks->is_unsynced = false;
	daemon->guard_blocks->is_syncing = true;
	while (next && !error) {
		struct block block = *next;

		error = put_into_map(daemon, &block);
		worker_yield(daemon->worker);
		next = blocks_after(entries, &block);
	}
	if (!error)
		error = remove_stale(daemon);
	note_failure(daemon, error);
	generation_raise(daemon);
	daemon->guard_blocks->is_syncing = false;
	daemon->unreconciled = true; /* new maps may now be filled */
}

bool guard_blocks_are_synced(const struct daemon *daemon)
{
	return !daemon->guard_blocks->is_unsynced && !daemon->guard_blocks->is_syncing;
}

static void sync_job(void *data)
{
	guard_blocks_sync(data);
}

/* Until guard_blocks_sync() removes them, the map also contains the old entries. */
void guard_blocks_widen(struct daemon *daemon)
{
	const struct config_guard *guard = &daemon->farm->config->guard;
	struct blocks *entries = daemon->guard_blocks->entries;
	int error = 0;

	if (!guard->is_set || !blocks_widen(entries, (struct source_bits){guard->ipv4_bits, guard->ipv6_bits}))
		return;
	for (size_t i = 0; i < blocks_count(entries) && !error; i++)
		error = put_into_map(daemon, blocks_at(entries, i));
	note_failure(daemon, error);
	daemon->guard_blocks->is_unsynced = true;
}

/* --- start and expiry */

static void take_entry(uint32_t guard, const struct prefix_key *prefix, const struct guard_block *value, void *data)
{
	struct block block = {.prefix = *prefix, .value = *value};
	char error[BLOCKS_ERROR_SIZE];

	(void)guard;
	if (blocks_put(data, &block, error))
		log_warning("the entry of a blocked or trusted prefix is ignored: %s", error);
}

void guard_blocks_start(struct daemon *daemon)
{
	int error = maps_visit_pinned_blocks(daemon->pin_directory, take_entry, daemon->guard_blocks->entries);

	if (error && error != -ENOENT)
		log_error("cannot read the blocked prefixes of the previous maps: %s", strerror(-error));
	daemon->guard_blocks->is_unsynced = daemon->using_next_maps;
	guard_blocks_widen(daemon);
}

void guard_blocks_follow_maps(struct daemon *daemon)
{
	daemon->guard_blocks->is_unsynced = true;
}

void guard_blocks_update(struct daemon *daemon)
{
	struct block *expired;
	size_t count = blocks_expire(daemon->guard_blocks->entries, now_msec(), &expired);
	char text[PREFIX_TEXT_SIZE];

	for (size_t i = 0; i < count; i++)
		note_failure(daemon, remove_from_map(daemon, &expired[i].prefix, expired[i].value.service));
	if (count) {
		prefix_format(&expired[0].prefix, text);
		log_event(LOG_INFO, LOG_FIELDS({"event", "unblocked"}, {"prefix", text}),
			"guard: %zu prefix%s no longer %s: expired (first %s)", count, count == 1 ? " is" : "es are",
			expired[0].value.list == GUARD_LIST_TRUSTED ? "trusted" : "blocked", text);
		generation_raise_soon(daemon);
	}
	free(expired);
	if (daemon->guard_blocks->is_unsynced)
		worker_add(daemon->worker, sync_job, NULL, daemon);
}

/* --- changes */

/* The kernel distinguishes sources, not single addresses. A file without a guard does not define sources: its blocks
 * can only be removed. */
struct prefix_key guard_blocks_prefix(const struct daemon *daemon, const struct prefix_key *prefix)
{
	const struct config_guard *guard = &daemon->farm->config->guard;

	if (!guard->is_set)
		return *prefix;
	return prefix_of_source(prefix, (struct source_bits){guard->ipv4_bits, guard->ipv6_bits});
}

/* 0.0.0.0/0, or at least the public IPv6 addresses 2000::/3: nobody blocks these by mistake. */
static bool contains_all(const struct prefix_key *prefix)
{
	return prefix->bits <= (prefix_is_ipv4(prefix) ? PREFIX_MAPPED : 3);
}

static bool is_short(const struct prefix_key *prefix)
{
	return address_is_ipv4(&prefix->address) ? prefix->bits < PREFIX_MAPPED + SHORTEST_IPV4
						 : prefix->bits < SHORTEST_IPV6;
}

static int check_vips(const struct daemon *daemon, const struct prefix_key *prefix, char error[BLOCKS_ERROR_SIZE])
{
	const struct config *config = daemon->farm->config;
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < config->service_count; i++)
		for (size_t j = 0; j < config->services[i].vip_count; j++)
			if (prefix_contains(prefix, &config->services[i].vips[j]))
				return refuse(-EPERM, error, "it contains %s, a VIP of service %s",
					address_format(&config->services[i].vips[j], text), config->services[i].name);
	return 0;
}

static int check_backends(const struct daemon *daemon, const struct prefix_key *prefix, char error[BLOCKS_ERROR_SIZE])
{
	const struct farm *farm = daemon->farm;
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct backend_record *record = &farm->pools[i].backends[j].record;

			if (farm_backend_exists(&farm->pools[i].backends[j]) &&
				prefix_contains(prefix, &record->address))
				return refuse(-EPERM, error, "it contains %s, the address of backend %s/%s",
					address_format(&record->address, text), record->pool, record->name);
		}
	return 0;
}

static bool read_address(const struct sockaddr *name, struct address *address)
{
	if (!name || (name->sa_family != AF_INET && name->sa_family != AF_INET6))
		return false;
	*address = endpoint_of(name).address;
	return true;
}

static int check_own(const struct prefix_key *prefix, char error[BLOCKS_ERROR_SIZE])
{
	struct ifaddrs *own = NULL;
	char text[ADDRESS_TEXT_SIZE];
	struct address address;
	int result = 0;

	if (getifaddrs(&own))
		return refuse(-errno, error, "cannot read the addresses of this machine: %s", strerror(errno));
	for (const struct ifaddrs *i = own; i && !result; i = i->ifa_next)
		if (read_address(i->ifa_addr, &address) && prefix_contains(prefix, &address))
			result = refuse(-EPERM, error, "it contains %s, an address of this machine",
				address_format(&address, text));
	freeifaddrs(own);
	return result;
}

static int check_harm(const struct daemon *daemon, const struct prefix_key *prefix, char error[BLOCKS_ERROR_SIZE])
{
	int result = check_vips(daemon, prefix, error);

	if (!result)
		result = check_backends(daemon, prefix, error);
	return result ? result : check_own(prefix, error);
}

/* For servers, only blocks_put() protects the trust entries: it refuses to replace those of others. */
static int check_trusted(const struct daemon *daemon, const struct block *block, char error[BLOCKS_ERROR_SIZE])
{
	const bool by_server = block->value.by_server;
	const struct block *trusting;
	char text[PREFIX_TEXT_SIZE];
	const char *force = by_server ? "" : " (--force blocks it nevertheless)";
	const char *list = guard_lists_unknown_trust(daemon);

	if (list)
		return refuse(-EAGAIN, error, "trusted list %s is not loaded: try again, or see 'sipxdp-ctl status'%s",
			list, force);
	list = guard_lists_trusting(daemon, &block->prefix, text);
	if (list)
		return refuse(-EPERM, error, "%s is on list %s, which is trusted%s", text, list, force);
	trusting =
		by_server ? NULL : blocks_trusting(daemon->guard_blocks->entries, &block->prefix, block->value.service);
	if (trusting)
		return refuse(-EPERM, error, "%s is trusted by %s %.63s%s", prefix_format(&trusting->prefix, text),
			trusting->value.by_server ? "server" : "operator", trusting->value.who, force);
	return 0;
}

/* The longest prefix applies, so that trust within the block of an operator would lift this block. */
static int check_blocked(const struct daemon *daemon, const struct block *block, char error[BLOCKS_ERROR_SIZE])
{
	char text[PREFIX_TEXT_SIZE];
	const struct block *blocking =
		blocks_blocking(daemon->guard_blocks->entries, &block->prefix, block->value.service);

	if (!blocking)
		return 0;
	return refuse(-EPERM, error, "%s is blocked by operator %.63s", prefix_format(&blocking->prefix, text),
		blocking->value.who);
}

static int check(const struct daemon *daemon, const struct block *block, bool force, char error[BLOCKS_ERROR_SIZE])
{
	const struct prefix_key *prefix = &block->prefix;
	bool blocks = block->value.list == GUARD_LIST_BLOCKED;

	if (prefix_spans_families(prefix))
		return refuse(-EINVAL, error,
			"it contains IPv6 and IPv4 addresses: write 0.0.0.0/0 for all IPv4 addresses, 2000::/3 for all "
			"public IPv6 addresses");
	if (!force && is_short(prefix))
		return refuse(-EPERM, error, "it is shorter than /%d%s",
			address_is_ipv4(&prefix->address) ? SHORTEST_IPV4 : SHORTEST_IPV6,
			block->value.by_server ? "" : " (--force permits this)");
	if (!blocks)
		return block->value.by_server && !force ? check_blocked(daemon, block, error) : 0;
	if (!contains_all(prefix) && check_harm(daemon, prefix, error))
		return -EPERM;
	return force ? 0 : check_trusted(daemon, block, error);
}

int guard_blocks_put(struct daemon *daemon, const struct block *wanted, bool force, char error[BLOCKS_ERROR_SIZE])
{
	char reason[BLOCKS_ERROR_SIZE], text[PREFIX_TEXT_SIZE];
	struct block block = *wanted;
	int result;

	block.prefix = guard_blocks_prefix(daemon, &wanted->prefix);
	result = check(daemon, &block, force, reason);
	if (result)
		return refuse(result, error, "cannot %s %s: %.180s",
			block.value.list == GUARD_LIST_TRUSTED ? "trust" : "block", prefix_format(&block.prefix, text),
			reason);
	result = blocks_put(daemon->guard_blocks->entries, &block, error);
	if (result)
		return result;
	note_failure(daemon, put_into_map(daemon, &block));
	generation_raise_soon(daemon);
	return 0;
}

int guard_blocks_remove(struct daemon *daemon, const struct prefix_key *prefix, const char *service, const char *server,
	char error[BLOCKS_ERROR_SIZE])
{
	const struct prefix_key key = guard_blocks_prefix(daemon, prefix);
	int result = blocks_remove(daemon->guard_blocks->entries, &key, service, server, error);

	if (result)
		return result;
	note_failure(daemon, remove_from_map(daemon, &key, service));
	generation_raise_soon(daemon);
	return 0;
}
