/* SPDX-License-Identifier: GPL-2.0 */
/* All stages combined in one function, for the common case: UDP or TCP in plain IPv4. The affinity of the
 * service must be Call-ID (UDP only), flow or source. The packet must leave through the interface that received
 * it, except for a packet from a backend with `forward: nat`. This function keeps its values in registers instead of a
 * struct flow, and needs little more than half the time of the stages.
 *
 * The fast path makes no decisions that the stages do not make. Its output is byte for byte the same as that of
 * the stages (tests/prog/test_fast_path.c). It declines all other packets, and neither changes nor counts them;
 * the stages then process them. Implement a new feature in the stages. If the feature affects packets of the
 * fast path, add a condition here that declines them. */
#pragma once

#include "balance.h"
#include "classify.h"
#include "fast_tunnel.h"
#include "finish.h"
#include "forward.h"
#include "guard.h"
#include "key.h"
#include "nat_flow.h"
#include "nat_out.h"
#include "parse.h"
#include "return_path.h"

#define FAST_PATH_DECLINED (-1) /* the stages must process the packet */
#define FAST_PATH_JUDGED (-2)   /* the same, but without the stage `guard`: the fast path has taken the tokens */

/* Tests set this variable, so that the stages process all packets. */
const volatile bool no_fast_path;

#define PLAIN_PAYLOAD (ETHERNET_SIZE + sizeof(struct iphdr) + sizeof(struct udphdr))

/* The ports of TCP are at the same offsets; the program does not read other fields of TCP. */
static __always_inline const struct udphdr *plain_udp(const struct iphdr *ip)
{
	return (const void *)(ip + 1);
}

/* Returns whether the transport header is complete and the length of the packet is consistent with it. packet.h tests
 * the same conditions. */
static __always_inline bool fast_transport_fits(const struct iphdr *ip, __u32 length)
{
	__u32 udp_length = host16(plain_udp(ip)->len);

	if (ip->protocol == IPPROTO_TCP)
		return length >= sizeof(*ip) + sizeof(struct tcphdr);
	return ip->protocol == IPPROTO_UDP && udp_length >= sizeof(struct udphdr) && sizeof(*ip) + udp_length <= length;
}

/* The IP header, if the whole packet is readable and plain: no VLAN tag, no IP option, no fragment, consistent
 * lengths. Otherwise NULL. */
static __always_inline const struct iphdr *fast_parse(const struct xdp_md *ctx)
{
	const void *start = frame_start(ctx), *end = frame_end(ctx);
	const struct ethhdr *eth = start;
	const struct iphdr *ip = (const void *)(eth + 1);
	__u32 length;

	if (start + PLAIN_PAYLOAD > end)
		return NULL;
	if (eth->h_proto != net16(ETH_P_IP) || *(const __u8 *)ip != 0x45)
		return NULL;
	length = host16(ip->tot_len);
	if (ip->frag_off & net16(0x3fff) || !fast_transport_fits(ip, length))
		return NULL;
	return ETHERNET_SIZE + length <= end - start ? ip : NULL;
}

/* Returns whether the fast path supports all features that the service uses. */
static __always_inline bool fast_covers(const struct xdp_md *ctx, const struct iphdr *ip, const struct service *service)
{
	const __u8 *payload = (const void *)(plain_udp(ip) + 1);

	if (service->affinity > AFFINITY_FLOW || service->flags & (SERVICE_METHODS | SERVICE_ROUTE | SERVICE_TAG))
		return false;
	if (ip->protocol == IPPROTO_TCP)
		return service->affinity != AFFINITY_CALL_ID;
	if (!service->hint_group)
		return true;
	/* Declines a response, even after an empty line, because its Via could name a backend. */
	return (void *)(payload + 4) <= frame_end(ctx) && payload[3] != '/' && payload[0] > ' ';
}

/* The values that are needed until the end. This struct uses the same part of the stack as the struct flow of
 * the stages. Global functions receive a pointer to it, so the compiler keeps it in memory and needs no
 * additional stack to spill registers. */
