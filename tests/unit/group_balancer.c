// SPDX-License-Identifier: GPL-2.0
/* See group_balancer.h. The order of the calls is that of ctl/daemon/daemon.c and ctl/daemon/group/group_watch.c. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "core/control/shared_backends.h"
#include "core/group/group_slots.h"
#include "group_balancer.h"
#include "world.h"

#define JOIN_MSEC 10000
#define DETECTION 1000    /* ms */
#define FIRST_PROBES 2000 /* ms until the first result about a server */

static const struct contract contract = {.version = ABI_VERSION,
	.slots = BALANCER_SLOTS,
	.pools = 2,
	.services = 2,
	.backends = 12,
	.tracked_calls = 1024};

/* --- the process */

static void name_of(size_t backend, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "px%zu", backend + 1);
}

uint8_t balancer_name(const struct balancer *balancer, uint16_t id)
{
	return id ? atoi(balancer->running->records[id].name + 2) : 0;
}

static void load(struct balancer *balancer)
{
	char text[2048];
	int length = snprintf(text, sizeof(text),
		"interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n"
		"limits: {slots: 256, pools: 2, services: 2, backends: 12}\n"
		"join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef, node_timeout: 10s}\n" SERVICE
		"pools: [{name: proxies, probe: options, %s, backends: [",
		balancer->pool);

	for (size_t i = 0; i < BALANCER_FILE; i++) {
		size_t backend = (balancer->first + i) % BALANCER_FILE;

		length += snprintf(text + length, sizeof(text) - length, "{name: px%zu, address: 10.0.0.1%zu},",
			backend + 1, backend + 1);
	}
	snprintf(text + length, sizeof(text) - length, "]}]\n");
	balancer->farm = world_new_farm(text, balancer->running, FARM_RESTART);
}

void balancer_start(struct balancer *balancer, const struct node *node)
{
	if (!balancer->running)
		balancer->running = image_new(&contract);
	load(balancer);
	balancer->desired = desired_new();
	balancer->join = join_new();
	balancer->transfer = transfer_new();
	transfer_begin(balancer->transfer, !balancer->filled);
	balancer->state = GROUP_STATE_COUNT;
	balancer->joining = true;
	balancer->must_reconcile = true;
	balancer->version = 0;
	balancer->begun = node ? node->now : 0;
	for (size_t i = 0; i < BALANCER_BACKENDS; i++) {
		balancer->probes[i].known = false;
		balancer->probes[i].first = balancer->begun + below(FIRST_PROBES);
	}
}

void balancer_stop(struct balancer *balancer, bool lose_maps)
{
	farm_free(balancer->farm);
	desired_free(balancer->desired);
	join_free(balancer->join);
	transfer_free(balancer->transfer);
	balancer->farm = NULL;
	balancer->desired = NULL;
	balancer->join = NULL;
	balancer->transfer = NULL;
	balancer->process = (struct group_id){0};
	if (!lose_maps)
		return;
	image_free(balancer->running);
	balancer->running = NULL;
	balancer->filled = false;
}

void balancer_end(struct balancer *balancer)
{
	balancer_stop(balancer, true);
}

/* --- changes */

/* As `join_listener_apply()`. */
static void apply_server(struct balancer *balancer, const struct balancer_change *change)
{
	static const char *const actions[] = {"start", "heartbeat", "shutdown", "stop"};
	struct join_request request;
	char text[256];
	int length = snprintf(text, sizeof(text), "action=%s; pool=proxies; name=px%u; address=10.0.0.1%u; weight=%u",
		actions[change->value % 4], change->backend + 1, change->backend + 1, change->value / 4);

	request = (struct join_request){.text = {text, text + length}};
	join_handle_shared(balancer->join, balancer->farm, balancer->running, &request, 1700000000,
		(struct join_clocks){.seconds = 1700000000, .ms = 1});
}

static int apply(struct balancer *balancer, const struct balancer_change *change, char error[FARM_ERROR_SIZE])
{
	struct address address;
	char name[NAME_SIZE], text[ADDRESS_TEXT_SIZE];

	name_of(change->backend, name);
	switch (change->kind) {
	case BALANCER_ADMIN:
		return farm_set_admin(balancer->farm, "proxies", name, change->value % 3, error);
	case BALANCER_WEIGHT:
		return farm_set_weight(balancer->farm, "proxies", name, change->value % 4, error);
	case BALANCER_ADD:
		snprintf(text, sizeof(text), "10.0.0.%u%u", 1 + change->value % 2, change->backend + 1);
		address_parse(text, &address);
		return farm_add_backend(
			balancer->farm, balancer->running, "proxies", name, &address, 1 + change->value % 3, error);
	case BALANCER_REMOVE:
		return farm_remove_backend(balancer->farm, "proxies", name, error);
	case BALANCER_LEAVE:
		return farm_remove_when_drained(balancer->farm, "proxies", name, error);
	case BALANCER_FINISH:
		desired_finish_pool(balancer->desired, balancer->farm->pools[0].id);
		return 0;
	default:
		apply_server(balancer, change);
		return 0;
	}
}

