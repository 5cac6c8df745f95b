/* SPDX-License-Identifier: GPL-2.0 */
/* From a packet to its backend: service -> key -> slot -> backend (docs/packet-path.md).
 * Reads maps; changes nothing but what it notes of fragments. */
#pragma once

#include "held.h"
#include "hint.h"
#include "motion.h"
#include "ranges.h"
#include "text.h"

/* Whose a packet is, as far as it is known. */
struct target {
	__u32 for_service;
	__u32 service_id;
	__u32 backend_id;
	__u32 in_motion; /* `slot` says more, and another backend may have it */
	struct motion_slot slot;
	struct hint_question hint; /* likewise */
};

static __always_inline const struct service *steer_service(const struct packet *p, __be16 port)
{
	struct service_key key = {.vip = p->destination, .port = port, .protocol = p->protocol};

	/* Protocol 0 would find the entry that marks a VIP. */
	return p->protocol ? bpf_map_lookup_elem(&services, &key) : NULL;
}

/* The hash of the Call-ID; of the flow where there is none. The verdict says which. */
static __always_inline enum verdict steer_call_id(
	struct xdp_md *ctx, const struct packet *p, const struct service *service, __u64 *hash)
{
	struct sip_key key = {.hash_key = {service->hash_key[0], service->hash_key[1]}};
	__u32 colon = 0;
	int result = text_find(ctx, p->payload, p->end, &colon);

	if (result == SIP_FOUND)
		result = text_hash(ctx, colon, p->end, &key);
	if (result == SIP_FOUND) {
		*hash = key.hash;
		return VERDICT_call_id;
	}
	*hash = hash_source(&p->source, p->source_port, key.hash_key);
	if (result == SIP_NOT_THERE)
		return VERDICT_no_call_id;
	return result == SIP_TOO_FAR ? VERDICT_call_id_too_far : VERDICT_not_sip;
}

/* Where the URI lies whose user the service goes by. */
__noinline int steer_user_uri(struct xdp_md *ctx, const struct packet *p, __u32 affinity, __u32 *uri)
{
	__u32 line = 0, colon = 0;
	int result;

	if (!p || !uri || text_start_line(ctx, p->payload, p->end, &line) != SIP_FOUND)
		return SIP_NOT_SIP;
	if (affinity == AFFINITY_REQUEST_USER)
		return text_request_uri(ctx, line, p->end, uri);
	result = text_find_header(ctx, line, p->end, affinity == AFFINITY_FROM_USER ? SIP_FROM : SIP_TO, &colon);
	return result == SIP_FOUND ? text_uri(ctx, colon, p->end, uri) : result;
}

/* The hash of the user; of the flow where there is none. */
static __always_inline enum verdict steer_user(
	struct xdp_md *ctx, const struct packet *p, const struct service *service, __u64 *hash)
{
	struct sip_user user = {.hash_key = {service->hash_key[0], service->hash_key[1]}};
	__u32 uri = 0;
	int result = steer_user_uri(ctx, p, service->affinity, &uri);

	if (result == SIP_FOUND && text_user(ctx, uri, p->end, &user) == SIP_FOUND) {
		*hash = user.hash;
		return VERDICT_user;
	}
	*hash = hash_source(&p->source, p->source_port, user.hash_key);
	return result == SIP_NOT_SIP ? VERDICT_not_sip : VERDICT_no_user;
}

/* The affinity key's hash, and the verdict that says what it was made of. */
static __always_inline enum verdict steer_key(
	struct xdp_md *ctx, const struct packet *p, const struct service *service, __u64 *hash)
{
	if (service->affinity == AFFINITY_CALL_ID)
		return steer_call_id(ctx, p, service, hash);
	if (service->affinity == AFFINITY_SOURCE) {
		*hash = hash_source(&p->source, 0, service->hash_key);
		return VERDICT_source;
	}
	if (service->affinity >= AFFINITY_FROM_USER)
		return steer_user(ctx, p, service, hash);
	*hash = hash_source(&p->source, p->source_port, service->hash_key);
	return VERDICT_flow;
}

static __always_inline __u32 steer_pool(struct xdp_md *ctx, const struct packet *p, const struct service *service)
{
	int method = METHOD_NONE;

	if (service->flags & SERVICE_METHODS)
		method = text_method(ctx, p->payload, p->end);
	/* The compiler knows what that returns and would leave the mask out; the verifier
	 * takes the result of a global function for any number. */
	asm volatile("" : "+r"(method));
	return service->pool[method & (METHOD_COUNT - 1)];
}

/* The backend that owns a hash in a pool; nobody has the id 0. */
static __always_inline void steer_slot(const struct service *service, __u32 pool_id, __u64 hash, struct target *target)
{
	const struct pool *pool = bpf_map_lookup_elem(&pools, &pool_id);
	const __u16 *slots;
	__u32 table;

	if (!pool)
		return;
	table = pool->table;
	slots = bpf_map_lookup_elem(&tables, &table);
	if (!slots)
		return;
	target->backend_id = slots[hash & slot_mask];
	if (!pool->in_motion)
		return;
	target->in_motion = true;
	target->slot = (struct motion_slot){
		.hash_key = {service->hash_key[0], service->hash_key[1]},
		.hash = hash,
		.pool = pool_id,
		.owner = target->backend_id,
		.one_call = service->affinity == AFFINITY_CALL_ID,
	};
}

/* --- fragments */

