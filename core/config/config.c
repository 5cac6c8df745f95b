// SPDX-License-Identifier: GPL-2.0
/* Reads a whole file, and owns its keys outside services, pools and `join:`. */
#include <inttypes.h>
#include <string.h>
#include "config_private.h"
#include "core/base/duration.h"
#include "core/base/memory.h"

/* This default also applies without `join:`, because backends that joined earlier stay until their heartbeats stop. */
#define DEFAULT_NODE_TIMEOUT (10 * SECOND)
#define DEFAULT_ALONE_AFTER (10 * SECOND)

/* --- limits */

static const struct config_limits default_limits = {DEFAULT_SLOTS, DEFAULT_POOLS, DEFAULT_SERVICES, DEFAULT_BACKENDS,
	DEFAULT_TRACKED_CALLS, DEFAULT_COUNTED_CALLS, DEFAULT_GUARDED_SOURCES};
static const struct config_limits highest_limits = {
	MAX_SLOTS, MAX_POOLS, MAX_SERVICES, MAX_BACKENDS, MAX_TRACKED_CALLS, MAX_COUNTED_CALLS, MAX_GUARDED_SOURCES};

static void read_limit(struct reader *reader, const struct node *value, void *object)
{
	uint32_t *limit = (uint32_t *)((char *)object + reader->key->member);

	if (!reader_number(reader, value, limit))
		*limit = reader->key->max; /* an unreadable limit causes no further faults */
}

static void read_slots(struct reader *reader, const struct node *value, void *object)
{
	struct config_limits *limits = object;

	read_limit(reader, value, object);
	if (limits->slots & (limits->slots - 1))
		reader_refuse(reader, value, "a power of two");
}

#define UPGRADE "'sipxdp-loader upgrade -c FILE' resizes the maps"

#define LIMIT(limit, reader, lowest, highest)                                                                          \
	.name = #limit, .read = reader, .write = config_write_u32, .flags = KEY_ALWAYS, .advice = UPGRADE,             \
	.member = offsetof(struct config_limits, limit), .type = VALUE_NUMBER, .min = lowest, .max = highest

const struct key config_limit_keys[] = {
	{LIMIT(slots, read_slots, MIN_SLOTS, MAX_SLOTS),
		.help = "Number of slots in each pool, a power of two. More slots distribute calls more evenly; the "
			"default suits up to about 64 backends in a pool. A pool takes 6 bytes for each slot. A "
			"different number moves nearly all calls."},
	{LIMIT(pools, read_limit, 1, MAX_POOLS), .help = "Maximum number of pools."},
	{LIMIT(services, read_limit, 1, MAX_SERVICES),
		.help = "Maximum number of services. Each VIP of a service counts as one."},
	{LIMIT(backends, read_limit, 1, MAX_BACKENDS), .help = "Maximum number of backends of all pools together."},
	{LIMIT(tracked_calls, read_limit, MIN_TRACKED_CALLS, MAX_TRACKED_CALLS), .old_name = "notes",
		.help = "Maximum number of calls that can be tracked while slots migrate. When the map is full, the "
			"kernel forgets the call that has been silent longest. A call takes about 150 bytes."},
	{LIMIT(counted_calls, read_limit, MIN_COUNTED_CALLS, MAX_COUNTED_CALLS),
		.help = "Maximum number of calls that can be counted at the same time: one of 64 calls, and every call "
			"with `balance: least-calls`, `round-robin` or `max_calls`. When the map is full, new calls "
			"are not counted. A call takes about 150 bytes."},
	{LIMIT(guarded_sources, read_limit, MIN_GUARDED_SOURCES, MAX_GUARDED_SOURCES),
		.help = "Maximum number of sources whose packets the guard can limit at the same time. With more "
			"sources, the guard forgets some of them. A source takes 64 bytes."},
	{},
};

/* --- the file */

