/* SPDX-License-Identifier: GPL-2.0 */
/* The parsed command line, and the commands. */
#pragma once

#include <stddef.h>
#include "core/net/prefix.h"
#include "interface.h"
#include "program.h"

#ifndef SIPXDP_VERSION
#define SIPXDP_VERSION "unreleased" /* the Makefile defines it */
#endif

struct prefixes {
	struct prefix_key *list;
	size_t count;
};

struct options {
	enum program_kind program;
	bool program_given;
	const char *config;
	const char *pin_dir;
	enum mode mode;
	bool mode_given;
	bool dispatcher;
	unsigned int timeout; /* seconds that sipxdpd may take to fill new maps */
	bool json;
	bool verbose;
	struct address *addresses;
	size_t address_count;
	struct prefixes from;         /* decap: sources of tunnels */
	struct prefixes vips;         /* decap: destinations of inner packets */
	struct decap_ports gue_ports; /* decap; only the first gue_port_count elements are set */
	size_t gue_port_count;
	char **interfaces;
	size_t interface_count;
};

#define NOTHING_TO_DO 1 /* in the units, it must not keep the other of attach and upgrade from running */

/* Each command returns 0, or -1 after it has reported the error. */
int attach_run(const struct options *options);  /* NOTHING_TO_DO: all interfaces are attached already */
int upgrade_run(const struct options *options); /* NOTHING_TO_DO: no interface is attached */
int detach_run(const struct options *options);
int status_run(const struct options *options);
int check_run(const struct options *options); /* -1 also if an interface has a blocker */