struct fast {
	struct sip_key key;
	__u32 backend; /* id */
	__u32 verdict;
	__u16 pool;     /* id */
	__u16 balanced; /* pool.balanced */
	union {
		struct guarded guarded; /* of a service with a guard */
		struct {
			struct nat_flow_hop hop; /* of a packet from a backend */
			struct returned returned;
		};
	};
};

/* The slots of the service's pool; NULL while some of them are migrating. */
static __always_inline const __u16 *fast_slots(const struct service *service, struct fast *fast)
{
	__u32 id = service->pool[METHOD_NONE], table;
	const struct pool *pool = bpf_map_lookup_elem(&pools, &id);

	if (!pool || pool->migrating)
		return NULL;
	table = pool->table;
	fast->pool = id;
	fast->balanced = pool->balanced;
	return bpf_map_lookup_elem(&tables, &table);
}

/* The key of a packet without a Call-ID. */
static __always_inline __u64 fast_source(const struct iphdr *ip, const struct service *service, bool with_port)
{
	struct address source = address_from_ipv4(ip->saddr);
	__be16 port = with_port ? plain_udp(ip)->source : 0;

	return hash_source_ipv4(service->hash_ipv4, &source, port, service->hash_key);
}

/* Reads the headers of a packet without a Call-ID a second time, because keeping them in registers would slow down
 * packets with a Call-ID. */
static __always_inline enum verdict fast_call_id(
	struct xdp_md *ctx, const struct iphdr *ip, const struct service *service, struct sip_key *key)
{
	__u32 end = ETHERNET_SIZE + sizeof(*ip) + host16(plain_udp(ip)->len);
	enum sip_wanted wanted;
	enum sip_result result;

	if (key->value_end) /* the guard has found it */
		return VERDICT_call_id;
	key->hash_key[0] = service->hash_key[0];
	key->hash_key[1] = service->hash_key[1];
	wanted = service->flags & SERVICE_MESSAGES && !key->counter ? SIP_WANT_BOTH : SIP_WANT_CALL_ID;
	result = text_find(ctx, PLAIN_PAYLOAD, end, key, wanted);
	if (result == SIP_AGAIN)
		result = text_call_id(ctx, PLAIN_PAYLOAD, end, key);
	if (result == SIP_FOUND)
		return VERDICT_call_id;
	key->value_end = 0;
	ip = frame_start(ctx) + ETHERNET_SIZE;
	if ((void *)plain_udp(ip) + sizeof(struct udphdr) <= frame_end(ctx)) /* for the verifier */
		key->hash = fast_source(ip, service, true);
	return key_call_id_verdict(result);
}

static __always_inline enum verdict fast_key(
	struct xdp_md *ctx, const struct iphdr *ip, const struct service *service, struct sip_key *key)
{
	if (service->affinity == AFFINITY_CALL_ID)
		return fast_call_id(ctx, ip, service, key);
	key->hash = fast_source(ip, service, service->affinity == AFFINITY_FLOW);
	return service->affinity == AFFINITY_FLOW ? VERDICT_flow : VERDICT_source;
}

/* Sets key->counter. Returns false if only the stages can decide it. */
static __always_inline bool fast_message(struct xdp_md *ctx, struct sip_key *key)
{
	const struct iphdr *ip = frame_start(ctx) + ETHERNET_SIZE;

	if ((void *)plain_udp(ip) + sizeof(struct udphdr) > frame_end(ctx)) /* for the verifier */
		return false;
	text_counter(ctx, PLAIN_PAYLOAD, ETHERNET_SIZE + sizeof(*ip) + host16(plain_udp(ip)->len), key);
	return key->counter != COUNTER_UNDECIDED;
}

/* Replaces an end of the packet. Returns the change of the transport checksum. */
static __always_inline __u64 fast_replace(struct iphdr *ip, const struct address *to, __be16 port, enum nat_end end)
{
	struct udphdr *udp = (void *)(ip + 1);
	__be16 *was = end == NAT_SOURCE ? &udp->source : &udp->dest;
	__u64 changes = nat_ipv4(ip, end, to);

	if (port) {
		changes = checksum_change16(changes, *was, port);
		*was = port;
	}
	return changes;
}

