// SPDX-License-Identifier: GPL-2.0
/* The backend that a lookup reports: by hints, sources and keys, and during migrations. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "bpf/hash.h"
#include "core/farm/lookup.h"
#include "world.h"

static struct world world;

#define SERVICES                                                                                                       \
	HEAD "services: [{name: sip, vip: [192.0.2.10, '2001:db8::10'], port: 5060, pool: proxies, methods: "          \
	     "{REGISTER: b}},"                                                                                         \
	     " {name: flow, vip: [192.0.2.10, '2001:db8::10'], port: 5060, protocol: tcp, affinity: flow, pool: "      \
	     "proxies},"                                                                                               \
	     " {name: source, vip: 192.0.2.11, port: 5060, affinity: source, pool: proxies},"                          \
	     " {name: plain, vip: 192.0.2.12, port: 5060, pool: b}]\n"                                                 \
	     "pools: [{name: proxies, record_time: 32s, backends: [" PX(                                               \
		     1) ", {name: px2, address: 10.0.0.12, hints: "                                                    \
			"[two.example.net, 'many.example.net:5062', ;node=px2, tag=PX2-]}, " PX(                       \
				3) "]}, {name: b, backends: [" PX(4) "]}]\n"

static void setup(void)
{
	world_setup(&world);
	world_start(&world, SERVICES);
	desired_finish_pool(world.desired, 0);
	world_reconcile(&world, NULL);
}

static void teardown(void)
{
	world_end(&world);
}

TestSuite(lookup_packet, .init = setup, .fini = teardown);

static const char *name_of(uint16_t id)
{
	return world.running->records[id].name;
}

/* A question, and the backend that a message names; NULL: none. */
static const struct {
	struct lookup_question question;
	const char *named;
} hints[] = {
	{{.service = "sip", .via = "two.example.net"}, "px2"},
	{{.service = "sip", .via = "TWO.example.net:5071"}, "px2"},
	{{.service = "sip", .via = "many.example.net:5062"}, "px2"},
	{{.service = "sip", .via = "many.example.net"}, NULL}, {{.service = "sip", .via = "10.0.0.13"}, "px3"},
	{{.service = "sip", .via = "10.0.0.13:5080"}, "px3"},
	{{.service = "sip", .via = "elsewhere.example.net"}, NULL}, {{.service = "sip", .route = "10.0.0.11"}, "px1"},
	{{.service = "sip", .request_uri = "two.example.net"}, "px2"},
	{{.service = "sip", .route = "10.0.0.11", .request_uri = "two.example.net"}, "px1"},
	{{.service = "sip", .route = "elsewhere.example.net", .request_uri = "two.example.net"}, NULL},
	{{.service = "sip", .route = "192.0.2.10;lr;NODE=px2"}, "px2"},
	{{.service = "sip", .route = "[2001:db8::10]:5060;node=px2;lr"}, "px2"},
	{{.service = "sip", .route = "10.0.0.11;node=px2"}, "px1"},
	{{.service = "sip", .request_uri = "192.0.2.10;node=px3"}, NULL},
	{{.service = "plain", .route = "192.0.2.12;node=px2"}, NULL}, {{.service = "plain", .via = "10.0.0.14"}, "px4"},
	{{.service = "sip", .tag = "px2-8f3a-1"}, "px2"}, {{.service = "sip", .tag = "Px2-"}, "px2"},
	{{.service = "sip", .tag = "px2.8f3a"}, NULL}, {{.service = "sip", .tag = "px2"}, NULL},
	{{.service = "sip", .tag = "px21-"}, NULL}, {{.service = "plain", .tag = "px2-1"}, NULL},
	{{.service = "sip", .route = "10.0.0.11", .tag = "px2-1"}, "px1"},
	{{.service = "sip", .via = "elsewhere.example.net", .tag = "px2-1"}, "px2"},
	{{.service = "plain", .route = "10.0.0.14"}, NULL}, /* no backend has a name, so Routes are not read */
};

Test(lookup_packet, hints_count_as_in_the_packet_path)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
		char error[LOOKUP_ERROR_SIZE] = "";
		struct lookup lookup;

		cr_assert_eq(lookup_open(&lookup, world.running, &hints[i].question, error), 0, "%zu: %s", i, error);
		cr_expect_eq(!!hints[i].named, !!lookup.named, "%zu", i);
		cr_expect(!hints[i].named || !strcmp(hints[i].named, name_of(lookup.named)), "%zu: %s", i,
			name_of(lookup.named));
	}
}

Test(lookup_packet, a_hint_ignores_a_dead_backend)
{
	const struct lookup_question question = {.service = "sip", .via = "two.example.net"};
	char error[FARM_ERROR_SIZE];
	struct lookup lookup;

	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px2", ADMIN_MAINT, error), 0);
	world_reconcile(&world, NULL);
	cr_assert_eq(lookup_open(&lookup, world.running, &question, error), 0);
	cr_expect_eq(lookup.named, 0);
}

