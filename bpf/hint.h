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

	if (!flow->hint_group || p->protocol != IPPROTO_UDP)
		return false;
	if (flow->flags & SERVICE_ROUTE || p->kind == PACKET_ICMP_ERROR)
		return true;
	/* "SIP/2.0", or an empty line before it. */
	return (void *)(first + 4) <= frame_end(ctx) && (first[3] == '/' || first[0] <= ' ');
}

/* What names a host. */
enum hint_place {
	HINT_NONE,
	HINT_ROUTE, /* another one may follow */
	HINT_LAST,  /* a Via, or the Request-URI: nothing follows */
};

/* Finds the host that a response's topmost Via names. */
static __always_inline enum hint_place hint_in_via(struct xdp_md *ctx, __u32 line, __u32 end, __u32 *at)
{
	__u32 colon = 0;

	if (text_find_header(ctx, line, end, SIP_VIA, &colon) != SIP_FOUND)
		return HINT_NONE;
	return text_via_host(ctx, colon, end, at) == SIP_FOUND ? HINT_LAST : HINT_NONE;
}

/* Finds the host that a request names: its first Route behind an offset; its Request-URI where there is
 * none, or none to be seen in a first fragment. */
static __always_inline enum hint_place hint_in_route(
	struct xdp_md *ctx, __u32 behind, __u32 end, __u32 request_uri, __u32 *at)
{
	__u32 colon = 0, uri = request_uri;
	enum hint_place place = HINT_LAST;

	if (text_find_header(ctx, behind, end, SIP_ROUTE, &colon) == SIP_FOUND) {
		place = HINT_ROUTE;
		if (text_uri(ctx, colon, end, &uri) != SIP_FOUND)
			return HINT_NONE;
	}
	return text_uri_host(ctx, uri, end, at) == SIP_FOUND ? place : HINT_NONE;
}

/* Finds the host that names a backend: enum hint_place, and its offset. A request that an ICMP
 * error quotes was sent by a backend: its Via counts. */
__noinline int hint_find(struct xdp_md *ctx, const struct flow *flow, __u32 *at)
{
	const struct packet *p;
	__u32 line = 0, uri = 0;
	int result;

	if (!flow || !at)
		return HINT_NONE;
	p = &flow->packet;
	if (text_start_line(ctx, p->payload, p->end, &line) != SIP_FOUND)
		return HINT_NONE;
	result = text_request_uri(ctx, line, p->end, &uri);
	if (result == SIP_NOT_THERE || p->kind == PACKET_ICMP_ERROR)
		return hint_in_via(ctx, line, p->end, at);
	if (result != SIP_FOUND || !(flow->flags & SERVICE_ROUTE))
		return HINT_NONE;
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
	__u32 line = 0, uri = 0, behind, end;
	int result;

	if (!flow || !at)
		return HINT_NONE;
	end = flow->packet.end;
	behind = *at;
	result = text_next_uri(ctx, end, &behind);
	if (result == SIP_FOUND)
		return text_uri_host(ctx, behind, end, at) == SIP_FOUND ? HINT_ROUTE : HINT_NONE;
	if (result != SIP_NOT_THERE || text_start_line(ctx, flow->packet.payload, end, &line) != SIP_FOUND ||
		text_request_uri(ctx, line, end, &uri) != SIP_FOUND)
		return HINT_NONE;
	return hint_in_route(ctx, behind, end, uri, at);
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
	backend = hint_backend(&host, flow->hint_group);
	*is_vip = !backend && host.hash == sip_hash_address(&flow->packet.destination, flow->hash_key);
	return backend;
}

#define HINT_ROUTES 2 /* that name the VIP and are passed */

/* The backend that the message names; 0 if it names none, or a dead one. A Route that names the
 * VIP itself says nothing: what follows it counts. */
static __always_inline __u32 hint_owner(struct xdp_md *ctx, const struct flow *flow)
{
	__u32 at = 0, is_vip = false, backend = 0;
	int place = hint_find(ctx, flow, &at);

	for (int i = 0; i < 1 + HINT_ROUTES && place != HINT_NONE; i++) {
		backend = hint_of_host(ctx, flow, at, &is_vip);
		if (!is_vip || place == HINT_LAST)
			break;
		place = hint_find_next(ctx, flow, &at);
	}
	return backend;
}
