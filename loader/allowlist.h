/* SPDX-License-Identifier: GPL-2.0 */
/* The allowlists of decap: the maps decap_sources (option --from, outer source addresses) and decap_vips
 * (option --vip, inner destination addresses). All interfaces of the host share them. "Any address" is stored
 * as the prefix ::/0, so a list is never empty. The ports of GUE change together with the lists. */
#pragma once

#include <jansson.h>
#include "gue_ports.h"
#include "options.h"
#include "pins.h"

struct allowlist {
	int map;                 /* -1: not open */
	struct prefixes current; /* contents of the map, in the order of addresses */
	bool named;              /* true: an option has set the contents; false: the loader has chosen them */
	struct prefixes wanted;  /* empty: the list is unchanged */
	struct prefixes added;   /* added by allowlists_add() */
	bool is_vips;
};

struct allowlists {
	struct allowlist list[2];
	struct gue_ports ports;
};

/* Opens and reads the pinned lists. Also returns -1 if no lists are pinned: in that case, a release without allowlists
 * created the pins. */
int allowlists_open(struct allowlists *lists, const struct pins *pins);

/* Determines the new contents of both lists. A list with an option contains the prefixes of the option. The
 * defaults are any address as source, and the addresses of `lo` as VIPs. */
int allowlists_choose(struct allowlists *lists, const struct options *options);

/* Like allowlists_choose(), for an upgrade. An upgrade must not refuse packets that were accepted before. Therefore
 * a new list accepts everything, like a release without lists. */
int allowlists_keep(struct allowlists *lists, const struct options *options);

/* Adds the missing prefixes. Call it before the removal of old prefixes, so that decap never refuses packets that both
 * the old and the new contents accept. */
int allowlists_add(struct allowlists *lists);

/* Removes the prefixes that allowlists_add() has added. */
void allowlists_undo(const struct allowlists *lists);

/* Removes prefixes that are no longer wanted. Returns true if any list has changed since allowlists_open(). */
bool allowlists_finish(struct allowlists *lists);

/* Prints the accepted sources and destinations. Warns if a list accepts any address. */
void allowlists_report(const struct allowlists *lists);

/* {"from": [...], "vips": [...], "gue_ports": [...]}; adds the corresponding warnings to `warnings`. */
json_t *allowlists_describe(const struct allowlists *lists, json_t *warnings);

void allowlists_close(struct allowlists *lists);
