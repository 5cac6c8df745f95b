/* SPDX-License-Identifier: GPL-2.0 */
/* Sends the SIP messages of a trace to a capture server by HEP version 3 over UDP. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HEP_OUTPUT_ERROR_SIZE 256

struct hep_output;

/* `address`: "udp:10.0.0.50:9060". NULL with the reason in `error`. */
struct hep_output *hep_output_open(const char *address, char error[HEP_OUTPUT_ERROR_SIZE]);

/* Sends a message if this frame completes one. The frame arrived `nanoseconds` after the epoch. Its length was
 * `length`, of which `captured` bytes are known. */
void hep_output_put(
	struct hep_output *output, int64_t nanoseconds, const uint8_t *frame, size_t captured, size_t length);

/* Prints the number of messages to standard error. NULL is valid. */
void hep_output_close(struct hep_output *output);
