/* SPDX-License-Identifier: GPL-2.0 */
/* Writes log lines to standard error. A line begins with a priority if standard error is the journal
 * (sd-daemon(3)), otherwise with the time. Logging never blocks the daemon: if standard error has no
 * room, the line is lost and counted. */
#pragma once

#include <stdint.h>
#include <systemd/sd-daemon.h>

#define LOG_LINE_SIZE 4096 /* PIPE_BUF: a pipe accepts such a line completely or not at all */

/* Writes one line, cut off at LOG_LINE_SIZE. */
void log_line(const char *priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Call this every second: logs the number of lost lines as soon as there is room. */
void log_flush(void);

/* The number of lines lost since the start. */
uint64_t log_lost(void);

#define log_info(format, ...) log_line(SD_INFO, format, ##__VA_ARGS__)
#define log_warning(format, ...) log_line(SD_WARNING, format, ##__VA_ARGS__)
#define log_error(format, ...) log_line(SD_ERR, format, ##__VA_ARGS__)
