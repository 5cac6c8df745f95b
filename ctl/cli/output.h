/* SPDX-License-Identifier: GPL-2.0 */
/* Owns what is said to the user: results as aligned text or as JSON, and errors. */
#pragma once

#include "core/control/protocol.h"

struct output {
	bool json;
	size_t items; /* of the list being printed */
	bool broken;  /* what is printed does not arrive */
};

/* The result of a command, on standard output. */
void output_result(struct output *output, enum command command, const json_t *result);

/* The owners that a lookup finds come in pieces; in JSON they are one list.
 * False of an item that says why there is none; the user is told. */
void output_list_begin(struct output *output);
bool output_list_item(struct output *output, const json_t *owner);
void output_list_end(struct output *output);

/* What went wrong: a line on standard error, or an object on standard output. */
void output_error(struct output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* That the daemon says no. `path`, which may be NULL, is the file that its faults are about. */
void output_refusal(struct output *output, const struct reply *reply, const char *path);

/* A remark beside the result: on standard error in either case. */
void output_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes out what is buffered. False if that has ever failed, with a message unless it
 * is that nobody reads any more. */
bool output_flush(struct output *output);
