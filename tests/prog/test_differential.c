// SPDX-License-Identifier: GPL-2.0
/* Compares the program in the kernel with the same code built for the host: on valid and damaged messages, on
 * frames with damaged headers, and on frames of several buffers. The workarounds that make the code pass the
 * verifier must not change its result. */

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include "suite.h"
#include "rng.h"
#include "shared.h"
#include "sip_message.h"
#include "bpf/packet.h"
#include "bpf/sip.h"

#define FRAMES 1000000

/* One backend per slot: the receiver identifies the slot. */
static const struct balancer_setup setup = {.backends = 4096, .no_users = true};

static void load(void)
{
	suite_load(&setup);
}

TestSuite(differential, .init = load, .fini = suite_unload);

/* The result of one run. */
struct outcome {
	enum verdict verdict;
	uint32_t receiver; /* 0: none */
};

/* The host build of key.h. */
static enum verdict host_hash(const struct frame *frame, size_t direct, const struct packet *packet, uint64_t *hash)
{
	struct sip_text text = sip_text(frame->data, frame->data + direct, packet->end, 0);
	struct sip_key key = {.hash_key = {test_hash_key[0], test_hash_key[1]}};
	enum sip_result result;
	__u32 after = 0, spent;

	result = sip_find(text, packet->payload, &after, &spent);
	if (result == SIP_FOUND)
		result = sip_hash(text, after, &key);
	*hash = result == SIP_FOUND ? key.hash : hash_source(&packet->source, packet->source_port, key.hash_key);
	switch (result) {
	case SIP_FOUND:
		return VERDICT_call_id;
	case SIP_NOT_THERE:
		return VERDICT_no_call_id;
	case SIP_TOO_FAR:
		return VERDICT_call_id_too_far;
	default:
		return VERDICT_not_sip;
	}
}

/* The service of a packet by the table in balancer.h; SERVICE_COUNT: none. */
static enum test_service service_of(const struct packet *packet)
{
	static const uint8_t ipv4[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2};
	static const uint8_t ipv6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	const uint8_t *vip = (const uint8_t *)&packet->destination;
	uint16_t port = ntohs(packet->destination_port);
	bool is_ipv4 = memcmp(vip, ipv4, sizeof(ipv4)) == 0;

	if (!is_ipv4 && memcmp(vip, ipv6, sizeof(ipv6)) != 0)
		return SERVICE_COUNT;
	if (vip[15] == (is_ipv4 ? 20 : 0x20))
		return port == 5070 ? SERVICE_ONE : SERVICE_ANY;
	if (vip[15] != (is_ipv4 ? 10 : 0x10))
		return SERVICE_COUNT;
	return port == 5060 ? SERVICE_SIP : port == 5062 ? SERVICE_NEAR : port == 5063 ? SERVICE_SPLIT : SERVICE_COUNT;
}

/* The pool of a service. SERVICE_SPLIT selects it by method. */
static uint32_t pool_of(
	enum test_service service, const struct frame *frame, size_t direct, const struct packet *packet)
{
	const uint8_t *data = frame->data;
	struct sip_start start = {};

	if (service == SERVICE_SPLIT)
		sip_find_start(sip_text(data, data + direct, packet->end, 0), packet->payload, &start);
	return service == SERVICE_ANY || start.method == METHOD_REGISTER || start.method == METHOD_OTHER;
}

static struct outcome on_host(const struct frame *frame, size_t direct)
{
	struct cursor cursor = {.data = frame->data, .data_end = frame->data + direct, .length = frame->length};
	struct packet packet = {};
	struct outcome outcome = {.verdict = packet_parse(&cursor, &packet)};
	enum test_service service;
	uint64_t hash;

	if (outcome.verdict != VERDICT_CONTINUE || packet.kind == PACKET_LATER_FRAGMENT)
		return outcome;
	outcome.verdict = VERDICT_not_service;
	if (packet.kind >= PACKET_ICMP || packet.protocol != IPPROTO_UDP)
		return outcome;
	service = service_of(&packet);
	if (service == SERVICE_COUNT)
		return outcome;
	outcome.verdict = host_hash(frame, direct, &packet, &hash);
	if (service == SERVICE_NEAR) {
		hash = hash_source(&packet.source, 0, (const __u64[]){test_hash_key[0], test_hash_key[1]});
		outcome.verdict = VERDICT_source;
	}
	outcome.receiver = balancer_owner(&setup, pool_of(service, frame, direct, &packet), hash);
	return outcome;
}

static void count(uint64_t verdicts[VERDICT_COUNT])
{
	run_counters(bpf_map__fd(skel->maps.verdicts), 0, verdicts, VERDICT_COUNT);
}

