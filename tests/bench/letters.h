/* SPDX-License-Identifier: GPL-2.0 */
/* Eight letters that encode a number in a Call-ID or a host name. Bench programs write them into frames, and the bench
 * writes the same ones into maps. */
#pragma once

#include "vmlinux/types.h"

/* Letters from a to p. Two numbers have the same letters with a probability of 1 in 2^32. */
static inline __u64 letters(__u64 number)
{
	return (number * 0x9e3779b97f4a7c15ULL & 0x0f0f0f0f0f0f0f0fULL) + 0x6161616161616161ULL;
}
