/* SPDX-License-Identifier: GPL-2.0 */
/* An upgrade to new maps. */
#pragma once

#include "attachment.h"

/* Makes maps of these sizes, has sipxdpd fill them within so many seconds, and puts them,
 * with this loader's program, into the place of those in use. Whatever fails before the
 * links are replaced leaves all as it was. */
int new_maps_upgrade(
	struct pins *pins, const struct contract *sizes, const struct attachments *attachments, unsigned int seconds);
