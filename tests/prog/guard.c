// SPDX-License-Identifier: GPL-2.0
/* See guard.h. */

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bpf/guard_source.h"
#include "guard.h"
#include "run.h"

#define TOKEN_NSEC 600000000000ULL /* until a token of a surge limit comes back */

/* Returns the entry of an address with an optional length, "192.0.2.0/24". */
static struct guard_prefix prefix_of(const char *text)
{
	struct guard_prefix prefix = {.address.word = {0, 0, htonl(0xffff), 0}};
	const char *slash = strchr(text, '/');
	char address[64];
	int bits = 128;

	snprintf(address, sizeof(address), "%.*s", slash ? (int)(slash - text) : (int)strlen(text), text);
	if (inet_pton(AF_INET, address, &prefix.address.word[3]) == 1)
		bits = slash ? 96 + atoi(slash + 1) : 128;
	else if (inet_pton(AF_INET6, address, &prefix.address) == 1)
		bits = slash ? atoi(slash + 1) : 128;
	else
		run_must(-1, text);
	prefix.bits = GUARD_PREFIX_BITS(bits);
	return prefix;
}

static void put_prefix(int trie, const char *text, uint32_t list)
{
	struct guard_prefix prefix;

	if (!text)
		return;
	prefix = prefix_of(text);
	run_must(bpf_map_update_elem(trie, &prefix, &list, BPF_ANY), text);
}

static void put_block(int map, const char *text, uint32_t guard, uint8_t list)
{
	struct guard_block block = {.list = list};
	struct guard_prefix key;

	if (!text)
		return;
	key = prefix_of(text);
	key.guard = htonl(guard);
	block.bits = key.bits - GUARD_PREFIX_BITS(0);
	run_must(bpf_map_update_elem(map, &key, &block, BPF_ANY), "guard_blocks");
}

static void fill_lists(struct balancer_bpf *skel, const struct guard_setup *setup)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	int trie = bpf_map_create(
		    BPF_MAP_TYPE_LPM_TRIE, "guard_trie", sizeof(struct guard_prefix), sizeof(uint32_t), 1024, &options),
	    blocks = bpf_map__fd(skel->maps.guard_blocks);
	struct guard_prefix key;

	run_must(trie < 0, "trie");
	for (size_t i = 0; i < sizeof(setup->prefixes) / sizeof(*setup->prefixes); i++)
		put_prefix(trie, setup->prefixes[i], TEST_LIST);
	put_prefix(trie, setup->unlisted, GUARD_LIST_NONE);
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.guard_prefixes), &(uint32_t){0}, &trie, BPF_ANY),
		"guard_prefixes");
	close(trie);
	while (!bpf_map_get_next_key(blocks, NULL, &key))
		bpf_map_delete_elem(blocks, &key);
	put_block(blocks, setup->blocked, 0, GUARD_LIST_BLOCKED);
	put_block(blocks, setup->trusted, TEST_GUARD, GUARD_LIST_TRUSTED);
}

static void put_text(struct bpf_map *map, const char *text, bool whole)
{
	struct guard_text key = {.bits = 8 * (strlen(text) + whole)};

	strncpy(key.text, text, sizeof(key.text));
	run_must(bpf_map_update_elem(bpf_map__fd(map), &key, &(uint32_t){1}, BPF_ANY), text);
}

static void fill_texts(struct balancer_bpf *skel)
{
	put_text(skel->maps.guard_scanners, "friendly-scanner", false);
	put_text(skel->maps.guard_scanners, ":100@1.1.1.1", false);
	put_text(skel->maps.guard_emergency, "112", true);
	put_text(skel->maps.guard_emergency, "+112", true);
	put_text(skel->maps.guard_emergency, "urn:service:sos", true);
	put_text(skel->maps.guard_emergency, "urn:service:sos.", false);
	put_text(skel->maps.guard_priorities, "esnet", true);
}

static void fill_class(struct balancer_bpf *skel, uint32_t list, const struct guard_class *class)
{
	uint32_t at = 16 + list;

	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.guard_classes), &at, class, BPF_ANY), "guard_classes");
}

