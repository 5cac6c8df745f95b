/* SPDX-License-Identifier: GPL-2.0 */
/* The keys of the configuration file, a list for each object. */
#pragma once

#include "page.h"

void keys_write(struct page *page);
