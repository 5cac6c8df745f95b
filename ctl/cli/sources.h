/* SPDX-License-Identifier: GPL-2.0 */
/* `sipxdp-ctl top sources` without a screen: one report. */
#pragma once

#include "client.h"
#include "output.h"

#define SOURCES_SECONDS 2 /* default time of a report */

/* Prints the sources and Call-IDs of the most packets in about `seconds`. False: there is no report, and a message for
 * the user was printed. */
bool sources_report(struct output *output, struct client *client, int seconds);
