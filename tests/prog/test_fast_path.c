// SPDX-License-Identifier: GPL-2.0
/* The fast path has the same result as the stages. Each frame runs through the program and through a copy
 * without the fast path. The XDP action, the resulting frame and the counters must be equal. */

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "balancer.h"
#include "require.h"
#include "rng.h"
#include "shared.h"
#include "sip_message.h"

#define SETUPS (sizeof(setups) / sizeof(*setups))
#define FRAMES 180000 /* of all setups */

static const struct guard_setup guards[] = {
	{.hash_key = 1,
		.burst = {3, 3, 2, 2, 1, 2, 1, 1, 1, 1, 2, 1},
		.flags = GUARD_FLAG_SCANNERS | GUARD_FLAG_EMERGENCY | GUARD_FLAG_PRIORITY,
		.prefixes = {"198.51.64.0/18"},
		.action = GUARD_TRUST,
		.blocked = "198.51.128.0/18"},
	{.hash_key = 2,
		.burst = {3, 3, 2, 2, 1, 2, 1, 1, 1, 1, 2, 1},
		.flags = GUARD_FLAG_BROKEN,
		.observe = true,
		.prefixes = {"198.51.64.0/18"},
		.action = GUARD_DENY},
	{.hash_key = 3,
		.prefixes = {"198.51.64.0/18"},
		.action = GUARD_DENY,
		.observe_list = true,
		.blocked = "198.51.128.0/18"},
};

/* The configurations that decide whether and how the fast path forwards a frame. */
static const struct balancer_setup setups[] = {
	{.backends = 64},
	{.backends = 64, .forward = FORWARD_IPIP},
	{.backends = 64, .forward = FORWARD_IPIP, .ipv6_backends = true},
	{.backends = 64, .forward = FORWARD_GUE},
	{.backends = 64, .forward = FORWARD_IPIP, .source_bits = 16},
	{.backends = 64, .forward = FORWARD_GUE, .ipv6_backends = true},
	{.backends = 64, .ifindex = TEST_IFINDEX + 1},
	{.backends = 64, .forward = FORWARD_IPIP, .mtu = 600},
	{.backends = 64, .mtu = 600},
	{.backends = 64, .no_ranges = true, .dead = true},
	{.backends = 64, .unreachable = true},
	{.backends = 64, .nobody = true},
	{.backends = 64, .shares_interface_mac = true},
	{.backends = 64, .forward = FORWARD_NAT},
	{.backends = 64, .forward = FORWARD_NAT, .port = 15060, .guard = &guards[2]},
	{.backends = 64, .guard = &guards[0]},
	{.backends = 64, .guard = &guards[1], .forward = FORWARD_IPIP, .mtu = 600},
	{.backends = 64, .guard = &guards[2]},
	{.backends = 64, .balance = BALANCE_BY_TURN, .guard = &guards[1]},
	{.backends = 64, .balance = BALANCE_MAY_SPILL},
};

/* One of two programs. */
struct side {
	struct balancer_bpf *skel;
	struct ring_buffer *rings; /* read at once, as the daemon does; if not, the verdict depends on time */
	uint64_t verdicts[VERDICT_COUNT];
	struct balancer_counts counts; /* all counters, read every 500 frames */
	struct guard_counters guard[GUARD_RULES];
	struct guard_exempt exempt;
	struct frame frame;
	int action;
};

static int drop_punt(void *context, void *punt, size_t size)
{
	(void)context, (void)punt, (void)size;
	return 0;
}

/* More TCP services, counted as SERVICE_TCP: one with source affinity, and one with Call-ID affinity, which the
 * fast path must not handle. No configuration file can select the latter. */