/* As nat_rewrite(). On failure it returns false and the frame is unchanged. */
static __always_inline bool fast_rewrite(
	struct xdp_md *ctx, struct iphdr *ip, const struct address *to, __be16 port, enum nat_end end)
{
	struct udphdr *udp = (void *)(ip + 1);
	struct tcphdr *tcp = (void *)(ip + 1);

	if (ip->protocol == IPPROTO_UDP) {
		if ((void *)(udp + 1) > frame_end(ctx))
			return false;
		udp->check = checksum_apply_udp(udp->check, fast_replace(ip, to, port, end));
		return true;
	}
	if ((void *)(tcp + 1) > frame_end(ctx))
		return false;
	tcp->check = checksum_apply(tcp->check, fast_replace(ip, to, port, end));
	return true;
}

static __always_inline bool fast_nat_in(struct xdp_md *ctx, const struct address *to, __u32 port)
{
	struct iphdr *ip = frame_start(ctx) + ETHERNET_SIZE;

	if ((void *)(plain_udp(ip) + 1) > frame_end(ctx))
		return false;
	return fast_rewrite(ctx, ip, to, port, NAT_DESTINATION);
}

/* Returns whether the frame is addressed to this machine. First compares the address in the backend's entry: the entry
 * is already in the CPU cache, and the interface in the entry is usually the receiving interface. */
static __always_inline bool fast_is_local(struct xdp_md *ctx, const struct backend *backend)
{
	const struct ethhdr *eth = frame_start(ctx);

	if ((void *)(eth + 1) > frame_end(ctx))
		return false;
	return parse_is_destination(eth, &backend->interface_mac) || parse_local_mtu(ctx);
}

/* Rewrites the frame. On failure it returns false and the frame is unchanged. */
static __always_inline bool fast_send(struct xdp_md *ctx, const struct backend *backend, const struct fast *fast)
{
	const struct iphdr *ip = frame_start(ctx) + ETHERNET_SIZE;

	if (backend->ifindex != ctx->ingress_ifindex || (void *)(ip + 1) > frame_end(ctx))
		return false;
	if (host16(ip->tot_len) + outer_size(backend) > backend->mtu)
		return false;
	if (backend->forward == FORWARD_DSR)
		return fast_ethernet(ctx, backend, ETH_P_IP);
	if (backend->forward == FORWARD_NAT)
		return fast_nat_in(ctx, &backend->address, backend->port) && fast_ethernet(ctx, backend, ETH_P_IP);
	if (ip->ttl <= 1 || !is_tunnel(backend->forward))
		return false;
	if (!backend->source_bits && is_ipv4_tunnel(backend))
		return backend->forward == FORWARD_IPIP ? fast_ipip(ctx, backend)
							: fast_gue(ctx, backend, fast->key.hash >> 32);
	return fast_other_tunnel(ctx, fast->backend, fast->key.hash >> 32);
}

/* Returns whether the call of the packet is counted, or may be placed. */
__noinline int fast_needs_call(struct xdp_md *ctx, const struct fast *fast)
{
	if (!fast || fast->verdict != VERDICT_call_id)
		return false;
	return call_is_sampled(fast->key.hash) || balance_concerns(ctx, fast->key.hash, fast->pool, PLAIN_PAYLOAD);
}

/* Returns XDP_TX or FAST_PATH_DECLINED. */
static __always_inline int fast_forward(struct xdp_md *ctx, const struct service *service, struct fast *fast)
{
	const struct iphdr *ip = frame_start(ctx) + ETHERNET_SIZE;
	const struct backend *backend;
	const __u16 *slots;
	__u32 length;

	if ((void *)plain_udp(ip) + sizeof(struct udphdr) > frame_end(ctx) || !fast_covers(ctx, ip, service))
		return FAST_PATH_DECLINED;
	slots = fast_slots(service, fast);
	if (!slots)
		return FAST_PATH_DECLINED;
	fast->verdict = fast_key(ctx, ip, service, &fast->key);
	if ((fast->balanced || call_is_sampled(fast->key.hash)) && fast_needs_call(ctx, fast))
		return FAST_PATH_DECLINED;
	fast->backend = slots[fast->key.hash & slot_mask];
	if (service->flags & SERVICE_MESSAGES && !fast->key.counter && !fast_message(ctx, &fast->key))
		return FAST_PATH_DECLINED;
	backend = backend_reachable(fast->backend);
	if (!backend || !fast_is_local(ctx, backend) || !fast_send(ctx, backend, fast))
		return FAST_PATH_DECLINED;
	length = frame_end(ctx) - frame_start(ctx) - outer_size(backend);
	finish_count_verdict(fast->verdict);
	finish_count_service(service->id, length, fast->key.counter);
	finish_count_backend(fast->backend, length, fast->key.counter);
	return XDP_TX;
}

