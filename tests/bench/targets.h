/* SPDX-License-Identifier: GPL-2.0 */
/* The targets of the packet path, compared with the results of this run. */
#pragma once

#include "report.h"

void targets_print(struct result *results);
void targets_print_json(struct result *results);
