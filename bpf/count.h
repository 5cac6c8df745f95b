/* SPDX-License-Identifier: GPL-2.0 */
/* Finds the message counter of a packet; finish.h increments it. This code runs when the verdict and the backend are
 * final, and does not change them. It uses the remaining budget of the packet. */
#pragma once

#include "flow.h"
#include "text.h"
#include "track.h"

/* Returns SIP_FOUND if a request has a To tag; SIP_TOO_FAR: unknown. */
static __always_inline enum sip_result count_to_tag(struct xdp_md *ctx, struct flow *flow, struct sip_head *head)
{
	enum sip_result result = text_find_header(ctx, flow, &head->lines, SIP_TO);
	__u32 at = 0;

	return result == SIP_FOUND ? text_parameter(ctx, flow, head->lines.colon[SIP_TO], SIP_TAG_NAME, &at) : result;
}

static __always_inline enum method count_cseq(struct xdp_md *ctx, struct flow *flow, struct sip_head *head)
{
	__u32 number;

	if (text_find_header(ctx, flow, &head->lines, SIP_CSEQ) != SIP_FOUND)
		return METHOD_NONE;
	return track_cseq(ctx, flow, head->lines.colon[SIP_CSEQ], &number);
}

/* Reads the headers of a message whose form sip_counter.h does not handle. */
static __always_inline __u32 count_read(struct xdp_md *ctx, struct flow *flow, struct sip_head *head)
{
	enum method method;

	if (!text_is_sip(ctx, flow, &head->start))
		return SERVICE_COUNTER_not_sip;
	if (!head->lines.at)
		head->lines.at = head->start.line;
	method = head->start.method;
	if (method == METHOD_NONE)
		return text_response_counter(ctx, flow, head->start.line, count_cseq(ctx, flow, head));
	if (method >= METHOD_ACK)
		return counter_of_request(method, SIP_FOUND);
	return counter_of_request(method, count_to_tag(ctx, flow, head));
}

/* Sets flow->message. `head` is the current state of the pass over the headers. A packet quoted in an ICMP error is
 * not counted as a message. */
__noinline int count(struct xdp_md *ctx, struct flow *flow, struct sip_head *head)
{
	struct sip_key key = {};

	if (!flow || !head)
		return 0;
	if (!(flow->flags & SERVICE_MESSAGES) || flow->packet.kind == PACKET_ICMP_ERROR)
		return 0;
	key.value_end = flow->call_id_end;
	text_counter(ctx, flow->packet.payload, flow->packet.end, &key);
	flow->message = key.counter == COUNTER_UNDECIDED ? count_read(ctx, flow, head) : key.counter;
	return 0;
}
