/* SPDX-License-Identifier: GPL-2.0 */
/* Prints results, as aligned text or as JSON, and error messages. */
#pragma once

#include "core/control/protocol.h"

struct output {
	bool json;
	bool lines;   /* JSON: one object on each line, also for errors */
	size_t items; /* number of list items or samples printed so far */
	bool broken;  /* writing to standard output has failed */
};

/* Prints the result of a command to standard output. */
void output_result(struct output *output, enum command command, const json_t *result);

/* Prints one of several samples of a command's result, as a line of JSON or as text. If `seconds` is not 0, the numbers
 * are rates per second, averaged over `seconds`. */
void output_sample(struct output *output, enum command command, const json_t *result, double seconds);

/* Prints the texts in `steps` of an object, one line for each (core/view/explanation.h). */
void output_steps(const json_t *object);

/* Print the results of a look-up one by one. JSON output is a single list. For a failed look-up, output_list_item()
 * prints the reason and returns false. */
void output_list_begin(struct output *output);
bool output_list_item(struct output *output, const json_t *owner);
void output_list_end(struct output *output);

/* Prints an error: a line on standard error, or with --json an object on standard output. */
void output_error(struct output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints an error reply of the daemon. `path` is the file that contains the reported faults, or NULL. */
void output_refusal(struct output *output, const struct reply *reply, const char *path);

/* Prints a warning to standard error, also with --json. */
void output_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Flushes standard output. False if this write or an earlier one has failed; prints an error unless the reader
 * has closed the pipe. */
bool output_flush(struct output *output);
