// SPDX-License-Identifier: GPL-2.0
/* `forward: nat`: the return path in the desired image and in the plan, and backends that are added at runtime. */

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>
#include "core/config/added_backend.h"
#include "core/net/address.h"
#include "world.h"

static struct world world;

#define NAT_POOL(more, backends) "pools: [{name: proxies, forward: nat, " more AT_ONCE ", backends: [" backends "]}]\n"
#define TLS_TOO                                                                                                        \
	"services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies},\n"                                        \
	"  {name: tls, vip: 192.0.2.10, port: 5061, protocol: tcp, pool: proxies}]\n"

static void setup(void)
{
	world_setup(&world);
}

static void end(void)
{
	world_end(&world);
}

TestSuite(nat, .init = setup, .fini = end);

static struct address parse(const char *text)
{
	struct address address;

	cr_assert_eq(address_parse(text, &address), 0);
	return address;
}

static const struct nat_vip *source(const char *address, uint16_t port, uint8_t protocol)
{
	struct nat_source key = {.address = parse(address), .port = htons(port), .protocol = protocol};

	return hash_map_find(world.running->maps[IMAGE_NAT_SOURCES], &key);
}

/* Checks the VIP and port that packets from this port of a backend receive. */
static void expect(const char *address, uint16_t port, uint8_t protocol, const char *vip, uint16_t vip_port)
{
	const struct nat_vip *found = source(address, port, protocol);
	struct address wanted = parse(vip);

	cr_assert_not_null(found, "%s port %u", address, port);
	cr_expect(address_equal(&found->vip, &wanted), "%s port %u", address, port);
	cr_expect_eq(ntohs(found->port), vip_port, "%s port %u", address, port);
}

static const struct nat_vip *range(const char *address, uint16_t port, unsigned int bits)
{
	struct nat_range_key key = {.prefix = PORT_RANGE_KEY_BITS(bits),
		.protocol = IPPROTO_UDP,
		.address = parse(address),
		.port = htons(port)};

	return hash_map_find(world.running->maps[IMAGE_NAT_RANGES], &key);
}

Test(nat, each_port_of_a_backend_has_an_entry)
{
	world_start(&world, HEAD TLS_TOO NAT_POOL("", PX(1) "," PX(2)));
	cr_expect_eq(hash_map_count(world.running->maps[IMAGE_NAT_SOURCES]), 6, "2 backends: address, UDP, TCP");
	expect("10.0.0.11", 5060, IPPROTO_UDP, "192.0.2.10", 0);
	expect("10.0.0.12", 5061, IPPROTO_TCP, "192.0.2.10", 0);
	cr_expect_eq(source("10.0.0.12", 5061, IPPROTO_TCP)->backend, world_backend(&world, "px2")->id);
	cr_expect_eq(source("10.0.0.12", 0, 0)->backend, world_backend(&world, "px2")->id);
	cr_expect_null(source("10.0.0.11", 5060, IPPROTO_TCP));
	cr_expect_eq(world.running->nat.flags, NAT_ACTIVE);
	cr_expect_eq(world.running->backends[world_backend(&world, "px1")->id].forward, FORWARD_NAT);
	cr_expect_eq(world.running->backends[world_backend(&world, "px1")->id].port, 0);
}

Test(nat, a_backend_has_the_port_of_its_line_or_of_its_pool)
{
	world_start(
		&world, HEAD SERVICE NAT_POOL("port: 5080, ", PX(1) ", {name: px2, address: 10.0.0.12, port: 5090}"));
	expect("10.0.0.11", 5080, IPPROTO_UDP, "192.0.2.10", 5060);
	expect("10.0.0.12", 5090, IPPROTO_UDP, "192.0.2.10", 5060);
	cr_expect_null(source("10.0.0.12", 5060, IPPROTO_UDP));
	cr_expect_eq(world.running->backends[world_backend(&world, "px1")->id].port, htons(5080));
	cr_expect_eq(world.running->backends[world_backend(&world, "px2")->id].port, htons(5090));
}

