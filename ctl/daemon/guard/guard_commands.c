// SPDX-License-Identifier: GPL-2.0
/* See guard_commands.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "core/base/duration.h"
#include "core/base/name.h"
#include "ctl/daemon/control/audit.h"
#include "ctl/daemon/log.h"
#include "guard_blocks.h"
#include "guard_commands.h"
#include "guard_lists.h"

static const char *const state_names[] = {
	[GUARD_LIST_BLOCKED] = "blocked",
	[GUARD_LIST_TRUSTED] = "trusted",
};

/* --- guard list */

static json_t *lists_json(const struct daemon *daemon)
{
	const struct guard_files *files = guard_lists_files(daemon);
	const struct config_guard *guard = &daemon->farm->config->guard;
	json_t *list = json_array();

	for (size_t i = 0; i < guard->list_count; i++) {
		const struct config_guard_list *entry = &guard->lists[i];
		json_t *row = json_pack("{s:s, s:s, s:s?, s:s}", "name", entry->name, "action",
			config_guard_action_name(entry->action), "limits",
			entry->action == GUARD_LIMIT ? config_limit_set(daemon->farm->config, entry->limits)->name
						     : NULL,
			"from", entry->file ? entry->file : "configuration");

		for (size_t j = 0; files && j < files->count; j++)
			if (!strcmp(files->lists[j].name, entry->name) && !files->lists[j].is_faulty)
				json_object_set_new(row, "prefixes", json_integer(files->lists[j].prefixes));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *block_json(const struct block *block)
{
	uint64_t rest = guard_blocks_rest(block);
	char prefix[PREFIX_TEXT_SIZE];

	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:o, s:s, s:s, s:s}", "prefix",
		prefix_format(&block->prefix, prefix), "state", state_names[block->value.list], "service",
		block->value.service, "seconds_left", rest ? json_integer((rest + 999) / 1000) : json_null(), "since",
		(json_int_t)block->value.since, "until",
		rest ? json_integer(time(NULL) + (rest + 999) / 1000) : json_null(), "by",
		block->value.by_server ? "server" : "operator", "who", block->value.who, "reason", block->value.reason);
}

/* The event loop may change the entries whenever the worker yields. */
json_t *guard_list_blocks(const struct daemon *daemon, json_t *(*row)(const struct block *block))
{
	const struct blocks *entries = guard_blocks_entries(daemon);
	const struct block *next = blocks_after(entries, NULL);
	json_t *list = json_array();

	while (next) {
		struct block block = *next;

		json_array_append_new(list, row(&block));
		worker_yield(daemon->worker);
		next = blocks_after(entries, &block);
	}
	return list;
}

json_t *guard_command_list(struct daemon *daemon, const struct request *request)
{
	(void)request;
	return protocol_ok(
		json_pack("{s:o, s:o}", "lists", lists_json(daemon), "blocks", guard_list_blocks(daemon, block_json)));
}

/* --- guard reload */

json_t *guard_command_reload(struct daemon *daemon, const struct request *request)
{
	struct faults faults = {0};
	struct guard_files *files;
	bool changed = false;
	json_t *reply;
	size_t count;

	(void)request;
	files = guard_lists_read(daemon, daemon->farm->config, &faults);
	guard_lists_note_faults(daemon, &faults);
	count = files->prefixes.count;
	if (files->faulty) {
		guard_files_free(files);
		daemon_log_faults(daemon, &faults);
		reply = protocol_error(&faults, "not reloaded: the previous lists stay in use");
		json_object_set_new(reply, "path", protocol_text(daemon->config_path));
	} else {
		changed = guard_lists_take(daemon, files);
		reply = NULL;
	}
	faults_free(&faults);
	if (reply)
		return reply;
	if (changed && guard_lists_update(daemon))
		return protocol_error(NULL, "the new lists are not in use yet (see the daemon's log)");
	if (changed)
		daemon_reconcile(daemon);
	return protocol_ok(json_pack("{s:[o], s:[]}", "steps",
		json_sprintf("%zu prefixes on %zu lists are in use%s", count, daemon->farm->config->guard.list_count,
			changed ? "" : ", as before"),
		"warnings"));
}

