/* SPDX-License-Identifier: GPL-2.0 */
/* Loads and pins the program `observer` (bpf/observer.bpf.c). sipxdpd replaces the balancer with the observer while
 * packets are observed. The observer uses the maps of the balancer. The loader does not attach the observer. */
#pragma once

#include "pins.h"

/* Loads the observer with the maps of a loaded balancer, and creates or replaces its pin. If the kernel refuses the
 * program, prints a warning and removes the pin: forwarding does not need the observer. Does nothing for decap. */
int observer_put(struct pins *pins, enum pins_place place, const struct program *balancer);