/* A token comes back after about nine minutes, or sooner after a large burst: a machine that stands still between two
 * packets does not change the result of a test. */
static struct guard_limit limit_of(uint32_t burst)
{
	uint32_t interval = GUARD_WINDOW_MAX / (burst < 3 ? 2 : burst - 1);

	return (struct guard_limit){interval, (burst - 1) * interval};
}

static void fill_classes(struct balancer_bpf *skel, const struct guard_setup *setup)
{
	struct guard_class unlisted = {.enforced = setup->observe ? 0 : ~setup->observe_limits};
	struct guard_class listed = {.list = TEST_LIST,
		.action = setup->action,
		.enforced = setup->observe || setup->observe_list ? 0 : ~0u};
	struct guard_class blocked = {
		.list = GUARD_LIST_BLOCKED, .action = GUARD_DENY, .enforced = setup->observe ? 0 : ~0u};

	for (int i = 0; i < GUARD_BUCKETS; i++)
		if (setup->burst[i])
			unlisted.limits[i] = limit_of(setup->burst[i]);
	fill_class(skel, GUARD_LIST_NONE, &unlisted);
	fill_class(skel, GUARD_LIST_BLOCKED, &blocked);
	fill_class(skel, GUARD_LIST_TRUSTED, &(struct guard_class){.action = GUARD_TRUST});
	fill_class(skel, TEST_LIST, &listed);
}

static void fill_surges(struct bpf_map *map, uint32_t burst, bool observe)
{
	struct surge surge = {.interval = burst ? TOKEN_NSEC : 0,
		.window = burst ? (burst - 1) * TOKEN_NSEC : 0,
		.flags = observe ? 0 : SURGE_ENFORCED};

	for (uint32_t id = 0; id < 8; id++)
		bpf_map_update_elem(bpf_map__fd(map), &id, &surge, BPF_ANY);
}

static void forget_sources(struct balancer_bpf *skel)
{
	const struct guard_source none = {0};

	for (uint32_t i = 0; i < skel->rodata->guarded_sources; i++)
		run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.guard_sources), &i, &none, BPF_ANY),
			"guard_sources");
}

void guard_fill(struct balancer_bpf *skel, const struct guard_setup *setup)
{
	uint32_t id = TEST_GUARD, bits = setup && setup->ipv6_bits ? setup->ipv6_bits : 64;
	struct guard guard = {
		.hash_key = {setup && setup->hash_key ? setup->hash_key : 0x243f6a8885a308d3, 0x13198a2e03707344},
		.generation = 1,
		.first_class = 16,
		.ipv4_mask = ~0ULL,
		.ipv6_mask = {~0ULL, bits == 128 ? ~0ULL : 0},
		.emergency_starts = guard_start('1', '1') | guard_start('+', '1') | guard_start('u', 'r'),
	};

	if (!setup)
		return;
	guard.flags = GUARD_FLAG_LIMITS | setup->flags;
	guard.enforced = setup->observe ? 0 : ~0u;
	if (setup->service_surge)
		guard.flags |= GUARD_FLAG_SERVICE_SURGE;
	if (setup->backend_surge)
		guard.flags |= GUARD_FLAG_BACKEND_SURGE;
	forget_sources(skel);
	fill_lists(skel, setup);
	fill_texts(skel);
	fill_classes(skel, setup);
	fill_surges(skel->maps.service_surges, setup->service_surge, setup->observe);
	fill_surges(skel->maps.backend_surges, setup->backend_surge, setup->observe || setup->observe_backends);
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.guards), &id, &guard, BPF_ANY), "guards");
}

struct guard_counters guard_counted(struct balancer_bpf *skel, enum guard_rule rule)
{
	struct guard_counters sums;

	run_counters(bpf_map__fd(skel->maps.guard_counters), TEST_GUARD * GUARD_RULES + rule, (uint64_t *)&sums,
		sizeof(sums) / 8);
	return sums;
}

struct guard_exempt guard_exempted(struct balancer_bpf *skel)
{
	struct guard_exempt sums;

	run_counters(bpf_map__fd(skel->maps.guard_exempt), TEST_GUARD, (uint64_t *)&sums, sizeof(sums) / 8);
	return sums;
}
