// SPDX-License-Identifier: GPL-2.0
/* The host build of the scanner: the rows, truncated at every byte between unreadable pages; and a comparison with
 * a slow scanner that is easy to check. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "bpf/sip.h"
#include "tests/prog/sip_message.h"
#include "tests/prog/sip_rows.h"
#include "sip_guard.h"
#include "sip_slow.h"

#define MESSAGES 20000

static const __u64 KEY[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/* The result of a scanner; the value as offset and length in the message. */
struct finding {
	enum sip_result result;
	size_t value;
	size_t length;
	uint64_t hash;
};

/* The scanner under test, on the message at [start, end) of a frame. */
static struct finding scan_frame(const uint8_t *frame, const uint8_t *frame_end, size_t start, size_t end)
{
	struct sip_text text = sip_text(frame, frame_end, end, 0);
	struct sip_key key = {.hash_key = {KEY[0], KEY[1]}};
	struct finding finding = {};
	__u32 after = 0, spent;

	finding.result = sip_find(text, start, &after, &spent);
	if (finding.result == SIP_FOUND)
		finding.result = sip_hash(text, after, &key);
	if (finding.result == SIP_FOUND) {
		finding.value = key.value - start;
		finding.length = key.value_end - key.value;
		finding.hash = key.hash;
	}
	return finding;
}

static struct finding scan(const void *message, size_t length)
{
	return scan_frame(message, (const uint8_t *)message + length, 0, length);
}

/* --- the slow scanner */

static uint64_t slow_hash(const char *value, size_t length)
{
	struct hash hash = hash_start(KEY);
	size_t words = length / 8 + 1;

	if (words > SIP_VALUE_WORDS)
		words = SIP_VALUE_WORDS;
	for (size_t word = 0; word < words; word++) {
		uint64_t bytes = 0;

		for (size_t i = 0; i < 8 && word * 8 + i < length; i++)
			bytes |= (uint64_t)(uint8_t)value[word * 8 + i] << 8 * i;
		hash_word(&hash, bytes);
	}
	return hash_finish(hash, KEY);
}

/* The value after a colon. A line that begins with white space continues the line before it. */
static struct finding slow_value(const char *text, size_t length, size_t at)
{
	struct finding finding = {.result = SIP_FOUND};
	size_t end;

	for (;;) {
		while (at < length && slow_is_blank(text[at]))
			at++;
		end = at;
		end += end < length && text[end] == '\r';
		end += end < length && text[end] == '\n';
		if (end == length)
			return (struct finding){.result = SIP_TOO_FAR};
		if (end == at)
			break;
		if (!slow_is_blank(text[end]))
			return (struct finding){.result = SIP_NOT_THERE};
		at = end;
	}
	finding.value = at;
	while (at < length && !slow_is_space(text[at]))
		at++;
	finding.length = at - finding.value;
	finding.hash = slow_hash(text + finding.value, finding.length);
	return at < length ? finding : (struct finding){.result = SIP_TOO_FAR};
}

static struct finding slow_scan(const char *text, size_t length)
{
	struct finding finding = {};
	size_t colon;

	finding.result = slow_header(text, length, "Call-ID", "i", &colon);
	return finding.result == SIP_FOUND ? slow_value(text, length, colon + 1) : finding;
}

static const char *result_name(enum sip_result result)
{
	static const char *const names[] = {"found", "no Call-ID", "too far", "no SIP"};

	return names[result];
}

static bool same(const struct finding *a, const struct finding *b)
{
	return a->result == b->result && a->value == b->value && a->length == b->length && a->hash == b->hash;
}

/* Runs both scanners on a message, placed at each of the two guard pages. */
static void check_against_slow(const char *name, const char *text, size_t length)
{
	struct finding slow = slow_scan(text, length);
	struct finding end = scan(sip_guard_end(text, length), length);
	struct finding start = scan(sip_guard_start(text, length), length);

	cr_assert(same(&end, &slow), "%s, %zu bytes: %s at %zu (%zu bytes), slow: %s at %zu (%zu bytes)\n%.*s", name,
		length, result_name(end.result), end.value, end.length, result_name(slow.result), slow.value,
		slow.length, (int)length, text);
	cr_assert(same(&start, &end), "%s, %zu bytes: adjacent bytes change the result", name, length);
}

