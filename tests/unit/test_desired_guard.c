// SPDX-License-Identifier: GPL-2.0
/* The guards in the desired image, and the plan that leads to them. The test compares each step of a plan with the
 * settings before and after the plan: a packet that neither of these settings drops must pass. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/guard_source.h"
#include "world.h"

#define SIP "{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies, "
#define TRUNK "{name: trunk, vip: 192.0.2.10, port: 5070, pool: proxies, "
#define FILE_OF(guard, sip, trunk) HEAD "guard: {" guard "}\nservices: [" SIP sip "}, " TRUNK trunk "}]\n" POOL(PX(1))
#define LIST_A "{name: a, action: trust, prefixes: [10.0.0.0/8]}"
#define LIST_B "{name: b, action: deny, prefixes: [20.0.0.0/8]}"
#define LIST_C "{name: c, action: limit, limits: s, prefixes: [30.0.0.0/8]}"
#define SETS "limit_sets: [{name: s, invite: {rate: 5, burst: 50, mode: enforce}}], "

static const struct service *service_of(const struct image *image, uint16_t port)
{
	struct service_key key = {
		.vip = {{0, 0, htonl(0xffff), htonl(0xc000020a)}}, .port = htons(port), .protocol = 17};

	return hash_map_find(image->maps[IMAGE_SERVICES], &key);
}

static uint16_t list_id(const struct image *image, const char *name)
{
	uint16_t id = GUARD_LISTS - 1;

	while (id && strcmp(image->guard_list_names[id].name, name))
		id--;
	return id;
}

static const struct guard_class *class_of(const struct image *image, uint16_t port, uint16_t list)
{
	return &image->guard_classes[image->guards[service_of(image, port)->guard].first_class + list];
}

Test(desired_guard, services_share_a_guard_unless_they_have_settings_of_their_own)
{
	struct world world;
	const struct image *image;

	world_setup(&world);
	world_start(&world, FILE_OF("mode: enforce, " SETS "lists: [" LIST_A "," LIST_B "," LIST_C "]", "ping: true",
				    "guard: {mode: observe, lists: [a]}"));
	image = world.running;
	cr_assert_eq(service_of(image, 5060)->guard, 1);
	cr_expect_str_eq(image->guard_names[1].name, "default");
	cr_assert_eq(service_of(image, 5070)->guard, 2);
	cr_expect_str_eq(image->guard_names[2].name, "trunk");
	cr_expect_eq(class_of(image, 5060, list_id(image, "a"))->action, GUARD_TRUST);
	cr_expect_eq(class_of(image, 5060, list_id(image, "b"))->action, GUARD_DENY);
	cr_expect(class_of(image, 5060, list_id(image, "b"))->enforced & 1u << GUARD_RULE_DENIED);
	cr_expect_eq(class_of(image, 5060, list_id(image, "c"))->action, GUARD_LIMIT);
	cr_expect(class_of(image, 5060, 0)->enforced & 1u << GUARD_BUCKET_REGISTER);
	cr_expect_eq(class_of(image, 5070, list_id(image, "a"))->action, GUARD_TRUST);
	cr_expect_eq(class_of(image, 5070, list_id(image, "b"))->action, GUARD_LIMIT, "trunk does not use list b");
	cr_expect_eq(class_of(image, 5070, 0)->enforced, 0);
	cr_expect_eq(class_of(image, 5070, GUARD_LIST_BLOCKED)->action, GUARD_DENY);
	cr_expect_eq(class_of(image, 5070, GUARD_LIST_TRUSTED)->action, GUARD_TRUST);
	world_end(&world);
}

/* Which of the rules for scanners and for broken messages the guard of the service enforces. */
static uint32_t enforced_rules(const struct image *image, uint16_t port)
{
	return image->guards[service_of(image, port)->guard].enforced &
	       (1u << GUARD_RULE_SCANNER | 1u << GUARD_RULE_BROKEN);
}

