// SPDX-License-Identifier: GPL-2.0
/* A written configuration reads back as equal, and so does a copy. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "config_text.h"

/* --- comparison */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_probe(const struct config_probe *a, const struct config_probe *b)
{
	return a->type == b->type && a->transport == b->transport && a->to_address == b->to_address &&
	       a->port == b->port && a->interval == b->interval && a->timeout == b->timeout && a->fall == b->fall &&
	       a->rise == b->rise && !memcmp(a->ok_codes, b->ok_codes, sizeof(a->ok_codes)) &&
	       same_text(a->from, b->from) && same_text(a->request_uri, b->request_uri) &&
	       same_text(a->user, b->user) && a->verify == b->verify && same_text(a->ca, b->ca) &&
	       same_text(a->sni, b->sni) && same_text(a->load_header, b->load_header);
}

static bool same_backend(const struct config_backend *a, const struct config_backend *b)
{
	size_t i;

	if (a->hint_count != b->hint_count)
		return false;
	for (i = 0; i < a->hint_count; i++) {
		if (strcmp(a->hints[i].host, b->hints[i].host) || a->hints[i].port != b->hints[i].port)
			return false;
	}
	return !strcmp(a->name, b->name) && address_equal(&a->address, &b->address) && a->weight == b->weight &&
	       !memcmp(&a->mac, &b->mac, sizeof(a->mac)) && a->priority == b->priority && a->group == b->group &&
	       a->ports.first == b->ports.first && a->ports.last == b->ports.last && a->forward == b->forward &&
	       a->max_rate == b->max_rate && a->sets_admin == b->sets_admin && a->admin == b->admin;
}

static bool same_pool(const struct config_pool *a, const struct config_pool *b)
{
	size_t i;

	if (strcmp(a->name, b->name) || a->forward != b->forward || a->min_alive != b->min_alive ||
		a->record_time != b->record_time || a->drain_timeout != b->drain_timeout ||
		a->slow_start != b->slow_start || a->balance != b->balance || a->bound != b->bound ||
		a->max_calls != b->max_calls || a->max_rate != b->max_rate || a->load_limit != b->load_limit ||
		a->refuse_overload != b->refuse_overload || !same_probe(&a->probe, &b->probe) ||
		a->group_count != b->group_count || a->backend_count != b->backend_count)
		return false;
	for (i = 0; i < a->group_count; i++) {
		if (strcmp(a->groups[i], b->groups[i]))
			return false;
	}
	for (i = 0; i < a->backend_count; i++) {
		if (!same_backend(&a->backends[i], &b->backends[i]))
			return false;
	}
	return true;
}

static bool same_service(const struct config_service *a, const struct config_service *b)
{
	return !strcmp(a->name, b->name) && a->vip_count == b->vip_count &&
	       !memcmp(a->vips, b->vips, a->vip_count * sizeof(*a->vips)) && a->port == b->port &&
	       a->last_port == b->last_port && a->ping == b->ping && a->protocol == b->protocol &&
	       a->affinity == b->affinity && a->pool == b->pool && !memcmp(a->methods, b->methods, sizeof(a->methods));
}

static bool same_join(const struct config_join *a, const struct config_join *b)
{
	return endpoint_equal(&a->listen, &b->listen) && same_text(a->secret, b->secret) &&
	       (!a->listen.port || a->node_timeout == b->node_timeout); /* without `join:` it is the default */
}

static bool same_capture(const struct config_capture *a, const struct config_capture *b)
{
	return endpoint_equal(&a->to, &b->to) && a->id == b->id && a->sample == b->sample &&
	       same_text(a->password, b->password) && same_text(a->node, b->node);
}

/* Without `group:` the time is the default. */
static bool same_membership(const struct config_membership *a, const struct config_membership *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->node, b->node) && a->agree == b->agree &&
	       (!*a->name || a->alone_after == b->alone_after);
}

