// SPDX-License-Identifier: GPL-2.0
/* See setup_end.h. */
#include "setup_end.h"

#define NSEC 1000000000ULL

enum setup_end setup_end(const struct setup *setup, uint64_t now)
{
	/* The INVITE may have arrived after the caller has read the clock. */
	uint64_t age = now > setup->invited ? now - setup->invited : 0;

	if (age < SETUP_TIMEOUT * NSEC)
		return SETUP_END_NOT_YET;
	if (!(setup->events & SETUP_BIT(SETUP_RESPONSE)))
		return SETUP_END_UNANSWERED;
	return setup->events & SETUP_FINAL || age >= SETUP_LONGEST * NSEC ? SETUP_END_MEASURED : SETUP_END_NOT_YET;
}