/* Runs the program; the verdict is the counter that increased since the previous run. */
static struct outcome in_kernel(const struct frame *frame, size_t direct, uint64_t counted[VERDICT_COUNT])
{
	uint64_t after[VERDICT_COUNT];
	struct outcome outcome = {.verdict = VERDICT_CONTINUE};
	struct frame out = *frame;
	struct run_options options = {.direct = direct < frame->length ? direct : 0};
	int action = run_frame(shared_program(skel->obj), &out, &options);

	cr_assert(action == XDP_PASS || action == XDP_TX || action == XDP_DROP, "action %d", action);
	count(after);
	for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
		if (after[verdict] != counted[verdict])
			outcome.verdict = verdict;
	}
	memcpy(counted, after, sizeof(after));
	if (action == XDP_TX)
		outcome.receiver = balancer_receiver(&out);
	return outcome;
}

/* The host build cannot know the backend of a later fragment; its verdict is VERDICT_CONTINUE. */
static bool agree(const struct outcome *kernel, const struct outcome *host)
{
	if (host->verdict == VERDICT_CONTINUE)
		return kernel->verdict == VERDICT_fragment || kernel->verdict == VERDICT_held_fragment ||
		       kernel->verdict == VERDICT_orphan_fragment || kernel->verdict == VERDICT_not_service;
	return kernel->verdict == host->verdict && kernel->receiver == host->receiver;
}

static void write_frame(struct rng *rng, struct frame *frame)
{
	struct sip_message message;
	char call_id[SIP_CALL_ID_SIZE];
	struct frame_spec spec = {.payload = message.text, .source_port = 5060 + rng_below(rng, 8)};

	sip_message_call_id(rng, call_id);
	sip_message_write(rng, rng_percent(rng, 95) ? call_id : NULL, &message);
	if (rng_percent(rng, 80))
		sip_message_spoil(rng, &message);
	if (rng_percent(rng, 50))
		spec.destination = "2001:db8::10";
	spec.payload_length = message.length;
	spec.payload = message.length ? message.text : "";
	spec.vlan[0] = rng_percent(rng, 10) ? 100 : 0;
	spec.vlan[1] = spec.vlan[0] && rng_percent(rng, 30) ? 200 : 0;
	spec.option_words = rng_percent(rng, 10) ? rng_below(rng, 11) : 0;
	spec.extensions = rng_percent(rng, 10) ? rng_below(rng, 8) : 0;
	spec.more_fragments = rng_percent(rng, 3);
	frame_build(frame, &spec);
	if (rng_percent(rng, 5))
		frame->data[12 + rng_below(rng, 70)] = rng_bits(rng);
	if (rng_percent(rng, 5))
		frame->length += rng_below(rng, 40); /* padding */
}

/* Can BPF_PROG_TEST_RUN of this kernel make frames of several buffers? */
static bool can_split(void)
{
	struct frame frame;

	frame_build(&frame, &(struct frame_spec){.payload = "0123456789"});
	return run_frame(shared_program(skel->obj), &frame, &(struct run_options){.direct = 20}) >= 0;
}

Test(differential, kernel_and_host_agree, .timeout = 170)
{
	uint64_t seed = rng_seed(), seen[VERDICT_COUNT] = {}, counted[VERDICT_COUNT];
	uint32_t frames = rng_frames(FRAMES);
	bool splits = can_split();
	static struct frame frame;

	count(counted);
	for (uint32_t n = 0; n < frames; n++) {
		struct rng rng = rng_start(seed, n);
		struct outcome kernel, host;
		size_t direct;

		write_frame(&rng, &frame);
		direct = frame.length;
		if (splits && rng_percent(&rng, 20))
			direct = 14 + rng_below(&rng, frame.length - 14);
		kernel = in_kernel(&frame, direct, counted);
		host = on_host(&frame, direct);
		cr_assert(agree(&kernel, &host),
			"SIPXDP_SEED=%lu, frame %u (%zu bytes, %zu readable): %s to %u in the kernel, %s to %u on the "
			"host",
			seed, n, frame.length, direct, balancer_verdict_name(kernel.verdict), kernel.receiver,
			balancer_verdict_name(host.verdict), host.receiver);
		seen[kernel.verdict]++;
	}
	/* The test is only valid if the frames reach all these verdicts. */
	cr_expect_gt(seen[VERDICT_call_id], frames / 4);
	for (enum verdict verdict = 0; verdict <= VERDICT_not_sip; verdict++)
		cr_expect_gt(seen[verdict], frames / 1000, "verdict %s reached %lu times",
			balancer_verdict_name(verdict), seen[verdict]);
	cr_expect_gt(seen[VERDICT_malformed], frames / 1000);
}
