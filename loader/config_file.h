/* SPDX-License-Identifier: GPL-2.0 */
/* The operator's file, of which the loader needs the interfaces and the limits. */
#pragma once

#include "core/config/config.h"

/* To be freed with config_free(). NULL after every fault of the file has been said. */
struct config *config_file_read(const char *path);

/* What `limits:` asks for, as the maps of this version of the program would record it. */
struct contract config_file_contract(const struct config *config);

/* Are the pinned maps of the version and the limits that are wanted? */
bool config_file_fits(const struct contract *pinned, const struct contract *wanted);

/* Says why not. -1. `name` is the file that the limits are from. */
int config_file_refuse(const struct contract *pinned, const struct contract *wanted, const char *name, const char *dir);
