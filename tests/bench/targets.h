/* SPDX-License-Identifier: GPL-2.0 */
/* What the packet path promises, and whether this run keeps it. */
#pragma once

#include "report.h"

void targets_print(struct result *results);
void targets_print_json(struct result *results);
