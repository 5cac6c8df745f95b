// SPDX-License-Identifier: GPL-2.0
/* A search for To and Call-ID, together or one after the other, finds the same Call-ID as a search for the Call-ID
 * alone, or its result is SIP_AGAIN. The messages have many lines and bytes that cost budget. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "bpf/sip_counter.h"
#include "tests/prog/rng.h"

#define MESSAGES 300000
#define SIZE 2048

static const char *const lines[] = {"C", "Contact: <sip:a@b>", "K", "Allow: INVITE, ACK", "Record-Route: <sip:a;lr>",
	"i", "Call-Info: x", "call-id x", "From: <sip:a@b>;tag=1", "Max-Forwards: 70",
	"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4", "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK77777777777777777777",
	"To-Do: x", "User-Agent: \xc3\xa4@\xc3\xa4"};
static const char *const call_ids[] = {"Call-ID: 1@example.net", "i: 2@b", "call-id  : 3@b", "CALL-ID: 4@b"};

static void write_lines(struct rng *rng, char *text, uint32_t most)
{
	uint32_t count = rng_below(rng, most + 1), favourite = rng_below(rng, 14);

	for (uint32_t i = 0; i < count && strlen(text) < SIZE - 300; i++) {
		strcat(text, lines[rng_percent(rng, 60) ? favourite : rng_below(rng, 14)]);
		strcat(text, rng_percent(rng, 95) ? "\r\n" : "\n");
	}
}

static void write_message(struct rng *rng, char *text)
{
	uint32_t place = rng_below(rng, 10);

	strcpy(text, "INVITE sip:bob@example.net SIP/2.0\r\n");
	write_lines(rng, text, 1 + rng_below(rng, 16));
	if (!place)
		strcat(strcat(text, call_ids[rng_below(rng, 4)]), "\r\n");
	strcat(text, "To: \"\xc3\xa4 Bob\" <sip:bob@example.net>\r\n");
	write_lines(rng, text, 1 + rng_below(rng, 20));
	if (place < 9)
		strcat(strcat(text, call_ids[rng_below(rng, 4)]), "\r\n");
	strcat(text, "CSeq: 1 INVITE\r\nContent-Length: 0\r\nX-Fill: 0123456789012345678901234567890123456789\r\n\r\n"
		     "v=0 0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
}

/* Searches for the Call-ID, after or together with the search for the To. */
static enum sip_result search(const struct sip_text *t, enum sip_wanted wanted, __u32 *colon, __u32 *counter)
{
	struct sip_key key = {.wanted = wanted};
	enum sip_result result = sip_search(t, 0, 0, &key, colon);

	*counter = key.counter;
	if (wanted != SIP_WANT_TO)
		return result;
	if (!key.from)
		return SIP_AGAIN;
	key.wanted = SIP_WANT_CALL_ID;
	return sip_search(t, 0, key.from, &key, colon);
}

Test(sip_resume, search_for_both_finds_the_same_call_id, .timeout = 120)
{
	uint32_t sure[SIP_WANT_TO + 1] = {0}, again[SIP_WANT_TO + 1] = {0}, counted = 0;

	for (uint32_t n = 0; n < MESSAGES; n++) {
		enum sip_wanted wanted = n % 2 ? SIP_WANT_BOTH : SIP_WANT_TO;
		struct rng rng = rng_start(rng_seed(), n);
		__u32 colon = 0, at = 0, spent, counter;
		enum sip_result expected, result;
		char text[SIZE];
		struct sip_text t;

		write_message(&rng, text);
		t = sip_text((const __u8 *)text, (const __u8 *)text + strlen(text), strlen(text), 0);
		expected = sip_find(t, 0, &colon, &spent);
		result = search(&t, wanted, &at, &counter);
		counted += counter != COUNTER_UNDECIDED;
		if (result == SIP_AGAIN) {
			again[wanted]++;
			continue;
		}
		sure[wanted]++;
		cr_assert(result == expected && at == colon,
			"SIPXDP_SEED=%lu, message %u, wanted %d: %d at %u instead of %d at %u\n%s", rng_seed(), n,
			wanted, result, at, expected, colon, text);
		cr_assert(counter == COUNTER_UNDECIDED || counter == SERVICE_COUNTER_initial_invite,
			"SIPXDP_SEED=%lu, message %u: counter %u\n%s", rng_seed(), n, counter, text);
	}
	for (int wanted = SIP_WANT_BOTH; wanted <= SIP_WANT_TO; wanted++) {
		cr_expect_gt(sure[wanted], MESSAGES / 50, "only %u results are sure", sure[wanted]);
		cr_expect_gt(again[wanted], MESSAGES / 100, "only %u searches are repeated", again[wanted]);
	}
	cr_expect_gt(counted, MESSAGES / 20, "only %u messages have a counter", counted);
}
