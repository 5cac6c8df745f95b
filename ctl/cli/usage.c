// SPDX-License-Identifier: GPL-2.0
/* See usage.h. */
#include "bpf/abi.h"
#include "core/control/protocol.h"
#include "usage.h"

static const struct usage_option options[] = {
	[OPTION_SOCKET] = {'s', "socket", "PATH", NULL, 0, "socket of sipxdpd (default " PROTOCOL_SOCKET ")"},
	[OPTION_PIN_DIR] = {'p', "pin-dir", "DIR", NULL, 0,
		"directory of the maps, which are read while sipxdpd does not run (default " PIN_DIR ")"},
	[OPTION_JSON] = {'j', "json", NULL, NULL, 0, "print results and errors as JSON"},
	[OPTION_HELP] = {'h', "help", NULL, NULL, 0, "print this help, or the help of a command"},
	[OPTION_VERSION] = {'V', "version", NULL, NULL, 0, "print the version"},
	[OPTION_COUNT] = {0},
};

const struct usage ctl_usage = {
	.program = "sipxdp-ctl",
	.synopsis = {"[OPTION...] COMMAND"},
	.about = "Shows and changes what sipxdpd does.",
	.options = options,
};
