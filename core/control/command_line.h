/* SPDX-License-Identifier: GPL-2.0 */
/* A request as its sipxdp-ctl command line. Pure. */
#pragma once

#include "protocol.h"

#define COMMAND_LINE_SIZE 512

/* Writes "backend drain proxies px1 --wait 60", without the name of the program and without the contents of
 * files; a longer command line is cut off. Returns `text`. The values are not quoted: the text is for people. */
const char *command_line(const struct request *request, char text[COMMAND_LINE_SIZE]);