static const struct {
	struct lookup_question question;
	int result;
	const char *error;
} refused[] = {
	{{.service = "none"}, -ENOENT, "no service 'none'"},
	{{.service = "sip", .method = "invite"}, -EINVAL, "no method"},
	{{.service = "sip", .source = "here"}, -EINVAL, "no address and port"},
	{{.service = "sip", .source = "10.0.0.1:99999"}, -EINVAL, "no address and port"},
	{{.service = "sip", .via = "a b"}, -EINVAL, "no host"},
	{{.service = "sip", .via = ""}, -EINVAL, "no host"},
	{{.service = "sip", .via = "a.example", .route = "b.example"}, -EINVAL, "--via is for a response"},
	{{.service = "sip", .via = "a.example", .method = "BYE"}, -EINVAL, "--via is for a response"},
	{{.service = "sip", .tag = "a b"}, -EINVAL, "no tag"},
	{{.service = "flow", .tag = "px2-1", .source = "10.0.0.1:1"}, -EINVAL, "of tcp no message is read"},
	{{.service = "flow", .route = "two.example.net", .source = "10.0.0.1:1"}, -EINVAL, "of tcp no message is read"},
};

Test(lookup_packet, invalid_questions_are_refused)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		char error[LOOKUP_ERROR_SIZE] = "";
		struct lookup lookup;

		cr_expect_eq(
			lookup_open(&lookup, world.running, &refused[i].question, error), refused[i].result, "%zu", i);
		cr_expect(strstr(error, refused[i].error), "%zu: '%s'", i, error);
	}
}

static uint64_t key_of(const struct lookup_question *question, const char *text, struct lookup *lookup)
{
	char error[LOOKUP_ERROR_SIZE];
	const char *reason;
	uint64_t hash = 0;

	cr_assert_eq(lookup_open(lookup, world.running, question, error), 0, "%s", error);
	cr_assert_eq(lookup_key(lookup, text, &hash, &reason), 0, "%s", reason);
	return hash;
}

Test(lookup_packet, sources_are_keys)
{
	const uint64_t *key = (const uint64_t[]){world.farm->config->hash_key[0], world.farm->config->hash_key[1]};
	const __u64 hash_key[2] = {key[0], key[1]};
	const struct lookup_question flow = {.service = "flow", .source = "10.0.0.1:4000"};
	const struct lookup_question source = {.service = "source", .source = "10.0.0.1:4000"};
	const struct lookup_question bare = {.service = "source", .source = "10.0.0.1"};
	const struct lookup_question six = {.service = "flow", .source = "[2001:db8::1]:4000"};
	struct lookup lookup;
	struct address address;
	const char *reason;
	uint64_t hash;

	address_parse("10.0.0.1", &address);
	cr_expect_eq(key_of(&flow, NULL, &lookup), hash_source(&address, htons(4000), hash_key));
	cr_expect_eq(lookup_tracked_key(&lookup, 5),
		hash_connection(&address, &lookup.key.vip, htons(4000), htons(5060), hash_key));
	cr_expect(address_is_ipv4(&lookup.key.vip));
	cr_expect_eq(key_of(&source, NULL, &lookup), hash_source(&address, 0, hash_key));
	cr_expect_eq(key_of(&bare, NULL, &lookup), hash_source(&address, 0, hash_key));
	key_of(&six, NULL, &lookup);
	cr_expect_not(address_is_ipv4(&lookup.key.vip), "the VIP of the same family");
	/* The key of a message without a Call-ID is its source. */
	cr_expect_eq(key_of(&(struct lookup_question){.service = "sip", .source = "10.0.0.1:4000"}, NULL, &lookup),
		hash_source(&address, htons(4000), hash_key));
	lookup.has_source = false;
	cr_expect_neq(lookup_key(&lookup, NULL, &hash, &reason), 0);
	cr_expect(strstr(reason, "Call-ID"));
}

Test(lookup_packet, methods_select_pools)
{
	struct lookup lookup;
	uint64_t hash;

	hash = key_of(&(struct lookup_question){.service = "sip", .method = "REGISTER"}, "a", &lookup);
	cr_expect_str_eq(name_of(lookup_owner(&lookup, hash, 0).backend), "px4");
	hash = key_of(&(struct lookup_question){.service = "sip"}, "a", &lookup);
	cr_expect_str_neq(name_of(lookup_owner(&lookup, hash, 0).backend), "px4");
}

/* During a migration: the owner, the previous owner, and the backend of a tracked call. */
Test(lookup_packet, a_migrating_slot_has_two_owners)
{
	const struct lookup_question question = {.service = "sip"};
	char error[FARM_ERROR_SIZE], text[32];
	struct lookup_owner owner;
	struct lookup lookup;
	size_t both = 0;

	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px1", ADMIN_DRAIN, error), 0);
	world_reconcile(&world, NULL);
	world.now += 40000;
	world_reconcile(&world, NULL);
	for (int i = 0; i < 300; i++) {
		uint64_t hash;

		snprintf(text, sizeof(text), "call-%d", i);
		hash = key_of(&question, text, &lookup);
		owner = lookup_owner(&lookup, hash, 0);
		if (owner.backend == owner.previous)
			continue;
		both++;
		cr_expect_str_eq(name_of(owner.previous), "px1");
		cr_expect_str_neq(name_of(owner.backend), "px1");
		owner = lookup_owner(&lookup, hash, 3);
		cr_expect(owner.backend == 3 && owner.previous == 3, "a tracked call has one owner");
	}
	cr_expect_gt(both, 50);
}
