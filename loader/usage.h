/* SPDX-License-Identifier: GPL-2.0 */
/* The command line of sipxdp-loader. */
#pragma once

#include "core/base/usage.h"

enum loader_command {
	COMMAND_ATTACH = 1,
	COMMAND_UPGRADE = 2,
	COMMAND_DETACH = 4,
	COMMAND_STATUS = 8,
	COMMAND_CHECK = 16,
};

enum loader_option { /* in the order of the table */
	OPTION_CONFIG,
	OPTION_PROGRAM,
	OPTION_MODE,
	OPTION_DISPATCHER,
	OPTION_ADDRESS,
	OPTION_FROM,
	OPTION_VIP,
	OPTION_GUE_PORT,
	OPTION_PIN_DIR,
	OPTION_TIMEOUT,
	OPTION_JSON,
	OPTION_VERBOSE,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_COUNT,
};

extern const struct usage loader_usage;