Test(sip, rows)
{
	for (size_t i = 0; i < sip_row_count; i++) {
		const struct sip_row *row = &sip_rows[i];
		size_t length = sip_row_length(row);
		struct finding finding = scan(sip_guard_end(row->text, length), length);

		cr_expect_eq(finding.result, row->result, "%s: %s", row->sentence, result_name(finding.result));
		if (finding.result != SIP_FOUND || row->result != SIP_FOUND)
			continue;
		cr_expect(finding.length == strlen(row->value) &&
				  memcmp(row->text + finding.value, row->value, finding.length) == 0,
			"%s: found \"%.*s\"", row->sentence, (int)finding.length, row->text + finding.value);
	}
}

Test(sip, rows_cut_at_every_byte)
{
	for (size_t i = 0; i < sip_row_count; i++) {
		for (size_t length = 0; length <= sip_row_length(&sip_rows[i]); length++)
			check_against_slow(sip_rows[i].sentence, sip_rows[i].text, length);
	}
}

/* The bytes of the frame before and after the message are not read. */
Test(sip, rows_anywhere_in_a_frame)
{
	static const char lure[] = "\nCall-ID: lure\r\n\r\n\ni: lure\r\n\r\n\r\nCall-ID: lure\r\n\r\n";
	char frame[1024];

	for (size_t i = 0; i < sip_row_count; i++) {
		const struct sip_row *row = &sip_rows[i];
		size_t length = sip_row_length(row);
		struct finding alone = scan(sip_guard_end(row->text, length), length);

		for (size_t start = 0; start < sizeof(lure); start++) {
			size_t all = start + length + sizeof(lure) - 1;
			struct finding finding;
			const uint8_t *data;

			cr_assert(all <= sizeof(frame));
			memcpy(frame, lure, start);
			memcpy(frame + start, row->text, length);
			memcpy(frame + start + length, lure, sizeof(lure) - 1);
			data = sip_guard_end(frame, all);
			finding = scan_frame(data, data + all, start, start + length);
			cr_expect(same(&finding, &alone), "%s at %zu: %s", row->sentence, start,
				result_name(finding.result));
			finding = scan_frame(data, data + start + length, start, all);
			cr_expect(same(&finding, &alone), "%s at %zu, not all readable: %s", row->sentence, start,
				result_name(finding.result));
		}
	}
}

Test(sip, agrees_with_the_slow_scanner_on_every_spelling)
{
	uint64_t seed = rng_seed();

	for (uint32_t n = 0; n < MESSAGES; n++) {
		struct rng rng = rng_start(seed, n);
		char call_id[SIP_CALL_ID_SIZE], name[64];
		struct sip_message message;
		struct finding finding;

		sip_message_call_id(&rng, call_id);
		sip_message_write(&rng, rng_percent(&rng, 90) ? call_id : NULL, &message);
		snprintf(name, sizeof(name), "SIPXDP_SEED=%lu, message %u", seed, n);
		check_against_slow(name, message.text, message.length);
		for (int i = 0; i < 8; i++)
			check_against_slow(name, message.text, rng_below(&rng, message.length));
		finding = slow_scan(message.text, message.length);
		cr_assert(finding.result == SIP_NOT_THERE ||
				  (finding.result == SIP_FOUND && finding.length == strlen(call_id) &&
					  memcmp(message.text + finding.value, call_id, finding.length) == 0),
			"%s: unexpected result of the slow scanner: %s\n%s", name, result_name(finding.result),
			message.text);
	}
}

/* No particular result is expected for garbage, but nothing outside it may be read or influence the result. */
Test(sip, garbage)
{
	uint64_t seed = rng_seed();

	for (uint32_t n = 0; n < MESSAGES; n++) {
		struct rng rng = rng_start(seed, n);
		char call_id[SIP_CALL_ID_SIZE];
		struct sip_message message;
		struct finding end, start;

		sip_message_call_id(&rng, call_id);
		sip_message_write(&rng, call_id, &message);
		sip_message_spoil(&rng, &message);
		end = scan(sip_guard_end(message.text, message.length), message.length);
		start = scan(sip_guard_start(message.text, message.length), message.length);
		cr_assert(same(&end, &start), "SIPXDP_SEED=%lu, message %u", seed, n);
		cr_assert(end.result != SIP_FOUND || (end.length && end.value + end.length < message.length),
			"SIPXDP_SEED=%lu, message %u", seed, n);
	}
}
