// SPDX-License-Identifier: GPL-2.0
/* See blocks.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "core/base/memory.h"
#include "blocks.h"

struct blocks {
	struct block **list; /* sorted by prefix, then by service */
	size_t count;
	uint64_t next; /* no entry expires before this time */
};

struct blocks *blocks_new(void)
{
	struct blocks *blocks = allocate(1, sizeof(*blocks));

	blocks->next = UINT64_MAX;
	return blocks;
}

void blocks_free(struct blocks *blocks)
{
	if (!blocks)
		return;
	for (size_t i = 0; i < blocks->count; i++)
		free(blocks->list[i]);
	free(blocks->list);
	free(blocks);
}

size_t blocks_count(const struct blocks *blocks)
{
	return blocks->count;
}

const struct block *blocks_at(const struct blocks *blocks, size_t index)
{
	return blocks->list[index];
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

/* --- search */

static int compare(const struct block *block, const struct prefix_key *prefix, const char *service)
{
	int order = memcmp(&block->prefix.address, &prefix->address, sizeof(prefix->address));

	if (!order)
		order = (int)block->prefix.bits - (int)prefix->bits;
	return order ? order : strncmp(block->value.service, service, NAME_SIZE);
}

/* The index of the first entry that is not before this one. */
static size_t search(const struct blocks *blocks, const struct prefix_key *prefix, const char *service)
{
	size_t low = 0, high = blocks->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(blocks->list[middle], prefix, service) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct block *find(
	const struct blocks *blocks, const struct prefix_key *prefix, const char *service, size_t *index)
{
	*index = search(blocks, prefix, service);
	if (*index == blocks->count || compare(blocks->list[*index], prefix, service))
		return NULL;
	return blocks->list[*index];
}

const struct block *blocks_find(const struct blocks *blocks, const struct prefix_key *prefix, const char *service)
{
	size_t index;

	return find(blocks, prefix, service, &index);
}

const struct block *blocks_after(const struct blocks *blocks, const struct block *block)
{
	size_t index = 0;

	if (block && find(blocks, &block->prefix, block->value.service, &index))
		index++;
	return index < blocks->count ? blocks->list[index] : NULL;
}

static const struct block *longest(const struct blocks *blocks, const struct address *address, const char *service)
{
	const struct block *found = NULL;

	for (int bits = PREFIX_BITS; bits >= 0 && !found; bits--) {
		struct prefix_key prefix = prefix_of(address, bits);

		found = blocks_find(blocks, &prefix, service);
	}
	return found;
}

const struct block *blocks_match(const struct blocks *blocks, const struct address *address, const char *service)
{
	const struct block *found = *service ? longest(blocks, address, service) : NULL,
			   *of_all = longest(blocks, address, "");

	return found && (!of_all || found->prefix.bits >= of_all->prefix.bits) ? found : of_all;
}

static bool overlap(const struct prefix_key *a, const struct prefix_key *b)
{
	return a->bits <= b->bits ? prefix_contains(a, &b->address) : prefix_contains(b, &a->address);
}

/* Can the entry apply to packets for this service ("": any service)? */
static bool shares_service(const struct block *block, const char *service)
{
	return !*service || !*block->value.service || !strncmp(block->value.service, service, NAME_SIZE);
}

const struct block *blocks_trusting(const struct blocks *blocks, const struct prefix_key *prefix, const char *service)
{
	for (size_t i = 0; i < blocks->count; i++) {
		const struct block *block = blocks->list[i];

		if (block->value.list == GUARD_LIST_TRUSTED && shares_service(block, service) &&
			overlap(&block->prefix, prefix))
			return block;
	}
	return NULL;
}

static bool is_block_of_operator(const struct block *block)
{
	return block->value.list == GUARD_LIST_BLOCKED && !block->value.by_server;
}

static bool is_any(const struct block *block)
{
	(void)block;
	return true;
}

/* Of the entries that contain a prefix, the last one in the order of the entries is the longest. */
static const struct block *around(const struct blocks *blocks, const struct prefix_key *prefix, const char *service,
	bool (*is_wanted)(const struct block *))
{
	const struct block *found = NULL;

	for (size_t i = 0; i < blocks->count; i++) {
		const struct block *block = blocks->list[i];

		if (block->prefix.bits <= prefix->bits && prefix_contains(&block->prefix, &prefix->address) &&
			shares_service(block, service) && is_wanted(block))
			found = block;
	}
	return found;
}

const struct block *blocks_blocking(const struct blocks *blocks, const struct prefix_key *prefix, const char *service)
{
	return around(blocks, prefix, service, is_block_of_operator);
}

const struct block *blocks_around(const struct blocks *blocks, const struct prefix_key *prefix, const char *service)
{
	return around(blocks, prefix, service, is_any);
}

/* --- changes */

static uint64_t end_of(const struct block *block)
{
	return block->value.expires ? block->value.expires : UINT64_MAX;
}

static bool is_owner(const struct block *block, const char *server)
{
	return block->value.by_server && !strncmp(block->value.who, server, NAME_SIZE);
}

static const char *state_of(const struct block *block)
{
	return block->value.list == GUARD_LIST_TRUSTED ? "trusted" : "blocked";
}

/* May this entry replace a different one? */
static int check_replacement(const struct block *old, const struct block *new, char error[BLOCKS_ERROR_SIZE])
{
	char text[PREFIX_TEXT_SIZE];

	if (!new->value.by_server || is_owner(old, new->value.who))
		return 0;
	prefix_format(&old->prefix, text);
	if (!old->value.by_server)
		return refuse(-EPERM, error, "%s is %s by operator %s", text, state_of(old), old->value.who);
	if (old->value.list != new->value.list || end_of(old) > end_of(new))
		return refuse(-EPERM, error, "%s is %s by server %s%s", text, state_of(old), old->value.who,
			old->value.list == new->value.list ? ", with a later end" : "");
	return 0;
}

static void insert(struct blocks *blocks, size_t index, const struct block *block)
{
	blocks->list = array_grow(blocks->list, blocks->count, sizeof(*blocks->list));
	memmove(&blocks->list[index + 1], &blocks->list[index], (blocks->count - index) * sizeof(*blocks->list));
	blocks->list[index] = allocate(1, sizeof(*block));
	*blocks->list[index] = *block;
	blocks->count++;
}

static size_t count_of_servers(const struct blocks *blocks)
{
	size_t count = 0;

	for (size_t i = 0; i < blocks->count; i++)
		count += blocks->list[i]->value.by_server;
	return count;
}

/* Is there room for a further entry? Counts only if the total alone does not decide. */
static int check_room(const struct blocks *blocks, bool by_server, char error[BLOCKS_ERROR_SIZE])
{
	if (blocks->count >= GUARD_BLOCKS)
		return refuse(-ENOSPC, error,
			"there are already %d blocked and trusted prefixes: unblock some, or put them into a list file",
			GUARD_BLOCKS);
	if (by_server && blocks->count >= BLOCKS_OF_SERVERS && count_of_servers(blocks) >= BLOCKS_OF_SERVERS)
		return refuse(-ENOSPC, error,
			"servers have already blocked %d prefixes: the remaining entries are for operators",
			BLOCKS_OF_SERVERS);
	return 0;
}

int blocks_put(struct blocks *blocks, const struct block *block, char error[BLOCKS_ERROR_SIZE])
{
	struct block *old;
	size_t index;

	old = find(blocks, &block->prefix, block->value.service, &index);
	if (old && check_replacement(old, block, error))
		return -EPERM;
	if (!old && check_room(blocks, block->value.by_server, error))
		return -ENOSPC;
	if (old)
		*old = *block;
	else
		insert(blocks, index, block);
	if (end_of(block) < blocks->next)
		blocks->next = end_of(block);
	return 0;
}

/* Of two entries with the same prefix and service, as if both commands were repeated. */
static bool wins(const struct block *a, const struct block *b)
{
	if (a->value.by_server != b->value.by_server)
		return !a->value.by_server;
	return a->value.since >= b->value.since;
}

bool blocks_widen(struct blocks *blocks, struct source_bits source)
{
	struct blocks old = *blocks;
	bool changed = false;

	*blocks = (struct blocks){.next = old.next};
	for (size_t i = 0; i < old.count; i++) {
		struct block block = *old.list[i], *same;
		size_t index;

		block.prefix = prefix_of_source(&block.prefix, source);
		changed |= block.prefix.bits != old.list[i]->prefix.bits;
		same = find(blocks, &block.prefix, block.value.service, &index);
		if (!same)
			insert(blocks, index, &block);
		else if (wins(&block, same))
			*same = block;
		free(old.list[i]);
	}
	free(old.list);
	return changed;
}

int blocks_remove(struct blocks *blocks, const struct prefix_key *prefix, const char *service, const char *server,
	char error[BLOCKS_ERROR_SIZE])
{
	char text[PREFIX_TEXT_SIZE];
	struct block *block;
	size_t index;

	block = find(blocks, prefix, service, &index);
	prefix_format(prefix, text);
	if (!block)
		return refuse(-ENOENT, error, "%s is not blocked%s%s (see 'sipxdp-ctl guard list')", text,
			*service ? " for service " : "", service);
	if (server && !is_owner(block, server))
		return refuse(-EPERM, error, "%s is %s by %s %s", text, state_of(block),
			block->value.by_server ? "server" : "operator", block->value.who);
	free(block);
	blocks->count--;
	memmove(&blocks->list[index], &blocks->list[index + 1], (blocks->count - index) * sizeof(*blocks->list));
	return 0;
}

size_t blocks_expire(struct blocks *blocks, uint64_t now, struct block **expired)
{
	size_t kept = 0, count = 0;

	*expired = NULL;
	if (now < blocks->next)
		return 0;
	blocks->next = UINT64_MAX;
	for (size_t i = 0; i < blocks->count; i++) {
		struct block *block = blocks->list[i];

		if (end_of(block) > now) {
			blocks->list[kept++] = block;
			blocks->next = end_of(block) < blocks->next ? end_of(block) : blocks->next;
			continue;
		}
		*expired = array_grow(*expired, count, sizeof(**expired));
		(*expired)[count++] = *block;
		free(block);
	}
	blocks->count = kept;
	return count;
}
