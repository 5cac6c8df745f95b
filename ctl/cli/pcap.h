/* SPDX-License-Identifier: GPL-2.0 */
/* Writes packets as a pcap file: times in nanoseconds, Ethernet frames. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Both functions return false and set errno on a write error. They flush the stream, so that the reader of a pipe
 * receives each packet immediately. */
bool pcap_begin(FILE *file);
bool pcap_put(FILE *file, int64_t nanoseconds, const uint8_t *frame, size_t captured, size_t length);
