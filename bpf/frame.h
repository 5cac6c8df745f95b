/* SPDX-License-Identifier: GPL-2.0 */
/* The bounds of the current frame. In struct xdp_md they have 32 bits, and the compiler may copy them as 32-bit
 * numbers, which the verifier does not accept as pointers. Therefore inline assembly reads them. The bounds must be
 * read again after bpf_xdp_adjust_head(). In user space, a test must put the frame below 4 GB. */
#pragma once

#include "vmlinux/types.h"

#ifdef __bpf__

static __always_inline void *frame_start(const struct xdp_md *ctx)
{
	void *start;

	asm volatile("%0 = *(u32 *)(%1 + 0)" : "=r"(start) : "r"(ctx));
	return start;
}

static __always_inline void *frame_end(const struct xdp_md *ctx)
{
	void *end;

	asm volatile("%0 = *(u32 *)(%1 + 4)" : "=r"(end) : "r"(ctx));
	return end;
}

#else

static inline void *frame_start(const struct xdp_md *ctx)
{
	return (void *)(uintptr_t)ctx->data;
}

static inline void *frame_end(const struct xdp_md *ctx)
{
	return (void *)(uintptr_t)ctx->data_end;
}

#endif

#define FRAME_OFFSET_MASK 0x7fff

/* A pointer into the frame. The caller must compare it with frame_end() before it reads. The mask does not
 * change any real offset; it bounds the offset for the verifier. */
static __always_inline void *frame_at(const struct xdp_md *ctx, __u32 offset)
{
	return frame_start(ctx) + (offset & FRAME_OFFSET_MASK);
}

#ifdef __bpf__

/* This variable is always 0, but the verifier does not know its value. */
static __always_inline __u32 unknown_zero(const struct xdp_md *ctx)
{
	__u32 a, b;

	asm volatile("%0 = *(u32 *)(%2 + 12); %1 = *(u32 *)(%2 + 12)" : "=&r"(a), "=&r"(b) : "r"(ctx));
	return a ^ b;
}

#endif
