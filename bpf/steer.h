/* SPDX-License-Identifier: GPL-2.0 */
/* From a packet to its backend: service -> key -> slot -> backend (docs/packet-path.md).
 * Reads maps, changes nothing. */
#pragma once

#include "context.h"
#include "maps.h"
#include "packet.h"
#include "sip.h"

/* Where a packet goes, as far as it is known. */
struct target {
	const struct service *service;
	const struct backend *backend;
	__u32 backend_id;
};

static __always_inline const struct service *steer_service(const struct packet *p)
{
	struct service_key key = {.vip = p->destination, .port = p->destination_port, .protocol = p->protocol};
	const struct service *service = bpf_map_lookup_elem(&services, &key);

	if (!service) {
		key.port = 0;
		service = bpf_map_lookup_elem(&services, &key);
	}
	return service;
}

static __always_inline struct sip_text steer_text(const struct xdp_md *ctx, __u32 end)
{
	return sip_text(frame_start(ctx), frame_end(ctx), end, unknown_zero(ctx));
}

/* These two are global functions, so that the verifier goes through each once, and not
 * again for every way that leads there. */
__noinline int steer_find(struct xdp_md *ctx, __u32 start, __u32 end, __u32 *after)
{
	return after ? sip_find(steer_text(ctx, end), start, after) : SIP_NOT_SIP;
}

__noinline int steer_hash(struct xdp_md *ctx, __u32 after, __u32 end, struct sip_key *key)
{
	return key ? sip_hash(steer_text(ctx, end), after, key) : SIP_NOT_SIP;
}

/* The affinity key's hash, and the verdict that says what it was made of. */
static __always_inline enum verdict steer_key(
	struct xdp_md *ctx, const struct packet *p, const struct service *service, __u64 *hash)
{
	struct sip_key key = {.hash_key = {service->hash_key[0], service->hash_key[1]}};
	__u32 after = 0;
	int result = steer_find(ctx, p->payload, p->end, &after);

	if (result == SIP_FOUND)
		result = steer_hash(ctx, after, p->end, &key);
	if (result == SIP_FOUND) {
		*hash = key.hash;
		return VERDICT_call_id;
	}
	*hash = hash_source(&p->source, p->source_port, key.hash_key);
	if (result == SIP_NO_CALL_ID)
		return VERDICT_no_call_id;
	return result == SIP_TOO_FAR ? VERDICT_call_id_too_far : VERDICT_not_sip;
}

/* The id of the backend that owns a hash in a pool; 0 if nobody does. */
static __always_inline __u32 steer_slot(__u32 pool_id, __u64 hash)
{
	const struct pool *pool = bpf_map_lookup_elem(&pools, &pool_id);
	const __u16 *slots;
	__u32 table;

	if (!pool)
		return 0;
	table = pool->table;
	slots = bpf_map_lookup_elem(&tables, &table);
	return slots ? slots[hash & slot_mask] : 0;
}

/* Says whose the packet is, and how that was found. Without a backend, the verdict ends
 * the packet's way. */
static __always_inline enum verdict steer(struct xdp_md *ctx, const struct packet *p, struct target *target)
{
	const struct backend *backend;
	enum verdict verdict;
	__u64 hash;

	target->service = steer_service(p);
	if (!target->service)
		return VERDICT_not_service;
	verdict = steer_key(ctx, p, target->service, &hash);
	target->backend_id = steer_slot(target->service->pool, hash);
	backend = bpf_map_lookup_elem(&backends, &target->backend_id);
	if (!backend || backend->forward == FORWARD_NONE)
		return VERDICT_no_backend; /* id 0, nobody, is always such a one */
	target->backend = backend;
	return verdict;
}
