// SPDX-License-Identifier: GPL-2.0
/* The work on one message is bounded, for all possible bytes. Reads messages as the balancer does with everything on (a
 * user, hints in requests, a migration) and counts the steps of all loops independently of the budget. A hill-climbing
 * search looks for the messages with the highest cost. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "bpf/sip_text.h"

/* --- counting: each loop of the files below goes through these */

/* The cost of one message so far, in units, from the calls of the loop functions. */
static uint32_t counted;

struct counting {
	long (*step)(__u32, void *);
	void *state;
	uint32_t cost;
};

static long count_step(__u32 number, void *state)
{
	struct counting *counting = state;

	counted += counting->cost;
	return counting->step(number, counting->state);
}

static void count_paid(__u16 *left, __u32 cost, __u32 most, long (*step)(__u32, void *), void *state)
{
	struct counting counting = {step, state, cost};

	sip_loop_paid(left, cost, most, count_step, &counting);
}

/* The last step of a search is charged for its first position only. */
static __u32 count_search(__u32 steps, long (*step)(__u32, void *), void *state, uint32_t cost)
{
	struct counting counting = {step, state, cost};
	uint32_t done = sip_loop(steps, count_step, &counting);

	counted -= cost;
	return done;
}

static __u32 count_scan(const struct sip_text *t, __u32 at, __u8 a, __u8 b, __u8 c, __u16 *left)
{
	if (*left >= SIP_COST_SCAN)
		counted += SIP_COST_SCAN;
	return sip_scan(t, at, a, b, c, left);
}

#define sip_scan count_scan
#define sip_loop_paid count_paid
#define sip_loop(steps, step, state) count_search(steps, step, state, SIP_PASS_PLACES *SIP_COST_PLACE)
#include "bpf/sip_usual.h"
#undef sip_scan
#undef sip_loop
#undef sip_loop_paid
#include "tests/prog/rng.h"

