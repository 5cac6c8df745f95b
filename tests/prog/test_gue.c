// SPDX-License-Identifier: GPL-2.0
/* Random packets through GUE in IPv6. The program computes the checksum of the outer UDP header mostly from the headers
 * of the inner packet. This test adds up all bytes instead. */

#include <criterion/criterion.h>
#include <linux/bpf.h>
#include "balancer.h"
#include "require.h"
#include "rng.h"

#define FRAMES 4000
#define MOST_PAYLOAD 1300

static struct frame_spec random_packet(struct rng *rng, char payload[MOST_PAYLOAD])
{
	bool fragment = rng_percent(rng, 20);
	struct frame_spec spec = {
		.destination = rng_percent(rng, 50) ? "2001:db8::10" : "192.0.2.10",
		.source_port = 1024 + rng_below(rng, 60000),
		.payload = payload,
		.payload_length = 1 + rng_below(rng, MOST_PAYLOAD),
		.tos = rng_below(rng, 256),
		.ttl = 2 + rng_below(rng, 254),
		.id = 1 + rng_below(rng, 65535),
		.more_fragments = fragment,
		.option_words = rng_percent(rng, 20) ? 2 : 0,
		.extensions = rng_percent(rng, 20) ? 1 : 0,
	};

	for (size_t i = 0; i < MOST_PAYLOAD; i++)
		payload[i] = rng_below(rng, 256);
	if (fragment)
		spec.payload_length = spec.payload_length / 8 * 8 + 8;
	if (spec.payload_length > MOST_PAYLOAD)
		spec.payload_length = 8;
	return spec;
}

/* Some senders of IPv4 use no UDP checksum. */
static void drop_checksum(struct frame *frame, const struct frame_spec *spec)
{
	size_t at = 14 + 20 + spec->option_words * 4 + 6;

	frame->data[at] = frame->data[at + 1] = 0;
}

Test(gue, the_checksum_in_ipv6_is_right_for_random_packets)
{
	const struct balancer_setup setup = {.forward = FORWARD_GUE, .ipv6_backends = true};
	struct balancer_bpf *skel;
	uint64_t seed = rng_seed();
	uint32_t frames = rng_frames(FRAMES);

	require_run();
	skel = balancer_load(&setup);
	for (uint32_t n = 0; n < frames; n++) {
		struct rng rng = rng_start(seed, n);
		static char payload[MOST_PAYLOAD];
		static struct frame frame;
		struct frame_spec spec = random_packet(&rng, payload);
		size_t length;

		frame_build(&frame, &spec);
		if (spec.destination[0] == '1' && rng_percent(&rng, 20))
			drop_checksum(&frame, &spec);
		length = frame.length;
		cr_assert_eq(balancer_run(skel, &frame), XDP_TX, "SIPXDP_SEED=%lu, frame %u is not sent", seed, n);
		cr_assert_eq(frame.length, length + 48, "SIPXDP_SEED=%lu, frame %u: %zu bytes", seed, n, frame.length);
		cr_assert(frame_udp_is_sound(frame.data + 14, frame.length - 14),
			"SIPXDP_SEED=%lu, frame %u: wrong outer checksum", seed, n);
	}
	balancer_unload(skel);
}
