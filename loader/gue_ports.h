/* SPDX-License-Identifier: GPL-2.0 */
/* The UDP ports on which decap accepts GUE: the map decap_ports (option --gue-port). All interfaces of the host share
 * them. Without the option they are unchanged. */
#pragma once

#include <jansson.h>
#include "options.h"
#include "pins.h"

struct gue_ports {
	int map;                    /* not positive: not open */
	struct decap_ports current; /* contents of the map; zeroed: the default port */
	struct decap_ports wanted;
};

/* Opens and reads the pinned map. */
int gue_ports_open(struct gue_ports *ports, const struct pins *pins);

/* Determines the new contents. */
void gue_ports_choose(struct gue_ports *ports, const struct options *options);

/* Puts the new contents into effect, at once for all ports. */
int gue_ports_put(const struct gue_ports *ports);

/* Puts the contents at the time of gue_ports_open() back. */
void gue_ports_undo(const struct gue_ports *ports);

/* Returns true if the ports have changed. */
bool gue_ports_finish(struct gue_ports *ports);

/* Prints the ports, unless they are the default. */
void gue_ports_report(const struct gue_ports *ports);

/* [6080, ...] */
json_t *gue_ports_describe(const struct gue_ports *ports);

void gue_ports_close(struct gue_ports *ports);
