/* SPDX-License-Identifier: GPL-2.0 */
/* What a run of `attach --program decap` changes in decap's maps, as one change that can be
 * undone: addresses named by --address, and the lists. The addresses of interfaces are the
 * caller's (tunnel.h). */
#pragma once

#include "allowlist.h"
#include "options.h"
#include "pins.h"

struct decap {
	int addresses;         /* the map decap_addresses; -1: it is not decap that is attached */
	struct address *named; /* by --address: those that this run has added */
	size_t named_count;
	struct allowlists lists;
};

/* Opens the maps and adds what is missing in them; nothing is taken out. */
int decap_begin(struct decap *decap, const struct pins *pins, const struct options *options);

/* Takes out what decap_begin has added. */
void decap_undo(const struct decap *decap);

/* Takes out what the lists shall not hold any more. True if this run has changed anything. */
bool decap_finish(struct decap *decap);

void decap_report(const struct decap *decap);

void decap_close(struct decap *decap);
