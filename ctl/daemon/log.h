/* SPDX-License-Identifier: GPL-2.0 */
/* Writes log lines. Each event is one line: a sentence, then the event's fields as key=value.
 *
 * If standard error is the journal, each line goes to the journal with its fields (SIPXDP_POOL=...). If not, each
 * line goes to standard error with the time. Logging never blocks the daemon: if a write would block, the line is
 * lost and counted. */
#pragma once

#include <stdint.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#define LOG_LINE_SIZE 4096 /* PIPE_BUF: a pipe accepts such a line completely or not at all */

/* A field of a line. The key has lower-case letters and '_'; the journal shows it as SIPXDP_KEY. */
struct log_field {
	const char *key;
	const char *value; /* NULL: the line does not have this field */
};

/* The fields of one line: LOG_FIELDS({"event", "drained"}, {"pool", name}). */
#define LOG_FIELDS(...)                                                                                                \
	(const struct log_field[])                                                                                     \
	{                                                                                                              \
		__VA_ARGS__,                                                                                           \
		{                                                                                                      \
			0                                                                                              \
		}                                                                                                      \
	}

/* Writes one line, truncated to LOG_LINE_SIZE, unless the level hides it. `priority` is a priority of syslog(3).
 * LOG_NOTICE is for changes by operators; such lines are written at every level. `fields` may be NULL. */
void log_event(int priority, const struct log_field *fields, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Hides lines below a level: "debug", "info" (at the start) or "warning". 0, or -EINVAL for another name. */
int log_set_level(const char *name);
const char *log_level(void);

/* Call this every second: logs the number of lost lines as soon as the log accepts a line again. */
void log_flush(void);

/* The number of lines lost since the start. */
uint64_t log_lost(void);

/* Why the last of these lines was lost. */
const char *log_lost_reason(void);

#define log_debug(format, ...) log_event(LOG_DEBUG, NULL, format, ##__VA_ARGS__)
#define log_info(format, ...) log_event(LOG_INFO, NULL, format, ##__VA_ARGS__)
#define log_warning(format, ...) log_event(LOG_WARNING, NULL, format, ##__VA_ARGS__)
#define log_error(format, ...) log_event(LOG_ERR, NULL, format, ##__VA_ARGS__)
