/* SPDX-License-Identifier: GPL-2.0 */
/* Memory that must not be read beyond: copies that lie against a page without access, so
 * that a read of one byte too many kills the test. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The longest copy. */
#define SIP_GUARD_SIZE 16384

/* A copy whose last byte is the last one that can be read. Valid until the next call. */
const uint8_t *sip_guard_end(const void *bytes, size_t length);

/* A copy whose first byte is the first one that can be read. Valid until the next call. */
const uint8_t *sip_guard_start(const void *bytes, size_t length);
