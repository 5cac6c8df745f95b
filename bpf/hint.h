/* SPDX-License-Identifier: GPL-2.0 */
/* Hints: finds the backend whose address, host name, parameter or tag is in a SIP message. In a response, the hint is
 * in the topmost Via, or the tag in From. In a request, the hint is in the topmost Route or, if there is no Route, in
 * the Request-URI; or it is the tag in To. Therefore a call that a backend has started stays at this backend,
 * regardless of its Call-ID. */
#pragma once

#include "flow.h"
#include "maps.h"
#include "text.h"

/* Returns whether this message may contain a hint. This saves time: most packets are requests, and few services
 * read hints in requests. */
static __always_inline bool hint_is_worth_it(const struct xdp_md *ctx, const struct flow *flow)
{
	const struct packet *p = &flow->packet;
	const __u8 *first = frame_at(ctx, p->payload);

	if (!flow->hint_group || p->protocol != IPPROTO_UDP)
		return false;
	if (flow->flags & (SERVICE_ROUTE | SERVICE_TAG) || p->kind == PACKET_ICMP_ERROR)
		return true;
	/* "SIP/2.0", or an empty line before it. */
	return (void *)(first + 4) <= frame_end(ctx) && (first[3] == '/' || first[0] <= ' ');
}

/* The kind of header in which a host was found. */
enum hint_place {
	HINT_NONE,
	HINT_ROUTE, /* a further host may follow */
	HINT_LAST,  /* a Via or the Request-URI; no other host follows */
};

/* Finds the host in the topmost Via. */
static __always_inline enum hint_place hint_in_via(
	struct xdp_md *ctx, struct flow *flow, struct sip_head *head, __u32 *at)
{
	if (text_find_header(ctx, flow, &head->lines, SIP_VIA) != SIP_FOUND)
		return HINT_NONE;
	return text_via_host(ctx, flow, head->lines.colon[SIP_VIA], at) == SIP_FOUND ? HINT_LAST : HINT_NONE;
}

/* Finds the host in the next Route of a request or, if there is none, in the Request-URI. A first fragment that ends
 * before a Route counts as a request without a Route. If the budget runs out before the Route is found, the request
 * has no hint. */
static __always_inline enum hint_place hint_in_route(
	struct xdp_md *ctx, struct flow *flow, struct sip_head *head, __u32 *at)
{
	enum hint_place place = HINT_LAST;
	__u32 uri = head->start.uri;

	if (text_find_header(ctx, flow, &head->lines, SIP_ROUTE) == SIP_FOUND) {
		place = HINT_ROUTE;
		if (text_usual_host(ctx, flow, head->lines.colon[SIP_ROUTE], at) == SIP_FOUND)
			return place;
		if (text_uri(ctx, flow, head->lines.colon[SIP_ROUTE], &uri) != SIP_FOUND)
			return HINT_NONE;
	}
	if (!flow->budget)
		return HINT_NONE;
	return text_uri_host(ctx, flow, uri, at) == SIP_FOUND ? place : HINT_NONE;
}

/* Finds the first host that may be a hint. Returns its enum hint_place; *at becomes its offset. A request quoted in
 * an ICMP error was sent by a backend, so its Via is used. */
__noinline int hint_find(struct xdp_md *ctx, struct flow *flow, struct sip_head *head, __u32 *at)
{
	if (!flow || !head || !at)
		return HINT_NONE;
	if (!text_is_sip(ctx, flow, &head->start))
		return HINT_NONE;
	head->lines.at = head->start.line;
	if (!head->start.uri || flow->packet.kind == PACKET_ICMP_ERROR)
		return hint_in_via(ctx, flow, head, at);
	if (!(flow->flags & SERVICE_ROUTE))
		return HINT_NONE;
	return hint_in_route(ctx, flow, head, at);
}

/* Returns the id of the backend with this host and port; 0: none. The backend may be down. The default port is 5060
 * (RFC 3261 section 19.1.2); Kamailio omits that port even if its configuration contains it. */
static __always_inline __u32 hint_named(const struct sip_host *host, __u32 group)
{
	struct hint_key key = {.host = host->hash, .group = group, .port = host->port ? host->port : net16(5060)};
	const __u32 *id = bpf_map_lookup_elem(&hints, &key);

	if (!id) {
		key.port = 0; /* matches any port */
		id = bpf_map_lookup_elem(&hints, &key);
	}
	return id ? *id : 0;
}

/* Finds the next host after the Route at *at: in the next Route or, if there is none, in the Request-URI. */
__noinline int hint_find_next(struct xdp_md *ctx, struct flow *flow, struct sip_head *head, __u32 *at)
{
	__u32 next;
	int result;

	if (!flow || !head || !at)
		return HINT_NONE;
	next = *at;
	result = text_next_uri(ctx, flow, &next);
	if (result == SIP_FOUND)
		return text_uri_host(ctx, flow, next, at) == SIP_FOUND ? HINT_ROUTE : HINT_NONE;
	if (result != SIP_NOT_THERE)
		return HINT_NONE;
	head->lines.colon[SIP_ROUTE] = 0;
	head->lines.at = next;
	return hint_in_route(ctx, flow, head, at);
}

/* Returns the id of the backend that a parameter after the host at `at` names; 0: none. The backend may be down. */
__noinline __u32 hint_of_parameter(struct xdp_md *ctx, struct flow *flow, __u32 at)
{
	struct hint_key key = {};
	const __u32 *id;
	int last;

	if (!flow)
		return 0;
	key.group = flow->hint_group;
	last = text_part(ctx, flow, &at, SIP_HOST_OR_PARAMETER, &key.host); /* the host */
	for (int i = 0; i < HINT_PARAMETERS && last == ';'; i++) {
		last = text_part(ctx, flow, &at, SIP_HOST_OR_PARAMETER, &key.host);
		if (!last)
			break;
		id = bpf_map_lookup_elem(&hints, &key);
		if (id)
			return *id;
	}
	return 0;
}

