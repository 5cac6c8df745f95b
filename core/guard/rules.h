/* SPDX-License-Identifier: GPL-2.0 */
/* Names and descriptions of the guard's rules (bpf/guard_rules.h). No I/O. */
#pragma once

#include "bpf/abi_guard.h"

/* "invite". "?" for an unknown rule. */
const char *guard_rule_name(enum guard_rule rule);

/* "INVITE requests outside a dialog". "" for an unknown rule. */
const char *guard_rule_text(enum guard_rule rule);

/* The rule with this name; GUARD_RULES if there is none. */
enum guard_rule guard_rule_find(const char *name);
