// SPDX-License-Identifier: GPL-2.0
/* See log.h. Owns the descriptor of the log.
 *
 * Standard error is often shared with other programs, for example with a shell. O_NONBLOCK belongs to
 * the open file description, so setting it would affect those programs. A socket accepts MSG_DONTWAIT
 * for each line. Pipes and terminals are opened a second time, which creates an open file description
 * for the daemon alone. A regular file never blocks for long. If the second open is not permitted, the
 * daemon polls for room before each line. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "log.h"

/* Both threads of the daemon write log lines. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	bool is_open;
	bool is_journal;
	bool is_socket;
	bool may_block; /* poll before each write */
	int fd;
	uint64_t lost, lost_before; /* lines lost since the last written line, and before it */
	char rest[LOG_LINE_SIZE];   /* of a line that a terminal has accepted only in part */
	size_t rest_length;
} out;

/* --- the descriptor */

static bool is_journal(const struct stat *file)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;

	return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 && device == file->st_dev &&
	       inode == file->st_ino;
}

static void open_log(void)
{
	struct stat file = {0};
	int again;

	out.is_open = true;
	out.fd = STDERR_FILENO;
	if (fstat(out.fd, &file) < 0)
		return;
	out.is_journal = is_journal(&file);
	out.is_socket = S_ISSOCK(file.st_mode);
	if (out.is_socket || S_ISREG(file.st_mode))
		return;
	again = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (again >= 0)
		out.fd = again;
	else
		out.may_block = true;
}

static ssize_t write_some(const char *text, size_t length)
{
	struct pollfd room = {.fd = out.fd, .events = POLLOUT};

	if (out.is_socket)
		return send(out.fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (out.may_block && poll(&room, 1, 0) != 1)
		return -1;
	return write(out.fd, text, length);
}

/* --- lines */

/* False if there was no room. The rest of a partly written line is kept and precedes the next line. */
static bool put(const char *text, size_t length)
{
	ssize_t written = write_some(text, length);

	if (written < 0)
		return false;
	out.rest_length = length - written;
	memmove(out.rest, text + written, out.rest_length);
	return true;
}

/* Writes the priority or the time. Returns its length. */
static size_t begin_line(char line[LOG_LINE_SIZE], const char *priority)
{
	struct timespec now;
	struct tm date;
	size_t length;

	if (out.is_journal)
		return snprintf(line, LOG_LINE_SIZE, "%s", priority);
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &date);
	length = strftime(line, LOG_LINE_SIZE, "%F %T", &date);
	return length + snprintf(line + length, LOG_LINE_SIZE - length, ".%03ld ", now.tv_nsec / 1000000);
}

static bool put_line(const char *priority, const char *format, va_list arguments)
{
	char line[LOG_LINE_SIZE];
	size_t length = begin_line(line, priority), room = sizeof(line) - length;
	int wanted = vsnprintf(line + length, room, format, arguments);

	if (wanted < 0)
		return false;
	length += (size_t)wanted < room ? (size_t)wanted : room - 1;
	line[length++] = '\n'; /* in place of the NUL */
	return put(line, length);
}

static bool put_format(const char *priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool put_format(const char *priority, const char *format, ...)
{
	va_list arguments;
	bool written;

	va_start(arguments, format);
	written = put_line(priority, format, arguments);
	va_end(arguments);
	return written;
}

/* Writes the rest of the previous line and the number of lost lines. False if there is no room. */
static bool catch_up(void)
{
	if (!out.is_open)
		open_log();
	if (out.rest_length && (!put(out.rest, out.rest_length) || out.rest_length))
		return false;
	if (!out.lost)
		return true;
	if (!put_format(SD_WARNING, "%" PRIu64 " log lines lost: standard error was not read", out.lost))
		return false;
	out.lost_before += out.lost;
	out.lost = 0;
	return !out.rest_length;
}

void log_line(const char *priority, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	pthread_mutex_lock(&lock);
	if (!catch_up() || !put_line(priority, format, arguments))
		out.lost++;
	pthread_mutex_unlock(&lock);
	va_end(arguments);
}

void log_flush(void)
{
	pthread_mutex_lock(&lock);
	catch_up();
	pthread_mutex_unlock(&lock);
}

uint64_t log_lost(void)
{
	uint64_t lost;

	pthread_mutex_lock(&lock);
	lost = out.lost_before + out.lost;
	pthread_mutex_unlock(&lock);
	return lost;
}
