/* SPDX-License-Identifier: GPL-2.0 */
/* `sipxdp-ctl top`: the only user of the terminal's screen. Draws what core/view/top.h lays out. */
#pragma once

#include "client.h"
#include "output.h"

/* Shows the screen until the user quits or a signal ends it, and leaves the terminal as it was. False on failure; the
 * user has a message. */
bool screen_run(struct output *output, struct client *client);
