/* SPDX-License-Identifier: GPL-2.0 */
/* A list of all faults of an input, so that a user sees all of them in one run. No I/O. */
#pragma once

#include <stddef.h>

struct position {
	int line; /* 1-based; 0: the fault has no position in the text */
	int column;
};

struct fault {
	struct position position;
	char *message;
};

struct faults {
	struct fault *list;
	size_t count;
};

/* Appends a fault. A zeroed struct faults is an empty list. Aborts if there is no memory. */
void faults_add(struct faults *faults, struct position position, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sorts the faults by position. */
void faults_sort(struct faults *faults);

/* Writes "FILE:LINE:COLUMN: MESSAGE", or "FILE: MESSAGE" without a position, truncated to the
 * buffer. Returns `text`. */
#define FAULT_TEXT_SIZE 8192
const char *fault_format(const struct fault *fault, const char *file, char text[FAULT_TEXT_SIZE]);

void faults_free(struct faults *faults);
