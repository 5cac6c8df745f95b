// SPDX-License-Identifier: GPL-2.0
/* See log.h. Owns the descriptor of the log.
 *
 * Standard error is often shared with other programs, for example with a shell. O_NONBLOCK belongs to the open file
 * description, so setting it would affect those programs. On a socket, each line is sent with MSG_DONTWAIT. Pipes
 * and terminals are opened a second time, which creates an open file description that only the daemon uses. A
 * regular file never blocks for long. If the second open is not permitted, the daemon polls for room before each
 * line. */
#include <ctype.h>
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
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "log.h"

/* The lock is needed because both threads of the daemon write log lines. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	bool is_open;
	bool is_journal;
	bool is_socket;
	bool may_block; /* poll before each write */
	int fd;
	int journal;                /* socket for send_to_journal(); valid if is_journal */
	uint64_t lost, lost_before; /* lines lost since the last written line, and before it */
	int error;                  /* why the last write failed; EAGAIN: the reader is too slow */
	char rest[LOG_LINE_SIZE];   /* the rest of a line that a terminal has accepted only in part */
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
	if (out.is_journal)
		out.journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
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
	if (out.may_block && poll(&room, 1, 0) != 1) {
		errno = EAGAIN;
		return -1;
	}
	return write(out.fd, text, length);
}

/* --- lines */

/* A text of limited size. Text beyond the limit is discarded. */
struct text {
	char *bytes;
	size_t size, length;
};

static void add_list(struct text *text, const char *format, va_list arguments)
{
	size_t room = text->size - text->length;
	int wanted = vsnprintf(text->bytes + text->length, room, format, arguments);

	if (wanted > 0)
		text->length += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_list(text, format, arguments);
	va_end(arguments);
}

/* Replaces line breaks and other control characters with spaces, because each event is one line. */
static void clean(struct text *text, size_t from)
{
	for (size_t i = from; i < text->length; i++)
		if (iscntrl((unsigned char)text->bytes[i]))
			text->bytes[i] = ' ';
}

/* Adds a value, in quotes if it is not a single word. */
static void add_value(struct text *text, const char *value)
{
	if (*value && !strpbrk(value, " \"\\=\t\n\r")) {
		add(text, "%s", value);
		return;
	}
	add(text, "\"");
	for (; *value; value++)
		add(text, "%s%c", strchr("\"\\", *value) ? "\\" : "", *value);
	add(text, "\"");
}

/* The sentence and its fields. */
static void add_line(struct text *text, const struct log_field *fields, const char *format, va_list arguments)
{
	add_list(text, format, arguments);
	for (; fields && fields->key; fields++) {
		if (!fields->value)
			continue;
		add(text, " %s=", fields->key);
		add_value(text, fields->value);
	}
	clean(text, 0);
}

/* --- the journal */

/* Adds SIPXDP_KEY=value as a line of the journal's native protocol. */
static void add_journal_field(struct text *text, const struct log_field *field)
{
	size_t from;

	add(text, "SIPXDP_");
	for (const char *c = field->key; *c; c++)
		add(text, "%c", toupper((unsigned char)*c));
	from = text->length;
	add(text, "=%s", field->value);
	clean(text, from);
	add(text, "\n");
}

/* Sends a line with its fields to the journal. 0 or -errno. sd_journal_sendv() would block while the
 * journal does not read. */
static int send_to_journal(int priority, const struct log_field *fields, const char *line)
{
	static const struct sockaddr_un journal = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
	char bytes[2 * LOG_LINE_SIZE];
	struct text text = {bytes, sizeof(bytes), 0};

	add(&text, "PRIORITY=%d\nSYSLOG_IDENTIFIER=sipxdpd\nMESSAGE=%s\n", priority, line);
	for (; fields && fields->key; fields++)
		if (fields->value)
			add_journal_field(&text, fields);
	if (sendto(out.journal, bytes, text.length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&journal,
		    sizeof(journal)) < 0)
		return -errno;
	return 0;
}

/* --- standard error */

/* False if the write failed. The rest of a partly written line is kept and precedes the next line. */
static bool put(const char *text, size_t length)
{
	ssize_t written = write_some(text, length);

	if (written < 0) {
		out.error = errno;
		return false;
	}
	out.rest_length = length - written;
	if (out.rest_length)
		out.error = EAGAIN;
	memmove(out.rest, text + written, out.rest_length);
	return true;
}

static void add_time(struct text *text)
{
	struct timespec now;
	struct tm date;
	char seconds[32];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &date);
	strftime(seconds, sizeof(seconds), "%F %T", &date);
	add(text, "%s.%03ld ", seconds, now.tv_nsec / 1000000);
}

/* Writes a line that starts with its priority (sd-daemon(3)) or with the time. */
static bool put_line(int priority, const char *line)
{
	char bytes[LOG_LINE_SIZE];
	struct text text = {bytes, sizeof(bytes), 0};

	if (out.is_journal)
		add(&text, "<%d>", priority);
	else
		add_time(&text);
	add(&text, "%s", line);
	bytes[text.length++] = '\n'; /* in place of the NUL */
	return put(bytes, text.length);
}

/* --- events */

/* Writes to the journal's native socket or, without this socket, to standard error. False if the write failed. */
static bool write_event(int priority, const struct log_field *fields, const char *format, va_list arguments)
{
	char bytes[LOG_LINE_SIZE];
	struct text line = {bytes, sizeof(bytes), 0};
	int error = -ENOTCONN;

	add_line(&line, fields, format, arguments);
	if (out.is_journal)
		error = send_to_journal(priority, fields, bytes);
	if (error == -EAGAIN)
		out.error = EAGAIN;
	return !error || (error != -EAGAIN && put_line(priority, bytes));
}

__attribute__((format(printf, 2, 3))) static bool write_warning(const struct log_field *fields, const char *format, ...)
{
	va_list arguments;
	bool written;

	va_start(arguments, format);
	written = write_event(LOG_WARNING, fields, format, arguments);
	va_end(arguments);
	return written;
}

static const char *lost_reason(void)
{
	return out.error == EAGAIN ? "standard error was not read" : strerrordesc_np(out.error);
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
	if (!write_warning(
		    LOG_FIELDS({"event", "log_lost"}), "%" PRIu64 " log lines lost: %s", out.lost, lost_reason()))
		return false;
	out.lost_before += out.lost;
	out.lost = 0;
	return !out.rest_length;
}

/* --- the level */

static const struct {
	const char *name;
	int priority; /* the lowest priority that is written */
} levels[] = {{"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warning", LOG_WARNING}};

static _Atomic size_t level = 1;

int log_set_level(const char *name)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (!strcmp(levels[i].name, name)) {
			level = i;
			return 0;
		}
	return -EINVAL;
}

const char *log_level(void)
{
	return levels[level].name;
}

void log_event(int priority, const struct log_field *fields, const char *format, ...)
{
	va_list arguments;

	if (priority > levels[level].priority && priority != LOG_NOTICE)
		return;
	va_start(arguments, format);
	pthread_mutex_lock(&lock);
	if (!catch_up() || !write_event(priority, fields, format, arguments))
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

const char *log_lost_reason(void)
{
	const char *reason;

	pthread_mutex_lock(&lock);
	reason = lost_reason();
	pthread_mutex_unlock(&lock);
	return reason;
}
