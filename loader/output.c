// SPDX-License-Identifier: GPL-2.0
/* See output.h. Owns standard output, standard error and the log callbacks of the libraries. */
#define _GNU_SOURCE /* vasprintf */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>
#include <xdp/libxdp.h>
#include "output.h"

static bool is_verbose;
static char library_text[512];
static bool is_from_kernel;

static void print(FILE *out, const char *prefix, const char *format, va_list values)
{
	fputs(prefix, out);
	vfprintf(out, format, values);
	fputc('\n', out);
	fflush(out); /* keeps the order of both outputs if they go to the same file */
}

void output_info(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	print(stdout, "", format, values);
	va_end(values);
}

void output_warning(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	print(stderr, "sipxdp-loader: warning: ", format, values);
	va_end(values);
}

void output_error(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	print(stderr, "sipxdp-loader: ", format, values);
	va_end(values);
}

int output_finish(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	output_error("cannot write: %s", strerror(errno));
	return -1;
}

const char *output_errno(int error)
{
	static char text[256];
	const char *help = "";

	error = abs(error);
	if (error == EMEDIUMTYPE)
		return "an object of a different type is pinned there (remove it with 'rm', or choose a different "
		       "directory with --pin-dir)";
	if (error == EPERM || error == EACCES)
		help = " (needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)";
	else if (error == ENOMEM)
		help = " (smaller `limits:` need less memory)";
	snprintf(text, sizeof(text), "%s%s", strerror(error), help);
	return text;
}

/* Removes a prefix from a text, if the text starts with it. */
static bool cut(char **text, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(*text, prefix, length))
		return false;
	*text += length;
	return true;
}

/* Keeps the last line of the verifier's log before its statistics. This line contains the reason. */
static void keep_log(char *log)
{
	char *end = strstr(log, "\nprocessed "), *line;
	size_t length = strlen(library_text);

	if (!end)
		return;
	*end = '\0';
	line = strrchr(log, '\n');
	if (line)
		snprintf(library_text + length, sizeof(library_text) - length, ": %s", line + 1);
}

/* Keeps the first warning, without the name of the library, the line end and the full stop. */
static void keep_first(char *text)
{
	char *end = text + strcspn(text, "\n");

	*end = '\0';
	if (end > text && end[-1] == '.')
		end[-1] = '\0';
	if (!cut(&text, "libbpf: "))
		cut(&text, "libxdp: ");
	is_from_kernel = cut(&text, "Kernel error message: ");
	snprintf(library_text, sizeof(library_text), "%s", text);
}

static void keep(const char *format, va_list values)
{
	char *text;

	if (vasprintf(&text, format, values) < 0)
		return;
	if (!*library_text)
		keep_first(text);
	else if (strstr(text, "BEGIN PROG LOAD LOG"))
		keep_log(text);
	free(text);
}

static int from_libbpf(enum libbpf_print_level level, const char *format, va_list values)
{
	va_list again;

	va_copy(again, values);
	if (level == LIBBPF_WARN)
		keep(format, again);
	va_end(again);
	return is_verbose ? vfprintf(stderr, format, values) : 0;
}

static int from_libxdp(enum libxdp_print_level level, const char *format, va_list values)
{
	va_list again;

	va_copy(again, values);
	if (level == LIBXDP_WARN)
		keep(format, again);
	va_end(again);
	return is_verbose ? vfprintf(stderr, format, values) : 0;
}

void output_open(bool verbose)
{
	is_verbose = verbose;
	libbpf_set_print(from_libbpf);
	libxdp_set_print(from_libxdp);
}

void output_library_clear(void)
{
	*library_text = '\0';
	is_from_kernel = false;
}

const char *output_library(void)
{
	static char text[sizeof(library_text) + 4];

	snprintf(text, sizeof(text), *library_text ? " (%s)" : "", library_text);
	return text;
}

const char *output_kernel(void)
{
	return is_from_kernel ? library_text : "";
}