/* Searches a request for its To, and also for its Call-ID, unless the packet will probably be dropped. */
static __always_inline void fast_request(struct xdp_md *ctx, const struct guarded *g, const struct service *service,
	const struct guard_place *place, struct sip_key *key)
{
	bool is_over = guard_read(place->source->refused) && guard_was_over(place->source, guard_clock());

	key->hash_key[0] = service->hash_key[0];
	key->hash_key[1] = service->hash_key[1];
	key->counter = COUNTER_UNDECIDED;
	key->wanted = is_over || service->affinity != AFFINITY_CALL_ID ? SIP_WANT_TO : SIP_WANT_BOTH;
	if (text_search(ctx, PLAIN_PAYLOAD, g->end, key) == SIP_UNHASHED) {
		key->from = key->value_end - sizeof("Call-ID"); /* the newline before it */
		key->value_end = 0;
	}
}

/* Sets g->bucket. Returns false if only the stages can decide it. */
static __always_inline bool fast_bucket(struct xdp_md *ctx, const struct iphdr *ip, struct guarded *g,
	const struct service *service, const struct guard_place *place, struct sip_key *key)
{
	if (ip->protocol == IPPROTO_TCP) {
		g->bucket = guard_bucket_of_segment(ctx, ETHERNET_SIZE + sizeof(*ip));
		return true;
	}
	g->line = PLAIN_PAYLOAD;
	if (guard_is_response(ctx, PLAIN_PAYLOAD, g->end)) {
		g->bucket = GUARD_BUCKET_DIALOG;
		return true;
	}
	fast_request(ctx, g, service, place, key);
	if (key->counter == COUNTER_UNDECIDED || guard_may_be_refused(g, key->counter))
		return false;
	g->bucket = guard_bucket_of_counter(key->counter);
	return !guard_is_initial(g->bucket) || !(g->flags & GUARD_STAGES);
}

/* The stage `guard` for the fast path. Returns VERDICT_CONTINUE, the verdict of a packet that must be dropped, or
 * FAST_PATH_DECLINED if only the stages can decide. In this case no token has been taken. */
__noinline int fast_guard(struct xdp_md *ctx, struct guarded *g, const struct service *service, struct sip_key *key)
{
	const struct iphdr *ip = frame_start(ctx) + ETHERNET_SIZE;
	struct guard_place place;
	enum guard_tokens tokens;

	if (!g || !key || !service || (void *)(plain_udp(ip) + 1) > frame_end(ctx) || !parse_interface(ctx))
		return FAST_PATH_DECLINED;
	/* With 32-bit stores, the processor would wait for them before the 64-bit load of the hash function. */
	g->source_words[0] = 0;
	g->source_words[1] = address_ipv4_word(ip->saddr);
	g->bytes = frame_end(ctx) - frame_start(ctx);
	g->end = ETHERNET_SIZE + sizeof(*ip) + host16(plain_udp(ip)->len);
	if (!guard_find_place(g, &place))
		return FAST_PATH_DECLINED;
	if (g->action == GUARD_DENY && g->enforced)
		return guard_apply(g, g->rule, true);
	if (g->action == GUARD_DENY || (guard_needs_bucket(g) && !fast_bucket(ctx, ip, g, service, &place, key)))
		return FAST_PATH_DECLINED;
	if (g->action == GUARD_TRUST) {
		guard_count_exempt(g, GUARD_EXEMPT_TRUSTED);
		return VERDICT_CONTINUE;
	}
	if (!(g->flags & GUARD_READS))
		return VERDICT_CONTINUE;
	tokens = guard_admit(g, &place);
	if (tokens != GUARD_TOKENS_TAKEN && g->may_refuse && g->bucket == GUARD_BUCKET_INVITE)
		return FAST_PATH_DECLINED;
	return guard_judge(ctx, g, tokens);
}

