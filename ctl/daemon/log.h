/* SPDX-License-Identifier: GPL-2.0 */
/* The log: lines on standard error. A line begins with the priority that the journal reads
 * (sd-daemon(3)), or with the time where standard error is not the journal. Logging never
 * blocks the daemon: lines for which there is no room are lost, and counted. */
#pragma once

#include <stdint.h>
#include <systemd/sd-daemon.h>

#define LOG_LINE_SIZE 4096 /* PIPE_BUF: a pipe takes a line whole, or not at all */

/* Writes one line; what does not fit LOG_LINE_SIZE is cut off. */
void log_line(const char *priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says how many lines were lost, as soon as there is room for it. To be called every second. */
void log_flush(void);

/* Lines lost since the start. */
uint64_t log_lost(void);

#define log_info(format, ...) log_line(SD_INFO, format, ##__VA_ARGS__)
#define log_warning(format, ...) log_line(SD_WARNING, format, ##__VA_ARGS__)
#define log_error(format, ...) log_line(SD_ERR, format, ##__VA_ARGS__)