/* --- guard block, guard trust, guard unblock */

static const struct config_service *find_service(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (!strcmp(config->services[i].name, name))
			return &config->services[i];
	return NULL;
}

static bool is_guarded(const struct config *config)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (config_service_is_guarded(config, &config->services[i]))
			return true;
	return false;
}

/* Can entries exist for this service ("": for all)? */
static int check_service(const struct config *config, const char *name, char error[BLOCKS_ERROR_SIZE])
{
	const struct config_service *service = *name ? find_service(config, name) : NULL;

	if (!is_guarded(config))
		snprintf(error, BLOCKS_ERROR_SIZE, "no service has a guard: add `guard:` to the file");
	else if (*name && !service)
		snprintf(error, BLOCKS_ERROR_SIZE, "no service '%s' (see 'sipxdp-ctl service list')", name);
	else if (service && !config_service_has_own_guard(config, service))
		snprintf(error, BLOCKS_ERROR_SIZE,
			"service %s shares its guard with other services, or has none: give it a `guard:` of its own, "
			"or "
			"omit the service",
			name);
	else
		return 0;
	return -EINVAL;
}

/* Warns if a guard only counts the packets of blocked sources. */
static void warn_of_mode(const struct daemon *daemon, const struct block *block, json_t *warnings)
{
	const struct image *running = daemon->running;

	for (uint32_t id = 1; id < GUARDS && block->value.list == GUARD_LIST_BLOCKED; id++) {
		const char *name = running->guard_names[id].name;
		uint32_t class = running->guards[id].first_class + GUARD_LIST_BLOCKED;

		if (!*name || (*block->value.service && strcmp(name, block->value.service)))
			continue;
		if (!(running->guard_classes[class].enforced & 1u << GUARD_RULE_BLOCKED))
			json_array_append_new(warnings,
				json_sprintf("guard %s has the mode observe: it counts these packets and forwards them",
					name));
	}
}

/* "203.0.113.0/24 is blocked for 10m for service sip". */
static const char *describe(const struct block *block, uint32_t time, char *text, size_t size)
{
	char prefix[PREFIX_TEXT_SIZE], duration[DURATION_TEXT_SIZE];

	snprintf(text, size, "%s is %s%s%s%s%s", prefix_format(&block->prefix, prefix), state_names[block->value.list],
		time ? " for " : "", time ? duration_format(time, duration) : "",
		*block->value.service ? ", only for service " : "", block->value.service);
	return text;
}

static json_t *change_reply(const char *step, json_t *warnings)
{
	return protocol_ok(json_pack("{s:[s], s:o}", "steps", step, "warnings", warnings));
}

json_t *guard_command_put(struct daemon *daemon, const struct request *request)
{
	struct block block = {.prefix = request->guard.prefix,
		.value = {.expires = guard_blocks_expiry(request->guard.time),
			.since = time(NULL),
			.list = request->command == COMMAND_GUARD_TRUST ? GUARD_LIST_TRUSTED : GUARD_LIST_BLOCKED}};
	const char *service = request->service ? request->service : "", *reason = request->guard.reason;
	char error[BLOCKS_ERROR_SIZE], text[256];
	json_t *warnings;

	if (reason && strlen(reason) >= GUARD_REASON_SIZE)
		return protocol_error(NULL, "the reason is longer than %d bytes", GUARD_REASON_SIZE - 1);
	if (check_service(daemon->farm->config, service, error))
		return protocol_error(NULL, "%s", error);
	name_copy(block.value.service, service);
	audit_requester(request, block.value.who, sizeof(block.value.who));
	if (reason)
		memcpy(block.value.reason, reason, strlen(reason));
	if (guard_blocks_put(daemon, &block, request->force, error))
		return protocol_error(NULL, "%s", error);
	warnings = json_array();
	warn_of_mode(daemon, &block, warnings);
	return change_reply(describe(&block, request->guard.time, text, sizeof(text)), warnings);
}

/* "10.0.0.7: 10.0.0.0/24 is still blocked by operator root": the removed entry may have been within a wider one, or
 * beside one for a different set of services. */
