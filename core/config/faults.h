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

/* A large file of a different program has a fault in each line: the list has the first FAULTS_MAX of them. */
#define FAULTS_MAX 1000

struct faults {
	struct fault *list;
	size_t listed; /* length of the list */
	size_t count;  /* of all faults */
};

/* Counts a fault, and appends it if the list has room. A zeroed struct faults is an empty list. Aborts if there is no
 * memory. */
void faults_add(struct faults *faults, struct position position, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sorts the faults by position. If the list does not have all of them, appends their number. Call it once, at the end.
 */
void faults_sort(struct faults *faults);

/* Writes "FILE:LINE:COLUMN: MESSAGE", or "FILE: MESSAGE" without a position, truncated to the
 * buffer. Returns `text`. */
#define FAULT_TEXT_SIZE 8192
const char *fault_format(const struct fault *fault, const char *file, char text[FAULT_TEXT_SIZE]);

void faults_free(struct faults *faults);
