// SPDX-License-Identifier: GPL-2.0
/* A preview reports exactly the changes that a reload then makes, even during a migration. The preview itself
 * changes nothing. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/config/config_diff.h"
#include "core/farm/preview.h"
#include "core/net/address.h"
#include "world.h"

#define FILE_OF(keys, backends, more)                                                                                  \
	HEAD SERVICE "pools: [{name: proxies, " keys ", backends: [" backends "]" more "}]\n"
#define SLOWLY "record_time: 32s, drain_timeout: 10m"

static const char *const files[] = {
	FILE_OF(SLOWLY, PX(1) "," PX(2) "," PX(3), ""),
	FILE_OF(SLOWLY, PX(1) "," PX(2) "," PX(3) "," PX(4), ""),
	FILE_OF(SLOWLY, PX(1) "," PX(3), ""),
	FILE_OF("record_time: 5s, drain_timeout: 30s", PX(1) "," PX(2) "," PX(3), ""),
	FILE_OF(SLOWLY, "{name: px1, address: 10.0.0.11, weight: 3}," PX(2) "," PX(5), ""),
	FILE_OF(SLOWLY ", probe: options", PX(1) "," PX(2) "," PX(3) "," PX(5), ""),
	FILE_OF(SLOWLY ", probe: options, min_alive: 60, slow_start: 1m", PX(1) "," PX(2) "," PX(3) "," PX(4), ""),
	FILE_OF(SLOWLY, PX(1) ",{name: px2, address: 10.0.0.12, priority: 2}," PX(3), ""),
	FILE_OF(SLOWLY, PX(1) ",{name: px2, address: 10.0.0.12, admin: drain}," PX(3), ""),
	FILE_OF(SLOWLY, PX(1) "," PX(2) "," PX(3) "," PX(4),
		", groups: [{name: a, backends: [px1, px2]}, {name: b, backends: [px3, px4]}]"),
	FILE_OF(SLOWLY, "{name: px1, address: 10.0.0.19}," PX(2) "," PX(3), ""),
};

#define FILES (sizeof(files) / sizeof(*files))

static struct world world;
static uint64_t state;
static bool has_calls[13]; /* by backend id */

static void setup(void)
{
	world_setup(&world);
	memset(has_calls, 0, sizeof(has_calls));
}

static void teardown(void)
{
	world_end(&world);
}

TestSuite(preview, .init = setup, .fini = teardown);

static uint32_t below(uint32_t limit)
{
	state = state * 6364136223846793005 + 1442695040888963407;
	return (state >> 33) % limit;
}

/* The effects of running this farm. */
static void predict(const struct farm *farm, struct effects *effects)
{
	const struct preview_now now = {world.now, 1000 + world.now / 1000, world.listening, world.now, has_calls};
	struct farm *trial = farm_trial_copy(farm);

	preview(effects, world.desired, world.farm->config, trial, world.running, now);
	farm_trial_free(trial);
}

static size_t moves_of(const struct plan_moves *moves, size_t count, bool waiting)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += waiting ? moves[i].waiting : moves[i].moved;
	return sum;
}

/* Does the plan match the preview, except for the first `differences` lines? */
static void compare(const struct effects *effects, const struct plan *plan, size_t differences)
{
	size_t at = differences;

	cr_assert_eq(
		moves_of(effects->moves, effects->move_count, false), moves_of(plan->moves, plan->move_count, false));
	cr_assert_eq(
		moves_of(effects->moves, effects->move_count, true), moves_of(plan->moves, plan->move_count, true));
	for (size_t i = 0; i < plan->count; i++) {
		if (!plan->steps[i].text)
			continue;
		cr_assert_lt(at, effects->steps.count, "nothing in place of '%s'", plan->steps[i].text);
		cr_assert_str_eq(effects->steps.list[at++], plan->steps[i].text);
	}
	for (; at < effects->steps.count; at++)
		cr_assert(strstr(effects->steps.list[at], "receives no packets until") ||
				  strstr(effects->steps.list[at], ": stays in "),
			"'%s' did not happen", effects->steps.list[at]);
}

