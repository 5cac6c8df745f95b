/* SPDX-License-Identifier: GPL-2.0 */
/* Converts a request into the equivalent sipxdp-ctl command line. No I/O. */
#pragma once

#include "protocol.h"

#define COMMAND_LINE_SIZE 512

/* Writes "backend drain proxies px1 --wait 60", without the name of the program and without the contents of files;
 * truncates long command lines. Returns `text`. Values are not quoted, because the text is for people and not for a
 * shell. */
const char *command_line(const struct request *request, char text[COMMAND_LINE_SIZE]);