static bool same_config(const struct config *a, const struct config *b)
{
	size_t i;

	if (a->interface_count != b->interface_count || a->pool_count != b->pool_count ||
		a->service_count != b->service_count || memcmp(a->hash_key, b->hash_key, sizeof(a->hash_key)) ||
		memcmp(&a->limits, &b->limits, sizeof(a->limits)) || !same_join(&a->join, &b->join) ||
		!endpoint_equal(&a->metrics.listen, &b->metrics.listen) || !same_capture(&a->capture, &b->capture) ||
		!same_membership(&a->group, &b->group))
		return false;
	if (a->mac_count != b->mac_count)
		return false;
	for (i = 0; i < a->mac_count; i++) {
		if (memcmp(&a->macs[i], &b->macs[i], sizeof(*a->macs)))
			return false;
	}
	for (i = 0; i < a->interface_count; i++) {
		if (strcmp(a->interfaces[i], b->interfaces[i]))
			return false;
	}
	for (i = 0; i < a->pool_count; i++) {
		if (!same_pool(&a->pools[i], &b->pools[i]))
			return false;
	}
	for (i = 0; i < a->service_count; i++) {
		if (!same_service(&a->services[i], &b->services[i]))
			return false;
	}
	return true;
}

/* --- random configurations */

/* A random number generator that returns the same values on every machine. */
static uint32_t random_below(uint64_t *state, uint32_t limit)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return (*state >> 33) % limit;
}

/* A random valid name. Its serial number makes it unique. */
static void random_name(uint64_t *state, char *out, size_t size, const char *characters, unsigned int serial)
{
	size_t length = random_below(state, size - 8), i;

	for (i = 0; i < length; i++)
		out[i] = characters[random_below(state, strlen(characters))];
	snprintf(out + length, size - length, "%u", serial);
}

#define NAME_CHARACTERS "ABCXYZabcxyz0189._-"
#define INTERFACE_CHARACTERS NAME_CHARACTERS "'\"#@!&*%{}[],>|`~?\\=$"

static struct address random_address(uint64_t *state, unsigned int serial)
{
	struct address address;
	char text[64];

	if (random_below(state, 2))
		snprintf(text, sizeof(text), "%u.%u.%u.%u", 1 + random_below(state, 100), random_below(state, 256),
			serial >> 8, serial & 255);
	else
		snprintf(text, sizeof(text), "2001:%x:%x::%x:%x", random_below(state, 3), random_below(state, 65536),
			random_below(state, 2), serial);
	cr_assert_eq(address_parse(text, &address), 0, "%s", text);
	return address;
}

/* A random printable text. */
static char *random_text(uint64_t *state, const char *before, size_t most)
{
	size_t length = random_below(state, most), begin = strlen(before), i;
	char *text = calloc(begin + length + 2, 1);

	strcpy(text, before);
	for (i = 0; i <= length; i++)
		text[begin + i] = ' ' + random_below(state, '~' - ' ' + 1);
	return text;
}

static uint32_t random_time(uint64_t *state, uint32_t min, uint32_t max)
{
	static const uint32_t units[] = {1, 1000, 60000, 3600000, 86400000};
	uint32_t unit = units[random_below(state, COUNT(units))], time = unit * random_below(state, max / unit + 1);

	return time < min ? min : time;
}

static void random_hint(uint64_t *state, struct config_hint *hint, unsigned int serial)
{
	struct address address = random_address(state, serial);

	if (random_below(state, 2))
		address_format(&address, hint->host);
	else
		snprintf(hint->host, sizeof(hint->host), "0px-%u.example.on", serial);
	hint->port = random_below(state, 2) ? 1 + random_below(state, 65535) : 0;
}

