/* SPDX-License-Identifier: GPL-2.0 */
/* One line of log on standard error, with the priority that the journal reads where it
 * is the journal (sd-daemon(3), JOURNAL_STREAM). */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#define log_line(priority, format, ...)                                                                                \
	fprintf(stderr, "%s" format "\n", getenv("JOURNAL_STREAM") ? priority : "", ##__VA_ARGS__)

#define log_info(format, ...) log_line(SD_INFO, format, ##__VA_ARGS__)
#define log_warning(format, ...) log_line(SD_WARNING, format, ##__VA_ARGS__)
#define log_error(format, ...) log_line(SD_ERR, format, ##__VA_ARGS__)