Test(nat, ranges_of_ports_keep_their_ports)
{
	world_start(
		&world, HEAD "services: [{name: sip, vip: 192.0.2.10, port: 0, pool: proxies}]\n" NAT_POOL("", PX(1)));
	cr_assert_not_null(range("10.0.0.11", 0, 0), "all ports are one prefix");
	cr_expect_eq(range("10.0.0.11", 0, 0)->port, 0);
	cr_expect_eq(world.running->nat.flags, NAT_ACTIVE | NAT_RANGES);
	world_load(
		&world, HEAD SERVICE NAT_POOL("", "{name: px1, address: 10.0.0.11, ports: 16384-32767}"), FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_expect_null(range("10.0.0.11", 0, 0));
	cr_expect_not_null(range("10.0.0.11", 16384, 2));
	expect("10.0.0.11", 5060, IPPROTO_UDP, "192.0.2.10", 0);
}

Test(nat, the_flags_of_a_port_select_its_counters)
{
	world_start(&world, HEAD TLS_TOO NAT_POOL("", "{name: px1, address: 10.0.0.11, ports: 16384-32767}"));
	cr_expect_eq(source("10.0.0.11", 5060, IPPROTO_UDP)->flags, NAT_COUNTS | NAT_MESSAGES);
	cr_expect_eq(source("10.0.0.11", 5061, IPPROTO_TCP)->flags, NAT_COUNTS, "TCP is not read");
	cr_expect_eq(range("10.0.0.11", 16384, 2)->flags, NAT_COUNTS, "media is not SIP");
	cr_expect_arr_eq(
		world.running->nat.hash_key, world.farm->config->hash_key, sizeof(world.running->nat.hash_key));
	world_load(&world,
		HEAD "services: [{name: sip, vip: 192.0.2.10, port: 5060, message_counters: false, pool: "
		     "proxies}]\n" NAT_POOL("", PX(1)),
		FARM_RELOAD);
	world_reconcile(&world, NULL);
	cr_expect_eq(source("10.0.0.11", 5060, IPPROTO_UDP)->flags, 0);
}

/* The position of the first step of this kind; the number of steps if there is none. */
static size_t position(const struct plan *plan, enum plan_kind kind, uint32_t index)
{
	size_t i = 0;

	while (i < plan->count && (plan->steps[i].kind != kind || plan->steps[i].index != index))
		i++;
	return i;
}

Test(nat, the_way_back_exists_as_long_as_packets_reach_the_backend)
{
	struct image *image;
	struct plan *plan;
	uint16_t id;

	world_start(&world, FARM3);
	id = world_backend(&world, "px1")->id;
	cr_expect_eq(world.running->nat.flags, 0);
	world_load(&world, HEAD SERVICE NAT_POOL("", PX(1) "," PX(2) "," PX(3)), FARM_RELOAD);
	world_update_states(&world);
	image = desired_image(world.desired, world.farm, world.running, world.now);
	plan = plan_new(world.running, image);
	cr_expect_lt(position(plan, PLAN_ENTRY, IMAGE_NAT_SOURCES), position(plan, PLAN_NAT, 0));
	cr_expect_lt(position(plan, PLAN_NAT, 0), position(plan, PLAN_BACKEND, id));
	plan_free(plan);
	image_free(image);
	world_reconcile(&world, NULL);
	cr_expect_eq(world.running->nat.flags, NAT_ACTIVE);

	world_load(&world, FARM3, FARM_RELOAD);
	world_update_states(&world);
	image = desired_image(world.desired, world.farm, world.running, world.now);
	plan = plan_new(world.running, image);
	cr_expect_lt(position(plan, PLAN_BACKEND, id), position(plan, PLAN_NAT, 0));
	cr_expect_lt(position(plan, PLAN_NAT, 0), position(plan, PLAN_ENTRY_REMOVE, IMAGE_NAT_SOURCES));
	plan_free(plan);
	image_free(image);
	world_reconcile(&world, NULL);
	cr_expect_eq(world.running->nat.flags, 0);
	cr_expect_eq(hash_map_count(world.running->maps[IMAGE_NAT_SOURCES]), 0);
}

Test(nat, a_draining_backend_keeps_its_port)
{
	char error[FARM_ERROR_SIZE];

	world_start(&world, HEAD SERVICE NAT_POOL("", PX(1) ", {name: px2, address: 10.0.0.12, port: 5090}"));
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px2", ADMIN_DRAIN, error), 0);
	world_reconcile(&world, NULL);
	world_load(&world, HEAD SERVICE NAT_POOL("", PX(1)), FARM_RELOAD);
	world_reconcile(&world, NULL);
	expect("10.0.0.12", 5090, IPPROTO_UDP, "192.0.2.10", 5060);
}

/* Adds px2 to the pool `proxies`, as if it had joined. */
static void join_px2(void)
{
	const struct address address = parse("10.0.0.12");
	char error[FARM_ERROR_SIZE];

	world_start(&world, HEAD SERVICE NAT_POOL("", PX(1)));
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px2", &address, 1, error), 0);
	farm_find_backend(&world.farm->pools[0], "px2")->record.overrides |= OVERRIDE_JOINED;
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
}

Test(nat, a_file_must_not_conflict_with_a_backend_that_joined)
{
	static const struct {
		const char *text, *fault;
	} rows[] = {
		{HEAD "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies},\n"
		      "  {name: other, vip: 192.0.2.11, port: 5060, pool: others}]\n"
		      "pools: [{name: proxies, forward: nat, " AT_ONCE ", backends: []},\n"
		      "  {name: others, forward: nat, " AT_ONCE ", backends: [" PX(2) "]}]\n",
			"192.0.2.11 udp port 5060 is translated to port 5060 of backend px2"},
		{HEAD "services: [{name: sip, vip: 192.0.2.10, port: 5060-5063, pool: proxies}]\n" NAT_POOL(
			 "port: 5070, ", ""),
			"backend px2: service sip (line 4) has more than one port, and the backend receives packets on "
			"port 5070"},
		{HEAD "services: [{name: sip, vip: \"2001:db8::10\", port: 5060, pool: proxies}]\n" NAT_POOL("", ""),
			"backend px2: service sip (line 4) has the VIP 2001:db8::10"},
	};

	join_px2();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct faults faults = {0};
		struct config *config = config_parse(rows[i].text, strlen(rows[i].text), &faults);

		cr_assert(config);
		cr_assert_null(farm_new(config, world.running, FARM_RELOAD, &faults), "%s", rows[i].fault);
		cr_assert_eq(faults.count, 1);
		cr_expect(strstr(faults.list[0].message, rows[i].fault), "%s", faults.list[0].message);
		faults_free(&faults);
	}
}

