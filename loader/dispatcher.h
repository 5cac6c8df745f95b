/* SPDX-License-Identifier: GPL-2.0 */
/* libxdp's dispatcher: one XDP program on the interface that calls several in turn. */
#pragma once

#include "interface.h"
#include "program.h"

/* Can this kernel run it? */
int dispatcher_probe(void);

/* Is what is attached to the interface a dispatcher? */
bool dispatcher_is_on(int ifindex);

/* Does the interface's dispatcher call this program? `mode` is written if so. */
bool dispatcher_calls(int ifindex, uint32_t program_id, enum mode *mode);

/* Loads an opened program and has the interface's dispatcher call it, or a new one where
 * there is none. The program can be had for this interface only. */
int dispatcher_attach(struct program *program, int ifindex, const char *name, enum mode mode);

int dispatcher_detach(int ifindex, uint32_t program_id);
