/* SPDX-License-Identifier: GPL-2.0 */
/* Slow scanners that are easy to check against RFC 3261: one byte at a time. The scanners in bpf/ must agree with
 * them. Bytes up to 0x20 are white space or line ends, and a line ends at LF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "bpf/sip.h"

bool slow_is_space(char c);

/* White space within a line. */
bool slow_is_blank(char c);

/* Finds the first header with this name or short name (NULL: the header has no short name), by sections 7.3.1, 7.3.3
 * and 7.5. If it returns SIP_FOUND, *colon is the offset of the colon. */
enum sip_result slow_header(const char *text, size_t length, const char *name, const char *letter, size_t *colon);

/* Returns whether the To header whose colon is at `colon` has a tag (section 20.39). */
enum sip_result slow_tag(const char *text, size_t length, size_t colon);
