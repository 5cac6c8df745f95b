/* SPDX-License-Identifier: GPL-2.0 */
/* Everything that is wrong with an input, collected so that a person sees all of
 * it in one run. Pure. */
#pragma once

#include <stddef.h>

struct position {
	int line; /* 1-based; 0 where a fault is about no place in the text */
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

/* Appends a fault. A zeroed struct faults is an empty one. Aborts when memory is out. */
void faults_add(struct faults *faults, struct position position, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts the faults in the order of their places in the text. */
void faults_sort(struct faults *faults);

/* "FILE:LINE:COLUMN: MESSAGE" of one fault, or "FILE: MESSAGE" where it is about no place; cut
 * to the buffer. Returns `text`. */
#define FAULT_TEXT_SIZE 8192
const char *fault_format(const struct fault *fault, const char *file, char text[FAULT_TEXT_SIZE]);

void faults_free(struct faults *faults);
