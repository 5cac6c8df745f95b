/* SPDX-License-Identifier: GPL-2.0 */
/* `sipxdp-ctl top` and `sipxdp-ctl top sources`: draws the layout from core/view/top.h. No other file controls the
 * terminal's screen. */
#pragma once

#include "client.h"
#include "output.h"

/* Shows the screen of `top`, or of `top sources` if `sources` is set. When the user quits or a signal arrives, restores
 * the terminal. Returns false after an error, which this function has printed. */
bool screen_run(struct output *output, struct client *client, bool sources);
