/* SPDX-License-Identifier: GPL-2.0 */
/* The lists in the documentation that are generated from the source. */
#pragma once

#include "page.h"

/* Writes the list of this name: "counters", "options sipxdpd", ... False if there is none. */
bool lists_write(struct page *page, const char *name);