Test(desired_guard, scanners_and_broken_messages_have_modes_of_their_own)
{
	const uint32_t scanner = 1u << GUARD_RULE_SCANNER, broken = 1u << GUARD_RULE_BROKEN;
	static const struct {
		const char *file, *service;
		uint32_t shared, own;
	} rows[] = {
		{"scanners: true, broken: drop", "guard: {mode: enforce}", 0, scanner | broken},
		{"scanners: enforce, broken: drop", "guard: {broken: enforce}", scanner, scanner | broken},
		{"mode: enforce, scanners: observe, broken: drop", "guard: {}", broken, broken},
		{"mode: enforce, scanners: observe, broken: enforce", "guard: {mode: observe, scanners: true}", broken,
			broken},
		{"scanners: enforce", "guard: {mode: enforce, scanners: observe, broken: drop}", scanner, broken},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world world;
		char text[1024];

		snprintf(text, sizeof(text), FILE_OF("%s", "ping: true", "%s"), rows[i].file, rows[i].service);
		world_setup(&world);
		world_start(&world, text);
		cr_expect_eq(enforced_rules(world.running, 5060), rows[i].shared, "the guard of the file, row %zu", i);
		cr_expect_eq(enforced_rules(world.running, 5070), rows[i].own, "the guard of a service, row %zu", i);
		world_end(&world);
	}
}

Test(desired_guard, the_limit_of_a_backend_is_enforced_if_all_its_services_enforce)
{
	static const struct {
		const char *file, *sip, *trunk,
			*mode; /* modes of the file, of two services of the pool, of the limit */
		bool enforced;
	} rows[] = {
		{"enforce", "{}", "{}", "", true},
		{"observe", "{}", "{}", "", false},
		{"enforce", "{}", "{mode: observe}", "", false},
		{"observe", "{mode: enforce}", "{mode: enforce}", "", true},
		{"observe", "{mode: enforce}", "{}", "", false},
		{"observe", "{mode: enforce}", "'off'", "", true},
		{"observe", "{}", "{}", ", mode: enforce", true},
		{"enforce", "{}", "{}", ", mode: observe", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world world;
		char text[1024];

		snprintf(text, sizeof(text),
			HEAD "guard: {mode: %s}\nservices: [" SIP "guard: %s}, " TRUNK "guard: %s}]\n"
			     "pools:\n  - name: proxies\n    backend_surge: {rate: 9, burst: 9%s}\n    backends: [" PX(
				     1) "]\n",
			rows[i].file, rows[i].sip, rows[i].trunk, rows[i].mode);
		world_setup(&world);
		world_start(&world, text);
		cr_expect_eq(world.running->backend_surges[world_backend(&world, "px1")->id].flags & SURGE_ENFORCED,
			rows[i].enforced ? SURGE_ENFORCED : 0, "row %zu", i);
		world_end(&world);
	}
}

static bool may_be_emergency(const struct image *image, const char *user)
{
	uint64_t starts = image->guards[service_of(image, 5060)->guard].emergency_starts;

	return starts & guard_start(user[0], user[1]);
}

Test(desired_guard, a_guard_knows_how_emergency_numbers_begin)
{
	static const char *const users[] = {
		"112", "+112", "911", "+911", "999", "+999", "sos", "SOS", "urn:service:sos"};
	struct world world;

	world_setup(&world);
	world_start(&world, FILE_OF("mode: enforce", "ping: true", "ping: true"));
	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++)
		cr_expect(may_be_emergency(world.running, users[i]), "%s", users[i]);
	cr_expect_not(may_be_emergency(world.running, "1000"));
	cr_expect_not(may_be_emergency(world.running, "alice"));
	world_load(&world, FILE_OF("mode: enforce, emergency: ['1']", "ping: true", "ping: true"), FARM_RELOAD);
	world_reconcile(&world, &(uint32_t){0});
	cr_expect(may_be_emergency(world.running, "1@"));
	cr_expect(may_be_emergency(world.running, "+1"));
	world_end(&world);
}

Test(desired_guard, a_service_without_guard_has_none)
{
	struct world world;

	world_setup(&world);
	world_start(&world, FILE_OF("", "guard: 'off'", "ping: true"));
	cr_expect_eq(service_of(world.running, 5060)->guard, 0);
	cr_expect_eq(service_of(world.running, 5070)->guard, 1);
	world_load(&world, FARM3, FARM_RELOAD);
	world_reconcile(&world, &(uint32_t){0});
	cr_expect_eq(service_of(world.running, 5060)->guard, 0);
	cr_expect_eq(world.running->guards[1].first_class, 0);
	cr_expect_str_eq(world.running->guard_names[1].name, "");
	world_end(&world);
}

