/* SPDX-License-Identifier: GPL-2.0 */
/* When the measurement of a call's setup ends (struct setup of bpf/abi_return.h). No I/O. */
#pragma once

#include <stdint.h>
#include "bpf/abi_return.h"

#define SETUP_TIMEOUT 32  /* seconds without a response: timer B (RFC 3261, section 17.1.1.2) */
#define SETUP_LONGEST 300 /* seconds without a final response: more than timer C (RFC 3261, section 16.6) */

enum setup_end {
	SETUP_END_NOT_YET,
	SETUP_END_MEASURED,
	SETUP_END_UNANSWERED, /* no response has arrived */
};

/* `now`: ns, the same clock as setup->invited. After its final response, an entry remains for the duration of a
 * transaction, so that a repeated INVITE is not measured again. */
enum setup_end setup_end(const struct setup *setup, uint64_t now);
