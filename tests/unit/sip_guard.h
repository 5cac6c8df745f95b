/* SPDX-License-Identifier: GPL-2.0 */
/* Copies of a text at the edge of an inaccessible page: a read of one byte beyond the text kills the test. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The longest copy. */
#define SIP_GUARD_SIZE 16384

/* A copy whose last byte is the last readable one. Valid until the next call. */
const uint8_t *sip_guard_end(const void *bytes, size_t length);

/* A copy whose first byte is the first readable one. Valid until the next call. */
const uint8_t *sip_guard_start(const void *bytes, size_t length);
