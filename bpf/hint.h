/* SPDX-License-Identifier: GPL-2.0 */
/* Backends that a message names: a response by its topmost Via, a request by its topmost
 * Route or, without one, its Request-URI. So a call that a backend has begun stays with
 * it, whatever its Call-ID. */
#pragma once

#include "flow.h"
#include "maps.h"
#include "text.h"

/* Must be looked at closely? Most packets are requests, and few services look at theirs. */
static __always_inline bool hint_is_worth_it(const struct xdp_md *ctx, const struct flow *flow)
{
	const struct packet *p = &flow->packet;
	const __u8 *first = frame_at(ctx, p->payload);

	if (!flow->hints || p->protocol != IPPROTO_UDP)
		return false;
	if (flow->flags & SERVICE_ROUTE || p->kind == PACKET_QUOTE)
		return true;
	/* "SIP/2.0", or an empty line before it. */
	return (void *)(first + 4) <= frame_end(ctx) && (first[3] == '/' || first[0] <= ' ');
}

/* Where the host lies that a response's topmost Via names. */
static __always_inline int hint_in_via(struct xdp_md *ctx, __u32 line, __u32 end, __u32 *at)
{
	__u32 colon = 0;
	int result = text_find_header(ctx, line, end, SIP_VIA, &colon);

	return result == SIP_FOUND ? text_via_host(ctx, colon, end, at) : result;
}

/* The same of a request: its topmost Route; its Request-URI where there is none, or none to
 * be seen in a first fragment. */
static __always_inline int hint_in_route(struct xdp_md *ctx, __u32 line, __u32 end, __u32 uri, __u32 *at)
{
	__u32 colon = 0;
	int result = SIP_FOUND;

	if (text_find_header(ctx, line, end, SIP_ROUTE, &colon) == SIP_FOUND)
		result = text_uri(ctx, colon, end, &uri);
	return result == SIP_FOUND ? text_uri_host(ctx, uri, end, at) : result;
}

/* The offset of the host that names a backend: SIP_FOUND, or there is none. A request that
 * an ICMP error quotes is one that a backend has sent: its Via counts. */
__noinline int hint_find(struct xdp_md *ctx, const struct flow *flow, __u32 *at)
{
	const struct packet *p;
	__u32 line = 0, uri = 0;
	int result;

	if (!flow || !at)
		return SIP_NOT_THERE;
	p = &flow->packet;
	if (text_start_line(ctx, p->payload, p->end, &line) != SIP_FOUND)
		return SIP_NOT_THERE;
	result = text_request_uri(ctx, line, p->end, &uri);
	if (result == SIP_NOT_THERE || p->kind == PACKET_QUOTE)
		return hint_in_via(ctx, line, p->end, at);
	if (result != SIP_FOUND || !(flow->flags & SERVICE_ROUTE))
		return SIP_NOT_THERE;
	return hint_in_route(ctx, line, p->end, uri, at);
}

/* The living backend that has this name; 0 if there is none. Who writes no port means SIP's
 * own (RFC 3261, 19.1.2), and Kamailio leaves it out where it was told to write it. */
static __always_inline __u32 hint_backend(const struct sip_host *host, __u32 group)
{
	struct hint_key key = {.host = host->hash, .group = group, .port = host->port ? host->port : net16(5060)};
	const __u32 *id = bpf_map_lookup_elem(&hints, &key);

	if (!id) {
		key.port = 0; /* whatever the port */
		id = bpf_map_lookup_elem(&hints, &key);
	}
	return id && backend_is_alive(*id) ? *id : 0;
}

/* The same behind a Route whose host lies at *at: the next Route, else the Request-URI. */
__noinline int hint_find_next(struct xdp_md *ctx, const struct flow *flow, __u32 *at)
{
	__u32 uri, line = 0, colon = 0, end;
	int result;

	if (!flow || !at)
		return SIP_NOT_THERE;
	end = flow->packet.end;
	uri = *at;
	result = text_next_uri(ctx, end, &uri);
	if (result == SIP_NOT_THERE) {
		result = text_find_header(ctx, uri, end, SIP_ROUTE, &colon);
		if (result == SIP_FOUND)
			result = text_uri(ctx, colon, end, &uri);
		else if (text_start_line(ctx, flow->packet.payload, end, &line) == SIP_FOUND)
			result = text_request_uri(ctx, line, end, &uri);
	}
	return result == SIP_FOUND ? text_uri_host(ctx, uri, end, at) : result;
}

/* The backend that the host at `at` names, 0 if it names none, or a dead one; *is_vip: it is the
 * packet's own destination, as a client writes it that has the VIP for its outbound proxy. */
__noinline __u32 hint_of_host(struct xdp_md *ctx, const struct flow *flow, __u32 at, __u32 *is_vip)
{
	struct sip_host host = {};
	__u32 backend;
	int result;

	if (!flow || !is_vip)
		return 0;
	*is_vip = false;
	host.hash_key[0] = flow->hash_key[0];
	host.hash_key[1] = flow->hash_key[1];
	result = text_bracketed_host(ctx, &at, flow->packet.end, &host);
	if (result == SIP_NOT_SIP)
		result = text_plain_host(ctx, &at, flow->packet.end, &host);
	if (result != SIP_FOUND || text_host_port(ctx, at, flow->packet.end, &host) != SIP_FOUND)
		return 0;
	backend = hint_backend(&host, flow->hints);
	*is_vip = !backend && host.hash == sip_hash_address(&flow->packet.destination, flow->hash_key);
	return backend;
}

#define HINT_ROUTES 2 /* of our own that are passed */

/* The backend that the message names; 0 if it names none, or a dead one. A Route that names the
 * VIP itself says nothing: what follows it counts. */
static __always_inline __u32 hint_owner(struct xdp_md *ctx, const struct flow *flow)
{
	__u32 at = 0, is_vip = false, backend = 0;

	if (hint_find(ctx, flow, &at) != SIP_FOUND)
		return 0;
	for (int i = 0; i < 1 + HINT_ROUTES; i++) {
		backend = hint_of_host(ctx, flow, at, &is_vip);
		if (!is_vip || !(flow->flags & SERVICE_ROUTE) || hint_find_next(ctx, flow, &at) != SIP_FOUND)
			break;
	}
	return backend;
}
