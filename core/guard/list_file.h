/* SPDX-License-Identifier: GPL-2.0 */
/* The file of a list: one network or address per line. '#' and ';' begin a comment. No I/O. All input is untrusted. */
#pragma once

#include "core/net/prefix.h"

struct list_fault {
	size_t line;
	char text[160];
};

/* Reads the text of a file into `*out`, which the caller must free. 0; or -EINVAL with the first fault, and then the
 * file has no effect at all. A missing newline at the end is a fault: a truncated file may end in "10.0.0.0/1", which
 * is valid although the complete line is "10.0.0.0/16". */
int list_file_parse(const char *text, size_t length, struct prefix_key **out, size_t *count, struct list_fault *fault);
