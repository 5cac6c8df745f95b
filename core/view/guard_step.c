// SPDX-License-Identifier: GPL-2.0
/* See guard_step.h. */
#include <stdio.h>
#include "core/guard/rules.h"
#include "guard_stats.h"
#include "guard_step.h"

enum result {
	PASSES,
	EXEMPT,
	OBSERVED,
	DROPPED,
	REFUSED,
};

static const char *list_name(const struct image *image, const struct explanation *e)
{
	uint32_t list = (e->guard_class - image->guards[e->guard % GUARDS].first_class) % GUARD_LISTS;
	static const char *const at_run_time[] = {
		[GUARD_LIST_NONE] = "", [GUARD_LIST_BLOCKED] = "blocked", [GUARD_LIST_TRUSTED] = "trusted"};

	return list < GUARD_LIST_FIRST ? at_run_time[list] : image->guard_list_names[list].name;
}

static const struct {
	const char *name, *text;
} results[] = {
	[PASSES] = {"passes", "passes"},
	[EXEMPT] = {"passes", "passes, because it is an emergency call or has a listed priority"},
	[OBSERVED] = {"observed", "would be dropped in mode enforce"},
	[DROPPED] = {"dropped", "dropped"},
	[REFUSED] = {"refused", "answered with 503"},
};

/* The verdict decides, if it is one of the guard: an INVITE that was refused before needs no rule. */
static enum result result_of(const struct explanation *e)
{
	switch (e->verdict) {
	case VERDICT_refused:
		return REFUSED;
	case VERDICT_refused_ack:
	case VERDICT_denied:
	case VERDICT_limited:
	case VERDICT_over_ceiling:
	case VERDICT_scanner:
	case VERDICT_broken:
	case VERDICT_overload:
		return DROPPED;
	}
	if (e->guard_rule >= GUARD_RULES)
		return PASSES;
	if (e->guard_is_exempt)
		return EXEMPT;
	return e->guard_enforced ? DROPPED : OBSERVED;
}

/* Describes the kind of the message. */
static void describe_class(const struct explanation *e, char *out, size_t size)
{
	if (e->guard_action == GUARD_TRUST)
		snprintf(out, size, "trusted");
	else if (e->guard_action == GUARD_DENY || !e->guard_reads)
		*out = '\0';
	else if (e->guard_bucket == GUARD_BUCKET_DIALOG)
		snprintf(out, size, "part of a call");
	else
		snprintf(out, size, "limit %s", guard_rule_name(e->guard_bucket));
}

bool guard_step(const struct image *image, const struct explanation *e, json_t *object, char text[GUARD_STEP_SIZE])
{
	enum result result = result_of(e);
	const char *list = list_name(image, e);
	const char *before = e->was_refused && (result == DROPPED || result == REFUSED)
				     ? ", because the INVITE of this transaction was refused before"
				     : "";
	char class[64], rule[64] = "";

	if (!e->guard)
		return false;
	describe_class(e, class, sizeof(class));
	if (e->guard_rule < GUARD_RULES)
		snprintf(rule, sizeof(rule), ", rule %s", guard_rule_name(e->guard_rule));
	snprintf(text, GUARD_STEP_SIZE, "%s, %s%s%s%s%s: %s%s", guard_stats_name(image, e->guard),
		*list ? "list " : "no list", list, *class ? ", " : "", class, rule, results[result].text, before);
	json_object_set_new(object, "guard", json_string(guard_stats_name(image, e->guard)));
	json_object_set_new(object, "guard_list", json_string(list));
	json_object_set_new(object, "guard_result", json_string(results[result].name));
	if (e->guard_rule < GUARD_RULES)
		json_object_set_new(object, "guard_rule", json_string(guard_rule_name(e->guard_rule)));
	json_object_set_new(object, "guard_text", json_string(text));
	return true;
}