/* Makes new backends reachable and their probes pass, as a preview assumes. */
static void answer(const struct image *running)
{
	struct farm *farm = world.farm;
	bool *assumed = calloc(farm->pools[0].count + 1, sizeof(*assumed));
	struct farm *trial = farm_trial_copy(farm);

	for (size_t i = 0; i < farm->pools[0].count; i++)
		assumed[i] = farm_assume_usable(&trial->pools[0].backends[i], running);
	for (size_t i = 0; i < farm->pools[0].count; i++) {
		struct farm_backend *backend = &farm->pools[0].backends[i];
		const struct route there = {.state = ROUTE_READY,
			.ifindex = 2,
			.mtu = 1500,
			.next_hop = {{2, 0, 0, 0, 0, backend->record.address.word[3] >> 24}}};

		if (!assumed[i])
			continue;
		farm_set_route(backend, &there);
		backend->record.health = HEALTH_UP;
	}
	farm_trial_free(trial);
	free(assumed);
}

/* Applies the farm and compares the result with the preview. */
static void carry_out(const struct effects *foreseen, size_t differences)
{
	struct image *desired;
	struct plan *plan;

	answer(world.running);
	world_update_states(&world);
	desired = desired_image(world.desired, world.farm, world.running, world.now);
	plan = plan_new(world.running, desired);
	if (foreseen)
		compare(foreseen, plan, differences);
	for (size_t i = 0; i < plan->count; i++)
		plan_step_apply(&plan->steps[i], world.running);
	plan_free(plan);
	image_free(desired);
}

/* Loads one of the files. */
static void reload(const char *text, bool ahead)
{
	struct config *before = config_copy(world.farm->config);
	struct messages lines = {0}, disruptions = {0};
	struct effects effects = {0};
	struct faults faults = {0};
	struct config *config = config_parse(text, strlen(text), &faults);
	struct farm *farm = farm_new(config, world.running, FARM_RELOAD, &faults);

	cr_assert(farm);
	config_diff(before, farm->config, &lines, &disruptions);
	if (ahead)
		predict(farm, &effects);
	farm_free(world.farm);
	world.farm = farm;
	carry_out(ahead ? &effects : NULL, lines.count);
	messages_free(&lines);
	messages_free(&disruptions);
	effects_free(&effects);
	config_free(before);
}

static void change_by_hand(bool ahead)
{
	struct farm_pool *pool = &world.farm->pools[0];
	struct farm_backend *backend = &pool->backends[below(pool->count)];
	char error[FARM_ERROR_SIZE], name[NAME_SIZE];
	struct effects effects = {0};
	struct address address;

	memcpy(name, backend->record.name, sizeof(name));
	switch (below(6)) {
	case 0:
		farm_set_weight(world.farm, "proxies", name, below(4), error);
		break;
	case 1:
		farm_set_admin(world.farm, "proxies", name, below(ADMIN_MAINT + 1), error);
		break;
	case 2:
		farm_remove_when_drained(world.farm, "proxies", name, error);
		break;
	case 3:
		farm_remove_backend(world.farm, "proxies", name, error);
		break;
	case 4:
		address_parse("10.0.0.77", &address);
		farm_add_backend(world.farm, world.running, "proxies", "px7", &address, 2, error);
		break;
	default:
		desired_finish_pool(world.desired, pool->id);
	}
	if (ahead)
		predict(world.farm, &effects);
	carry_out(ahead ? &effects : NULL, 0);
	effects_free(&effects);
}

static void act(bool ahead)
{
	struct farm_pool *pool = &world.farm->pools[0];

	switch (below(4)) {
	case 0:
		farm_set_health(&pool->backends[below(pool->count)], below(2) ? HEALTH_UP : HEALTH_DOWN,
			&(struct latency){0}, "no answer");
		carry_out(NULL, 0);
		break;
	case 1:
		reload(files[below(FILES)], ahead);
		break;
	case 2:
		change_by_hand(ahead);
		break;
	default:
		world.now += below(3) ? below(20000) : below(700000);
		carry_out(NULL, 0);
	}
}

/* Returns a hash of all data about the pool in the maps. */
static uint64_t fingerprint(void)
{
	const uint16_t *slots = image_slots(world.running, 0), *previous = image_previous_owners(world.running, 0);
	uint64_t sum = 14695981039346656037ULL;

	for (uint32_t i = 0; i < world_contract.slots; i++)
		sum = ((sum ^ slots[i]) * 1099511628211ULL ^ previous[i]) * 1099511628211ULL;
	return sum;
}

