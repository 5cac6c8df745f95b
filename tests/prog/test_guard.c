// SPDX-License-Identifier: GPL-2.0
/* No limit, whatever its value, drops a message of an established call. */

#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <stdio.h>
#include "balancer.h"
#include "require.h"
#include "rng.h"

#define CONFIGURATIONS 60
#define MESSAGES 200

static const char *const methods[] = {"INVITE", "BYE", "INFO", "UPDATE", "REGISTER", "MESSAGE", "OPTIONS", "PRACK"};
static const char *const to_values[] = {"To: <sip:bob@example.net>;tag=a6c85cf", "t:<sip:bob@example.net>;tag=1",
	"TO : sip:bob@example.net\r\n ;x=y;tag=1", "To: \"B > o;b\" <sip:bob@example.net;a=b>;q=1;tag=1",
	"Timestamp: 54\r\nTo: \"Bob\" <sip:bob@example.net>;foo=\"x\";tag=1"};

static struct guard_setup random_setup(struct rng *rng)
{
	static const uint32_t flags[] = {GUARD_FLAG_EMERGENCY, GUARD_FLAG_PRIORITY, GUARD_FLAG_SCANNERS};
	struct guard_setup setup = {.service_surge = rng_below(rng, 2), .backend_surge = rng_below(rng, 2)};

	for (int i = 0; i < GUARD_BUCKETS; i++)
		if (i != GUARD_BUCKET_DIALOG)
			setup.burst[i] = rng_below(rng, 3);
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		setup.flags |= rng_percent(rng, 50) ? flags[i] : 0;
	return setup;
}

/* A message of a call: a request with a To tag, an ACK, a CANCEL or a response. */
static void write_message(struct rng *rng, char *text, size_t size)
{
	const char *to = to_values[rng_below(rng, sizeof(to_values) / sizeof(*to_values))];
	uint32_t kind = rng_below(rng, 4);
	char line[64];

	if (kind == 0)
		snprintf(line, sizeof(line), "SIP/2.0 %u Text", 100 + rng_below(rng, 600));
	else
		snprintf(line, sizeof(line), "%s sip:bob@example.net SIP/2.0",
			kind == 1   ? "ACK"
			: kind == 2 ? "CANCEL"
				    : methods[rng_below(rng, sizeof(methods) / sizeof(*methods))]);
	if (kind && kind < 3)
		to = "To: <sip:bob@example.net>";
	snprintf(text, size,
		"%s\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\n%sFrom: <sip:a@example.net>;tag=1\r\n%s\r\n"
		"User-Agent: friendly-scanner\r\nCall-ID: c%u\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
		line, rng_percent(rng, 30) ? "Max-Forwards: 70\r\n" : "", to, rng_below(rng, 1000));
}

Test(guard, limits_never_drop_a_part_of_a_call, .timeout = 120)
{
	static const char flood[] = "INVITE sip:x@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bK1\r\n"
				    "From: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>\r\nCall-ID: f\r\n"
				    "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
	struct balancer_setup setup = {.backends = 4};
	struct balancer_bpf *skel;
	static struct frame frame;
	uint64_t seed = rng_seed(), dropped = 0;
	char text[1024];

	require_run();
	skel = balancer_load(&setup);
	for (uint32_t n = 0; n < CONFIGURATIONS; n++) {
		struct rng rng = rng_start(seed, n);
		struct guard_setup guard = random_setup(&rng);

		setup.guard = &guard;
		balancer_fill(skel, &setup);
		for (uint32_t i = 0; i < MESSAGES; i++) {
			frame_build(&frame, &(struct frame_spec){.payload = flood});
			dropped += balancer_run(skel, &frame) == XDP_DROP;
			write_message(&rng, text, sizeof(text));
			frame_build(&frame, &(struct frame_spec){.payload = text});
			cr_assert_eq(balancer_run(skel, &frame), XDP_TX, "SIPXDP_SEED=%lu, configuration %u:\n%s", seed,
				n, text);
		}
	}
	cr_expect_gt(dropped, 0, "no configuration has dropped a packet of the flood");
	balancer_bpf__destroy(skel);
}
