// SPDX-License-Identifier: GPL-2.0
/* The same Call-ID selects the same backend, regardless of the form and position of its header. This runs in the
 * kernel; the unit test test_sip.c tests the host build in more detail. */

#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include "rows.h"
#include "sip_message.h"
#include "sip_rows.h"
#include "suite.h"

#define VALUES 400
#define SPELLINGS 25 /* of each value */

/* One backend per slot: the receiver identifies the slot. */
static const struct balancer_setup setup = {.backends = 4096};

static void load(void)
{
	suite_load(&setup);
}

TestSuite(spellings, .init = load, .fini = suite_unload);

static enum verdict verdict_of(enum sip_result result)
{
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

Test(spellings, rows)
{
	struct balancer_bpf *narrow = balancer_load(&(struct balancer_setup){});

	for (size_t i = 0; i < sip_row_count; i++) {
		struct row row = {
			.sentence = sip_rows[i].sentence,
			.in = {.payload = sip_rows[i].text, .payload_length = sip_row_length(&sip_rows[i])},
			.verdict = verdict_of(sip_rows[i].result),
			.action = XDP_TX,
			.call_id = sip_rows[i].value,
		};

		row_run(narrow, &row);
	}
	balancer_unload(narrow);
}

/* The backend that receives a message from a random port, over a random address family. */
static uint32_t receiver_of(struct rng *rng, const struct sip_message *message)
{
	struct frame frame;
	struct frame_spec spec = {
		.payload = message->text,
		.payload_length = message->length,
		.source_port = 1024 + rng_below(rng, 60000),
		.destination = rng_percent(rng, 50) ? "2001:db8::10" : "192.0.2.10",
	};

	frame_build(&frame, &spec);
	cr_assert_eq(balancer_run(skel, &frame), XDP_TX);
	return balancer_receiver(&frame);
}

Test(spellings, the_same_call_id_has_the_same_backend)
{
	uint64_t seed = rng_seed();

	for (uint32_t value = 0; value < VALUES; value++) {
		struct rng rng = rng_start(seed, value);
		char call_id[SIP_CALL_ID_SIZE];
		uint32_t owner;

		sip_message_call_id(&rng, call_id);
		owner = balancer_owner(&setup, SERVICE_SIP, balancer_hash(call_id, strlen(call_id)));
		for (int spelling = 0; spelling < SPELLINGS; spelling++) {
			struct sip_message message;
			uint32_t receiver;

			sip_message_write(&rng, call_id, &message);
			receiver = receiver_of(&rng, &message);
			cr_assert_eq(receiver, owner, "SIPXDP_SEED=%lu, value %u, spelling %d: backend %u, not %u\n%s",
				seed, value, spelling, receiver, owner, message.text);
		}
	}
	cr_expect_eq(balancer_verdict(skel, VERDICT_call_id), VALUES * SPELLINGS);
}

Test(spellings, without_a_call_id_none_is_found)
{
	uint64_t seed = rng_seed();

	for (uint32_t n = 0; n < VALUES * SPELLINGS / 4; n++) {
		struct rng rng = rng_start(seed, n);
		struct sip_message message;

		sip_message_write(&rng, NULL, &message);
		receiver_of(&rng, &message);
		cr_assert_eq(balancer_verdict(skel, VERDICT_no_call_id), n + 1, "SIPXDP_SEED=%lu, message %u\n%s", seed,
			n, message.text);
	}
}

/* RFC 3261 section 20.8: Call-IDs are case-sensitive and are compared byte by byte. */
Test(spellings, each_byte_of_the_value_counts)
{
	static const char value[] = "aZ09-.~c3%x8PqRsTuV@Host.Example.COM";
	struct rng rng = rng_start(rng_seed(), 0);
	uint32_t same = 0;

	for (size_t i = 0; i < strlen(value); i++) {
		struct sip_message one, other;
		char changed[sizeof(value)];

		memcpy(changed, value, sizeof(value));
		changed[i] ^= 0x20; /* a letter in the other case */
		if (changed[i] <= ' ')
			continue;
		sip_message_write(&rng, value, &one);
		sip_message_write(&rng, changed, &other);
		same += receiver_of(&rng, &one) == receiver_of(&rng, &other);
	}
	cr_expect_leq(same, 1, "%u changed values kept their backend; the chance of one is 1/4096", same);
}
