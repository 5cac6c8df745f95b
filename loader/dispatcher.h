/* SPDX-License-Identifier: GPL-2.0 */
/* libxdp's dispatcher: an XDP program that calls several other XDP programs in order. */
#pragma once

#include "interface.h"
#include "program.h"

/* Checks that this kernel supports the dispatcher. */
int dispatcher_probe(void);

/* Returns whether the XDP program of the interface is a dispatcher. */
bool dispatcher_is_on(int ifindex);

/* If the dispatcher of the interface calls this program, returns true and writes `mode`. */
bool dispatcher_calls(int ifindex, uint32_t program_id, enum mode *mode);

/* Loads an opened program and adds it to the dispatcher of the interface; creates a dispatcher if there is
 * none. The program is then usable for this interface only. */
int dispatcher_attach(struct program *program, int ifindex, const char *name, enum mode mode);

int dispatcher_detach(int ifindex, uint32_t program_id);
