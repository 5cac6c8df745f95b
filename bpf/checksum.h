/* SPDX-License-Identifier: GPL-2.0 */
/* Updates of Internet checksums. */
#pragma once

#include "vmlinux/types.h"

/* Adds the two halves of a sum until it has 16 bits (RFC 1071). */
static inline __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Returns the checksum after one 16-bit word of the data has changed: RFC 1624, equation 3. */
static __always_inline __sum16 checksum_replace(__sum16 check, __be16 was, __be16 is)
{
	__u32 sum = (__u16)~check + (__u16)~was + is;

	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

/* Adds the replacement of a 32-bit word to a sum of changes. The sum of up to 2^31 words cannot overflow. */
static __always_inline __u64 checksum_change(__u64 changes, __be32 was, __be32 is)
{
	return changes + (__u32)~was + is;
}

/* The same for a 16-bit word. */
static __always_inline __u64 checksum_change16(__u64 changes, __be16 was, __be16 is)
{
	return changes + (__u16)~was + is;
}

/* Returns the checksum after all these changes: RFC 1624, equation 3. */
static __always_inline __sum16 checksum_apply(__sum16 check, __u64 changes)
{
	return ~checksum_fold(changes + (__u16)~check);
}

/* The same for UDP. Checksum 0 means that the datagram has none, and a computed checksum of 0 is written as 0xffff
 * (RFC 768; RFC 8200 section 8.1). */
static __always_inline __sum16 checksum_apply_udp(__sum16 check, __u64 changes)
{
	__sum16 changed = checksum_apply(check, changes);

	if (!check)
		return 0;
	return changed ? changed : 0xffff;
}