Test(desired_guard, a_restart_with_the_same_file_changes_nothing)
{
	static const char file[] = FILE_OF("mode: enforce, scanners: true, resource_priority: [esnet], " SETS
					   "lists: [" LIST_A "," LIST_C "]",
		"guard: {surge: {rate: 9, burst: 9}}", "guard: {limits: s}");
	struct world world;
	uint32_t moved;

	world_setup(&world);
	world_start(&world, file);
	cr_expect_eq(world_reconcile(&world, &moved), 0);
	for (int pending = 0; pending < 2; pending++) {
		world_load(&world, file, FARM_RESTART);
		world.farm->lists_pending = pending;
		cr_expect_eq(world_reconcile(&world, &moved), 0, "pending: %d", pending);
	}
	world_end(&world);
}

/* Prefix lengths of the sources of a guard. */
static void expect_sources(const struct image *image, int ipv4, int ipv6, const char *when)
{
	const struct guard *guard = &image->guards[1];

	cr_expect_eq(__builtin_popcountll(guard->ipv4_mask), 32 + ipv4, "%s: IPv4 has %d bits", when,
		__builtin_popcountll(guard->ipv4_mask) - 32);
	cr_expect_eq(__builtin_popcountll(guard->ipv6_mask[0]) + __builtin_popcountll(guard->ipv6_mask[1]), ipv6, "%s",
		when);
}

Test(desired_guard, sources_become_larger_after_their_lists)
{
	static const char lists[] =
		FILE_OF("source: {ipv4: 24, ipv6: 56}, lists: [" LIST_A "]", "ping: true", "ping: true");
	struct world world;

	world_setup(&world);
	world_start(&world, FILE_OF("source: {ipv4: 32, ipv6: 48}, lists: [" LIST_A "]", "ping: true", "ping: true"));
	expect_sources(world.running, 32, 48, "at the start");
	world_load(&world, lists, FARM_RELOAD);
	world.farm->lists_pending = true;
	world_reconcile(&world, &(uint32_t){0});
	expect_sources(world.running, 32, 56, "until the kernel has the lists of the new file");
	world.farm->lists_pending = false;
	world_reconcile(&world, &(uint32_t){0});
	expect_sources(world.running, 24, 56, "then");
	world_end(&world);
}

Test(desired_guard, guards_and_lists_keep_their_ids)
{
	struct world world;
	uint16_t b, trunk;

	world_setup(&world);
	world_start(
		&world, FILE_OF("lists: [" LIST_A "," LIST_B "]", "guard: {mode: enforce}", "guard: {mode: enforce}"));
	b = list_id(world.running, "b");
	trunk = service_of(world.running, 5070)->guard;
	world_load(&world, FILE_OF(SETS "lists: [" LIST_C "," LIST_B "]", "ping: true", "guard: {mode: enforce}"),
		FARM_RELOAD);
	world_reconcile(&world, &(uint32_t){0});
	cr_expect_eq(list_id(world.running, "b"), b);
	cr_expect_eq(list_id(world.running, "a"), 0);
	cr_expect_eq(service_of(world.running, 5070)->guard, trunk);
	cr_expect_eq(service_of(world.running, 5060)->guard, 1);
	world_end(&world);
}

Test(desired_guard, a_new_guard_with_the_id_of_an_old_one_has_a_new_generation)
{
	struct world world;
	uint16_t id, before;

	world_setup(&world);
	world_start(&world, FILE_OF("", "ping: true", "guard: {mode: enforce}"));
	id = service_of(world.running, 5070)->guard;
	before = world.running->guards[id].generation;
	world_load(&world, FILE_OF("", "ping: true", "ping: true"), FARM_RELOAD);
	world_reconcile(&world, &(uint32_t){0});
	world_load(&world, FILE_OF("", "guard: {mode: enforce}", "ping: true"), FARM_RELOAD);
	world_reconcile(&world, &(uint32_t){0});
	cr_assert_eq(service_of(world.running, 5060)->guard, id);
	cr_expect_neq(world.running->guards[id].generation, before);
	world_end(&world);
}

/* Services with a guard of their own. */
struct full_services {
	char letter; /* of their names; 0: none */
	int count;
	int step; /* of the numbers of their names and ports */
};