#define ACTIONS 60

static void run(uint64_t seed, bool ahead, uint64_t prints[ACTIONS], size_t *migrating)
{
	world_end(&world);
	world_setup(&world);
	state = seed;
	world_start(&world, files[0]);
	for (size_t i = 0; i < ACTIONS; i++) {
		act(ahead);
		prints[i] = fingerprint();
		*migrating += image_is_migrating(world.running);
	}
}

Test(preview, a_preview_reports_exactly_what_happens)
{
	uint64_t with[ACTIONS], without[ACTIONS];
	size_t migrating = 0;

	for (uint64_t seed = 1; seed <= 100; seed++) {
		run(seed, true, with, &migrating);
		run(seed, false, without, &migrating);
		for (size_t i = 0; i < ACTIONS; i++)
			cr_assert_eq(with[i], without[i], "seed %lu: a preview left a trace at action %zu", seed, i);
	}
	cr_assert_gt(migrating, 1000, "only %zu actions during a migration", migrating);
}

static bool is_in(const struct messages *words, const char *text)
{
	for (size_t i = 0; i < words->count; i++)
		if (strstr(words->list[i], text))
			return true;
	return false;
}

static void preview_file(const char *text, struct effects *effects)
{
	struct faults faults = {0};
	struct config *config = config_parse(text, strlen(text), &faults);
	struct farm *farm = farm_new(config, world.running, FARM_RELOAD, &faults);

	cr_assert(farm);
	predict(farm, effects);
	farm_free(farm);
}

#define TWO_POOLS "pools: [{name: proxies, " AT_ONCE ", backends: [" PX(1) "]}, {name: b, backends: [" PX(2) "]}]\n"
#define WITH(service) HEAD "services: [{name: sip, vip: [192.0.2.10, 192.0.2.11], port: 5060, " service "}]\n" TWO_POOLS

/* The changes that a reload refuses. */
static const struct {
	const char *text, *line, *danger;
} services[] = {
	{WITH("pool: proxies"), NULL, NULL},
	{WITH("pool: proxies, affinity: source"), "service sip: affinity source, was call-id", "live calls"},
	{WITH("pool: b"), "service sip: pool b, was proxies", "live calls"},
	{WITH("pool: proxies, methods: {INVITE: b}"),
		"service sip: pool b, was proxies, for INVITE, BYE, PRACK, INFO, UPDATE, ACK, CANCEL", "live calls"},
	{WITH("pool: proxies, methods: {OPTIONS: b}"), "service sip: pool b, was proxies, for OPTIONS", "live calls"},
	{WITH("pool: proxies, methods: {REGISTER: b}"), "service sip: pool b, was proxies, for REGISTER", NULL},
	{WITH("pool: proxies, ping: true"), "service sip: ping true, was false", NULL},
	{HEAD "services: [{name: new, vip: [192.0.2.10, 192.0.2.11], port: 5060, affinity: source, pool: "
	      "proxies}]\n" TWO_POOLS,
		"service new: takes a VIP or ports from service sip; affinity source", "live calls"},
	{HEAD "services: [{name: sip, vip: [192.0.2.10, 192.0.2.11], port: 5060, pool: proxies}, {name: new, vip: "
	      "192.0.2.9,\n"
	      " port: 5060, affinity: source, pool: b}]\n" TWO_POOLS,
		"service new: add 192.0.2.9 udp port 5060", NULL},
	{HEAD "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies}]\n" TWO_POOLS,
		"service sip: remove 192.0.2.11 udp port 5060",
		"service sip: 192.0.2.11 udp port 5060 is removed: packets to it would no longer be forwarded"},
	{HEAD "services: []\n" TWO_POOLS, "service sip: remove 192.0.2.10 udp port 5060", NULL},
	{"interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0eff\nlimits: {slots: 1024, pools: 4, services: 8, "
	 "backends: "
	 "12}\nservices: [{name: sip, vip: [192.0.2.10, 192.0.2.11], port: 5060, pool: proxies}]\n" TWO_POOLS,
		"hash_key has a new value", "live calls"},
};

