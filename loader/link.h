/* SPDX-License-Identifier: GPL-2.0 */
/* Attaches a program to an interface with a bpf_link, and reports the reason for a failure. */
#pragma once

#include "interface.h"

/* Returns a file descriptor of the new link, or -1. The kernel detaches an unpinned link when this descriptor
 * is closed. */
int link_attach(const char *name, int ifindex, int program_fd, enum mode mode);

/* Reports that another XDP program uses the interface, and what the operator can do. */
void link_refuse_busy(const char *name, int ifindex, int error, uint32_t program_id);