static void random_probe(uint64_t *state, struct config_probe *probe)
{
	bool sip, tls;
	size_t i;

	probe->type = random_below(state, PROBE_ICMP + 1);
	sip = probe->type == PROBE_OPTIONS || probe->type == PROBE_REGISTER;
	if (probe->type == PROBE_NONE)
		return;
	probe->transport = sip ? random_below(state, TRANSPORT_TLS + 1) : TRANSPORT_UDP;
	tls = probe->type == PROBE_TLS || probe->transport == TRANSPORT_TLS;
	probe->to_address = random_below(state, 2);
	probe->port = probe->type == PROBE_ICMP ? 0 : 1 + random_below(state, 65535);
	probe->interval = random_time(state, 100, 3600000);
	probe->timeout = random_time(state, 10, probe->interval);
	probe->fall = 1 + random_below(state, 100);
	probe->rise = 1 + random_below(state, 100);
	if (sip && random_below(state, 2)) {
		memset(probe->ok_codes, 0, sizeof(probe->ok_codes));
		for (i = 100 * (2 + random_below(state, 5)); i < STATUS_CODE_END; i += 1 + random_below(state, 2))
			probe->ok_codes[i / 8] |= 1 << i % 8;
	}
	if (sip && random_below(state, 2)) {
		probe->from = strdup("sip:probe@[2001:db8::1]:5060;transport=udp");
		probe->request_uri = strdup("sip:'%20'@example.net?a=b");
		probe->user = strdup("*'~!");
	}
	if (probe->type == PROBE_OPTIONS && random_below(state, 2))
		probe->load_header = strdup("X-Load'%");
	if (tls && random_below(state, 2)) {
		probe->ca = random_text(state, "/", 100);
		probe->sni = strdup("No.Example.NET");
		probe->verify = random_below(state, 2);
	}
}

/* Services have ports below 40000; backends have all other ports. A hint is never the address of a different object. */
#define HINT_SERIALS 0x8000

static void random_backend(
	uint64_t *state, struct config_backend *backend, const struct config_pool *pool, unsigned int *serial)
{
	size_t i;

	random_name(state, backend->name, sizeof(backend->name), NAME_CHARACTERS, ++*serial);
	backend->address = random_address(state, *serial);
	backend->weight = random_below(state, MAX_WEIGHT + 1);
	backend->priority = 1 + random_below(state, MAX_PRIORITY);
	backend->group = random_below(state, pool->group_count + 1);
	backend->forward = random_below(state, FORWARD_GUE + 1);
	backend->sets_admin = random_below(state, 2);
	backend->admin = backend->sets_admin ? random_below(state, ADMIN_MAINT + 1) : ADMIN_READY;
	for (i = 0; i < 6 && random_below(state, 4); i++)
		backend->mac.byte[i] = random_below(state, 256) & 0xfe;
	backend->max_rate = random_below(state, 2) * random_below(state, 1000000);
	backend->hint_count = random_below(state, 3);
	backend->hints = calloc(backend->hint_count + 1, sizeof(*backend->hints));
	for (i = 0; i < backend->hint_count; i++)
		random_hint(state, &backend->hints[i], HINT_SERIALS | *serial << 2 | i);
	if (random_below(state, 2))
		return;
	backend->ports.first = 40000 + 50 * *serial;
	backend->ports.last = backend->ports.first + random_below(state, 50);
}

static void random_pool(uint64_t *state, struct config_pool *pool, unsigned int *serial)
{
	struct config *usual = parse_good(HEAD POOLS);
	size_t i;

	*pool = usual->pools[0]; /* the default values */
	random_name(state, pool->name, sizeof(pool->name), NAME_CHARACTERS, ++*serial);
	pool->forward = FORWARD_DSR + random_below(state, 3);
	pool->gue_port = 1 + random_below(state, 65535);
	if (random_below(state, 2))
		prefix_parse(random_below(state, 2) ? "172.16.0.0/16" : "2001:db8:5::/64", &pool->outer_source);
	pool->min_alive = random_below(state, 101);
	pool->balance = random_below(state, 4);
	if (pool->balance == BALANCE_BOUNDED)
		pool->bound = 105 + random_below(state, 896);
	pool->max_calls = random_below(state, 2) * (1 + random_below(state, MIN_COUNTED_CALLS));
	pool->max_rate = random_below(state, 2) * (1 + random_below(state, 1000000));
	pool->refuse_overload = random_below(state, 2);
	random_probe(state, &pool->probe);
	pool->load_limit = pool->probe.load_header ? random_below(state, 101) : 0;
	pool->record_time = random_time(state, 0, 3600000);
	pool->drain_timeout = random_time(state, 1000, 7 * 86400000);
	pool->slow_start = random_time(state, 0, 3600000);
	pool->group_count = random_below(state, 4);
	pool->groups = calloc(pool->group_count + 1, sizeof(*pool->groups));
	for (i = 0; i < pool->group_count; i++)
		random_name(state, pool->groups[i], sizeof(*pool->groups), NAME_CHARACTERS, ++*serial);
	pool->backend_count = random_below(state, 20);
	pool->backends = calloc(pool->backend_count + 1, sizeof(*pool->backends));
	for (i = 0; i < pool->backend_count; i++)
		random_backend(state, &pool->backends[i], pool, serial);
	config_free(usual);
}

