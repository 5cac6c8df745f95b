/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration file, from which the loader needs the interfaces and the limits. */
#pragma once

#include "core/config/config.h"

/* Free with config_free(). Reports every error of the file and then returns NULL. */
struct config *config_file_read(const char *path);

/* The contract for `limits:`, as this version of the program would record it. */
struct contract config_file_contract(const struct config *config);

/* Returns whether the pinned maps have the wanted version and limits. */
bool config_file_fits(const struct contract *pinned, const struct contract *wanted);

/* Reports why not and returns -1. `name` is the file with the limits. */
int config_file_refuse(const struct contract *pinned, const struct contract *wanted, const char *name, const char *dir);