#define HINT_VIP 0xffffffff

/* Reads the host at `at` and its port. False: there is no host. */
static __always_inline bool hint_read_host(struct xdp_md *ctx, struct flow *flow, __u32 at, struct sip_host *host)
{
	int result;

	host->hash_key[0] = flow->hash_key[0];
	host->hash_key[1] = flow->hash_key[1];
	result = text_bracketed_host(ctx, flow, &at, host);
	if (result == SIP_NOT_SIP)
		result = text_plain_host(ctx, flow, &at, host);
	return result == SIP_FOUND && text_host_port(ctx, flow, at, host) == SIP_FOUND;
}

/* Returns the id of the backend with the host at `at`, which may be down; 0: none. If there is none, a parameter after
 * the host may name the backend. */
static __always_inline __u32 hint_backend(struct xdp_md *ctx, struct flow *flow, __u32 at, const struct sip_host *host)
{
	__u32 backend = hint_named(host, flow->hint_group);

	return backend || !(flow->flags & SERVICE_PARAMETER) ? backend : hint_of_parameter(ctx, flow, at);
}

/* Returns the id of the backend that the host at `at`, or a parameter after it, names; 0: none, or the backend is down.
 * HINT_VIP: the host is the destination of the packet. A client that uses the VIP as its outbound proxy sends such a
 * Route. */
__noinline __u32 hint_of_host(struct xdp_md *ctx, struct flow *flow, __u32 at)
{
	struct sip_host host = {};
	__u32 backend;

	if (!flow || !hint_read_host(ctx, flow, at, &host))
		return 0;
	backend = hint_backend(ctx, flow, at, &host);
	if (backend_is_alive(backend))
		return backend;
	return host.hash == sip_hash_address(&flow->packet.destination, flow->hash_key) ? HINT_VIP : 0;
}

/* Finds the tag of the dialog's end that is a backend. The recipient's tag is in the To of a request (RFC 3261 section
 * 12.2.1.1) and in the From of a response (section 8.2.6.2), whichever side has started the dialog. A backend is the
 * sender of a message that an ICMP error quotes; the sender's tag is in the other header. */
static __always_inline enum sip_result hint_find_tag(
	struct xdp_md *ctx, struct flow *flow, struct sip_head *head, __u32 *at)
{
	bool in_from = !head->start.uri != (flow->packet.kind == PACKET_ICMP_ERROR);
	enum sip_result result;
	__u32 colon;

	result = text_find_header(ctx, flow, &head->lines, in_from ? SIP_FROM : SIP_TO);
	if (result != SIP_FOUND)
		return result;
	colon = in_from ? head->lines.colon[SIP_FROM] : head->lines.colon[SIP_TO];
	result = text_usual_parameter(ctx, flow, colon, SIP_OFFSET_OF(SIP_TAG_NAME), at);
	if (result != SIP_TOO_FAR)
		return result;
	result = text_parameter(ctx, flow, colon, SIP_TAG_NAME, at);
	return result == SIP_FOUND ? text_value(ctx, flow, *at, at) : result;
}

/* Returns the id of the backend whose tags begin like the tag at `at`; 0: none. The backend may be down. */
__noinline __u32 hint_of_prefix(struct xdp_md *ctx, struct flow *flow, __u32 at)
{
	struct hint_key key = {};
	const __u32 *id;

	if (!flow)
		return 0;
	key.group = flow->hint_group;
	if (!text_part(ctx, flow, &at, SIP_TAG_PREFIX, &key.host))
		return 0;
	id = bpf_map_lookup_elem(&hints, &key);
	return id ? *id : 0;
}

/* Returns the id of the backend that the tag in the message names; 0: none, or the backend is down. */
__noinline __u32 hint_of_tag(struct xdp_md *ctx, struct flow *flow, struct sip_head *head)
{
	__u32 at = 0, backend;

	if (!flow || !head || !head->start.line || hint_find_tag(ctx, flow, head, &at) != SIP_FOUND)
		return 0;
	backend = hint_of_prefix(ctx, flow, at);
	return backend_is_alive(backend) ? backend : 0;
}

#define HINT_ROUTES 2 /* maximum number of Routes to the VIP that are skipped */

/* Returns the id of the backend that a host in the message names; 0: none, or the backend is down. A Route to the VIP
 * is skipped, and the next host is used. */
static __always_inline __u32 hint_of_hosts(struct xdp_md *ctx, struct flow *flow, struct sip_head *head)
{
	__u32 at = 0, backend;
	int place = hint_find(ctx, flow, head, &at);

	for (int i = 0; i < 1 + HINT_ROUTES && place != HINT_NONE; i++) {
		backend = hint_of_host(ctx, flow, at);
		if (backend != HINT_VIP)
			return backend;
		if (place == HINT_LAST)
			break;
		place = hint_find_next(ctx, flow, head, &at);
	}
	return 0;
}

/* Returns the id of the backend that the hint in the message names; 0: no hint, or the backend is down. The host is the
 * next hop of the message (RFC 3261 sections 16.12 and 18.2.2), so it takes precedence over the tag. */
static __always_inline __u32 hint_owner(struct xdp_md *ctx, struct flow *flow, struct sip_head *head)
{
	__u32 backend = hint_of_hosts(ctx, flow, head);

	return backend || !(flow->flags & SERVICE_TAG) ? backend : hint_of_tag(ctx, flow, head);
}
