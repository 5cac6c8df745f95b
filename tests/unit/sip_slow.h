/* SPDX-License-Identifier: GPL-2.0 */
/* Slow scanners that anybody can check: RFC 3261, a byte at a time. Those of bpf/ must agree
 * with them. White space and line ends are what is not above 0x20, and a line ends at LF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "bpf/sip.h"

bool slow_is_space(char c);

/* White space within a line. */
bool slow_is_blank(char c);

/* The first header with this name or short name (NULL: it has none): sections 7.3.1, 7.3.3
 * and 7.5. When SIP_FOUND, *colon is the offset of its colon. */
enum sip_result slow_header(const char *text, size_t length, const char *name, const char *letter, size_t *colon);

/* Has a To, whose colon is at `colon`, a tag (section 20.39)? */
enum sip_result slow_tag(const char *text, size_t length, size_t colon);
