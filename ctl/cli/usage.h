/* SPDX-License-Identifier: GPL-2.0 */
/* The options of sipxdp-ctl. Its commands are those of the protocol (core/control/protocol.h). */
#pragma once

#include "core/base/usage.h"

enum ctl_option { /* in the order of the table */
	OPTION_SOCKET,
	OPTION_PIN_DIR,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_COUNT,
};

extern const struct usage ctl_usage;
