/* SPDX-License-Identifier: GPL-2.0 */
/* Prints results, as aligned text or as JSON, and error messages. */
#pragma once

#include "core/control/protocol.h"

struct output {
	bool json;
	size_t items; /* printed before this one, in a list or of several samples */
	bool broken;  /* writing to standard output has failed */
};

/* The result of a command, on standard output. */
void output_result(struct output *output, enum command command, const json_t *result);

/* One of several samples of `stats`: a line of JSON, or text. If `seconds` is not 0, the numbers are per second, over
 * this time. */
void output_sample(struct output *output, const json_t *stats, double seconds);

/* Prints the results of a look-up one by one; in JSON they are one list. output_list_item() returns false for a
 * failed look-up, whose reason it prints. */
void output_list_begin(struct output *output);
bool output_list_item(struct output *output, const json_t *owner);
void output_list_end(struct output *output);

/* An error: a line on standard error, or with --json an object on standard output. */
void output_error(struct output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An error reply of the daemon. `path` is the file in which its faults are, or NULL. */
void output_refusal(struct output *output, const struct reply *reply, const char *path);

/* A warning beside the result: on standard error, also with --json. */
void output_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Flushes standard output. False if a write has failed, now or before, with a message unless the reader has
 * closed the pipe. */
bool output_flush(struct output *output);