/* A file with these services and with `lists` lists whose names begin with a letter. */
static char *guarded_file(struct full_services first, struct full_services second, char letter, int lists)
{
	const struct full_services *const services[] = {&first, &second};
	size_t length;
	char *text;
	FILE *out = open_memstream(&text, &length);

	fputs("interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\nlimits: {slots: 1024, pools: 4, "
	      "services: "
	      "400, backends: 12}\nguard: {mode: enforce, lists: [",
		out);
	for (int i = 0; i < lists; i++)
		fprintf(out, "{name: %c%d, action: deny, prefixes: [10.%d.0.0/16]}, ", letter, i, i);
	fputs("]}\nservices:\n- {name: shared, vip: 192.0.2.9, port: 1, pool: proxies}\n", out);
	for (int group = 0; group < 2; group++)
		for (int i = 0; i < services[group]->count; i++) {
			int number = i * services[group]->step;

			fprintf(out,
				"- {name: %c%d, vip: 192.0.2.10, port: %d, pool: proxies, guard: {retry_after: %d}}\n",
				services[group]->letter, number, 6000 + 1000 * group + number, 1 + number);
		}
	fputs(POOL(PX(1)), out);
	fclose(out);
	return text;
}

/* A file with the highest number of guards. */
static char *full_file(char letter, int lists)
{
	return guarded_file(
		(struct full_services){'s', GUARD_SERVICES_MAX, 1}, (struct full_services){0}, letter, lists);
}

static void check_full(const struct image *image, int lists)
{
	for (int i = 0; i < GUARD_SERVICES_MAX; i++) {
		const struct service *service = service_of(image, 6000 + i);

		cr_assert_gt(service->guard, 1, "service %d has no guard of its own", i);
		cr_assert_eq(image->guards[service->guard].retry_after, 1 + i);
		for (int list = 0; list < GUARD_LIST_FIRST + lists; list++)
			cr_assert_eq(class_of(image, 6000 + i, list)->list, list, "the guard of service %d", i);
	}
}

static void setup_full(struct world *world)
{
	static const struct contract contract = {.version = ABI_VERSION,
		.slots = 1024,
		.pools = 4,
		.services = 400,
		.backends = 12,
		.tracked_calls = 1024};

	world_setup(world);
	image_free(world->running);
	world->running = image_new(&contract);
}

Test(desired_guard, the_highest_number_of_guards_has_room_for_new_lists)
{
	char *before = full_file('a', 6), *after = full_file('b', 6);
	struct world world;

	setup_full(&world);
	world_start(&world, before);
	check_full(world.running, 6);
	world_load(&world, after, FARM_RELOAD);
	for (int pending = 1; pending >= 0; pending--) {
		world.farm->lists_pending = pending;
		world_reconcile(&world, &(uint32_t){0});
		check_full(world.running, 6);
	}
	world_end(&world);
	free(before);
	free(after);
}

/* The classes of a guard are consecutive. After the second file the free ones are between the guards, so that few
 * guards with more lists fit. */
Test(desired_guard, a_file_whose_guards_do_not_fit_beside_the_running_ones_is_refused)
{
	const struct full_services none = {0}, all = {'s', 127, 1}, half = {'s', 64, 2}, others = {'t', 63, 1};
	char *texts[] = {guarded_file(all, none, 'a', 6), guarded_file(half, others, 'a', 6),
		guarded_file((struct full_services){'u', 84, 1}, none, 'a', 14)};
	struct faults faults = {0};
	struct world world;

	setup_full(&world);
	world_start(&world, texts[0]);
	world_load(&world, texts[1], FARM_RELOAD);
	world_reconcile(&world, &(uint32_t){0});
	cr_assert_null(
		farm_new(config_parse(texts[2], strlen(texts[2]), &faults), world.running, FARM_RELOAD, &faults));
	cr_assert_eq(faults.count, 1);
	cr_expect_eq(faults.list[0].position.line, 4);
	cr_expect(strstr(faults.list[0].message, "'sipxdp-loader upgrade -c FILE' makes new maps"));
	faults_free(&faults);
	world_end(&world);
	setup_full(&world);
	world_start(&world, texts[2]); /* new maps have room for it */
	world_end(&world);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		free(texts[i]);
}

/* --- every step of a plan */