/* The guard of a service. Returns 0 if the packet may pass, XDP_DROP or FAST_PATH_DECLINED. */
static __always_inline int fast_guarded(struct xdp_md *ctx, const struct service *service, struct fast *fast)
{
	int verdict;

	fast->guarded = (struct guarded){.guard = service->guard};
	verdict = fast_guard(ctx, &fast->guarded, service, &fast->key);
	if (!(service->flags & SERVICE_MESSAGES))
		fast->key.counter = 0;
	if (verdict == VERDICT_CONTINUE)
		return 0;
	if (verdict < 0)
		return FAST_PATH_DECLINED;
	finish_count_verdict(verdict);
	finish_count_service(service->id, frame_end(ctx) - frame_start(ctx), 0);
	return XDP_DROP;
}

/* Asks the kernel for the next hop of a packet whose source becomes the VIP. Returns whether the fast path can send it
 * there. */
static __always_inline bool fast_find_hop(
	struct xdp_md *ctx, const struct iphdr *ip, const struct nat_vip *vip, struct nat_flow_hop *hop)
{
	struct bpf_fib_lookup found = {
		.family = AF_INET,
		.l4_protocol = ip->protocol,
		.sport = vip->port ? vip->port : plain_udp(ip)->source,
		.dport = plain_udp(ip)->dest,
		.tot_len = host16(ip->tot_len),
		.ifindex = ctx->ingress_ifindex,
		.tos = ip->tos,
		.ipv4_src = vip->vip.word[3],
		.ipv4_dst = ip->daddr,
	};

	if (bpf_fib_lookup(ctx, &found, sizeof(found), 0) != BPF_FIB_LKUP_RET_SUCCESS || !nat_can_send(ctx, &found) ||
		found.ifindex > NAT_FLOW_IFINDEX_MAX)
		return false;
	hop->vip = vip->vip.word[3];
	hop->port = vip->port;
	hop->mtu = found.mtu_result;
	hop->ifindex = found.ifindex;
	hop->flags = vip->flags;
	hop->backend = vip->backend;
	hop->service = vip->service;
	__builtin_memcpy(&hop->next_hop, found.dmac, sizeof(hop->next_hop));
	__builtin_memcpy(&hop->interface_mac, found.smac, sizeof(hop->interface_mac));
	return true;
}

/* Finds everything that the flow table stores about a packet. Returns false if the packet is not from a backend, or if
 * only the stages can process it. */
__noinline int fast_find_flow(struct xdp_md *ctx, struct nat_flow_hop *hop)
{
	const struct iphdr *ip = frame_start(ctx) + ETHERNET_SIZE;
	struct nat_source key = {};
	const struct nat_vip *vip;
	struct address to;

	if (!hop || (void *)(plain_udp(ip) + 1) > frame_end(ctx))
		return false;
	key.address = address_from_ipv4(ip->saddr);
	key.port = plain_udp(ip)->source;
	key.protocol = ip->protocol;
	vip = bpf_map_lookup_elem(&nat_sources, &key);
	if (!vip)
		return false;
	to = address_from_ipv4(ip->daddr);
	return !vip_find(&to) && parse_local_mtu(ctx) && fast_find_hop(ctx, ip, vip, hop);
}

/* Finds everything that is necessary to send a packet from a port in nat_sources: in the flow table, or else by
 * look-ups. Returns false if only the stages can process the packet. */
