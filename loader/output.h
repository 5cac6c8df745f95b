/* SPDX-License-Identifier: GPL-2.0 */
/* Text output: results on standard output, errors on standard error, with the reasons that libbpf and libxdp
 * report. */
#pragma once

#include <stdbool.h>

/* Collects the messages of libbpf and libxdp from now on, for output_library(). With `verbose` they are also
 * printed, including the log of the verifier. */
void output_open(bool verbose);

void output_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Flushes standard output. Returns 0, or -1 after it has reported that it cannot be written. */
int output_finish(void);

/* strerror() of an errno, positive or negative, with advice if there is any. EMEDIUMTYPE: a pin that does not
 * belong to sipxdp. The next call overwrites the result. */
const char *output_errno(int error);

/* The first warning of the libraries since output_library_clear(), as " (...)", or "". The first warning states the
 * cause; later warnings are consequences of it. */
void output_library_clear(void);
const char *output_library(void);

/* The same without brackets if the warning is a message of the kernel; otherwise "". */
const char *output_kernel(void);