/* What a guard does with the packets of one source. */
struct judgement {
	bool denied;
	uint32_t rules; /* bits by enum guard_rule: rules without a limit */
	struct guard_limit limits[GUARD_BUCKETS];
};

static struct judgement judge(const struct image *image, uint16_t port, uint16_t list)
{
	const struct service *service = service_of(image, port);
	struct judgement judgement = {0};
	const struct guard_class *class;
	const struct guard *guard;

	if (!service || !service->guard)
		return judgement;
	guard = &image->guards[service->guard];
	cr_assert_neq(guard->first_class, 0, "a service has a guard without classes");
	class = &image->guard_classes[guard->first_class + list];
	cr_assert_eq(class->list, list, "guard %u has the classes of a different guard", service->guard);
	if (class->action == GUARD_TRUST)
		return judgement;
	judgement.denied = class->action == GUARD_DENY && class->enforced & 1u << GUARD_RULE_DENIED;
	if (guard->flags & GUARD_FLAG_SCANNERS)
		judgement.rules |= guard->enforced & 1u << GUARD_RULE_SCANNER;
	if (guard->flags & GUARD_FLAG_BROKEN)
		judgement.rules |= guard->enforced & (1u << GUARD_RULE_BROKEN | 1u << GUARD_RULE_STRANGER);
	for (int i = 0; i < GUARD_BUCKETS && guard->flags & GUARD_FLAG_LIMITS; i++)
		if (class->enforced & 1u << i)
			judgement.limits[i] = class->limits[i];
	return judgement;
}

/* Is neither the rate nor the burst of `a` lower? The window is the burst divided by the rate. */
static bool limit_is_looser(const struct guard_limit *a, const struct guard_limit *b)
{
	return !a->interval || (b->interval && a->interval <= b->interval &&
				       (uint64_t)a->window * b->interval >= (uint64_t)b->window * a->interval);
}

/* Does `now` drop only packets that `before` or `after` drops? */
static void check_judgement(
	const struct judgement *now, const struct judgement *before, const struct judgement *after, const char *what)
{
	if (before->denied || after->denied)
		return;
	cr_assert(!now->denied, "%s: denied", what);
	cr_assert_eq(now->rules & ~(before->rules | after->rules), 0, "%s: a rule applies to the source", what);
	for (int i = 0; i < GUARD_BUCKETS; i++)
		cr_assert(limit_is_looser(&now->limits[i], &before->limits[i]) ||
				  limit_is_looser(&now->limits[i], &after->limits[i]),
			"%s: limit %d is tighter", what, i);
}

static uint32_t seed;

static uint32_t below(uint32_t end)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % end;
}

static const char *pick(const char *const *words, size_t count)
{
	return words[below(count)];
}

#define PICK(...) pick((const char *const[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))
#define NAMES 4
#define NONE NAMES

/* A random file. `*lists` receives a bit for each list that it has. */
static void write_file(char *text, size_t size, unsigned int *lists)
{
	FILE *out = fmemopen(text, size, "w");
	const char *before = "";

	*lists = 0;
	fprintf(out,
		HEAD "guard: {mode: %s, limits: %s, scanners: %s, broken: %s, limit_sets: [{name: s, invite: {rate: "
		     "%u, burst: %u}, register: %s}], lists: [",
		PICK("observe", "enforce"), PICK("s", "default"), PICK("true", "false", "observe", "enforce"),
		PICK("drop", "forward", "observe", "enforce"), 1 + below(20), 1 + below(200),
		PICK("none", "{rate: 3, burst: 3, mode: enforce}"));
	for (int i = 0; i < NAMES; i++) {
		if (below(2))
			continue;
		*lists |= 1u << i;
		fprintf(out, "%s{name: l%d, action: %s, mode: %s, prefixes: [10.%d.0.0/16]}", before, i,
			PICK("trust", "deny", "limit, limits: s", "limit"), PICK("observe", "enforce"), i);
		before = ", ";
	}
	fprintf(out, "]}\nservices: [" SIP "%s}, " TRUNK "%s}]\n" POOL(PX(1)), PICK("ping: true", "guard: 'off'"),
		PICK("ping: true", "guard: 'off'", "guard: {mode: enforce}", "guard: {lists: []}",
			"guard: {limits: s, scanners: true}"));
	fclose(out);
}