__noinline int fast_nat_find(struct xdp_md *ctx, struct nat_flow_hop *hop)
{
	const struct ethhdr *eth = frame_start(ctx);
	const struct iphdr *ip = (const void *)(eth + 1);
	struct nat_flow_key key;
	struct nat_flow *flow;
	__u64 stamp;

	if (!hop || !(nat_flags() & NAT_ACTIVE) || (void *)(plain_udp(ip) + 1) > frame_end(ctx) || ip->ttl <= 1)
		return false;
	stamp = nat_flow_stamp();
	nat_flow_key(ctx, eth, ip, &key);
	flow = nat_flow_find(&key);
	if (!flow)
		return false; /* only for the verifier */
	if (nat_flow_read(flow, &key, stamp, hop))
		return true;
	if (!fast_find_flow(ctx, hop))
		return false;
	nat_flow_write(flow, &key, stamp, hop);
	return true;
}

/* The stage `nat_out`. Returns XDP_TX, XDP_REDIRECT or FAST_PATH_DECLINED. */
__noinline int fast_nat_out(struct xdp_md *ctx, const struct nat_flow_hop *hop)
{
	struct ethhdr *eth = frame_start(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct address vip;

	if (!hop || (void *)(plain_udp(ip) + 1) > frame_end(ctx))
		return FAST_PATH_DECLINED;
	vip = address_from_ipv4(hop->vip);
	if (host16(ip->tot_len) > hop->mtu || !fast_rewrite(ctx, ip, &vip, hop->port, NAT_SOURCE))
		return FAST_PATH_DECLINED;
	ipv4_decrement_ttl(ip);
	__builtin_memcpy(eth->h_dest, &hop->next_hop, sizeof(eth->h_dest));
	__builtin_memcpy(eth->h_source, &hop->interface_mac, sizeof(eth->h_source));
	finish_count_verdict(VERDICT_nat_out);
	return hop->ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(hop->ifindex, 0);
}

/* Reads the message of a packet from a backend. Returns false if only the stages can determine its counter. */
static __always_inline bool fast_returned(struct xdp_md *ctx, const struct iphdr *ip, struct fast *fast)
{
	if (!(fast->hop.flags & NAT_MESSAGES) || ip->protocol != IPPROTO_UDP)
		return true;
	return return_read(ctx, PLAIN_PAYLOAD, ETHERNET_SIZE + sizeof(*ip) + host16(plain_udp(ip)->len), &fast->key);
}

/* The stages for packets from backends. Returns XDP_TX, XDP_REDIRECT or FAST_PATH_DECLINED. */
static __always_inline int fast_return(struct xdp_md *ctx, const struct iphdr *ip, struct fast *fast)
{
	int action;

	if (!fast_nat_find(ctx, &fast->hop) || !fast_returned(ctx, ip, fast))
		return FAST_PATH_DECLINED;
	action = fast_nat_out(ctx, &fast->hop);
	if (action < 0 || !(fast->hop.flags & NAT_COUNTS))
		return action;
	fast->returned = (struct returned){
		.call = fast->key.hash,
		.line = PLAIN_PAYLOAD,
		.length = frame_end(ctx) - frame_start(ctx),
		.backend = fast->hop.backend,
		.service = fast->hop.service,
		.message = fast->key.counter,
		.flags = fast->hop.flags,
	};
	return_record(ctx, &fast->returned);
	return action;
}

/* Returns XDP_TX, XDP_REDIRECT, XDP_DROP, FAST_PATH_DECLINED or FAST_PATH_JUDGED. */
static __always_inline int fast_path(struct xdp_md *ctx)
{
	const struct iphdr *ip = fast_parse(ctx);
	const struct service *service;
	struct fast fast;
	int action;

	fast.key = (struct sip_key){};
	if (!ip || no_fast_path)
		return FAST_PATH_DECLINED;
	service = classify_find_ipv4(ip->daddr, ip->protocol, plain_udp(ip)->dest);
	if (!service) {
		action = fast_return(ctx, ip, &fast);
		return action > 0 ? action : FAST_PATH_DECLINED;
	}
	if (service->guard) {
		action = fast_guarded(ctx, service, &fast);
		if (action)
			return action;
	}
	action = fast_forward(ctx, service, &fast);
	return action < 0 && service->guard ? FAST_PATH_JUDGED : action;
}
