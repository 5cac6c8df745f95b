/* SPDX-License-Identifier: GPL-2.0 */
/* Updates of Internet checksums. */
#pragma once

#include "vmlinux/types.h"

/* Returns the checksum after one 16-bit word of the data has changed: RFC 1624, equation 3. */
static __always_inline __sum16 checksum_replace(__sum16 check, __be16 was, __be16 is)
{
	__u32 sum = (__u16)~check + (__u16)~was + is;

	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}
