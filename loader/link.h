/* SPDX-License-Identifier: GPL-2.0 */
/* A bpf_link puts a program on an interface; where it is refused, the reason in words. */
#pragma once

#include "interface.h"

/* A file descriptor of the new link, with which it ends unless it is pinned; or -1. */
int link_attach(const char *name, int ifindex, int program_fd, enum mode mode);

/* Says that another XDP program has the interface, and what helps. */
void link_refuse_busy(const char *name, int ifindex, int error, uint32_t program_id);
