// SPDX-License-Identifier: GPL-2.0
/* See usage.h. */
#include "bpf/abi.h"
#include "core/control/protocol.h"
#include "usage.h"

static const struct usage_option options[DAEMON_OPTIONS + 1] = {
	{OPTION_CONFIG, "config", "FILE", NULL, 0, "the configuration file (YAML)"},
	{OPTION_CHECK, "check", NULL, NULL, 0, "only check FILE; print every fault with its line and column"},
	{OPTION_PIN_DIR, "pin-dir", "DIR", NULL, 0,
		"directory in which sipxdp-loader has pinned the maps (default " PIN_DIR ")"},
	{OPTION_SOCKET, "socket", "PATH", NULL, 0, "socket for sipxdp-ctl (default " PROTOCOL_SOCKET ")"},
	{OPTION_HELP, "help", NULL, NULL, 0, "print this help"},
	{OPTION_VERSION, "version", NULL, NULL, 0, "print the version"},
};

const struct usage daemon_usage = {
	.program = "sipxdpd",
	.synopsis = {"-c FILE [--pin-dir DIR] [--socket PATH]", "-c FILE --check"},
	.about = "Fills the balancer's maps from FILE and keeps them up to date. SIGHUP reloads FILE.\n"
		 "SIGTERM stops the daemon; the kernel continues to forward.",
	.options = options,
};
