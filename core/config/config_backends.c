// SPDX-License-Identifier: GPL-2.0
/* The keys of backends and of groups of backends. */
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

/* --- backends */

/* Claims a value for the backend; the value must be unique in the pool. */
static struct claim claim_of(const struct reader *reader, const struct config_backend *backend, enum claim_kind kind,
	const void *key, size_t length, struct position position)
{
	const struct parse *parse = reader->context;

	return (struct claim){.kind = kind,
		.scope = parse->pool,
		.key = key,
		.length = length,
		.owner = backend->name,
		.position = position};
}

static void read_name(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;
	struct parse *parse = reader->context;

	config_claim_name(reader, value, backend->name, CLAIM_BACKEND, parse->pool);
}

static void write_name(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	config_write_word(writer->out, ((const struct config_backend *)object)->name);
}

static void read_address(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;
	struct parse *parse = reader->context;
	struct claim claim = claim_of(
		reader, backend, CLAIM_BACKEND_ADDRESS, &backend->address, sizeof(backend->address), value->position);

	if (!config_read_address(reader, value, &backend->address))
		return;
	claims_add(&parse->claims, claim);
	claim.kind = CLAIM_ROLE_BACKEND;
	claim.scope = 0;
	claim.sharing = SHARING_OTHERS;
	claims_add(&parse->claims, claim);
}

static void write_address(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	config_write_address(writer->out, &((const struct config_backend *)object)->address);
}

static void read_mac(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;
	const char *text = reader_text(reader, value);

	if (text && mac_parse(text, &backend->mac))
		reader_refuse(reader, value, NULL);
}

static void write_mac(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_backend *backend = object;
	char text[MAC_TEXT_SIZE];

	(void)key;
	if (!mac_is_zero(&backend->mac))
		fprintf(writer->out, "'%s'", mac_format(&backend->mac, text));
}

static void add_hint_owner(struct parse *parse, struct hint_owner owner)
{
	parse->hint_owners = array_grow(parse->hint_owners, parse->hint_owner_count, sizeof(*parse->hint_owners));
	parse->hint_owners[parse->hint_owner_count++] = owner;
}

/* All backends share a VIP. A VIP with a port can be a hint if only one backend uses that port. */
static void claim_hint(
	struct reader *reader, struct config_backend *backend, struct config_hint *hint, struct position position)
{
	struct parse *parse = reader->context;
	struct claim claim = claim_of(reader, backend, CLAIM_HINT, hint, sizeof(*hint), position);

	if (address_parse(hint->host, &hint->address))
		hint->address = (struct address){{0}};
	claims_add(&parse->claims, claim);
	if (address_equal(&hint->address, &(struct address){{0}}) || address_equal(&hint->address, &backend->address))
		return;
	add_hint_owner(parse, (struct hint_owner){parse->pool, backend, hint, position});
	if (hint->port)
		return;
	claim = claim_of(reader, backend, CLAIM_ROLE_HINT, &hint->address, sizeof(hint->address), position);
	claim.scope = 0;
	claim.sharing = SHARING_OTHERS;
	claims_add(&parse->claims, claim);
}

static void read_hints(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;
	const struct node *item;
	struct config_hint *hint;
	const char *text;

	hint = backend->hints = reader_items(reader, value, sizeof(*hint), true, &backend->hint_count);
	if (!hint)
		return;
	for (item = node_first(value); item; item = node_next(value, item), hint++) {
		text = reader_text(reader, item);
		if (!text)
			continue;
		if (hint_parse(text, hint->host, &hint->port))
			reader_refuse(reader, item, NULL);
		else
			claim_hint(reader, backend, hint, item->position);
	}
}

static void write_hints(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_backend *backend = object;

	(void)key;
	for (size_t i = 0; i < backend->hint_count; i++) {
		fputs(i ? ", " : "[", writer->out);
		config_write_host(writer->out, backend->hints[i].host, backend->hints[i].port);
	}
	if (backend->hint_count)
		fputc(']', writer->out);
}

static void read_ports(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;
	struct parse *parse = reader->context;
	struct claim claim = claim_of(reader, backend, CLAIM_BACKEND_PORTS, NULL, 0, value->position);

	if (!reader_range(reader, value, &backend->ports.first, &backend->ports.last))
		return;
	claim.first = backend->ports.first;
	claim.last = backend->ports.last;
	claims_add(&parse->claims, claim);
	parse->port_owners = array_grow(parse->port_owners, parse->port_owner_count, sizeof(*parse->port_owners));
	parse->port_owners[parse->port_owner_count++] = (struct port_owner){parse->pool, backend, value->position};
}

