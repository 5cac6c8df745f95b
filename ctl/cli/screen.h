/* SPDX-License-Identifier: GPL-2.0 */
/* `sipxdp-ctl top` and `sipxdp-ctl top sources`: draws the layout from core/view/top.h. No other file controls the
 * terminal's screen. */
#pragma once

#include "client.h"
#include "output.h"

/* Shows the screen, with `sources` that of `top sources`, until the user quits or a signal ends it, then restores the
 * terminal. False on failure; the error has then been printed. */
bool screen_run(struct output *output, struct client *client, bool sources);
