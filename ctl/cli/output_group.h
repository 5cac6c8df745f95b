/* SPDX-License-Identifier: GPL-2.0 */
/* Prints the result of the command `group` as text. */
#pragma once

#include <jansson.h>

void output_group(const json_t *group);
