/* SPDX-License-Identifier: GPL-2.0 */
/* The command line of sipxdpd. */
#pragma once

#include "core/base/usage.h"

enum daemon_option {
	OPTION_CONFIG = 'c',
	OPTION_HELP = 'h',
	OPTION_CHECK = USAGE_LONG,
	OPTION_PIN_DIR,
	OPTION_SOCKET,
	OPTION_VERSION,
};

#define DAEMON_OPTIONS 6

extern const struct usage daemon_usage;
