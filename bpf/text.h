/* SPDX-License-Identifier: GPL-2.0 */
/* The scanner (sip.h) on the frame that a program was called for. Functions that are not
 * static are verified once, and not again for every way that leads there. */
#pragma once

#include "context.h"
#include "sip.h"

static __always_inline struct sip_text text_of(const struct xdp_md *ctx, __u32 end)
{
	return sip_text(frame_start(ctx), frame_end(ctx), end, unknown_zero(ctx));
}

__noinline int text_find(struct xdp_md *ctx, __u32 start, __u32 end, __u32 *colon)
{
	return colon ? sip_find(text_of(ctx, end), start, colon) : SIP_NOT_SIP;
}

__noinline int text_hash(struct xdp_md *ctx, __u32 colon, __u32 end, struct sip_key *key)
{
	return key ? sip_hash(text_of(ctx, end), colon, key) : SIP_NOT_SIP;
}

__noinline int text_method(struct xdp_md *ctx, __u32 start, __u32 end)
{
	return sip_method(text_of(ctx, end), start);
}

__noinline int text_is_opening(struct xdp_md *ctx, __u32 start, __u32 end)
{
	return sip_is_opening(text_of(ctx, end), start);
}
