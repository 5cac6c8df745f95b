/* SPDX-License-Identifier: GPL-2.0 */
/* Names and descriptions of the guard's rules (bpf/guard_rules.h). No I/O. */
#pragma once

#include <stdint.h>
#include "bpf/abi_guard.h"

/* `rule`: a value of enum guard_bucket or enum guard_rule. */

/* "invite". "?" for an unknown rule. */
const char *guard_rule_name(uint32_t rule);

/* "INVITE requests outside a dialog". "" for an unknown rule. */
const char *guard_rule_text(uint32_t rule);

/* The rule with this name; GUARD_RULES if there is none. */
uint32_t guard_rule_find(const char *name);
