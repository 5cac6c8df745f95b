/* SPDX-License-Identifier: GPL-2.0 */
/* The allowlists of decap, shared by all interfaces of the host: the maps decap_sources (--from: outer
 * sources) and decap_vips (--vip: inner destinations). "Any address" is the prefix ::/0, so a list is never
 * empty. */
#pragma once

#include <jansson.h>
#include "options.h"
#include "pins.h"

struct allowlist {
	int map;                 /* -1: not open */
	struct prefixes current; /* contents of the map, in the order of addresses */
	bool named;              /* named by an option; otherwise the loader has chosen the contents */
	struct prefixes wanted;  /* empty: the list is unchanged */
	struct prefixes added;   /* added by allowlists_add() */
	bool is_vips;
};

struct allowlists {
	struct allowlist list[2];
};

/* Opens and reads the pinned lists. Also returns -1 if there are none: an earlier release without lists has
 * made the maps. */
int allowlists_open(struct allowlists *lists, const struct pins *pins);

/* Decides the new contents: the prefixes of the options; or, for a list that no option has named, any source,
 * and the addresses of `lo` as VIPs. */
int allowlists_choose(struct allowlists *lists, const struct options *options);

/* The same for an upgrade, which must not refuse any packet that was accepted before: a new list accepts
 * everything, like a release without lists. */
int allowlists_keep(struct allowlists *lists, const struct options *options);

/* Adds the missing prefixes first, so that nothing is refused that both contents accept. */
int allowlists_add(struct allowlists *lists);

/* Removes what allowlists_add() has added. */
void allowlists_undo(const struct allowlists *lists);

/* Removes prefixes that are no longer wanted. Returns whether anything has changed since allowlists_open(). */
bool allowlists_finish(struct allowlists *lists);

/* Prints the accepted sources and destinations, and warns if all are accepted. */
void allowlists_report(const struct allowlists *lists);

/* {"from": [...], "vips": [...]}; adds the corresponding warnings to `warnings`. */
json_t *allowlists_describe(const struct allowlists *lists, json_t *warnings);

void allowlists_close(struct allowlists *lists);