Test(preview, service_changes_that_move_calls_are_disruptions)
{
	world_start(&world, WITH("pool: proxies"));
	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		struct effects effects = {0};

		preview_file(services[i].text, &effects);
		if (services[i].line)
			cr_expect(is_in(&effects.steps, services[i].line), "%zu: %s", i,
				effects.steps.count ? effects.steps.list[0] : "-");
		else
			cr_expect_eq(effects.steps.count, 0);
		cr_expect_eq(effects.disruptions.count, services[i].danger ? 1 : 0, "%zu: %zu disruptions", i,
			effects.disruptions.count);
		cr_expect(!services[i].danger || is_in(&effects.disruptions, services[i].danger), "%zu", i);
		effects_free(&effects);
	}
}

/* The names and ports of a leaving backend end with its line. After its removal, the line can be deleted. */
Test(preview, the_line_of_a_leaving_backend_with_names_or_ports_stays_until_its_removal)
{
	static const struct {
		const char *keys;
		size_t disruptions;
	} rows[] = {{"hints: [three.example.net]", 1}, {"ports: 30000-30009", 1}, {"forward: ipip", 0}};
	const char *without = HEAD SERVICE POOL(PX(1));
	char error[FARM_ERROR_SIZE], with[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct effects effects = {0};

		snprintf(with, sizeof(with), HEAD SERVICE POOL(PX(1) ",{name: px3, address: 10.0.0.13, %s}"),
			rows[i].keys);
		world_start(&world, with);
		farm_remove_when_drained(world.farm, "proxies", "px3", error);
		world_reconcile(&world, NULL);
		preview_file(with, &effects);
		cr_expect_eq(effects.disruptions.count, 0, "%s: the line is still there", rows[i].keys);
		effects_free(&effects);
		preview_file(without, &effects);
		cr_expect_eq(effects.disruptions.count, rows[i].disruptions, "%s", rows[i].keys);
		effects_free(&effects);
		farm_remove_backend(world.farm, "proxies", "px3", error);
		world_reconcile(&world, NULL);
		preview_file(without, &effects);
		cr_expect_eq(effects.disruptions.count, 0, "%s: it has been removed", rows[i].keys);
		effects_free(&effects);
		world_end(&world);
		world_setup(&world);
	}
}

/* A leaving backend with slots or calls is not replaced by a line with its address. */
Test(preview, the_address_of_a_leaving_backend_with_calls_is_not_used_again)
{
	static const char slowly[] = HEAD SERVICE
		"pools: [{name: proxies, record_time: 32s, drain_timeout: 1h, backends: [" PX(1) ", %s, " PX(3) "]}]\n";
	static const struct {
		const char *line;
		bool moved, called, down, refused;
	} rows[] = {
		{"{name: new, address: 10.0.0.12}", .refused = true},
		{"{name: px2, address: 10.0.0.19}", .refused = true},
		{"{name: new, address: 10.0.0.12}", .moved = true, .called = true, .refused = true},
		{"{name: new, address: 10.0.0.12}", .moved = true},
		{"{name: new, address: 10.0.0.12}", .down = true},
		{"{name: new, address: 10.0.0.19}", .called = true},
		{PX(2), .called = true},
	};
	char error[FARM_ERROR_SIZE], text[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct effects effects = {0};

		world_end(&world);
		world_setup(&world);
		snprintf(text, sizeof(text), slowly, PX(2));
		world_start(&world, text);
		farm_remove_when_drained(world.farm, "proxies", "px2", error);
		if (rows[i].down)
			farm_set_admin(world.farm, "proxies", "px2", ADMIN_MAINT, error);
		world_reconcile(&world, NULL);
		world.now += rows[i].moved ? 33000 : 0;
		world_reconcile(&world, NULL);
		memset(has_calls, rows[i].called, sizeof(has_calls));
		snprintf(text, sizeof(text), slowly, rows[i].line);
		preview_file(text, &effects);
		cr_expect_eq(effects.disruptions.count, rows[i].refused, "%zu: %s", i,
			effects.disruptions.count ? effects.disruptions.list[0] : "not refused");
		cr_expect(!rows[i].refused || is_in(&effects.disruptions, "backend proxies/px2: it is leaving, live "
									  "calls may be on it, and the file uses its "
									  "address 10.0.0.12"),
			"%zu", i);
		effects_free(&effects);
	}
}