/* The id of the list of a source: source N is on list N of the file; the source NONE is on no list. */
static uint16_t id_of(const struct image *image, int source)
{
	char name[8];

	snprintf(name, sizeof(name), "l%d", source);
	return source == NONE ? 0 : list_id(image, name);
}

/* The id of the list of each source in the map guard_prefixes. */
static void load_prefixes(uint16_t ids[NAMES + 1], const struct image *image, unsigned int lists)
{
	for (int i = 0; i <= NAMES; i++)
		ids[i] = lists & 1u << i ? id_of(image, i) : 0;
}

/* A source with the old list `from` and the new list `to`. */
struct states {
	struct judgement before[2][NAMES + 1], after[2][NAMES + 1];
};

static void judge_all(struct judgement out[2][NAMES + 1], const struct image *image, const uint16_t ids[NAMES + 1])
{
	for (int port = 0; port < 2; port++)
		for (int i = 0; i <= NAMES; i++)
			out[port][i] = judge(image, 5060 + 10 * port, ids[i]);
}

static void check_step(const struct image *image, const struct states *states, const uint16_t ids[NAMES + 1],
	bool swapped, unsigned int from_lists, unsigned int to_lists, const char *what)
{
	for (int port = 0; port < 2; port++)
		for (int from = 0; from <= NAMES; from++)
			for (int to = 0; to <= NAMES; to++) {
				struct judgement now;

				if ((from != NONE && !(from_lists & 1u << from)) ||
					(to != NONE && !(to_lists & 1u << to)))
					continue;
				now = judge(image, 5060 + 10 * port, ids[swapped ? to : from]);
				check_judgement(&now, &states->before[port][from], &states->after[port][to], what);
			}
}

/* The settings of a daemon with new maps. */
static void judge_fresh(struct judgement out[2][NAMES + 1], const char *text, unsigned int lists)
{
	uint16_t ids[NAMES + 1];
	struct world world;

	world_setup(&world);
	world_start(&world, text);
	load_prefixes(ids, world.running, lists);
	judge_all(out, world.running, ids);
	world_end(&world);
}

static void apply_step_by_step(struct world *world, const struct states *states, const uint16_t ids[NAMES + 1],
	bool swapped, unsigned int from_lists, unsigned int to_lists, const char *what)
{
	struct image *desired;
	struct plan *plan;

	world_update_states(world);
	desired = desired_image(world->desired, world->farm, world->running, world->now);
	plan = plan_new(world->running, desired);

	for (size_t i = 0; i < plan->count; i++) {
		plan_step_apply(&plan->steps[i], world->running);
		check_step(world->running, states, ids, swapped, from_lists, to_lists, what);
	}
	plan_free(plan);
	image_free(desired);
}

Test(desired_guard, no_step_drops_what_neither_the_old_nor_the_new_settings_drop)
{
	char old[4096], new[4096], what[8300];
	unsigned int old_lists, new_lists;
	struct states states;
	uint16_t ids[NAMES + 1];

	for (seed = 1; seed < 300; seed++) {
		uint32_t first = seed;
		struct world world;

		write_file(old, sizeof(old), &old_lists);
		write_file(new, sizeof(new), &new_lists);
		snprintf(what, sizeof(what), "from\n%s\nto\n%s", old, new);
		judge_fresh(states.before, old, old_lists);
		judge_fresh(states.after, new, new_lists);
		world_setup(&world);
		world_start(&world, old);
		load_prefixes(ids, world.running, old_lists);
		world_load(&world, new, FARM_RELOAD);
		world_set_routes(&world, ROUTE_READY);
		world.farm->lists_pending = true;
		apply_step_by_step(&world, &states, ids, false, old_lists, new_lists, what);
		load_prefixes(ids, world.running, new_lists);
		check_step(world.running, &states, ids, true, old_lists, new_lists, what);
		world.farm->lists_pending = false;
		apply_step_by_step(&world, &states, ids, true, old_lists, new_lists, what);
		for (int port = 0; port < 2; port++)
			for (int i = 0; i <= NAMES; i++) {
				struct judgement now = judge(world.running, 5060 + 10 * port, ids[i]);

				cr_assert(!memcmp(&now, &states.after[port][i], sizeof(now)),
					"%s: the settings are not reached", what);
			}
		world_end(&world);
		seed = first;
	}
}