static void write_ports(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_backend *backend = object;

	(void)key;
	if (backend->ports.first)
		config_write_range(writer->out, backend->ports.first, backend->ports.last);
}

static void read_forward(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;

	config_read_forward(reader, value, &backend->forward);
}

static void write_forward(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_backend *backend = object;

	(void)key;
	if (backend->forward)
		fputs(config_forward_name(backend->forward), writer->out);
}

static void read_port(struct reader *reader, const struct node *value, void *object)
{
	const struct config_backend *backend = object;
	const struct parse *parse = reader->context;

	config_read_u16(reader, value, object);
	if (config_backend_forward(&parse->config->pools[parse->pool], backend) != FORWARD_NAT)
		faults_add(reader->faults, value->position, "'port' of %s: only for forward nat; remove it",
			reader->label);
}

static const struct word admin_words[] = {
	{"ready", ADMIN_READY},
	{"drain", ADMIN_DRAIN},
	{"maint", ADMIN_MAINT},
	{},
};

static void read_admin(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;
	int admin;

	backend->sets_admin = reader_word(reader, value, &admin);
	if (backend->sets_admin)
		backend->admin = admin;
}

static void write_admin(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_backend *backend = object;

	(void)key;
	if (backend->sets_admin)
		fputs(config_admin_name(backend->admin), writer->out);
}

const char *config_admin_name(enum admin_state admin)
{
	return admin_words[admin].text;
}

#define MEMBER(name) .member = offsetof(struct config_backend, name)

const struct key config_backend_keys[] = {
	{.name = "name",
		.required = true,
		.read = read_name,
		.write = write_name,
		.flags = KEY_ALWAYS | KEY_IN_STEPS,
		.expected = NAME_EXPECTED,
		.help = "Name of the backend, unique in the pool."},
	{.name = "address",
		.required = true,
		.read = read_address,
		.write = write_address,
		.flags = KEY_ALWAYS | KEY_IN_STEPS,
		.expected = ADDRESS_EXPECTED,
		.help = "The backend's own address, not a VIP."},
	{.name = "weight",
		.read = config_read_u16,
		.write = config_write_u16,
		MEMBER(weight),
		.flags = KEY_ALWAYS | KEY_IN_STEPS,
		.type = VALUE_NUMBER,
		.max = MAX_WEIGHT,
		.help = "Share of the calls, relative to the weights of the other backends. With 0 the backend "
			"receives no calls."},
	{.name = "priority",
		.read = config_read_u8,
		.write = config_write_u8,
		MEMBER(priority),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = MAX_PRIORITY,
		.help = "The live backends with the lowest number receive the calls. The others are standby."},
	{.name = "mac",
		.read = read_mac,
		.write = write_mac,
		.expected = "a unicast MAC address, such as 02:00:5e:10:00:01",
		.usual = "found by ARP or neighbour discovery",
		.help = "MAC address of the backend. Set it only where ARP or neighbour discovery cannot work."},
	{.name = "hints",
		.read = read_hints,
		.write = write_hints,
		.flags = KEY_LIST,
		.expected = "a host as in SIP messages, such as px1.example.net, px1.example.net:5062, 10.0.0.11 or "
			    "'[2001:db8::11]:5060', a parameter, such as ';node=px1', or a tag, such as tag=px1-",
		.help = "Names of the backend in SIP, in addition to its address. A message whose Via, Route or "
			"Request-URI contains one of them goes to this backend. A host without a port matches every "
			"port. A parameter, such as ';node=px1', matches after any host. A tag, such as tag=px1-, "
			"matches the start of the tag that the server has put into the dialog. A hint is unique in the "
			"pool and is not the address of a different backend."},
	{.name = "ports",
		.read = read_ports,
		.write = write_ports,
		.type = VALUE_RANGE,
		.min = 1,
		.max = 65535,
		.help = "UDP ports of the VIPs that belong to this backend alone, for example for media. They must not "
			"overlap the `ports` of a different backend of the VIP, or the port of a service other than "
			"port 0."},
	{.name = "forward",
		.read = read_forward,
		.write = write_forward,
		.type = VALUE_WORD,
		.words = config_forward_words,
		.usual = "`forward` of the pool",
		.help = "How packets reach this backend, for example one backend in a different network."},
	{.name = "port",
		.read = read_port,
		.write = config_write_port,
		MEMBER(port),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = 65535,
		.usual = "`port` of the pool",
		.help = "Port of this backend with `forward: nat`, if it is not the port of the service."},
	{.name = "max_calls",
		.read = config_read_u32,
		.write = config_write_limit,
		MEMBER(max_calls),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = MAX_COUNTED_CALLS,
		.usual = "`max_calls` of the pool",
		.help = "Live calls of this backend from which on new calls go to other backends."},
	{.name = "max_rate",
		.read = config_read_u32,
		.write = config_write_limit,
		MEMBER(max_rate),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = CALL_RATE_MAX,
		.usual = "`max_rate` of the pool",
		.help = "New calls of this backend per second, at each balancer of a group. Further ones go to other "
			"backends."},
	{.name = "admin",
		.read = read_admin,
		.write = write_admin,
		.flags = KEY_IN_STEPS,
		.type = VALUE_WORD,
		.words = admin_words,
		.usual = "`ready` for a new backend",
		.help = "Administrative state. With this key, each reload sets the state. Without it, a reload keeps "
			"the state that an operator has set. A restart of the daemon never changes the state."},
	{},
};

