// SPDX-License-Identifier: GPL-2.0
/* See rules.h. */
#include <string.h>
#include "bpf/guard_rules.h"
#include "rules.h"

static const struct {
	const char *name, *text;
} rules[] = {
#define BUCKET(rule, name, text) [GUARD_BUCKET_##rule] = {#name, text},
#define RULE(rule, name, text) [GUARD_RULE_##rule] = {#name, text},
	GUARD_BUCKET_TEXTS(BUCKET) GUARD_RULE_TEXTS(RULE)
#undef RULE
#undef BUCKET
};

/* Each row adds 1. */
#define COUNT(rule, name, text) +1
_Static_assert(0 GUARD_BUCKET_TEXTS(COUNT) == GUARD_BUCKETS, "each bucket has a name");
_Static_assert(0 GUARD_BUCKET_TEXTS(COUNT) GUARD_RULE_TEXTS(COUNT) == GUARD_RULES, "each rule has a name");
#undef COUNT

const char *guard_rule_name(uint32_t rule)
{
	return rule < GUARD_RULES ? rules[rule].name : "?";
}

const char *guard_rule_text(uint32_t rule)
{
	return rule < GUARD_RULES ? rules[rule].text : "";
}

uint32_t guard_rule_find(const char *name)
{
	uint32_t rule = 0;

	while (rule < GUARD_RULES && strcmp(rules[rule].name, name))
		rule++;
	return rule;
}
