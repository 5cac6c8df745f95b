// SPDX-License-Identifier: GPL-2.0
/* See group_drains.h. */

#include <string.h>
#include "core/base/memory.h"
#include "core/group/group_changes.h"
#include "core/group/group_drains.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "group_drains.h"
#include "group_watch.h"

static void publish(struct group *group, const struct drained *list, size_t count)
{
	struct group_drained *drained = allocate(count, sizeof(*drained));

	for (size_t i = 0; i < count; i++)
		drained[i] = list[i].drained;
	group_set_drained(group, drained, count);
	free(drained);
}

/* Other members may read the same: only a backend that has waited for too long is removed without a member. */
static bool is_due(const struct group *group, const struct drained *drained)
{
	const struct group_member *member = group_undrained(group, &drained->drained);

	if (!member)
		return group_leads(group);
	if (drained->is_overdue)
		log_event(LOG_WARNING,
			LOG_FIELDS({"event", "drain_overdue"}, {"pool", drained->pool}, {"backend", drained->name}),
			"backend %s/%s: its removal does not wait any longer for member %s, where it may still have "
			"calls, or is not leaving",
			drained->pool, drained->name, member->hello.node);
	return drained->is_overdue;
}

static void send_removal(struct group *group, const struct drained *drained)
{
	char address[ADDRESS_TEXT_SIZE];
	json_t *event = json_pack("{s:{s:s, s:s, s:s, s:I}}", "drained", "pool", drained->pool, "backend",
		drained->name, "address", address_format(&drained->address, address), "removal",
		(json_int_t)drained->drained.removal);
	char *text = json_dumps(event, JSON_COMPACT);

	group_send_event(group, text, strlen(text));
	free(text);
	json_decref(event);
}

bool group_drains_decide(struct daemon *daemon, const struct drained *list, size_t count)
{
	struct group *group = group_watch_sender(daemon->group_watch);
	enum group_state state;

	if (!group)
		return false;
	state = group_state(group, listening_clock_now());
	publish(group, list, state == GROUP_AGREEING ? count : 0);
	if (state == GROUP_ALONE && count)
		group_set_diverged(group);
	for (size_t i = 0; state == GROUP_AGREEING && i < count; i++)
		if (is_due(group, &list[i]))
			send_removal(group, &list[i]);
	return state != GROUP_ALONE;
}

void group_drains_withdraw(struct daemon *daemon)
{
	struct group *group = group_watch_sender(daemon->group_watch);
	struct drained *list;
	size_t count, kept = 0;

	if (!group)
		return;
	list = drain_leaving(daemon->drain, daemon, &count);
	for (size_t i = 0; i < count; i++)
		if (group_has_drained(group, &list[i].drained))
			list[kept++] = list[i];
	publish(group, list, kept);
	free(list);
}

bool group_drains_is_event(const json_t *event)
{
	return json_object_get(event, "drained");
}

void group_drains_apply(struct daemon *daemon, const json_t *event)
{
	const char *pool, *name, *address;
	char error[FARM_ERROR_SIZE], text[ADDRESS_TEXT_SIZE];
	struct effects effects = {0};
	struct drained *list;
	json_int_t removal;
	size_t count, i = 0;

	if (json_unpack((json_t *)event, "{s:{s:s, s:s, s:s, s:I}}", "drained", "pool", &pool, "backend", &name,
		    "address", &address, "removal", &removal))
		return;
	list = drain_leaving(daemon->drain, daemon, &count);
	while (i < count && (strcmp(list[i].pool, pool) || strcmp(list[i].name, name) ||
				    strcmp(address_format(&list[i].address, text), address)))
		i++;
	if (i < count && group_same_removal(list[i].drained.removal, removal)) {
		drain_log_end(pool, name);
		farm_remove_backend(daemon->farm, pool, name, error);
		daemon_change(daemon, &effects);
		effects_free(&effects);
	}
	free(list);
}