static void describe_removal(const struct prefix_key *removed, const struct block *other, char text[BLOCKS_ERROR_SIZE])
{
	char prefix[PREFIX_TEXT_SIZE], wider[PREFIX_TEXT_SIZE];

	prefix_format(removed, prefix);
	if (!other)
		snprintf(text, BLOCKS_ERROR_SIZE, "%s: the lists apply again", prefix);
	else
		snprintf(text, BLOCKS_ERROR_SIZE, "%s: %s is still %s by %s %.63s%s%.63s", prefix,
			prefix_format(&other->prefix, wider), state_names[other->value.list],
			other->value.by_server ? "server" : "operator", other->value.who,
			*other->value.service ? " for service " : "", other->value.service);
}

json_t *guard_command_unblock(struct daemon *daemon, const struct request *request)
{
	const char *service = request->service ? request->service : "";
	const struct prefix_key prefix = guard_blocks_prefix(daemon, &request->guard.prefix);
	char error[BLOCKS_ERROR_SIZE], text[BLOCKS_ERROR_SIZE];

	if (guard_blocks_remove(daemon, &prefix, service, NULL, error))
		return protocol_error(NULL, "%s", error);
	describe_removal(&prefix, blocks_around(guard_blocks_entries(daemon), &prefix, service), text);
	return change_reply(text, json_array());
}

/* --- requests of servers */

static int carry_out(struct daemon *daemon, const struct join_ban *ban, char error[BLOCKS_ERROR_SIZE])
{
	struct block block = {.prefix = ban->prefix,
		.value = {.expires = guard_blocks_expiry(ban->time),
			.since = time(NULL),
			.list = ban->action == JOIN_BAN_TRUST ? GUARD_LIST_TRUSTED : GUARD_LIST_BLOCKED,
			.by_server = 1}};

	if (daemon->using_next_maps) {
		snprintf(error, BLOCKS_ERROR_SIZE, "the balancer is switching to new maps: try again in a second");
		return -EAGAIN;
	}
	if (check_service(daemon->farm->config, ban->service, error))
		return -EINVAL;
	if (ban->action == JOIN_BAN_UNBLOCK)
		return guard_blocks_remove(daemon, &ban->prefix, ban->service, ban->server, error);
	name_copy(block.value.service, ban->service);
	name_copy(block.value.who, ban->server);
	memcpy(block.value.reason, ban->reason, sizeof(block.value.reason));
	return guard_blocks_put(daemon, &block, false, error);
}

/* `where`: the address of the server, or the member of the group that has received the request. */
static void log_ban(const struct join_ban *ban, const char *where, int result, const char *error)
{
	static const char *const verbs[] = {
		[JOIN_BAN_BLOCK] = "block", [JOIN_BAN_TRUST] = "trust", [JOIN_BAN_UNBLOCK] = "unblock"};
	char prefix[PREFIX_TEXT_SIZE];

	prefix_format(&ban->prefix, prefix);
	log_event(LOG_NOTICE,
		LOG_FIELDS({"event", "audit"}, {"result", result ? "refused" : "done"}, {"server", ban->server},
			{"source", where}, {"prefix", prefix}),
		"server %s (%s) requested 'guard %s %s': %s%s", ban->server, where, verbs[ban->action], prefix,
		result ? "refused: " : "", error);
}

struct join_answer guard_handle_ban(struct daemon *daemon, const struct join_ban *ban, const struct address *peer)
{
	char error[BLOCKS_ERROR_SIZE] = "done", address[ADDRESS_TEXT_SIZE];
	int result = carry_out(daemon, ban, error);
	struct join_answer answer = {.status = !result                                  ? 200
					       : result == -ENOENT                      ? 404
					       : result == -EAGAIN || result == -ENOSPC ? 503
											: 409};

	log_ban(ban, address_format(peer, address), result, error);
	snprintf(answer.text, sizeof(answer.text), "%s", error);
	return answer;
}

void guard_handle_shared_ban(struct daemon *daemon, const struct join_ban *ban, const char *node)
{
	char error[BLOCKS_ERROR_SIZE] = "done";
	int result = carry_out(daemon, ban, error);

	log_ban(ban, node, result, error);
}
