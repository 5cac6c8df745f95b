/* SPDX-License-Identifier: GPL-2.0 */
/* The program `observer`, which sipxdpd puts in place of the balancer while packets are observed
 * (bpf/observer.bpf.c). It uses the maps of the balancer. The loader pins it beside the balancer and attaches it to
 * nothing. */
#pragma once

#include "pins.h"

/* Loads the observer with the maps of a loaded balancer, and pins it or replaces its pin. If the kernel refuses the
 * program, prints a warning and removes the pin: forwarding does not need it. Does nothing for decap. */
int observer_put(struct pins *pins, enum pins_place place, const struct program *balancer);
