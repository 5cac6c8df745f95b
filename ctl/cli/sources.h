/* SPDX-License-Identifier: GPL-2.0 */
/* `sipxdp-ctl top sources` without a screen: prints one report. */
#pragma once

#include "client.h"
#include "output.h"

#define SOURCES_SECONDS 2 /* default time of a report */

/* Counts for about `seconds`, and prints the sources and Call-IDs with the most packets. Returns false after an error,
 * which this function has printed. */
bool sources_report(struct output *output, struct client *client, int seconds);
