/* SPDX-License-Identifier: GPL-2.0 */
/* The lines of a configuration, in a form that members of a group can compare without sending them: each line with its
 * place in the file gives a hash. Settings of one balancer (interfaces, addresses at which it listens, its names) are
 * left out. No I/O. */
#pragma once

#include "core/config/config.h"

struct config_line {
	uint32_t hash; /* of the line and its place */
	char *text;    /* the place and the line, without secrets */
};

/* The lines sorted by hash, to be freed with config_lines_free(). Changes `config`. */
struct config_line *config_lines(struct config *config, size_t *count);
void config_lines_free(struct config_line *lines, size_t count);

/* Is the hash in a sorted list? */
bool config_lines_contain(const uint32_t *sorted, size_t count, uint32_t hash);