#undef MEMBER

void config_read_backends(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;
	struct parse *parse = reader->context;
	struct config_backend *backend;
	const struct node *item;

	backend = pool->backends = reader_items(reader, value, sizeof(*backend), true, &pool->backend_count);
	if (!backend)
		return;
	for (item = node_first(value); item; item = node_next(value, item), backend++) {
		backend->weight = 1;
		backend->priority = 1;
		backend->position = item->position;
		config_check_limit(reader, item->position, ++parse->backend_count, parse->config->limits.backends,
			"backends", MAX_BACKENDS);
		reader_mapping(reader, item, "a backend", config_backend_keys, backend);
	}
}

/* --- groups */

/* The group that is being read. */
struct reading {
	struct config_pool *pool;
	size_t group;
	struct config_backend **by_name; /* the backends of the pool, sorted */
};

static int compare_backends(const void *left, const void *right)
{
	const struct config_backend *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

static void read_group_name(struct reader *reader, const struct node *value, void *object)
{
	struct reading *reading = object;
	struct parse *parse = reader->context;

	config_claim_name(reader, value, reading->pool->groups[reading->group], CLAIM_GROUP, parse->pool);
}

static void read_member(struct reader *reader, const struct node *value, const struct reading *reading)
{
	const struct config_pool *pool = reading->pool;
	struct config_backend wanted = {}, *key = &wanted, **found;
	struct parse *parse = reader->context;

	if (!config_read_name(reader, value, wanted.name))
		return;
	found = bsearch(&key, reading->by_name, pool->backend_count, sizeof(key), compare_backends);
	if (found) {
		(*found)->group = reading->group + 1;
		claims_add(&parse->claims, (struct claim){.kind = CLAIM_MEMBER,
						   .scope = parse->pool,
						   .key = (*found)->name,
						   .length = strlen((*found)->name),
						   .owner = pool->groups[reading->group],
						   .position = value->position});
	} else if (!parse->truncated) { /* otherwise the missing part of the file may define it */
		faults_add(reader->faults, value->position, "'backends' of %s: the pool has no backend named %s",
			reader->label, wanted.name);
	}
}

static void read_members(struct reader *reader, const struct node *value, void *object)
{
	const struct node *item;

	if (!reader_list(reader, value, true))
		return;
	for (item = node_first(value); item; item = node_next(value, item))
		read_member(reader, item, object);
}

const struct key config_group_keys[] = {
	{.name = "name",
		.required = true,
		.read = read_group_name,
		.expected = NAME_EXPECTED,
		.help = "Name of the group, unique in the pool."},
	{.name = "backends",
		.required = true,
		.read = read_members,
		.flags = KEY_LIST,
		.expected = "the name of a backend",
		.help = "Backends of the group. A backend belongs to one group at most."},
	{},
};

void config_read_groups(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;
	struct reading reading = {.pool = pool};
	const struct node *item;
	size_t i;

	pool->groups = reader_items(reader, value, sizeof(*pool->groups), true, &pool->group_count);
	if (!pool->groups)
		return;
	reading.by_name = allocate(pool->backend_count, sizeof(*reading.by_name));
	for (i = 0; i < pool->backend_count; i++)
		reading.by_name[i] = &pool->backends[i];
	qsort(reading.by_name, pool->backend_count, sizeof(*reading.by_name), compare_backends);
	for (item = node_first(value); item; item = node_next(value, item), reading.group++) {
		config_check_limit(reader, item->position, reading.group + 1, MAX_BACKENDS, "groups", MAX_BACKENDS);
		reader_mapping(reader, item, "a group", config_group_keys, &reading);
	}
	free(reading.by_name);
}
