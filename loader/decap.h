/* SPDX-License-Identifier: GPL-2.0 */
/* The changes that one `attach --program decap` makes to the maps of decap: addresses from --address, and the
 * allowlists. The loader can undo all of them together. The caller adds the addresses of interfaces (tunnel.h). */
#pragma once

#include "allowlist.h"
#include "options.h"
#include "pins.h"

struct decap {
	int addresses;         /* the map decap_addresses; -1: decap is not attached */
	struct address *named; /* addresses from --address that this run has added */
	size_t named_count;
	struct allowlists lists;
};

/* Opens the maps and adds missing entries. Does not remove entries. */
int decap_begin(struct decap *decap, const struct pins *pins, const struct options *options);

/* Removes the entries that decap_begin() has added. */
void decap_undo(const struct decap *decap);

/* Removes entries that the allowlists no longer contain. Returns true if this run has changed a map. */
bool decap_finish(struct decap *decap);

void decap_report(const struct decap *decap);

void decap_close(struct decap *decap);