static void random_service(uint64_t *state, struct config_service *service, size_t pools, unsigned int *serial)
{
	bool udp = random_below(state, 2);
	size_t i;

	random_name(state, service->name, sizeof(service->name), NAME_CHARACTERS, ++*serial);
	service->port = random_below(state, 4) ? 1 + random_below(state, 39000) : 0;
	service->last_port = service->port + (service->port ? random_below(state, 1000) : 0);
	service->ping = random_below(state, 2);
	service->message_counters = !udp || random_below(state, 2);
	service->protocol = udp ? IPPROTO_UDP : IPPROTO_TCP;
	service->affinity = udp ? random_below(state, AFFINITY_REQUEST_USER + 1) : AFFINITY_FLOW;
	service->pool = random_below(state, pools);
	for (i = 0; i < METHOD_COUNT; i++)
		service->methods[i] =
			i && udp && !random_below(state, 3) ? (int)random_below(state, pools) : CONFIG_NO_POOL;
	service->vip_count = 1 + random_below(state, 3);
	service->vips = calloc(service->vip_count, sizeof(*service->vips));
	for (i = 0; i < service->vip_count; i++)
		service->vips[i] = random_address(state, ++*serial);
}

static void reset_rates(struct config_pool *pool)
{
	for (size_t i = 0; i < pool->backend_count; i++)
		pool->backends[i].max_rate = 0;
}

/* Only UDP services with the affinity call-id may have pools that place calls. */
static void reset_balance(struct config *config, const struct config_service *service)
{
	size_t pools[METHOD_COUNT], count = config_service_pools(service, pools);

	if (service->protocol == IPPROTO_UDP && service->affinity == AFFINITY_CALL_ID)
		return;
	for (size_t i = 0; i < count; i++) {
		config->pools[pools[i]].balance = BALANCE_HASH;
		config->pools[pools[i]].bound = 125;
		config->pools[pools[i]].max_calls = 0;
		config->pools[pools[i]].max_rate = 0;
		config->pools[pools[i]].load_limit = 0;
		reset_rates(&config->pools[pools[i]]);
	}
}

static struct endpoint random_listen(uint64_t *state)
{
	return (struct endpoint){random_address(state, 0xffff), 1 + random_below(state, 65535)};
}

static void random_join(uint64_t *state, struct config_join *join)
{
	if (random_below(state, 2))
		return;
	join->listen = random_listen(state);
	join->secret = random_text(state, "'\"#: {}[] 4567890", 200);
	join->node_timeout = random_time(state, 1000, 3600000);
}

static void random_capture(uint64_t *state, struct config_capture *capture)
{
	if (random_below(state, 2))
		return;
	capture->to = random_listen(state);
	capture->id = random_below(state, 1000000000);
	capture->sample = random_below(state, 1000001);
	if (random_below(state, 2))
		capture->password = random_text(state, "'\"#: {}[] 4567890", 40);
	if (random_below(state, 2))
		capture->node = random_text(state, "'\"#: {}[] 4567890", 40);
}

static void random_membership(uint64_t *state, struct config_membership *membership)
{
	if (random_below(state, 2))
		return;
	random_name(state, membership->name, NAME_SIZE, NAME_CHARACTERS, 1);
	random_name(state, membership->node, NAME_SIZE, NAME_CHARACTERS, 2);
	membership->agree = random_below(state, AGREE_COUNT);
	membership->alone_after = random_time(state, 1000, 3600000);
}

static struct config *random_config(uint64_t *state)
{
	struct config *config = calloc(1, sizeof(*config));
	unsigned int serial = 0;
	size_t i;

