/* SPDX-License-Identifier: GPL-2.0 */
/* The scanner (sip.h) on the frame that a program was called for. Functions that are not
 * static are verified once, and not again for every way that leads there. */
#pragma once

#include "frame.h"
#include "sip_dialog.h"
#include "sip_user.h"

static __always_inline struct sip_text text_of(const struct xdp_md *ctx, __u32 end)
{
	return sip_text(frame_start(ctx), frame_end(ctx), end, unknown_zero(ctx));
}

__noinline int text_hash(struct xdp_md *ctx, __u32 colon, __u32 end, struct sip_key *key)
{
	return key ? sip_hash(text_of(ctx, end), colon, key) : SIP_NOT_SIP;
}

/* sip_call_id, with a function of its own for what is unusual. */
__noinline int text_call_id(struct xdp_md *ctx, __u32 start, __u32 end, struct sip_key *key)
{
	struct sip_text text = text_of(ctx, end);
	enum sip_result result;
	__u32 colon = 0;

	if (!key)
		return SIP_NOT_SIP;
	result = sip_find(text, start, &colon);
	if (result != SIP_FOUND || sip_hash_plainly(&text, colon, key))
		return result;
	return text_hash(ctx, colon, end, key);
}

__noinline int text_method(struct xdp_md *ctx, __u32 start, __u32 end)
{
	return sip_method(text_of(ctx, end), start);
}

/* The steps of sip_headers.h. `line` is the offset of the start-line, which they begin from. */
__noinline int text_start_line(struct xdp_md *ctx, __u32 start, __u32 end, __u32 *line)
{
	return line ? sip_start_line(text_of(ctx, end), start, line) : SIP_NOT_SIP;
}

__noinline int text_find_header(struct xdp_md *ctx, __u32 line, __u32 end, __u64 name, __u32 *colon)
{
	return colon ? sip_find_header(text_of(ctx, end), line, name, colon) : SIP_NOT_THERE;
}

__noinline int text_uri(struct xdp_md *ctx, __u32 colon, __u32 end, __u32 *uri)
{
	return uri ? sip_uri(text_of(ctx, end), colon, uri) : SIP_NOT_THERE;
}

__noinline int text_next_uri(struct xdp_md *ctx, __u32 end, __u32 *at)
{
	return at ? sip_next_uri(text_of(ctx, end), at) : SIP_NOT_THERE;
}

__noinline int text_request_uri(struct xdp_md *ctx, __u32 line, __u32 end, __u32 *uri)
{
	return uri ? sip_request_uri(text_of(ctx, end), line, uri) : SIP_NOT_THERE;
}

__noinline int text_uri_host(struct xdp_md *ctx, __u32 uri, __u32 end, __u32 *at)
{
	return at ? sip_uri_host(text_of(ctx, end), uri, at) : SIP_NOT_THERE;
}

__noinline int text_via_host(struct xdp_md *ctx, __u32 colon, __u32 end, __u32 *at)
{
	return at ? sip_via_host(text_of(ctx, end), colon, at) : SIP_NOT_THERE;
}

__noinline int text_bracketed_host(struct xdp_md *ctx, __u32 *at, __u32 end, struct sip_host *host)
{
	return at && host ? sip_bracketed_host(text_of(ctx, end), at, host) : SIP_NOT_THERE;
}

__noinline int text_plain_host(struct xdp_md *ctx, __u32 *at, __u32 end, struct sip_host *host)
{
	return at && host ? sip_plain_host(text_of(ctx, end), at, host) : SIP_NOT_THERE;
}

__noinline int text_host_port(struct xdp_md *ctx, __u32 at, __u32 end, struct sip_host *host)
{
	return host ? sip_host_port(text_of(ctx, end), at, host) : SIP_NOT_THERE;
}

__noinline int text_user(struct xdp_md *ctx, __u32 uri, __u32 end, struct sip_user *user)
{
	return user ? sip_user(text_of(ctx, end), uri, user) : SIP_NOT_THERE;
}

/* The steps of sip_dialog.h. */
__noinline int text_lines(struct xdp_md *ctx, __u32 line, __u32 end, struct sip_lines *lines)
{
	if (lines)
		sip_find_lines(text_of(ctx, end), line, lines);
	return 0;
}

__noinline int text_value(struct xdp_md *ctx, __u32 before, __u32 end, __u32 *value)
{
	return value ? sip_value_at(text_of(ctx, end), before, value) : SIP_NOT_THERE;
}

__noinline int text_parameter(struct xdp_md *ctx, __u32 colon, __u32 end, __u64 name, __u32 *at)
{
	return at ? sip_parameter(text_of(ctx, end), colon, name, at) : SIP_NOT_THERE;
}

__noinline __u32 text_token(struct xdp_md *ctx, __u32 at, __u32 end, __u64 key, __u64 more_key)
{
	const __u64 hash_key[2] = {key, more_key};

	return sip_token(text_of(ctx, end), at, hash_key);
}

__noinline int text_code(struct xdp_md *ctx, __u32 line, __u32 end)
{
	return sip_status_code(text_of(ctx, end), line);
}

__noinline __u32 text_number(struct xdp_md *ctx, __u32 end, __u32 *at)
{
	return at ? sip_number(text_of(ctx, end), at) : 0;
}

__noinline int text_named_method(struct xdp_md *ctx, __u32 at, __u32 end)
{
	return sip_named_method(text_of(ctx, end), at);
}

__noinline int text_is_zero(struct xdp_md *ctx, __u32 at, __u32 end)
{
	return sip_is_zero(text_of(ctx, end), at);
}