void balancer_change(struct balancer *balancer, const struct balancer_change *change)
{
	char error[FARM_ERROR_SIZE], name[NAME_SIZE];
	struct farm_backend *backend;

	apply(balancer, change, error);
	name_of(change->backend, name);
	backend = farm_find_backend(&balancer->farm->pools[0], name);
	if (backend && change->kind == BALANCER_SERVER)
		backend->joined_here = backend->record.overrides & OVERRIDE_JOINED;
	balancer->must_reconcile = true;
}

/* As share_all() of ctl/daemon/group/group_changes.c. */
static void share_servers(struct balancer *balancer, struct node *node)
{
	const struct farm_pool *pool = &balancer->farm->pools[0];

	for (size_t i = 0; i < pool->count; i++) {
		const struct backend_record *record = &pool->backends[i].record;
		const struct balancer_change start = {BALANCER_SERVER, atoi(record->name + 2) - 1, 4 * record->weight};

		if (pool->backends[i].joined_here && !(record->overrides & OVERRIDE_LEAVING))
			group_send_event(node->group, &start, sizeof(start));
	}
}

static void adopt(struct balancer *balancer, struct node *node, const struct group_task *task)
{
	json_t *list = json_loadb((const char *)task->bytes, task->length, 0, NULL);
	struct messages errors = {0};

	cr_assert(list);
	shared_backends_take(balancer->farm, balancer->running, list, &errors);
	messages_free(&errors);
	json_decref(list);
	share_servers(balancer, node);
}

static void describe(const struct balancer *balancer, struct node *node, const struct group_task *task)
{
	json_t *list = shared_backends_write(balancer->farm);
	char *text = json_dumps(list, JSON_COMPACT);

	group_send_shared(node->group, task, text, strlen(text));
	free(text);
	json_decref(list);
}

void balancer_task(struct balancer *balancer, struct node *node, const struct group_task *task)
{
	char error[FARM_ERROR_SIZE] = "";
	int refused;

	if (task->kind == GROUP_TASK_DESCRIBE) {
		describe(balancer, node, task);
		return;
	}
	balancer->must_reconcile = true;
	if (task->kind == GROUP_TASK_ADOPT) {
		adopt(balancer, node, task);
		return;
	}
	refused = apply(balancer, (const struct balancer_change *)task->bytes, error);
	if (task->number)
		group_send_result(node->group, task, !refused, error);
}

/* --- probes and states */

void balancer_probe(struct balancer *balancer, const struct node *node, size_t backend, bool passes)
{
	if (!balancer->probes[backend].known || balancer->probes[backend].passes != passes)
		balancer->probes[backend].since = node->now;
	balancer->probes[backend].known = true;
	balancer->probes[backend].passes = passes;
}

/* The results of the first probes of a new process. */
static void begin_probes(struct balancer *balancer, const struct node *node)
{
	for (size_t i = 0; i < BALANCER_BACKENDS; i++)
		if (!balancer->probes[i].known && node->now >= balancer->probes[i].first)
			balancer_probe(balancer, node, i, balancer->probes[i].passes);
}

/* A dead server has not answered since its failure; the others have just answered. */
static void report_probe(const struct balancer *balancer, struct farm_backend *backend, uint64_t now)
{
	const size_t index = atoi(backend->record.name + 2) - 1;
	const bool passes = balancer->probes[index].passes;
	const uint64_t since = balancer->probes[index].since;
	const struct evidence evidence = {.known = balancer->probes[index].known,
		.failing = !passes,
		.enough = !passes,
		.recovered = passes,
		.answered = passes ? now : 0,
		.began = passes ? 0 : since,
		.failed = passes ? 0 : now,
		.detection = DETECTION,
		.again = DETECTION / 2};

	if (evidence.known)
		farm_set_probed(backend, passes ? HEALTH_UP : HEALTH_DOWN, &evidence, &(struct latency){0}, "");
}

static bool update_states(struct balancer *balancer, struct node *node, uint64_t now)
{
	const struct route route = {.state = ROUTE_READY, .ifindex = 2, .mtu = 1500, .next_hop = {{2, 0, 0, 0, 0, 1}}};
	struct farm_pool *pool = &balancer->farm->pools[0];
	bool changed = false;

	if (node)
		begin_probes(balancer, node);
	for (size_t i = 0; i < pool->count; i++) {
		farm_set_route(&pool->backends[i], &route);
		report_probe(balancer, &pool->backends[i], now);
		farm_report_group(&pool->backends[i], node ? node->group : NULL, now);
	}
	farm_decide_outage(balancer->farm, pool, balancer->begun, now);
	for (size_t i = 0; i < pool->count; i++)
		changed |= farm_update_state(balancer->farm, pool, &pool->backends[i], 1000 + now / 1000);
	changed |= farm_update_fail_open(pool, now);
	if (node)
		farm_give_votes(balancer->farm, node->group, now);
	return changed;
}