	config->interface_count = 1 + random_below(state, 4);
	config->interfaces = calloc(config->interface_count, sizeof(*config->interfaces));
	for (i = 0; i < config->interface_count; i++)
		random_name(state, config->interfaces[i], IFNAMSIZ, INTERFACE_CHARACTERS, ++serial);
	config->mac_count = random_below(state, 3);
	config->macs = calloc(config->mac_count + 1, sizeof(*config->macs));
	for (i = 0; i < config->mac_count; i++)
		config->macs[i] = (struct mac){{0x02, random_below(state, 256), 0, 0, 0, i}};
	for (i = 0; i < 2; i++)
		config->hash_key[i] = (uint64_t)random_below(state, 1u << 31) << 32 | random_below(state, 1u << 31);
	config->limits.slots = MIN_SLOTS << random_below(state, 13);
	config->limits.pools = 10 + random_below(state, MAX_POOLS - 9);
	config->limits.services = 30 + random_below(state, MAX_SERVICES - 29);
	config->limits.backends = 200 + random_below(state, MAX_BACKENDS - 199);
	config->limits.tracked_calls =
		MIN_TRACKED_CALLS + random_below(state, MAX_TRACKED_CALLS - MIN_TRACKED_CALLS + 1);
	config->limits.counted_calls =
		MIN_COUNTED_CALLS + random_below(state, MAX_COUNTED_CALLS - MIN_COUNTED_CALLS + 1);
	config->limits.guarded_sources =
		MIN_GUARDED_SOURCES + random_below(state, MAX_GUARDED_SOURCES - MIN_GUARDED_SOURCES + 1);
	random_join(state, &config->join);
	if (random_below(state, 2))
		config->metrics.listen = random_listen(state);
	if (endpoint_equal(&config->metrics.listen, &config->join.listen))
		config->metrics.listen.port = 0;
	random_capture(state, &config->capture);
	random_membership(state, &config->group);
	config->pool_count = 1 + random_below(state, 10);
	config->pools = calloc(config->pool_count, sizeof(*config->pools));
	for (i = 0; i < config->pool_count; i++)
		random_pool(state, &config->pools[i], &serial);
	config->service_count = random_below(state, 11);
	config->services = calloc(config->service_count + 1, sizeof(*config->services));
	for (i = 0; i < config->service_count; i++)
		random_service(state, &config->services[i], config->pool_count, &serial);
	for (i = 0; i < config->service_count; i++)
		reset_balance(config, &config->services[i]);
	return config;
}

/* --- tests */

Test(config_write, a_written_configuration_reads_back_as_equal)
{
	uint64_t state = 1;
	size_t i;

	for (i = 0; i < 500; i++) {
		struct config *config = random_config(&state), *again;
		char *text = write_text(config), *second;

		again = parse_good(text);
		cr_assert(same_config(config, again), "differs after it is read back: %s", text);
		second = write_text(again);
		cr_assert_str_eq(text, second);
		config_free(config);
		config_free(again);
		free(text);
		free(second);
	}
}

Test(config_write, a_copy_is_equal_and_outlives_the_original)
{
	uint64_t state = 2;
	size_t i;

	for (i = 0; i < 100; i++) {
		struct config *config = random_config(&state), *copy = config_copy(config);
		char *text = write_text(config), *of_copy;

		cr_assert(same_config(config, copy), "the copy differs: %s", text);
		config_free(config);
		of_copy = write_text(copy);
		cr_assert_str_eq(text, of_copy);
		config_free(copy);
		free(text);
		free(of_copy);
	}
}

Test(config_write, readers_that_guess_types_read_the_same_values)
{
	static const char text[] = "interfaces: [on, eth0, 0x1, y, a#b]\nhash_key: 00000000000000000000000000000001\n"
				   "pools: [{name: 'Null', backends: [{name: 1e3, address: 10.0.0.1}]}]\n";
	struct config *config = parse_good(text);
	char *written = write_text(config);

	cr_expect(strstr(
		written, "interfaces: ['on', eth0, '0x1', 'y', 'a#b']\nhash_key: '00000000000000000000000000000001'"));
	cr_expect(strstr(written, "- name: 'Null'"));
	cr_expect(strstr(written, "{name: '1e3', address: 10.0.0.1, weight: 1}"));
	config_free(config);
	free(written);
}

