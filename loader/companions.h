/* SPDX-License-Identifier: GPL-2.0 */
/* Loads and pins the programs that use the maps of the balancer, but that the loader does not attach:
 *
 *   observer      replaces the balancer while packets are observed (bpf/observer.bpf.c)
 *   call_writer   the daemon runs it to apply changes of calls from other balancers (bpf/call_writer.bpf.c) */
#pragma once

#include "pins.h"

/* Loads the programs with the maps of a loaded balancer, and creates or replaces their pins. If the kernel refuses a
 * program, prints a warning and removes its pin: forwarding does not need it. Does nothing for decap. */
int companions_put(struct pins *pins, enum pins_place place, const struct program *balancer);
