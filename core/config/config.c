// SPDX-License-Identifier: GPL-2.0
/* The file as a whole, and those of its keys that are no objects. */
#include <inttypes.h>
#include <string.h>
#include "config_private.h"
#include "core/base/duration.h"
#include "core/base/memory.h"

/* Without `join:` too: those that have joined go on until they are silent. */
#define DEFAULT_NODE_TIMEOUT (10 * SECOND)

/* --- limits */

static const struct config_limits lowest_limits = {MIN_SLOTS, 1, 1, 1, MIN_TRACKED_CALLS};
static const struct config_limits default_limits = {
	DEFAULT_SLOTS, DEFAULT_POOLS, DEFAULT_SERVICES, DEFAULT_BACKENDS, DEFAULT_TRACKED_CALLS};
static const struct config_limits highest_limits = {
	MAX_SLOTS, MAX_POOLS, MAX_SERVICES, MAX_BACKENDS, MAX_TRACKED_CALLS};

static void read_limit(struct reader *reader, const struct node *value, void *object)
{
	uint32_t min = *(const uint32_t *)((const char *)&lowest_limits + reader->key->member);
	uint32_t max = *(const uint32_t *)((const char *)&highest_limits + reader->key->member);
	uint32_t *limit = (uint32_t *)((char *)object + reader->key->member);

	if (!reader_number(reader, value, min, max, limit))
		*limit = max; /* so that nothing is too many for a limit that nobody set */
}

static void read_slots(struct reader *reader, const struct node *value, void *object)
{
	struct config_limits *limits = object;

	read_limit(reader, value, object);
	if (limits->slots & (limits->slots - 1))
		reader_refuse(reader, value, "a power of two");
}

#define UPGRADE "the maps get this size by 'sipxdp-loader upgrade -c FILE'"

#define LIMIT(limit)                                                                                                   \
	{                                                                                                              \
		.name = #limit, .read = read_limit, .write = config_write_u32,                                         \
		.member = offsetof(struct config_limits, limit), .flags = KEY_ALWAYS, .advice = UPGRADE                \
	}

const struct key config_limit_keys[] = {
	{.name = "slots",
		.read = read_slots,
		.write = config_write_u32,
		.member = offsetof(struct config_limits, slots),
		.flags = KEY_ALWAYS,
		.advice = UPGRADE},
	LIMIT(pools),
	LIMIT(services),
	LIMIT(backends),
	LIMIT(tracked_calls),
	{},
};

/* --- the file */

static bool interface_name_is_valid(const char *name)
{
	const char *c;

	/* The kernel's rule (dev_valid_name), less what cannot be printed. */
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
	if (!interface)
		return;
	for (item = node_first(value); item; item = node_next(value, item), interface++) {
		text = reader_text(reader, item);
		if (!text)
			continue;
		if (!interface_name_is_valid(text)) {
			reader_refuse(reader, item, "the name of an interface, such as eth0");
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
			reader_refuse(reader, item, "a MAC address that is no group's, such as 00:00:5e:00:01:0a");
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
	/* What was written is not repeated: a message goes into logs, and the key is a secret. */
	if (strlen(text) != 32 || strspn(text, "0123456789abcdefABCDEF") != 32) {
		faults_add(reader->faults, value->position,
			"'hash_key' must be exactly 32 hex digits ('openssl rand -hex 16' makes one)");
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

/* What others refer to comes first, whatever the order in the file. */
const struct key config_file_keys[] = {
	{.name = "interfaces",
		.required = true,
		.read = read_interfaces,
		.write = write_interfaces,
		.flags = KEY_ALWAYS,
		.advice = "'sipxdp-loader attach -c FILE' attaches to new ones, 'sipxdp-loader detach' to others"},
	{.name = "macs", .read = read_macs, .write = write_macs},
	{.name = "hash_key",
		.required = true,
		.read = read_hash_key,
		.write = write_hash_key,
		.flags = KEY_ALWAYS | KEY_SECRET},
	{.name = "limits", .read = read_limits},
	{.name = "join", .read = config_read_join},
	{.name = "pools", .required = true, .read = config_read_pools},
	{.name = "services", .read = config_read_services},
	{},
};

struct config *config_parse(const char *text, size_t length, struct faults *faults)
{
	struct parse parse = {.config = allocate(1, sizeof(*parse.config))};
	struct reader reader = {.faults = faults, .context = &parse, .label = "the file"};
	size_t faults_before = faults->count;
	struct yaml_tree document;

	parse.config->join.node_timeout = DEFAULT_NODE_TIMEOUT;
	yaml_tree_load(&document, text, length, faults);
	if (document.count) {
		parse.truncated = document.nodes->truncated;
		parse.config->limits = parse.truncated ? highest_limits : default_limits;
		reader_mapping(&reader, document.nodes, "the file", config_file_keys, parse.config);
	}
	config_claim_vip_ports(&parse, faults);
	config_check_hints(&parse, faults);
	claims_check(&parse.claims, faults);
	if (faults->count == faults_before)
		config_resolve_probes(parse.config, faults);
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
