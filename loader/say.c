// SPDX-License-Identifier: GPL-2.0
/* What people read. Owns standard output and standard error, and the libraries' voices. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>
#include <xdp/libxdp.h>
#include "say.h"

static bool is_verbose;
static char library_text[512];

static void print(FILE *out, const char *prefix, const char *format, va_list values)
{
	fputs(prefix, out);
	vfprintf(out, format, values);
	fputc('\n', out);
	fflush(out); /* what is said stays in order, also where both are one file */
}

void say_done(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	print(stdout, "", format, values);
	va_end(values);
}

void say_warning(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	print(stderr, "sipxdp-loader: warning: ", format, values);
	va_end(values);
}

void say_error(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	print(stderr, "sipxdp-loader: ", format, values);
	va_end(values);
}

const char *say_why(int error)
{
	static char text[256];
	const char *help = "";

	error = abs(error);
	if (error == EPERM || error == EACCES)
		help = " (needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)";
	else if (error == ENOMEM)
		help = " (smaller `limits:` need less memory)";
	snprintf(text, sizeof(text), "%s%s", strerror(error), help);
	return text;
}

/* Keeps the first warning, without the library's name and its line end. */
static void keep(const char *format, va_list values)
{
	char text[sizeof(library_text)], *start;

	if (*library_text)
		return;
	vsnprintf(text, sizeof(text), format, values);
	text[strcspn(text, "\n")] = '\0';
	start = strstr(text, ": ");
	strcpy(library_text, start && start - text < 8 ? start + 2 : text); /* "libbpf: ", "libxdp: " */
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

void say_open(bool verbose)
{
	is_verbose = verbose;
	libbpf_set_print(from_libbpf);
	libxdp_set_print(from_libxdp);
}

void say_library_clear(void)
{
	*library_text = '\0';
}

const char *say_library(void)
{
	static char text[sizeof(library_text) + 4];

	snprintf(text, sizeof(text), *library_text ? " (%s)" : "", library_text);
	return text;
}

const char *say_kernel(void)
{
	static const char prefix[] = "Kernel error message: ";
	size_t length = strlen(prefix);
	char *end = strchr(library_text, '\0');

	if (strncmp(library_text, prefix, length))
		return "";
	if (end[-1] == '.')
		end[-1] = '\0';
	return library_text + length;
}
