/* SPDX-License-Identifier: GPL-2.0 */
/* Prints the results of the commands `guard ...` as text. */
#pragma once

#include <jansson.h>

void output_guard_stats(const json_t *stats);
void output_guard_list(const json_t *list);
void output_guard_top(const json_t *top);
void output_guard_test(const json_t *packets);
void output_guard_why(const json_t *guards);
