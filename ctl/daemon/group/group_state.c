// SPDX-License-Identifier: GPL-2.0
/* See group_state.h. */

#include <string.h>
#include "core/base/memory.h"
#include "core/base/name.h"
#include "core/control/shared_backends.h"
#include "ctl/daemon/guard/guard_blocks.h"
#include "ctl/daemon/guard/guard_commands.h"
#include "ctl/daemon/drain.h"
#include "ctl/daemon/log.h"
#include "group_state.h"

/* --- prefixes */

static json_t *block_json(const struct block *block)
{
	char prefix[PREFIX_TEXT_SIZE];

	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:b, s:o, s:o}", "prefix", prefix_format(&block->prefix, prefix),
		"service", block->value.service, "trusted", block->value.list == GUARD_LIST_TRUSTED, "rest",
		(json_int_t)guard_blocks_rest(block), "since", (json_int_t)block->value.since, "server",
		block->value.by_server, "who", protocol_text(block->value.who), "reason",
		protocol_text(block->value.reason));
}

/* Returns false if this is not an entry. */
static bool read_block(const json_t *json, struct block *out)
{
	const char *prefix, *service, *who, *reason;
	int trusted, server;
	json_int_t rest, since;

	*out = (struct block){0};
	if (json_unpack((json_t *)json, "{s:s, s:s, s:b, s:I, s:I, s:b, s:s, s:s}", "prefix", &prefix, "service",
		    &service, "trusted", &trusted, "rest", &rest, "since", &since, "server", &server, "who", &who,
		    "reason", &reason) ||
		prefix_parse(prefix, &out->prefix) || rest < 0 || rest > UINT32_MAX)
		return false;
	out->value.expires = guard_blocks_expiry(rest);
	out->value.since = since;
	out->value.list = trusted ? GUARD_LIST_TRUSTED : GUARD_LIST_BLOCKED;
	out->value.by_server = server;
	name_copy(out->value.service, service);
	name_copy(out->value.who, who);
	memcpy(out->value.reason, reason, strnlen(reason, sizeof(out->value.reason) - 1));
	return true;
}

/* The keys of the entries in a list: "SERVICE PREFIX". */
static void block_key(const struct block *block, char *out, size_t size)
{
	char prefix[PREFIX_TEXT_SIZE];

	snprintf(out, size, "%s %s", block->value.service, prefix_format(&block->prefix, prefix));
}

static void remove_other_blocks(struct daemon *daemon, const json_t *keys)
{
	const struct blocks *entries = guard_blocks_entries(daemon);
	const struct block *next = blocks_after(entries, NULL);

	while (next) {
		char key[NAME_SIZE + PREFIX_TEXT_SIZE + 1], error[BLOCKS_ERROR_SIZE];
		struct block block = *next;

		block_key(&block, key, sizeof(key));
		if (!json_object_get(keys, key))
			guard_blocks_remove(daemon, &block.prefix, block.value.service, NULL, error);
		worker_yield(daemon->worker);
		next = blocks_after(entries, &block);
	}
}

static void adopt_blocks(struct daemon *daemon, const json_t *list)
{
	json_t *keys = json_object();
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		char key[NAME_SIZE + PREFIX_TEXT_SIZE + 1], error[BLOCKS_ERROR_SIZE];
		struct block block;

		if (!read_block(item, &block))
			continue;
		block_key(&block, key, sizeof(key));
		json_object_set_new(keys, key, json_true());
		if (guard_blocks_put(daemon, &block, true, error))
			log_warning("group: %s", error);
		worker_yield(daemon->worker);
	}
	remove_other_blocks(daemon, keys);
	json_decref(keys);
}

/* --- all */

char *group_state_write(struct daemon *daemon)
{
	json_t *backends = shared_backends_write(daemon->farm), *state;
	char *text;

	drain_write_removals(daemon->drain, daemon, backends);
	state = json_pack("{s:o, s:o}", "backends", backends, "blocks", guard_list_blocks(daemon, block_json));
	worker_unlock(daemon->worker);
	text = json_dumps(state, JSON_COMPACT);
	json_decref(state);
	worker_lock(daemon->worker);
	return text;
}

static void adopt_backends(struct daemon *daemon, const char *node, const json_t *list)
{
	struct messages errors = {0};
	struct effects effects = {0};
	bool changed = shared_backends_take(daemon->farm, daemon->running, list, &errors);

	for (size_t i = 0; i < errors.count; i++)
		log_warning("group: the state of member %s cannot be applied completely: %s", node, errors.list[i]);
	messages_free(&errors);
	drain_take_removals(daemon->drain, daemon, list);
	if (!changed)
		return;
	daemon_change(daemon, &effects);
	effects_free(&effects);
}

void group_state_adopt(struct daemon *daemon, const char *node, const void *bytes, size_t length)
{
	json_t *state;

	worker_unlock(daemon->worker);
	state = json_loadb(bytes, length, 0, NULL);
	worker_lock(daemon->worker);
	if (!state) {
		log_error("group: the state of member %s cannot be read", node);
		return;
	}
	log_event(LOG_INFO, LOG_FIELDS({"event", "group_adopt"}, {"node", node}),
		"group: takes the changes by operators from member %s: %zu backends, %zu prefixes", node,
		json_array_size(json_object_get(state, "backends")), json_array_size(json_object_get(state, "blocks")));
	adopt_backends(daemon, node, json_object_get(state, "backends"));
	adopt_blocks(daemon, json_object_get(state, "blocks"));
	json_decref(state);
}