static const __u64 KEY[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/* --- reading: the order is that of key.h, hint.h and track.h */

static void read_user(struct sip_text text, __u32 line, __u16 *budget)
{
	struct sip_user user = {.hash_key = {KEY[0], KEY[1]}};
	struct sip_lines lines = {.at = line};
	__u32 uri;

	if (sip_find_header(text, &lines, SIP_FROM, budget) == SIP_FOUND &&
		sip_usual_user(text, lines.colon[SIP_FROM], &user, budget) == SIP_TOO_FAR &&
		sip_uri(text, lines.colon[SIP_FROM], &uri, budget) == SIP_FOUND)
		sip_user(text, uri, &user, budget);
}

static void read_host(struct sip_text text, __u32 at, __u16 *budget)
{
	struct sip_host host = {.hash_key = {KEY[0], KEY[1]}};

	sip_host(text, at, &host, budget);
}

static enum sip_result find_uri_host(struct sip_text text, __u32 uri, __u32 *at, __u16 *budget)
{
	enum sip_result result = sip_usual_uri_host(text, uri, at, budget);

	return result == SIP_TOO_FAR ? sip_uri_host(text, uri, at, budget) : result;
}

static enum sip_result find_route_host(struct sip_text text, struct sip_lines *lines, __u32 *at, __u16 *budget)
{
	enum sip_result result = sip_find_header(text, lines, SIP_ROUTE, budget);
	__u32 uri;

	if (result == SIP_FOUND && sip_usual_host(text, lines->colon[SIP_ROUTE], at, budget) == SIP_FOUND)
		return SIP_FOUND;
	if (result == SIP_FOUND)
		result = sip_uri(text, lines->colon[SIP_ROUTE], &uri, budget);
	return result == SIP_FOUND ? find_uri_host(text, uri, at, budget) : result;
}

static enum sip_result find_next_uri(struct sip_text text, __u32 *at, __u16 *budget)
{
	enum sip_result result = sip_usual_next_uri(text, at, budget);

	return result == SIP_TOO_FAR ? sip_next_uri(text, at, budget) : result;
}

/* Reads three Routes, as if the first two named the VIP. */
static void read_routes(struct sip_text text, struct sip_lines *lines, __u16 *budget)
{
	__u32 at, next;
	enum sip_result result = find_route_host(text, lines, &at, budget);

	for (int i = 0; i < 3 && result == SIP_FOUND; i++) {
		read_host(text, at, budget);
		next = at;
		result = find_next_uri(text, &next, budget);
		if (result == SIP_FOUND) {
			result = find_uri_host(text, next, &at, budget);
		} else if (result == SIP_NOT_THERE) {
			lines->colon[SIP_ROUTE] = 0;
			lines->at = next;
			result = find_route_host(text, lines, &at, budget);
		}
	}
}

static void read_hints(struct sip_text text, const struct sip_start *start, struct sip_lines *lines, __u16 *budget)
{
	__u32 at;

	lines->at = start->line;
	if (start->uri)
		read_routes(text, lines, budget);
	else if (sip_find_header(text, lines, SIP_VIA, budget) == SIP_FOUND &&
		 sip_via_host(text, lines->colon[SIP_VIA], &at, budget) == SIP_FOUND)
		read_host(text, at, budget);
}

/* Reads the tag, as if no host named a live backend. */
static void read_tag(struct sip_text text, const struct sip_start *start, struct sip_lines *lines, __u16 *budget)
{
	__u32 header = start->uri ? SIP_TO : SIP_FROM, at;
	enum sip_result result = sip_find_header(text, lines, header, budget);
	__u64 hash;

	if (result != SIP_FOUND)
		return;
	result = sip_usual_parameter(text, lines->colon[header], SIP_OFFSET_OF(SIP_TAG_NAME), &at, KEY, budget);
	if (result == SIP_TOO_FAR) {
		result = sip_parameter(text, lines->colon[header], SIP_TAG_NAME, &at, budget);
		if (result == SIP_FOUND)
			result = sip_value_at(text, at, &at, budget);
	}
	if (result == SIP_FOUND)
		sip_part(text, &at, SIP_TAG_PREFIX, KEY, &hash, budget);
}

static void read_parameter(struct sip_text text, __u32 colon, __u64 name, __u16 *budget)
{
	__u32 at, hash;

	if (colon && sip_usual_parameter(text, colon, name, &hash, KEY, budget) == SIP_TOO_FAR &&
		sip_parameter(text, colon, name, &at, budget) == SIP_FOUND)
		sip_value_at(text, at, &at, budget);
}

static void read_dialog(struct sip_text text, struct sip_lines *lines, __u16 *budget)
{
	__u32 at, number;

	sip_find_header(text, lines, SIP_HEADER_COUNT, budget);
	read_parameter(text, lines->colon[SIP_VIA], SIP_BRANCH_NAME, budget);
	read_parameter(text, lines->colon[SIP_FROM], SIP_TAG_NAME, budget);
	read_parameter(text, lines->colon[SIP_TO], SIP_TAG_NAME, budget);
	if (lines->colon[SIP_CSEQ] && !sip_usual_cseq(text, lines->colon[SIP_CSEQ], &number) &&
		sip_value_at(text, lines->colon[SIP_CSEQ], &at, budget) == SIP_FOUND) {
		sip_number(text, &at);
		sip_value_at(text, at - 1, &at, budget);
	}
	if (lines->colon[SIP_EXPIRES])
		sip_value_at(text, lines->colon[SIP_EXPIRES], &at, budget);
}

/* Returns the remaining units; `counted` receives the steps of the loops. */
static uint32_t read_message(const char *message, size_t length)
{
	const __u8 *data = (const __u8 *)message;
	struct sip_text text = sip_text(data, data + length, length, 0);
	struct sip_lines lines = {};
	__u16 budget = SIP_PACKET_BUDGET;
	struct sip_start start;

	counted = 0;
	if (sip_find_start(text, 0, &start) != SIP_FOUND)
		return budget;
	budget = SIP_USER_BUDGET;
	read_user(text, start.line, &budget);
	budget += SIP_PACKET_BUDGET - SIP_USER_BUDGET;
	read_hints(text, &start, &lines, &budget);
	read_tag(text, &start, &lines, &budget);
	read_dialog(text, &lines, &budget);
	return budget;
}

/* --- the cost of usual messages */

#define VIA "Via: SIP/2.0/UDP 198.51.100.61:5060;rport=5060;branch=z9hG4bK4fb2.b1f25e07.1\r\n"
#define HEADERS                                                                                                        \
	"Max-Forwards: 70\r\nFrom: \"Alice A. Example\" <sip:alice@example.net;user=phone>;tag=1928301774\r\n"         \
	"To: \"Bob\" <sip:bob@example.net>;tag=a6c85cf\r\nCall-ID: 3848276298220188511@198.51.100.7\r\n"               \
	"CSeq: 314159 BYE\r\nUser-Agent: Example Phone 5.2 (build 8812)\r\nContact: <sip:alice@198.51.100.7:5060>\r\n" \
	"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO\r\nSupported: replaces, timer, path, 100rel, gruu\r\n"         \
	"P-Asserted-Identity: \"Alice\" <sip:alice@example.net>\r\nExpires: 120\r\nContent-Length: 0\r\n\r\n"

/* The last of these messages has three Routes, the highest number that a hint reads. */
Test(sip_budget, a_usual_message_stays_within_the_budget)
{
	static const char *const messages[] = {
		"BYE sip:alice@198.51.100.7:5060 SIP/2.0\r\n" VIA VIA "Route: <sip:192.0.2.10;lr=on>\r\n"
		"Route: <sip:px1.sip.example.net;lr=on>\r\n" HEADERS,
		"SIP/2.0 200 OK\r\n" VIA VIA VIA HEADERS,
		"BYE sip:alice@198.51.100.7:5060 SIP/2.0\r\n" VIA VIA VIA
		"Route: <sip:192.0.2.10;lr=on>, <sip:192.0.2.10:5060;lr=on>, "
		"<sip:px1.sip.example.net;lr=on>\r\n" HEADERS,
	};

	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		uint32_t left = read_message(messages[i], strlen(messages[i]));

		cr_expect_geq(left, SIP_PACKET_BUDGET / 10, "message %zu leaves %u units", i, left);
	}
}