/* --- the maps */

static void write_maps(struct balancer *balancer, uint64_t now)
{
	struct farm *farm = farm_trial_copy(balancer->farm);
	struct image *desired = desired_image(balancer->desired, farm, balancer->running, now);
	struct plan *plan = plan_new(balancer->running, desired);

	for (size_t i = 0; i < plan->count; i++)
		plan_step_apply(&plan->steps[i], balancer->running);
	desired_postpone(balancer->desired, now, now);
	image_take_wanted(balancer->running, desired);
	plan_free(plan);
	image_free(desired);
	farm_trial_free(farm);
}

static void send_phases(struct balancer *balancer, struct node *node)
{
	const struct farm_pool *pool = &balancer->farm->pools[0];
	uint64_t recording[MIGRATION_WORDS(BALANCER_SLOTS)], moving[MIGRATION_WORDS(BALANCER_SLOTS)];
	uint64_t unknown[MIGRATION_WORDS(BALANCER_SLOTS)];
	const struct migration_phases phases = {recording, moving, unknown};
	struct desired_progress progress;

	if (!desired_phases(balancer->desired, pool, node->now, &phases, &progress))
		return;
	balancer->overdue = progress.waits.overdue;
	group_set_phases(node->group, farm_pool_key(pool), progress.wanted, progress.is_migrating ? &phases : NULL,
		MIGRATION_WORDS(BALANCER_SLOTS));
}

void balancer_reconcile_alone(struct balancer *balancer, uint64_t now)
{
	update_states(balancer, NULL, now);
	write_maps(balancer, now);
}

static void reconcile(struct balancer *balancer, struct node *node)
{
	uint64_t separation = group_separation(node->group, node->now);

	update_states(balancer, node, node->now);
	if (balancer->filled)
		transfer_end(balancer->transfer);
	transfer_adopt(balancer->transfer, balancer->farm, balancer->running, balancer->desired);
	balancer->version = group_phases_version(node->group);
	desired_keep_moving(balancer->desired, separation ? node->now + separation : 0);
	if (group_state(node->group, node->now) == GROUP_AGREEING) {
		if (balancer->absences != group_absences(node->group))
			desired_missed(balancer->desired);
		balancer->absences = group_absences(node->group);
		desired_read_group(balancer->desired, balancer->farm, balancer->running, node->group);
	}
	write_maps(balancer, node->now);
	send_phases(balancer, node);
	balancer->filled |= !balancer->joining;
	balancer->must_reconcile = false;
}

/* --- events */

static void send_bytes(const uint8_t *message, size_t length, void *data)
{
	node_send(data, message, length);
}

static void answer(struct balancer *balancer, struct node *node, struct group_id to)
{
	transfer_send_bound(to, GROUP_FIRST, send_bytes, node);
	transfer_send_pool(balancer->desired, &balancer->farm->pools[0], to, send_bytes, node);
	transfer_send_bound(to, GROUP_LAST, send_bytes, node);
}

static void take_message(struct balancer *balancer, struct node *node, const uint8_t *bytes, size_t length)
{
	struct group_message message;

	cr_assert_eq(group_message_decode(bytes, length, &message), 0);
	switch (transfer_take(balancer->transfer, node->group, balancer->farm, balancer->running, node->from, &message,
		send_bytes, node)) {
	case TRANSFER_ANSWER:
		answer(balancer, node, node->from);
		break;
	case TRANSFER_COMPLETE:
		balancer->must_reconcile = true;
		break;
	case TRANSFER_NOTHING:
		break;
	}
}

static bool is_joining(const struct balancer *balancer, const struct node *node)
{
	enum group_state state = group_state(node->group, node->now);

	if (state == GROUP_ALONE || node->now >= balancer->begun + JOIN_MSEC)
		return false;
	return state != GROUP_AGREEING || group_will_adopt(node->group) || transfer_is_waiting(balancer->transfer);
}

/* Has something changed that the daemon reconciles for? */
static bool has_news(struct balancer *balancer, struct node *node)
{
	enum group_state state = group_state(node->group, node->now);
	bool joining = is_joining(balancer, node);
	bool news = balancer->must_reconcile || state != balancer->state || joining != balancer->joining;

	balancer->state = state;
	balancer->joining = joining;
	return news || desired_next(balancer->desired) <= node->now ||
	       (group_phases_version(node->group) != balancer->version && image_is_migrating(balancer->running));
}

void balancer_take(struct balancer *balancer, struct node *node, const uint8_t *bytes, size_t length)
{
	group_tick(node->group, node->now);
	if (bytes)
		take_message(balancer, node, bytes, length);
	node_work(node, UINT_MAX);
	if (balancer->filled)
		transfer_end(balancer->transfer);
	if (group_state(node->group, node->now) == GROUP_AGREEING && !group_will_adopt(node->group))
		transfer_update(balancer->transfer, node->group, send_bytes, node);
	if (has_news(balancer, node) || update_states(balancer, node, node->now))
		reconcile(balancer, node);
}