static void add_tcp_services(struct balancer_bpf *skel)
{
	static const struct {
		uint16_t port;
		struct service service;
	} rows[] = {
		{5071, {.id = SERVICE_TCP, .affinity = AFFINITY_SOURCE, .hint_group = 1}},
		{5072, {.id = SERVICE_TCP, .affinity = AFFINITY_CALL_ID}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct service_key_ipv4 key = {
			.vip = inet_addr("192.0.2.10"), .port = htons(rows[i].port), .protocol = IPPROTO_TCP};

		run_must(
			bpf_map_update_elem(bpf_map__fd(skel->maps.services_ipv4), &key, &rows[i].service, BPF_NOEXIST),
			"services_ipv4");
	}
}

static struct side load(const struct balancer_setup *setup)
{
	struct side side = {.skel = balancer_load(setup)};

	add_tcp_services(side.skel);
	side.rings = ring_buffer__new(bpf_map__fd(side.skel->maps.punt_fragments), drop_punt, NULL, NULL);
	run_must(!side.rings ||
			 ring_buffer__add(side.rings, bpf_map__fd(side.skel->maps.punt_oversize), drop_punt, NULL) ||
			 ring_buffer__add(side.rings, bpf_map__fd(side.skel->maps.punt_probes), drop_punt, NULL),
		"ring buffers");
	return side;
}

static void unload(struct side *side)
{
	ring_buffer__free(side->rings);
	balancer_unload(side->skel);
}

static const char *pick(struct rng *rng, const char *usual, const char *other)
{
	return rng_percent(rng, 90) ? usual : other;
}

/* A TCP segment to a TCP service or to a different port; one in ten carries fewer than 24 bytes. */
static void make_tcp(struct rng *rng, struct frame_spec *spec)
{
	static const uint16_t ports[] = {5061, 5061, 5061, 5071, 5071, 5072, 5060};

	spec->protocol = IPPROTO_TCP;
	spec->destination_port = ports[rng_below(rng, sizeof(ports) / sizeof(*ports))];
	if (rng_percent(rng, 10))
		spec->payload_length = rng_below(rng, spec->payload_length < 24 ? spec->payload_length + 1 : 24);
}

/* Removes the checksum of a UDP datagram in plain IPv4, or makes the datagram shorter than the IP packet. Changes other
 * bytes of other frames. */
static void spoil_datagram(struct rng *rng, struct frame *frame)
{
	uint8_t *udp = frame->data + 14 + 20;

	if (rng_percent(rng, 50))
		udp[6] = udp[7] = 0;
	else if (udp[5] > 8)
		udp[5] -= rng_below(rng, 8);
}

/* Frames that the fast path handles, and frames that differ from them in one property. `sources`: from many sources. */
static void write_frame(struct rng *rng, bool sources, struct frame *frame)
{
	static const uint16_t ports[] = {5060, 5060, 5060, 5060, 5062, 5061, 5063, 5064, 5070, 10003, 80};
	struct sip_message message;
	char call_id[SIP_CALL_ID_SIZE], source[16] = "198.51.100.7";
	struct frame_spec spec = {
		.source = source,
		.destination = pick(rng, "192.0.2.10", rng_percent(rng, 50) ? "192.0.2.20" : "203.0.113.1"),
		.source_port = rng_bits(rng),
		.destination_port = ports[rng_below(rng, sizeof(ports) / sizeof(*ports))],
		.ttl = rng_percent(rng, 10) ? 1 + rng_below(rng, 2) : 64,
		.tos = rng_percent(rng, 20) ? rng_bits(rng) : 0,
		.id = rng_bits(rng),
		.dont_fragment = rng_percent(rng, 50),
		.more_fragments = rng_percent(rng, 2),
		.fragment_offset = rng_percent(rng, 2) ? 8 : 0,
		.option_words = rng_percent(rng, 5) ? rng_below(rng, 11) : 0,
	};

	if (sources)
		snprintf(source, sizeof(source), "198.51.%u.%u", rng_below(rng, 256), rng_below(rng, 16));
	sip_message_call_id(rng, call_id);
	sip_message_write(rng, rng_percent(rng, 95) ? call_id : NULL, &message);
	if (rng_percent(rng, 30))
		sip_message_spoil(rng, &message);
	if (rng_percent(rng, 5))
		spec.source = spec.destination = "2001:db8::10";
	spec.vlan[0] = rng_percent(rng, 5) ? 100 : 0;
	spec.payload = message.length ? message.text : "";
	spec.payload_length = rng_percent(rng, 5) ? rng_below(rng, message.length + 1) : message.length;
	if (rng_percent(rng, 25))
		make_tcp(rng, &spec);
	frame_build(frame, &spec);
	if (rng_percent(rng, 5))
		spoil_datagram(rng, frame);
	if (rng_percent(rng, 10))
		frame->data[rng_below(rng, 42)] = rng_bits(rng);
	if (rng_percent(rng, 5))
		frame->length += rng_below(rng, 40); /* padding */
	if (rng_percent(rng, 2))
		frame->length = 14 + rng_below(rng, frame->length - 14);
}

static void run(struct side *side, const struct frame *frame, size_t direct)
{
	struct run_options options = {.direct = direct};

	side->frame = *frame;
	side->action = run_frame(shared_program(side->skel->obj), &side->frame, &options);
	ring_buffer__consume(side->rings);
	run_counters(bpf_map__fd(side->skel->maps.verdicts), 0, side->verdicts, VERDICT_COUNT);
}

static bool is_same(const struct side *a, const struct side *b)
{
	return a->action == b->action && a->frame.length == b->frame.length &&
	       memcmp(a->frame.data, b->frame.data, a->frame.length) == 0 &&
	       memcmp(a->verdicts, b->verdicts, sizeof(a->verdicts)) == 0;
}

static void count_guard(struct side *side)
{
	for (int rule = 0; rule < GUARD_RULES; rule++) {
		side->guard[rule] = guard_counted(side->skel, rule);
		side->guard[rule].seen = 0; /* of the last packet, at a different time */
	}
	side->exempt = guard_exempted(side->skel);
}

/* The number of packets to which a rule applies. */
static uint64_t count_applied(const struct side *side)
{
	uint64_t sum = 0;

	for (int rule = 0; rule < GUARD_RULES; rule++)
		sum += side->guard[rule].dropped + side->guard[rule].observed;
	return sum;
}

static bool count_the_same(const struct balancer_setup *setup, struct side *a, struct side *b)
{
	balancer_count(a->skel, setup->backends, &a->counts);
	balancer_count(b->skel, setup->backends, &b->counts);
	count_guard(a);
	count_guard(b);
	return memcmp(&a->counts, &b->counts, sizeof(a->counts)) == 0 &&
	       memcmp(a->guard, b->guard, sizeof(a->guard)) == 0 &&
	       memcmp(&a->exempt, &b->exempt, sizeof(a->exempt)) == 0;
}

static bool can_split(const struct side *side)
{
	struct frame frame;

	frame_build(&frame, &(struct frame_spec){.payload = "0123456789", .destination = "203.0.113.1"});
	return run_frame(shared_program(side->skel->obj), &frame, &(struct run_options){.direct = 20}) >= 0;
}

/* The end of the packet in a frame, if it is plain IPv4. */
static size_t end_of_packet(const struct frame *frame)
{
	return 14 + (frame->data[16] << 8 | frame->data[17]);
}

static void compare(const struct balancer_setup *setup, uint32_t number, uint32_t frames)
{
	static struct side fast, stages;
	struct balancer_setup without = *setup;
	uint64_t seed = rng_seed();
	static struct frame frame;
	bool splits;

	without.no_fast_path = true;
	fast = load(setup);
	stages = load(&without);
	splits = can_split(&fast) && can_split(&stages);
	for (uint32_t n = 0; n < frames; n++) {
		struct rng rng = rng_start(seed, number * frames + n);
		size_t direct = 0;

		write_frame(&rng, setup->guard, &frame);
		if (splits && frame.length > 60 && rng_percent(&rng, 10))
			direct = 14 + rng_below(&rng, frame.length - 14);
		if (direct >= end_of_packet(&frame)) /* the fast path counts only the readable part of padding */
			direct = 0;
		run(&fast, &frame, direct);
		run(&stages, &frame, direct);
		cr_assert(is_same(&fast, &stages),
			"SIPXDP_SEED=%lu, setup %u, frame %u: results differ, XDP actions %d and %d", seed, number, n,
			fast.action, stages.action);
		if (n % 500 == 0 || n == frames - 1)
			cr_assert(count_the_same(setup, &fast, &stages),
				"SIPXDP_SEED=%lu, setup %u, frame %u: traffic counters differ", seed, number, n);
	}
	if (setup->guard)
		cr_expect(count_applied(&fast) >= frames / 20, "setup %u: the guard has applied to %lu of %u frames",
			number, count_applied(&fast), frames);
	unload(&fast);
	unload(&stages);
}

/* struct guard_counters stores the last source of each CPU, so both programs must run on one CPU. */
static void stay_on_this_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	run_must(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

Test(fast_path, has_the_same_result_as_the_stages, .timeout = 170)
{
	uint32_t frames = rng_frames(FRAMES);

	require_run();
	stay_on_this_cpu();
	for (uint32_t i = 0; i < SETUPS; i++)
		compare(&setups[i], i, frames / SETUPS);
}
