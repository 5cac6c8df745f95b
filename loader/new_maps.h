/* SPDX-License-Identifier: GPL-2.0 */
/* Upgrade to new maps. */
#pragma once

#include "attachment.h"

/* Makes maps of these sizes, waits until sipxdpd has filled them (at most `seconds`), and replaces the current maps
 * and program with the new maps and the program of this loader. A failure before the links are replaced changes
 * nothing. */
int new_maps_upgrade(
	struct pins *pins, const struct contract *sizes, const struct attachments *attachments, unsigned int seconds);
