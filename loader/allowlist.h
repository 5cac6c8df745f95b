/* SPDX-License-Identifier: GPL-2.0 */
/* The lists by which decap opens tunnels, one for all interfaces of the host: the maps
 * decap_sources (--from: where tunnels may come from) and decap_vips (--vip: where the
 * packets in them may go). Any address is the prefix ::/0, so a list is never empty. */
#pragma once

#include <jansson.h>
#include "options.h"
#include "pins.h"

struct allowlist {
	int map;                 /* -1: not open */
	struct prefixes current; /* what the map holds, in the order of addresses */
	bool named;              /* ... by an option; else the loader has chosen it */
	struct prefixes wanted;  /* empty: the list stays as it is */
	struct prefixes added;   /* by allowlists_add */
	bool is_vips;
};

struct allowlists {
	struct allowlist list[2];
};

/* Opens and reads the lists that are pinned. -1 also where they are not: the maps are those
 * of a release without lists. */
int allowlists_open(struct allowlists *lists, const struct pins *pins);

/* Decides what they are to hold: what the options name; else, if the list is new, any source,
 * and the addresses of `lo` as VIPs. */
int allowlists_choose(struct allowlists *lists, const struct options *options);

/* The same for an upgrade, which must refuse nothing that was accepted before: a list that
 * is new accepts everything, as a release without lists did. */
int allowlists_keep(struct allowlists *lists, const struct options *options);

/* Puts in what is missing, so that nothing is refused that is to be accepted. */
int allowlists_add(struct allowlists *lists);

/* Takes out what allowlists_add has put in. */
void allowlists_undo(const struct allowlists *lists);

/* Takes out what is not wanted any more. True if anything has changed since allowlists_open(). */
bool allowlists_finish(struct allowlists *lists);

/* Says what is accepted, and warns where that is everything. */
void allowlists_report(const struct allowlists *lists);

/* {"from": [...], "vips": [...]}, and the warnings that go with it. */
json_t *allowlists_describe(const struct allowlists *lists, json_t *warnings);

void allowlists_close(struct allowlists *lists);