/* The protocol is part of it in IPv4 only (RFC 791, 3.2; RFC 8200, 4.5): in IPv6 the later
 * fragments do not tell it where options lie behind the Fragment header. */
static __always_inline struct fragment_key steer_fragment_key(const struct packet *p)
{
	return (struct fragment_key){.source = p->source,
		.destination = p->destination,
		.id = p->fragment_id,
		.protocol = p->ipv6 ? 0 : p->protocol};
}

static __always_inline void steer_note_fragment(const struct packet *p, __u32 service, __u32 backend)
{
	struct fragment_key key = steer_fragment_key(p);
	struct fragment fragment = {.seen = bpf_ktime_get_ns(), .backend = backend, .service = service};

	bpf_map_update_elem(&fragments, &key, &fragment, BPF_ANY);
}

static __always_inline struct fragment *steer_noted(const struct fragment_key *key)
{
	struct fragment *fragment = bpf_map_lookup_elem(&fragments, key);

	if (!fragment || bpf_ktime_get_ns() - fragment->seen > FRAGMENT_SECONDS * 1000000000ULL)
		return NULL;
	return fragment;
}

/* Gives the frame to the daemon, to be put through the program again when the first
 * fragment has come. */
static __always_inline enum verdict steer_hold(struct xdp_md *ctx, const struct fragment_key *key)
{
	struct held_frame *held = held_frame_copy_whole(ctx, &held_frames);

	if (!held)
		return VERDICT_orphan_fragment;
	held->key = *key;
	held->mtu = 0;
	bpf_ringbuf_submit(held, 0);
	return VERDICT_held_fragment;
}

static __always_inline enum verdict steer_as_noted(const struct fragment *fragment, struct target *target)
{
	target->for_service = true;
	target->service_id = fragment->service;
	target->backend_id = fragment->backend;
	return VERDICT_fragment;
}

/* A later fragment goes where the first one went. */
static __always_inline enum verdict steer_fragment(struct xdp_md *ctx, const struct packet *p, struct target *target)
{
	struct fragment_key key = steer_fragment_key(p);
	const struct fragment *fragment = steer_noted(&key);

	if (!fragment)
		return vip_entry(&p->destination) ? steer_hold(ctx, &key) : VERDICT_not_service;
	if (fragment->service == FRAGMENT_IS_KERNELS)
		return VERDICT_not_service;
	return steer_as_noted(fragment, target);
}

/* The first piece of what the daemon has cut up goes where the whole was to go: it may end
 * before the Call-ID. Once, since the next datagram may have the same identification. */
static __always_inline bool steer_first_piece(const struct packet *p, struct target *target)
{
	struct fragment_key key = steer_fragment_key(p);
	struct fragment *fragment = steer_noted(&key);

	if (!fragment || !fragment->whole)
		return false;
	fragment->whole = 0;
	steer_as_noted(fragment, target);
	return true;
}

/* --- the whole */

/* A backend's own ports: nothing of the packet counts but where it is sent to. When that
 * backend is dead they are nobody's. */
static __always_inline enum verdict steer_range(
	const struct packet *p, const struct range *range, struct target *target)
{
	target->for_service = true;
	target->service_id = range->service;
	target->backend_id = backend_is_alive(range->backend) ? range->backend : 0;
	return p->kind == PACKET_QUOTE ? VERDICT_icmp_error : VERDICT_port_range;
}

static __always_inline enum verdict steer_service_packet(
	struct xdp_md *ctx, const struct packet *p, struct target *target)
{
	const struct service *service = steer_service(p, p->destination_port);
	enum verdict verdict;
	__u64 hash;

	if (!service) {
		const struct service *vip = vip_entry(&p->destination);
		const struct range *range = ranges_find(p, vip);

		if (!vip)
			return VERDICT_not_service;
		if (range && range->backend)
			return steer_range(p, range, target);
		service = steer_service(p, range ? range->port : 0);
	}
	if (!service) {
		if (p->kind == PACKET_FIRST_FRAGMENT)
			steer_note_fragment(p, FRAGMENT_IS_KERNELS, 0);
		return VERDICT_not_service;
	}
	target->for_service = true;
	target->service_id = service->id;
	target->hint = (struct hint_question){
		.hash_key = {service->hash_key[0], service->hash_key[1]},
		.group = service->hints,
		.requests = service->flags & SERVICE_ROUTE,
	};
	verdict = steer_key(ctx, p, service, &hash);
	steer_slot(service, steer_pool(ctx, p, service), hash, target);
	return p->kind == PACKET_QUOTE ? VERDICT_icmp_error : verdict;
}

/* Says whose the packet is, and how that was found. Where it is for no service, the
 * verdict ends the packet's way. */
__noinline int steer(struct xdp_md *ctx, const struct packet *p, struct target *target)
{
	if (!p || !target || p->kind >= PACKET_ECHO)
		return VERDICT_not_service;
	if (p->kind == PACKET_LATER_FRAGMENT)
		return steer_fragment(ctx, p, target);
	if (p->kind == PACKET_FIRST_FRAGMENT && steer_first_piece(p, target))
		return VERDICT_fragment;
	return steer_service_packet(ctx, p, target);
}

/* The backend of a target; NULL if nobody is there (id 0, nobody, never is). */
static __always_inline const struct backend *steer_backend(const struct target *target)
{
	__u32 id = target->backend_id; /* Linux 6.1 takes no key from the argument of a global function */
	const struct backend *backend = bpf_map_lookup_elem(&backends, &id);

	return backend && backend->forward != FORWARD_NONE ? backend : NULL;
}
