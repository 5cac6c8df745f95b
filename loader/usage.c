// SPDX-License-Identifier: GPL-2.0
/* See usage.h. */
#include <stddef.h>
#include "bpf/abi.h"
#include "usage.h"

static const struct usage_command commands[] = {
	{COMMAND_ATTACH, "attach", "-c FILE", "load the balancer and attach it to the interfaces of FILE"},
	{COMMAND_ATTACH, "attach", "--program decap IFACE...",
		"on a server that receives IP-in-IP or GUE: remove the outer headers"},
	{COMMAND_UPGRADE, "upgrade", "[-c FILE]", "replace the program on all its interfaces; no packet is lost"},
	{COMMAND_UPGRADE, "upgrade", "--program decap",
		"the same for decap; ignores --mode, --dispatcher and --address, which only attach uses"},
	{COMMAND_DETACH, "detach", "[IFACE...]",
		"detach the program from these interfaces, or from all; the last detach removes the maps"},
	{COMMAND_STATUS, "status", "[--json]", "show which program is attached to which interface"},
	{COMMAND_CHECK, "check", "[-c FILE | IFACE...]",
		"show whether interfaces can run the program natively, and how to remove the obstacles"},
	{0},
};

static const struct usage_option options[] = {
	[OPTION_CONFIG] = {'c', "config", "FILE", NULL, COMMAND_ATTACH | COMMAND_UPGRADE | COMMAND_CHECK,
		"the balancer's configuration file ('sipxdpd --check' checks it)"},
	[OPTION_PROGRAM] = {USAGE_LONG + OPTION_PROGRAM, "program", "balancer|decap", "'balancer' or 'decap'", 0,
		"the program to which the command applies (default balancer)"},
	[OPTION_MODE] = {USAGE_LONG + OPTION_MODE, "mode", "native|generic", "'native' or 'generic'",
		COMMAND_ATTACH | COMMAND_UPGRADE,
		"native: run in the driver (default); generic: works with every driver, but is slow"},
	[OPTION_DISPATCHER] = {USAGE_LONG + OPTION_DISPATCHER, "dispatcher", NULL, NULL,
		COMMAND_ATTACH | COMMAND_UPGRADE,
		"share the interface with other XDP programs through libxdp's dispatcher"},
	[OPTION_ADDRESS] = {USAGE_LONG + OPTION_ADDRESS, "address", "ADDRESS", "an IPv4 or IPv6 address",
		COMMAND_ATTACH | COMMAND_UPGRADE,
		"decap: a further tunnel endpoint, in addition to the addresses of IFACE"},
	[OPTION_FROM] = {USAGE_LONG + OPTION_FROM, "from", "PREFIX", "an address or a network such as 10.0.0.0/24",
		COMMAND_ATTACH | COMMAND_UPGRADE,
		"decap: accept tunnels only from this network; may be repeated (default: any source)"},
	[OPTION_VIP] = {USAGE_LONG + OPTION_VIP, "vip", "PREFIX", "an address or a network such as 192.0.2.0/28",
		COMMAND_ATTACH | COMMAND_UPGRADE,
		"decap: accept inner packets only for this VIP; may be repeated (default: the addresses of lo)"},
	[OPTION_GUE_PORT] = {USAGE_LONG + OPTION_GUE_PORT, "gue-port", "PORT",
		"a port from 1 to 65535, at most four times", COMMAND_ATTACH | COMMAND_UPGRADE,
		"decap: accept GUE on this UDP port; may be repeated (default: 6080)"},
	[OPTION_PIN_DIR] = {USAGE_LONG + OPTION_PIN_DIR, "pin-dir", "DIR", "an absolute path", 0,
		"directory of the pins (default " PIN_DIR ")"},
	[OPTION_TIMEOUT] = {USAGE_LONG + OPTION_TIMEOUT, "timeout", "SECONDS", "a whole number from 0 to 86400",
		COMMAND_UPGRADE, "how long to wait until sipxdpd has filled new maps (default 60)"},
	[OPTION_JSON] = {USAGE_LONG + OPTION_JSON, "json", NULL, NULL, COMMAND_STATUS | COMMAND_CHECK, "print JSON"},
	[OPTION_VERBOSE] = {'v', "verbose", NULL, NULL, 0,
		"print all messages of libbpf and libxdp, including the verifier's log"},
	[OPTION_HELP] = {'h', "help", NULL, NULL, 0, "print this help"},
	[OPTION_VERSION] = {USAGE_LONG + OPTION_VERSION, "version", NULL, NULL, 0, "print the version"},
	[OPTION_COUNT] = {0},
};

const struct usage loader_usage = {
	.program = "sipxdp-loader",
	.synopsis = {"COMMAND [OPTION...]"},
	.about = "Attaches sipxdp's XDP programs to interfaces. Pinned links and maps keep the programs\n"
		 "running after sipxdp-loader has exited.",
	.commands = commands,
	.options = options,
};