#define JOINABLE(keys, backends)                                                                                       \
	HEAD SERVICE "pools: [{name: proxies, " keys ", " AT_ONCE ", backends: [" backends "]}]\n"

/* A reload may only remove a backend that can have no calls. */
Test(preview, removed_backends_with_slots_or_calls_are_disruptions)
{
	static const char remove[] =
		"backend proxies/px2: live calls may be on it, and it is not in the file: run 'sipxdp-ctl backend "
		"remove proxies px2 --drain', then reload";
	static const struct {
		const char *before, *after;
		bool called, down, maint, drained;
		const char *refusal;
	} rows[] = {
		{PX(2), "", .refusal = remove},
		{PX(2), "{name: new, address: 10.0.0.12}", .refusal = remove},
		{PX(2), "{name: px2, address: 10.0.0.19}",
			.refusal = "backend proxies/px2: live calls may be at its address 10.0.0.12, which the file "
				   "changes: run 'sipxdp-ctl backend remove proxies px2 --drain', and reload after the "
				   "removal"},
		{PX(2), PX(2), .refusal = NULL},
		{PX(2), "{name: px2, address: 10.0.0.12, weight: 5, admin: maint}", .refusal = NULL},
		{PX(2), "", .down = true},
		{PX(2), "", .maint = true},
		{PX(2), "", .drained = true},
		{PX(2), "{name: new, address: 10.0.0.12}", .drained = true},
		{PX(2), "{name: new, address: 10.0.0.12}", .drained = true, .called = true, .refusal = remove},
		{"{name: px2, address: 10.0.0.12, weight: 0}", "", .refusal = NULL},
		{"{name: px2, address: 10.0.0.12, weight: 0}", "", .called = true, .refusal = remove},
		{"{name: px2, address: 10.0.0.12, weight: 0}", "", .called = true, .down = true},
	};
	char error[FARM_ERROR_SIZE], text[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct effects effects = {0};

		world_end(&world);
		world_setup(&world);
		snprintf(text, sizeof(text), JOINABLE("probe: options", PX(1) ", " PX(3) ", %s"), rows[i].before);
		world_start(&world, text);
		for (int n = 1; n <= 3; n++)
			world_set_health(&world, (char[]){'p', 'x', '0' + n, 0}, HEALTH_UP);
		if (rows[i].down)
			world_set_health(&world, "px2", HEALTH_DOWN);
		if (rows[i].maint || rows[i].drained)
			farm_set_admin(world.farm, "proxies", "px2", rows[i].maint ? ADMIN_MAINT : ADMIN_DRAIN, error);
		world_reconcile(&world, NULL);
		memset(has_calls, rows[i].called, sizeof(has_calls));
		snprintf(text, sizeof(text), JOINABLE("probe: options", PX(1) ", " PX(3) ", %s"), rows[i].after);
		preview_file(text, &effects);
		cr_expect_eq(effects.disruptions.count, rows[i].refusal ? 1 : 0, "%zu: %s", i,
			effects.disruptions.count ? effects.disruptions.list[0] : "not refused");
		cr_expect(!rows[i].refusal || is_in(&effects.disruptions, rows[i].refusal), "%zu", i);
		effects_free(&effects);
	}
}

