// SPDX-License-Identifier: GPL-2.0
/* The keys of pools. */
#include <string.h>
#include "bpf/tunnel.h"
#include "config_private.h"
#include "core/base/memory.h"

#define DEFAULT_MIN_ALIVE 10
#define DEFAULT_BOUND 125
#define DEFAULT_RECORD_TIME (32 * SECOND) /* the longest transaction: timers B and F (RFC 3261, section 17.1) */
#define DEFAULT_DRAIN_TIMEOUT HOUR

static void read_name(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;

	config_claim_name(reader, value, pool->name, CLAIM_POOL, 0);
}

const struct word config_forward_words[] = {
	{"dsr", FORWARD_DSR},
	{"ipip", FORWARD_IPIP},
	{"gue", FORWARD_GUE},
	{"nat", FORWARD_NAT},
	{},
};

bool config_read_forward(struct reader *reader, const struct node *value, enum forward_method *out)
{
	int forward;

	if (!reader_word(reader, value, &forward))
		return false;
	*out = forward;
	return true;
}

const char *config_forward_name(enum forward_method forward)
{
	const struct word *word = config_forward_words;

	while (word->text && word->value != (int)forward)
		word++;
	return word->text ? word->text : "none";
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

static bool forwards_by_nat(const void *object)
{
	return ((const struct config_pool *)object)->forward == FORWARD_NAT;
}

static const struct key_condition only_nat = {forwards_by_nat, "only for forward nat"};

/* At least one bit must vary, and the prefix must not contain addresses of different networks. */
static bool is_outer_source(const struct prefix_key *prefix)
{
	uint32_t least = address_is_mapped_ipv4(&prefix->address) ? PREFIX_MAPPED + 8 : 32;

	return prefix->bits >= least && prefix->bits < PREFIX_BITS;
}

static void read_outer_source(struct reader *reader, const struct node *value, void *object)
{
	const char *text = reader_text(reader, value);
	struct prefix_key prefix;

	if (!text)
		return;
	if (prefix_parse(text, &prefix) || !is_outer_source(&prefix))
		reader_refuse(reader, value, NULL);
	else
		((struct config_pool *)object)->outer_source = prefix;
}

static void write_outer_source(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_pool *pool = object;
	char text[PREFIX_TEXT_SIZE];

	(void)key;
	if (pool->outer_source.bits)
		config_write_word(writer->out, prefix_format(&pool->outer_source, text));
}

static bool is_bounded(const void *object)
{
	return ((const struct config_pool *)object)->balance == BALANCE_BOUNDED;
}

static const struct key_condition only_bounded = {is_bounded, "only for balance bounded"};

static void read_backend_surge(struct reader *reader, const struct node *value, void *object)
{
	const struct parse *parse = reader->context;

	config_read_rate(reader, value, &((struct config_pool *)object)->backend_surge, CONFIG_RATE_SURGE);
	if (!parse->config->guard.is_set && !parse->truncated)
		faults_add(reader->faults, value->position,
			"'backend_surge' of %s needs `guard:` at the top of the file", reader->label);
}

static void write_backend_surge(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_rate *rate = &((const struct config_pool *)object)->backend_surge;

	(void)key;
	if (rate->rate)
		config_write_rate(writer->out, rate);
}

#define MEMBER(name) .member = offsetof(struct config_pool, name)

const struct key config_pool_keys[] = {
	{.name = "name",
		.required = true,
		.read = read_name,
		.expected = NAME_EXPECTED,
		.help = "Name of the pool, unique in the file."},
	{.name = "forward",
		.read = read_forward,
		.write = write_forward,
		.flags = KEY_ALWAYS,
		.type = VALUE_WORD,
		.words = config_forward_words,
		.help = "How packets reach the backends. `dsr` rewrites the destination MAC address; the backends must "
			"be on a network of the balancer. `ipip` and `gue` put each packet into a tunnel, so the "
			"backends can be in any network: `ipip` into IP-in-IP, `gue` into UDP (Generic UDP "
			"Encapsulation), for networks that drop IP-in-IP or distribute load by UDP ports. `nat` "
			"replaces the VIP with the address of the backend; the backends need no VIP, and send all "
			"packets to clients through the balancer."},
	{.name = "gue_port",
		.read = config_read_u16,
		.write = config_write_u16,
		MEMBER(gue_port),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = 65535,
		.help = "UDP destination port of the tunnels to backends with `forward: gue`. `decap` accepts "
			"port 6080, or the ports of its option --gue-port."},
	{.name = "outer_source",
		.read = read_outer_source,
		.write = write_outer_source,
		.expected = "a network such as 172.16.0.0/16 (IPv4: /8 to /31, IPv6: /32 to /127)",
		.usual = "the address of the balancer's interface",
		.help = "Outer source addresses of the tunnels to backends with `forward: ipip` and an address of the "
			"same IP version. The Call-ID selects one of them, so the calls use all receive queues of a "
			"network card that distributes packets only by their addresses. Routers must route the "
			"network to the balancer, and decap must accept it (`--from`)."},
	{.name = "port",
		.read = config_read_u16,
		.write = config_write_port,
		.condition = &only_nat,
		MEMBER(port),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = 65535,
		.usual = "the port of the service",
		.help = "Port of the backends, if it is not the port of the service. Two services with the same "
			"protocol cannot use the same port of a backend."},
	{.name = "min_alive",
		.read = config_read_u32,
		.write = config_write_u32,
		MEMBER(min_alive),
		.flags = KEY_ALWAYS,
		.type = VALUE_NUMBER,
		.max = 100,
		.help = "In per cent. If, according to the probes, less than this share of the backends of one "
			"priority "
			"is up, the pool fails open: all backends keep their calls, because a network fault near the "
			"balancer is "
			"then the more likely cause. With 0 the daemon always trusts the probes, even if all backends "
			"fail."},
	{.name = "balance",
		.read = config_read_balance,
		.write = config_write_balance,
		.type = VALUE_WORD,
		.words = config_balance_words,
		.help = "Which backend receives a new call. `hash`: the owner of the slot of its Call-ID. `bounded`: "
			"the owner, unless it has more calls than `bound` permits. `least-calls`: the backend with the "
			"fewest calls for its weight. `round-robin`: each backend in turn, by weight. All values "
			"except `hash` need services with `protocol: udp` and `affinity: call-id`. A change moves no "
			"established call."},
	{.name = "bound",
		.read = config_read_u32,
		.write = config_write_u32,
		.condition = &only_bounded,
		MEMBER(bound),
		.type = VALUE_NUMBER,
		.min = 105,
		.max = 1000,
		.help = "In per cent of the mean number of calls by weight. A backend with more calls receives no new "
			"ones with `balance: bounded`. The calls are estimated from a sample, so the bound takes "
			"effect from about 6,000 calls for each backend (125), or 30,000 (110)."},
	{.name = "max_calls",
		.read = config_read_u32,
		.write = config_write_limit,
		MEMBER(max_calls),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = MAX_COUNTED_CALLS,
		.usual = "no limit",
		.help = "Live calls of each backend from which on new calls go to other backends. Every call of the "
			"pool is counted. Needs services with `protocol: udp` and `affinity: call-id`."},
	{.name = "max_rate",
		.read = config_read_u32,
		.write = config_write_limit,
		MEMBER(max_rate),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = CALL_RATE_MAX,
		.usual = "no limit",
		.help = "New calls (initial INVITEs) of each backend per second, at each balancer of a group. Further "
			"ones go to other backends. Needs services with `protocol: udp` and `affinity: call-id`."},
	{.name = "load_limit",
		.read = config_read_u32,
		.write = config_write_limit,
		MEMBER(load_limit),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = 100,
		.usual = "no limit",
		.help = "In per cent. A backend that reports this load or more receives no new calls until its load "
			"is 2 % lower. Backends report their load in heartbeats (`load`) or in the response to a probe "
			"(`load_header`). Needs services with `protocol: udp` and `affinity: call-id`."},
	{.name = "overload",
		.read = config_read_overload,
		.write = config_write_overload,
		.type = VALUE_WORD,
		.words = config_overload_words,
		.help = "What happens to new calls if no backend accepts them. `hash`: they go to the owner of their "
			"slot. `refuse`: the balancer answers them with 503."},
	{.name = "probe",
		.read = config_read_probe,
		.type = VALUE_WORD,
		.words = config_probe_types,
		.keys = config_probe_keys,
		.usual = "`none`",
		.help = "The health check of the backends: the `type` alone, or a mapping."},
	{.name = "passive",
		.read = config_read_passive,
		.write = config_write_passive,
		.type = VALUE_WORD,
		.words = reader_truth_words,
		.keys = config_passive_keys,
		.usual = "`false`",
		.help = "Passive health: backends whose responses to clients fail are down. `true` stands for the "
			"default values; a mapping changes them. Only for `forward: nat`, and for services with "
			"protocol `udp`."},
	{.name = "record_time",
		.read = config_read_time,
		.write = config_write_time,
		MEMBER(record_time),
		.type = VALUE_TIME,
		.max = HOUR,
		.help = "How long calls are recorded before their slots move to a different backend. 32 s is the "
			"longest duration of a SIP transaction (RFC 3261, timers B and F)."},
	{.name = "drain_timeout",
		.read = config_read_time,
		.write = config_write_time,
		MEMBER(drain_timeout),
		.type = VALUE_TIME,
		.min = SECOND,
		.max = 7 * DAY,
		.help = "How long calls of a slot that has moved can stay with the previous owner. After this time "
			"only tracked calls stay there, until they end."},
	{.name = "slow_start",
		.read = config_read_time,
		.write = config_write_time,
		MEMBER(slow_start),
		.type = VALUE_TIME,
		.max = HOUR,
		.help = "Time in which the weight of a returning backend grows to its full value. With 0s the backend "
			"has its full weight at once."},
	{.name = "backend_surge",
		.read = read_backend_surge,
		.write = write_backend_surge,
		.expected = "a mapping of `rate`, `burst`, `mode` and `action`",
		.usual = "none",
		.help = "Limits the initial INVITEs for each backend, as `{rate: 100, burst: 100}`, in services with a "
			"guard. INVITEs above the limit are refused with 503, or dropped with `action: drop`."},
	{.name = "backends",
		.required = true,
		.read = config_read_backends,
		.flags = KEY_LIST,
		.keys = config_backend_keys,
		.help = "The servers of the pool. The list may be empty. Its order has no meaning."},
	{.name = "groups",
		.read = config_read_groups,
		.flags = KEY_LIST,
		.keys = config_group_keys,
		.usual = "none",
		.help = "Names for sets of backends, for example a rack or a site."},
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
	pool->gue_port = GUE_PORT;
	pool->min_alive = DEFAULT_MIN_ALIVE;
	pool->bound = DEFAULT_BOUND;
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