/* Texts that are written unchanged. */
static const char *const texts_for_users[] = {
	"interfaces: [eth0]\n"
	"hash_key: '000102030405060708090a0b0c0d0e0f'\n"
	"limits: {slots: 1024, pools: 3, services: 4, backends: 5, tracked_calls: 2048, counted_calls: 1024, "
	"guarded_sources: 4096}\n"
	"services:\n"
	"  - name: sip\n"
	"    port: 5060\n"
	"    protocol: udp\n"
	"    vip: [192.0.2.10, '2001:db8::10']\n"
	"    affinity: call-id\n"
	"    pool: sbcs\n"
	"  - name: every\n"
	"    port: 0\n"
	"    protocol: udp\n"
	"    vip: [192.0.2.11]\n"
	"    affinity: call-id\n"
	"    pool: proxies\n"
	"pools:\n"
	"  - name: proxies\n"
	"    forward: dsr\n"
	"    min_alive: 10\n"
	"    backends: []\n"
	"  - name: sbcs\n"
	"    forward: ipip\n"
	"    min_alive: 25\n"
	"    backends:\n"
	"      - {name: sbc1, address: 10.0.0.11, weight: 1}\n"
	"      - {name: sbc2, address: '2001:db8:1::12', weight: 0, mac: '02:00:5e:10:00:01', forward: dsr, "
	"admin: drain}\n",

	"interfaces: [eth0]\n"
	"hash_key: '000102030405060708090a0b0c0d0e0f'\n"
	"limits: {slots: 1024, pools: 3, services: 4, backends: 5, tracked_calls: 2048, counted_calls: 1024, "
	"guarded_sources: 4096}\n"
	"join:\n"
	"  listen: '[2001:db8::2]:7946'\n"
	"  secret: 'it''s a secret: #1'\n"
	"  node_timeout: 90s\n"
	"metrics:\n"
	"  listen: '[::1]:9464'\n"
	"capture:\n"
	"  to: 'udp:[2001:db8::50]:9060'\n"
	"  id: 101\n"
	"  sample: 8\n"
	"  password: 'it''s a password: #1'\n"
	"  node: lb1\n"
	"group:\n"
	"  name: edge\n"
	"  node: lb1\n"
	"  agree: any\n"
	"  alone_after: 5s\n"
	"services:\n"
	"  - name: sip\n"
	"    port: 5060-5080\n"
	"    protocol: udp\n"
	"    vip: [192.0.2.10]\n"
	"    affinity: from-user\n"
	"    pool: proxies\n"
	"    methods: {'REGISTER': registrars}\n"
	"    ping: true\n"
	"pools:\n"
	"  - name: proxies\n"
	"    forward: dsr\n"
	"    min_alive: 10\n"
	"    record_time: 1m\n"
	"    drain_timeout: 7d\n"
	"    slow_start: 30s\n"
	"    probe:\n"
	"      type: options\n"
	"      transport: udp\n"
	"    backends:\n"
	"      - {name: px1, address: 10.0.0.11, weight: 1, hints: [px1.example.net, 'px1.example.net:5062', "
	"'10.0.0.11', '[2001:db8::11]:5060'], ports: 30000-39999}\n"
	"      - {name: px2, address: 10.0.0.12, weight: 1, priority: 2, ports: 40000}\n"
	"    groups:\n"
	"      - {name: rack1, backends: [px1, px2]}\n"
	"      - {name: rack2, backends: []}\n"
	"  - name: registrars\n"
	"    forward: dsr\n"
	"    min_alive: 10\n"
	"    probe:\n"
	"      type: register\n"
	"      transport: tls\n"
	"      via: address\n"
	"      port: 5061\n"
	"      interval: 500ms\n"
	"      timeout: 250ms\n"
	"      fall: 5\n"
	"      rise: 1\n"
	"      ok_codes: [200, 4xx, 503]\n"
	"      from: 'sip:probe@example.net'\n"
	"      request_uri: 'sip:example.net'\n"
	"      user: probe\n"
	"      ca: '/etc/sipxdp/ca.pem'\n"
	"      sni: sip.example.net\n"
	"      verify: false\n"
	"    backends: []\n",
};

Test(config_write, a_file_for_users_is_written_unchanged)
{
	size_t i;

	for (i = 0; i < COUNT(texts_for_users); i++) {
		struct config *config = parse_good(texts_for_users[i]);
		char *text = write_text(config);

		cr_expect_str_eq(text, texts_for_users[i]);
		config_free(config);
		free(text);
	}
}
