/* SPDX-License-Identifier: GPL-2.0 */
/* One line of log on standard error, with the priority that systemd reads unless a
 * person is looking (sd-daemon(3)). */
#pragma once

#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define log_line(priority, format, ...)                                                                                \
	fprintf(stderr, "%s" format "\n", isatty(STDERR_FILENO) ? "" : priority, ##__VA_ARGS__)

#define log_info(format, ...) log_line(SD_INFO, format, ##__VA_ARGS__)
#define log_warning(format, ...) log_line(SD_WARNING, format, ##__VA_ARGS__)
#define log_error(format, ...) log_line(SD_ERR, format, ##__VA_ARGS__)