/* px2 has joined, and has no line in the file. */
Test(preview, changes_of_the_translation_are_disruptions_with_and_without_a_line)
{
	static const struct {
		const char *before, *after;
		const char *disruptions[2];
	} rows[] = {
		{"forward: nat", "forward: nat", {}},
		{"forward: ipip", "forward: dsr", {}},
		{"forward: dsr", "forward: nat",
			{"proxies/px1: forward: packets of established calls will go to the address of the server",
				"proxies/px2: forward: packets of established calls will go to the address of the "
				"server"}},
		{"forward: nat", "forward: ipip",
			{"proxies/px1: forward: packets of established calls will go to the VIP",
				"proxies/px2: forward: packets of established calls will go to the VIP"}},
		{"forward: nat", "forward: nat, port: 5070",
			{"proxies/px1: port: responses of established", "proxies/px2: port: responses of established"}},
	};
	struct address address;
	char error[FARM_ERROR_SIZE], text[512];

	address_parse("10.0.0.12", &address);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct effects effects = {0};

		snprintf(text, sizeof(text), JOINABLE("%s", PX(1)), rows[i].before);
		world_start(&world, text);
		cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px2", &address, 1, error), 0);
		farm_find_backend(&world.farm->pools[0], "px2")->record.overrides |= OVERRIDE_JOINED;
		world_set_routes(&world, ROUTE_READY);
		world_reconcile(&world, NULL);
		snprintf(text, sizeof(text), JOINABLE("%s", PX(1)), rows[i].after);
		preview_file(text, &effects);
		cr_expect_eq(effects.disruptions.count, rows[i].disruptions[0] ? 2 : 0, "%s: %zu", rows[i].after,
			effects.disruptions.count);
		for (size_t j = 0; j < 2 && rows[i].disruptions[0]; j++)
			cr_expect(is_in(&effects.disruptions, rows[i].disruptions[j]), "%s: %s", rows[i].after,
				rows[i].disruptions[j]);
		effects_free(&effects);
		world_end(&world);
		world_setup(&world);
	}
}

Test(preview, a_file_that_empties_a_pool_has_a_warning)
{
	struct effects effects = {0};

	world_start(&world, FARM3);
	preview_file(HEAD SERVICE POOL(PX(4)), &effects);
	cr_expect_eq(effects.warnings.count, 0);
	effects_free(&effects);
	preview_file(HEAD SERVICE POOL(""), &effects);
	cr_expect(is_in(&effects.warnings,
		"pool proxies: no healthy backend accepts new calls; the balancer cannot forward them"));
	effects_free(&effects);
}

/* A plan reports every change of a backend, not only the first one. */
Test(preview, all_changes_of_a_backend_are_reported)
{
	struct effects effects = {0};

	world_start(&world, FARM3);
	preview_file(HEAD SERVICE POOL("{name: px1, address: 10.0.0.19, weight: 4, admin: maint}," PX(2) "," PX(3)),
		&effects);
	cr_expect(is_in(&effects.steps, "backend proxies/px1: maint, was ready; address 10.0.0.19"));
	cr_expect(is_in(&effects.steps, "; weight 4, was 1"));
	effects_free(&effects);
}

/* If the file has no `admin:`, an operator's drain is kept and reported. If the file has the key, it overrides the
 * drain. */
Test(preview, changes_of_an_operator_are_kept_or_ended_and_reported)
{
	const char *speaks = HEAD SERVICE POOL(PX(1) ",{name: px2, address: 10.0.0.12, admin: ready}," PX(3));
	struct effects effects = {0};
	char error[FARM_ERROR_SIZE];

	world_start(&world, FARM3);
	cr_assert_eq(farm_set_admin(world.farm, "proxies", "px2", ADMIN_DRAIN, error), 0);
	world_reconcile(&world, NULL);
	preview_file(FARM3, &effects);
	cr_expect(is_in(&effects.steps, "backend proxies/px2: stays in drain"));
	effects_free(&effects);
	preview_file(speaks, &effects);
	cr_expect(is_in(&effects.steps, "backend proxies/px2: ready, was drain"));
	cr_expect_not(is_in(&effects.steps, "stays in"));
	effects_free(&effects);
}

/* A port that gets or loses an entry may have belonged, or then belong, to a range or to the service of all ports. */
#define SERVICE_OF(name, port, more) "{name: " name ", vip: 192.0.2.10, port: " port ", " more "}"
#define SERVICES(list) HEAD "services: [" list "]\n" TWO_POOLS
#define RANGE(more) SERVICE_OF("sip", "5060-5080", more)
#define ALL_PORTS(more) SERVICE_OF("sip", "0", more)

