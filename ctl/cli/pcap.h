/* SPDX-License-Identifier: GPL-2.0 */
/* Writes packets as a pcap file: times in nanoseconds, Ethernet frames. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Each returns false on a write error, with errno. Both flush, so that a reader of a pipe sees each packet at once. */
bool pcap_begin(FILE *file);
bool pcap_put(FILE *file, int64_t nanoseconds, const uint8_t *frame, size_t captured, size_t length);
