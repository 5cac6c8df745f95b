/* SPDX-License-Identifier: GPL-2.0 */
/* What people read: results on standard output, faults on standard error, and what
 * libbpf and libxdp have to say about a fault. */
#pragma once

#include <stdbool.h>

/* From here on libbpf and libxdp speak only through output_library(), unless `verbose`:
 * then they print all that they have, the verifier's log included. */
void output_open(bool verbose);

void output_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* strerror() of an errno, positive or negative, and what helps against it where that
 * is known. EMEDIUMTYPE: a pin that is not ours. Overwritten by the next call. */
const char *output_errno(int error);

/* What the libraries said first since output_library_clear(): " (...)", or "". The first
 * warning names the cause, those after it who stumbled over it. */
void output_library_clear(void);
const char *output_library(void);

/* Likewise what the kernel said in words, without brackets; "" if it said nothing. */
const char *output_kernel(void);
