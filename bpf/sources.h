/* SPDX-License-Identifier: GPL-2.0 */
/* Counts packets by source and by Call-ID (heavy.h), for observers with OBSERVER_SOURCES or OBSERVER_SUSPECTS.
 * Only the program `observer` includes this file. Owns the maps heavy_*. */
#pragma once

#include "flow.h"
#include "heavy.h"
#include "maps.h"
#include "text.h"

/* --- the counts of one packet */

/* Returns false for packets to the balancer's machine itself, replies to probes, and packets without a readable
 * source: these are not counted. */
static __always_inline bool sources_counts(const struct flow *flow)
{
	const __be32 *word = flow->packet.source.word;

	switch (flow->verdict) {
	case VERDICT_not_service:
	case VERDICT_other_host:
	case VERDICT_not_ip:
	case VERDICT_probe_reply:
	case VERDICT_lost_probe_reply:
		return false;
	}
	return word[0] | word[1] | word[2] | word[3];
}

#define SOURCES_NORMAL 0
#define SOURCES_ANOMALY 1
#define SOURCES_VERDICT(name, action, normal, text) | (__u64)SOURCES_##normal << VERDICT_##name

/* Bit N is set if verdict N is an anomaly. */
static const __u64 sources_anomalies = 0 BALANCER_VERDICTS(SOURCES_VERDICT);

/* Is this the counter of a response with a code from 400 to 699? */
static __always_inline bool sources_is_failure(__u32 message)
{
	const __u32 codes = SERVICE_COUNTER_register_100 - SERVICE_COUNTER_invite_100;
	__u32 code = message - SERVICE_COUNTER_invite_100;

	if (message < SERVICE_COUNTER_invite_100 || message >= SERVICE_COUNTER_not_sip)
		return false;
	code %= codes;
	return code >= COUNTER_CODE_OFFSET(401) && code < COUNTER_CODE_OFFSET(invalid);
}

static __always_inline bool sources_is_syn(const struct xdp_md *ctx, const struct flow *flow)
{
	const struct tcphdr *tcp = frame_at(ctx, flow->packet.transport);

	if (flow->packet.protocol != IPPROTO_TCP || (void *)(tcp + 1) > frame_end(ctx))
		return false;
	return flow->packet.kind == PACKET_WHOLE && tcp->syn && !tcp->ack;
}

static __always_inline void sources_describe(
	const struct xdp_md *ctx, const struct flow *flow, bool suspect, struct heavy_entry *entry)
{
	__u32 message = flow->message;

	entry->bytes = flow->length;
	entry->packets = 1;
	entry->initial = (message >= SERVICE_COUNTER_initial_invite && message < SERVICE_COUNTER_unknown_invite) ||
			 sources_is_syn(ctx, flow);
	entry->failed = (sources_anomalies >> (flow->verdict & 63) & 1) || sources_is_failure(message);
	entry->not_sip = flow->verdict == VERDICT_not_sip || message == SERVICE_COUNTER_not_sip;
	entry->suspects = suspect;
}

/* --- counting */

static __always_inline const struct heavy_interval *sources_interval(void)
{
	return bpf_map_lookup_elem(&heavy_interval, &(__u32){0});
}

static __always_inline void sources_add(void *map, __u32 interval, __u64 key, const struct heavy_entry *entry)
{
	__u32 at = heavy_index(key, interval);
	struct heavy_bucket *bucket = bpf_map_lookup_elem(map, &at);

	if (!bucket)
		return;
	bpf_spin_lock(&bucket->lock);
	heavy_count(bucket, interval, key, entry);
	bpf_spin_unlock(&bucket->lock);
}

__noinline int sources_count_source(struct xdp_md *ctx, const struct flow *flow, __u32 suspect)
{
	const struct heavy_interval *interval = sources_interval();
	struct heavy_entry entry = {};
	struct hash hash;

	if (!flow || !interval)
		return 0;
	sources_describe(ctx, flow, suspect, &entry);
	entry.source = flow->packet.source;
	if (!address_is_mapped_ipv4(&entry.source))
		entry.source.word[2] = entry.source.word[3] = 0;
	hash = hash_start(interval->hash_key);
	hash_address(&hash, &entry.source);
	sources_add(&heavy_sources, interval->number, hash_finish(hash, interval->hash_key), &entry);
	return 0;
}

/* Copies the first bytes of the Call-ID. Returns 0 or -1. */
static __always_inline int sources_copy_call_id(
	struct xdp_md *ctx, const struct sip_key *key, struct heavy_entry *entry)
{
	__u64 size = key->value_end - key->value;

	entry->length = size;
	if (size > HEAVY_TEXT_SIZE)
		size = HEAVY_TEXT_SIZE;
	asm volatile("" : "+r"(size)); /* without this, the verifier does not apply the comparison to the argument */
	if ((__s64)size < 1 || size > HEAVY_TEXT_SIZE)
		return -1;
	return bpf_xdp_load_bytes(ctx, key->value, entry->call_id, size) ? -1 : 0;
}

/* `key`: the result of text_call_id(). */
__noinline int sources_count_call_id(
	struct xdp_md *ctx, const struct flow *flow, const struct sip_key *key, __u32 suspect)
{
	const struct heavy_interval *interval = sources_interval();
	struct heavy_entry entry = {};

	if (!flow || !key || !interval)
		return 0;
	sources_describe(ctx, flow, suspect, &entry);
	if (!sources_copy_call_id(ctx, key, &entry))
		sources_add(&heavy_call_ids, interval->number, key->hash, &entry);
	return 0;
}

static __always_inline bool sources_has_message(const struct flow *flow)
{
	return flow->packet.payload && flow->packet.protocol == IPPROTO_UDP && flow->has_service && !flow->has_owner &&
	       flow->packet.kind != PACKET_ICMP_ERROR;
}

/* Counts the Call-ID. If the service has `message_counters: false`, this function also finds the message counter. It
 * recognizes only the forms of headers that nearly all senders use, because the stack has no space for count(), which
 * also parses the other forms. */
__noinline int sources_read_message(struct xdp_md *ctx, struct flow *flow, __u32 suspect)
{
	const struct heavy_interval *interval = sources_interval();
	struct sip_key key = {};
	int result;

	if (!flow || !interval)
		return 0;
	key.hash_key[0] = interval->hash_key[0];
	key.hash_key[1] = interval->hash_key[1];
	result = text_call_id(ctx, flow->packet.payload, flow->packet.end, &key);
	if (!flow->message) {
		text_counter(ctx, flow->packet.payload, flow->packet.end, &key);
		flow->message = key.counter;
	}
	return result == SIP_FOUND ? sources_count_call_id(ctx, flow, &key, suspect) : 0;
}

/* Counts the packet. The offsets in flow->packet must be offsets in the current frame. */
static __always_inline void sources_count(struct xdp_md *ctx, struct flow *flow, bool suspect)
{
	if (!sources_counts(flow))
		return;
	if (sources_has_message(flow))
		sources_read_message(ctx, flow, suspect);
	sources_count_source(ctx, flow, suspect);
}