/* --- the search for the most expensive message */

#define SIZE 1400
#define PIECES 300
#define CLIMBS 40
#define CHANGES 400

static const char *const pieces[] = {"\r\n", "\n", "\n ", "\r\n\t", " ", "\"", "\\", "\\a", "<", ">", ";", ",", "=",
	":", "/", "@", "%41", "%", "[", "]", "::", "1:", "1.2.3.4", "tag", "branch", "tag=1", "a", "R\n", "C\n",
	"x-name.", "From:", "f:", "To:", "Via:", "v\t:", "Route:", "CSeq:", "Expires:", "Call-ID ",
	"i:", "SIP/2.0/UDP ", "sip:", "tel:", "<sip:a@192.0.2.10>", "\xc3\xa4", "12345678"};

/* A message as numbers of pieces. */
struct candidate {
	uint8_t piece[PIECES];
	bool response;
};

static uint32_t cost(const struct candidate *candidate, char text[SIZE + 64])
{
	size_t length = sprintf(text, candidate->response ? "SIP/2.0 200 OK\r\n" : "BYE sip:a@b SIP/2.0\r\n");

	for (int i = 0; i < PIECES && length < SIZE; i++)
		length += sprintf(text + length, "%s", pieces[candidate->piece[i]]);
	read_message(text, length);
	return counted;
}

static uint8_t any_piece(struct rng *rng)
{
	return rng_below(rng, sizeof(pieces) / sizeof(*pieces));
}

/* Starts with a repeated piece, which is likely to be expensive. */
static struct candidate start(struct rng *rng)
{
	struct candidate candidate = {.response = rng_percent(rng, 30)};
	uint8_t period = 1 + rng_below(rng, 3), repeated[3];

	for (int i = 0; i < 3; i++)
		repeated[i] = any_piece(rng);
	for (int i = 0; i < PIECES; i++)
		candidate.piece[i] = rng_percent(rng, 95) ? repeated[i % period] : any_piece(rng);
	return candidate;
}

static void change(struct rng *rng, struct candidate *candidate)
{
	uint32_t at = rng_below(rng, PIECES), length = 1 + rng_below(rng, PIECES - at);
	uint8_t piece = any_piece(rng);

	if (rng_percent(rng, 50))
		length = 1;
	for (uint32_t i = at; i < at + length; i++)
		candidate->piece[i] = piece;
}

Test(sip_budget, no_message_exceeds_the_budget)
{
	char text[SIZE + 64];
	uint64_t seed = rng_seed();
	uint32_t spent_all = 0;

	for (uint32_t climb = 0; climb < CLIMBS; climb++) {
		struct rng rng = rng_start(seed, climb);
		struct candidate best = start(&rng);
		uint32_t highest = cost(&best, text);

		for (int i = 0; i < CHANGES; i++) {
			struct candidate next = best;
			uint32_t is;

			change(&rng, &next);
			is = cost(&next, text);
			cr_assert_leq(is, SIP_PACKET_BUDGET, "SIPXDP_SEED=%lu: %u units\n%s", seed, is, text);
			if (is < highest)
				continue;
			highest = is;
			best = next;
		}
		spent_all += highest > SIP_PACKET_BUDGET - SIP_PACKET_BUDGET / 10;
	}
	cr_expect_geq(spent_all, CLIMBS / 4, "the search finds no expensive message: %u climbs", spent_all);
}