static bool interface_name_is_valid(const char *name)
{
	const char *c;

	/* The kernel's rule (dev_valid_name), without unprintable characters. */
	for (c = name; *c > ' ' && *c <= '~' && *c != '/' && *c != ':'; c++)
		;
	return *c == '\0' && c > name && c - name < IFNAMSIZ && strcmp(name, ".") && strcmp(name, "..");
}

static void read_interfaces(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;
	struct parse *parse = reader->context;
	char(*interface)[IFNAMSIZ];
	const struct node *item;
	const char *text;

	interface = reader_items(reader, value, sizeof(*interface), false, &config->interface_count);
	config->interfaces = interface;
	if (config->interface_count > MAX_INTERFACES) {
		faults_add(reader->faults, value->position, "'interfaces' has %zu interfaces: at most %d are possible",
			config->interface_count, MAX_INTERFACES);
		config->interface_count = 0;
		return;
	}
	if (!interface)
		return;
	for (item = node_first(value); item; item = node_next(value, item), interface++) {
		text = reader_text(reader, item);
		if (!text)
			continue;
		if (!interface_name_is_valid(text)) {
			reader_refuse(reader, item, NULL);
			continue;
		}
		strcpy(*interface, text);
		claims_add(&parse->claims, (struct claim){.kind = CLAIM_INTERFACE,
						   .key = *interface,
						   .length = strlen(text),
						   .owner = *interface,
						   .position = item->position});
	}
}

static void write_interfaces(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config *config = object;

	(void)key;
	for (size_t i = 0; i < config->interface_count; i++) {
		fputs(i ? ", " : "[", writer->out);
		config_write_word(writer->out, config->interfaces[i]);
	}
	fputc(']', writer->out);
}

static void read_macs(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;
	const struct node *item;
	struct mac *mac;

	mac = config->macs = reader_items(reader, value, sizeof(*mac), true, &config->mac_count);
	for (item = node_first(value); mac && item; item = node_next(value, item), mac++) {
		const char *text = reader_text(reader, item);

		if (text && mac_parse(text, mac))
			reader_refuse(reader, item, NULL);
	}
}

static void write_macs(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config *config = object;
	char text[MAC_TEXT_SIZE];

	(void)key;
	for (size_t i = 0; i < config->mac_count; i++)
		fprintf(writer->out, "%s'%s'%s", i ? ", " : "[", mac_format(&config->macs[i], text),
			i + 1 < config->mac_count ? "" : "]");
}

static void read_hash_key(struct reader *reader, const struct node *value, void *object)
{
	const char *text = reader_text(reader, value);
	struct config *config = object;
	char half[17] = "";

	if (!text)
		return;
	if (strlen(text) != 32 || strspn(text, "0123456789abcdefABCDEF") != 32) {
		reader_refuse(reader, value, NULL);
		return;
	}
	config->hash_key[0] = strtoull(memcpy(half, text, 16), NULL, 16);
	config->hash_key[1] = strtoull(text + 16, NULL, 16);
}

static void write_hash_key(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config *config = object;

	(void)key;
	fprintf(writer->out, "'%016" PRIx64 "%016" PRIx64 "'", config->hash_key[0], config->hash_key[1]);
}

static void read_limits(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;

	reader_mapping(reader, value, "limits", config_limit_keys, &config->limits);
}