static const struct {
	const char *before, *after, *danger;
} covered_ports[] = {
	{SERVICES(RANGE("pool: proxies")),
		SERVICES(SERVICE_OF("sip", "5060-5070", "pool: proxies") "," SERVICE_OF("new", "5071-5080", "pool: b")),
		"service new: takes a VIP or ports from service sip; pool b, was proxies: live calls would move"},
	{SERVICES(RANGE("pool: proxies")), SERVICES(RANGE("pool: proxies, affinity: source")),
		"service sip: affinity source, was call-id"},
	{SERVICES(RANGE("pool: proxies")), SERVICES(SERVICE_OF("sip", "5059-5080", "pool: proxies, affinity: source")),
		"service sip: affinity source, was call-id"},
	{SERVICES(RANGE("pool: proxies")),
		SERVICES(SERVICE_OF("new", "5060", "pool: proxies") "," SERVICE_OF("sip", "5061-5080", "pool: b")),
		"service sip: pool b, was proxies"},
	{SERVICES(ALL_PORTS("pool: proxies")),
		SERVICES(ALL_PORTS("pool: proxies") "," SERVICE_OF("new", "5060", "pool: b")),
		"service new: takes a VIP or ports from service sip; pool b, was proxies"},
	{SERVICES(ALL_PORTS("pool: proxies") "," SERVICE_OF("new", "5060", "pool: b")),
		SERVICES(ALL_PORTS("pool: proxies")),
		"service sip: takes a VIP or ports from service new; pool proxies, was b"},
	{SERVICES(SERVICE_OF("sip", "5060", "pool: proxies")), SERVICES(ALL_PORTS("pool: b")),
		"service sip: pool b, was proxies"},
	{SERVICES(ALL_PORTS("pool: proxies")),
		HEAD "services: [" ALL_PORTS("pool: proxies") "]\npools: [{name: proxies, " AT_ONCE
							      ", backends: [{name: px1, "
							      "address: 10.0.0.11, ports: 30000-30999}]}]\n",
		"service sip: backend proxies/px1 takes ports from it: live calls would move"},
	{SERVICES(RANGE("pool: proxies")), SERVICES(SERVICE_OF("sip", "5055-5085", "pool: proxies")), NULL},
	{SERVICES(SERVICE_OF("sip", "5060", "pool: proxies")), SERVICES(ALL_PORTS("pool: proxies")), NULL},
	{SERVICES(RANGE("pool: proxies")), SERVICES(SERVICE_OF("sip", "5060-5070", "pool: proxies")),
		"service sip: 192.0.2.10 udp (some ports) is removed"},
	{SERVICES(RANGE("pool: proxies")), SERVICES(SERVICE_OF("sip", "5061-5080", "pool: proxies")),
		"service sip: 192.0.2.10 udp port 5060 is removed"},
	{SERVICES(RANGE("pool: proxies")), SERVICES(""), NULL},
};

Test(preview, ports_that_move_calls_are_disruptions)
{
	for (size_t i = 0; i < sizeof(covered_ports) / sizeof(*covered_ports); i++) {
		struct effects effects = {0};

		world_end(&world);
		world_setup(&world);
		world_start(&world, covered_ports[i].before);
		preview_file(covered_ports[i].after, &effects);
		cr_expect_eq(effects.disruptions.count, covered_ports[i].danger ? 1 : 0, "%zu: %zu disruptions", i,
			effects.disruptions.count);
		cr_expect(!covered_ports[i].danger || is_in(&effects.disruptions, covered_ports[i].danger), "%zu: %s",
			i, effects.disruptions.count ? effects.disruptions.list[0] : "-");
		effects_free(&effects);
	}
}

/* A service that no longer uses a pool for REGISTER also loses the names and ports of the pool's backends. */
Test(preview, names_of_a_pool_that_a_service_no_longer_uses_are_disruptions)
{
	static const struct {
		const char *keys;
		size_t disruptions;
	} rows[] = {{"hints: [px2.example.net]", 1}, {"ports: 30000-30999", 1}, {"weight: 2", 0}};
	static const char file[] =
		HEAD "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies%s}]\n"
		     "pools: [{name: proxies, " AT_ONCE
		     ", backends: [" PX(1) "]},\n"
					   "{name: b, backends: [{name: px2, address: 10.0.0.12, %s}]}]\n";

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char before[1024], after[1024];
		struct effects effects = {0};

		snprintf(before, sizeof(before), file, ", methods: {REGISTER: b}", rows[i].keys);
		snprintf(after, sizeof(after), file, "", rows[i].keys);
		world_end(&world);
		world_setup(&world);
		world_start(&world, before);
		preview_file(after, &effects);
		cr_expect_eq(effects.disruptions.count, rows[i].disruptions, "%s", rows[i].keys);
		effects_free(&effects);
	}
}
