/* SPDX-License-Identifier: GPL-2.0 */
/* Messages, and the expected result of a scanner for each. tests/unit/test_sip.c tests the host build with them, and
 * test_spellings.c tests the kernel program. */
#pragma once

#include <stddef.h>
#include "bpf/sip.h"

struct sip_row {
	const char *sentence;
	const char *text;
	size_t length; /* [strlen(text)], except with SIP_NOT_SIP */
	enum sip_result result;
	const char *value; /* of the Call-ID, when SIP_FOUND */
};

extern const struct sip_row sip_rows[];
extern const size_t sip_row_count;

/* The length of a row's text. */
size_t sip_row_length(const struct sip_row *row);
