/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration file. The loader uses only its interfaces and limits. */
#pragma once

#include "core/config/config.h"

/* Reads the file. The caller frees the result with config_free(). If the file has errors, reports all of them
 * and returns NULL. */
struct config *config_file_read(const char *path);

/* Returns the contract that this version of the program writes for these `limits:`. */
struct contract config_file_contract(const struct config *config);

/* Returns whether the pinned maps have the wanted version and limits. */
bool config_file_fits(const struct contract *pinned, const struct contract *wanted);

/* Reports how the maps differ from the wanted version and limits, and returns -1. `name` is the file with the
 * limits. */
int config_file_refuse(const struct contract *pinned, const struct contract *wanted, const char *name, const char *dir);