Test(nat, a_new_backend_must_have_a_way_back)
{
	const struct address free = parse("10.0.0.13"), taken = parse("10.0.0.11"), ipv6 = parse("2001:db8::1");
	char error[FARM_ERROR_SIZE];

	world_start(&world, HEAD "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies},\n"
				 "  {name: other, vip: 192.0.2.11, port: 5060, pool: others}]\n"
				 "pools: [{name: proxies, forward: nat, " AT_ONCE ", backends: [" PX(
					 1) "]},\n"
					    "  {name: others, forward: nat, " AT_ONCE ", backends: [" PX(2) "]}]\n");
	cr_assert_lt(farm_add_backend(world.farm, world.running, "others", "px1", &taken, 1, error), 0);
	cr_expect(
		strstr(error,
			"backend px1: 192.0.2.11 udp port 5060 is translated to port 5060 of backend px1 (10.0.0.11), "
			"and so is 192.0.2.10 udp port 5060 of service sip"),
		"%s", error);
	cr_assert_lt(farm_add_backend(world.farm, world.running, "others", "px6", &ipv6, 1, error), 0);
	cr_expect(strstr(error, "does not translate between IPv4 and IPv6"), "%s", error);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "others", "px3", &free, 1, error), 0, "%s", error);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	expect("10.0.0.13", 5060, IPPROTO_UDP, "192.0.2.11", 0);
}

/* Adds px3 to the pool `others`, like `backend add --port`. */
static int add_with_port(int port, const char *address_text, const char *forward, char error[FARM_ERROR_SIZE])
{
	const struct added_options options = {.forward = forward, .priority = -1, .port = port};
	const struct address address = parse(address_text);
	struct faults faults = {0};
	struct farm *trial;
	struct added_config *added = added_new(world.farm->pools[1].config, "px3", &address, 1, &options, &faults);
	int result = -1;

	if (added) {
		trial = farm_trial_copy(world.farm);
		result = farm_try_described(trial, world.running, "others", added, error);
		farm_trial_free(trial);
	} else {
		snprintf(error, FARM_ERROR_SIZE, "%s", faults.list[0].message);
	}
	faults_free(&faults);
	if (!result)
		return farm_add_described(world.farm, world.running, "others", added, error);
	added_free(added);
	return result;
}

/* px1 of the pool `proxies` already uses its port 5060. */
Test(nat, a_new_backend_may_have_its_own_port)
{
	static const char file[] =
		HEAD "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies},\n"
		     "  {name: other, vip: 192.0.2.11, port: 5060, pool: others}]\n"
		     "pools: [{name: proxies, forward: nat, " AT_ONCE
		     ", backends: [" PX(1) "]},\n"
					   "  {name: others, forward: nat, " AT_ONCE ", backends: [" PX(2) "]}]\n";
	char error[FARM_ERROR_SIZE] = "";

	world_start(&world, file);
	cr_expect_lt(add_with_port(5060, "10.0.0.11", NULL, error), 0);
	cr_expect(strstr(error, "is translated to port 5060 of backend px3 (10.0.0.11)"), "%s", error);
	cr_expect_lt(add_with_port(5080, "10.0.0.11", "dsr", error), 0);
	cr_expect(strstr(error, "'port' of backend px3: only for forward nat"), "%s", error);
	cr_assert_eq(add_with_port(5080, "10.0.0.11", NULL, error), 0, "%s", error);
	world_set_routes(&world, ROUTE_READY);
	world_reconcile(&world, NULL);
	expect("10.0.0.11", 5080, IPPROTO_UDP, "192.0.2.11", 5060);
	expect("10.0.0.11", 5060, IPPROTO_UDP, "192.0.2.10", 0);
	world_load(&world, file, FARM_RESTART);
	cr_assert_eq(world_reconcile(&world, NULL), 0);
	expect("10.0.0.11", 5080, IPPROTO_UDP, "192.0.2.11", 5060);
}