/* Each key follows the keys to which its value refers. The order in the file does not matter. */
const struct key config_file_keys[] = {
	{.name = "interfaces",
		.required = true,
		.read = read_interfaces,
		.write = write_interfaces,
		.flags = KEY_ALWAYS | KEY_LIST,
		.advice = "'sipxdp-loader attach -c FILE' attaches to new interfaces, 'sipxdp-loader detach' releases "
			  "old ones",
		.expected = "the name of an interface, such as eth0",
		.help = "Interfaces on which packets from clients arrive. The loader attaches the balancer to each of "
			"them. If "
			"a backend is reached through a different interface, list that interface too: most drivers "
			"send frames of an XDP program only if their own interface has an XDP program."},
	{.name = "macs",
		.read = read_macs,
		.write = write_macs,
		.flags = KEY_LIST,
		.expected = "a unicast MAC address, such as 00:00:5e:00:01:0a",
		.help = "Additional destination MAC addresses of this machine. The daemon knows the addresses of the "
			"interfaces, and of VLANs, macvlans (`use_vmac` of keepalived), bridges and bonds above them. "
			"The balancer passes frames to all other addresses to the kernel unchanged."},
	{.name = "hash_key",
		.required = true,
		.read = read_hash_key,
		.write = write_hash_key,
		.flags = KEY_ALWAYS | KEY_SECRET,
		.expected = "exactly 32 hex digits ('openssl rand -hex 16' makes one)",
		.help = "Secret key of the hash that assigns calls to slots. All balancers that share a VIP need the "
			"same key. A new key moves nearly all calls."},
	{.name = "limits",
		.read = read_limits,
		.keys = config_limit_keys,
		.usual = "those of its keys",
		.help = "Sizes of the maps. `sipxdp-loader upgrade -c FILE` applies a change."},
	{.name = "join",
		.read = config_read_join,
		.keys = config_join_keys,
		.usual = "none",
		.help = "Lets servers join pools by themselves. Without this key, no server can join."},
	{.name = "metrics",
		.read = config_read_metrics,
		.keys = config_metrics_keys,
		.usual = "none",
		.help = "Lets monitoring read metrics, health and the state of the balancer by HTTP, and serves the "
			"status "
			"page. Without this key, the daemon does not listen for it."},
	{.name = "capture",
		.read = config_read_capture,
		.keys = config_capture_keys,
		.usual = "none",
		.help = "Sends copies of SIP messages to a capture server such as Homer, sngrep or heplify, by HEP "
			"version 3."},
	{.name = "group",
		.read = config_read_membership,
		.keys = config_membership_keys,
		.usual = "none",
		.help = "Makes this balancer a member of a group of balancers. Over corosync, the members agree which "
			"backends "
			"are down. Without this key, this balancer decides by itself."},
	{.name = "guard",
		.read = config_read_guard,
		.keys = config_guard_keys,
		.usual = "none",
		.help = "Protects the servers from floods and scanners. Without this key, no service has a guard."},
	{.name = "pools",
		.required = true,
		.read = config_read_pools,
		.flags = KEY_LIST,
		.keys = config_pool_keys,
		.help = "Sets of equal backends. Services that share a pool send a Call-ID to the same backend."},
	{.name = "services",
		.read = config_read_services,
		.flags = KEY_LIST,
		.keys = config_service_keys,
		.usual = "none",
		.help = "The balanced services: VIP, protocol and port."},
	{},
};

struct config *config_parse(const char *text, size_t length, struct faults *faults)
{
	struct parse parse = {.config = allocate(1, sizeof(*parse.config))};
	struct reader reader = {.faults = faults, .context = &parse, .label = "the file"};
	size_t faults_before = faults->count;
	struct yaml_tree document;

	parse.config->join.node_timeout = DEFAULT_NODE_TIMEOUT;
	parse.config->group.alone_after = DEFAULT_ALONE_AFTER;
	yaml_tree_load(&document, text, length, faults);
	if (document.count) {
		parse.truncated = document.nodes->truncated;
		parse.config->limits = parse.truncated ? highest_limits : default_limits;
		reader_mapping(&reader, document.nodes, "the file", config_file_keys, parse.config);
	}
	config_claim_vip_ports(&parse, faults);
	config_check_hints(&parse, faults);
	config_check_guard(&parse, faults);
	claims_check(&parse.claims, faults);
	if (faults->count == faults_before) {
		config_resolve_probes(parse.config, faults);
		config_check_nat(parse.config, faults);
		config_check_passive(parse.config, faults);
		config_check_balance(parse.config, faults);
	}
	claims_free(&parse.claims);
	free(parse.pools_by_name);
	free(parse.port_owners);
	free(parse.hint_owners);
	yaml_tree_free(&document);
	faults_sort(faults);
	if (faults->count == faults_before)
		return parse.config;
	config_free(parse.config);
	return NULL;
}
