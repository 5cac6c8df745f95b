// SPDX-License-Identifier: GPL-2.0
/* The text of explanations, for cases that tests/net/test_explain.sh does not reach. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "core/base/name.h"
#include "core/view/explanation.h"
#include "core/view/guard_step.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char message[] = "INVITE sip:b@example.net SIP/2.0\r\n"
			      "Via: SIP/2.0/UDP px1\r\n"
			      "Call-ID: a:b@example.net\r\n"
			      "\r\n";

static struct image *image(void)
{
	const struct contract sizes = {.version = ABI_VERSION,
		.slots = 1024,
		.pools = 2,
		.services = 2,
		.backends = 3,
		.tracked_calls = MIN_TRACKED_CALLS,
		.guarded_sources = MIN_GUARDED_SOURCES};
	struct image *image = image_new(&sizes);
	char name[NAME_SIZE];

	name_copy(image->service_names[1].name, "sip");
	name_copy(image->pool_names[1].name, "proxies");
	for (int id = 1; id <= 3; id++) {
		snprintf(name, sizeof(name), "px%d", id);
		name_copy(image->records[id].name, name);
	}
	return image;
}

/* An INVITE at offset 0 of the frame. Its key selects slot 5, which px1 owns. */
static struct explanation usual(void)
{
	return (struct explanation){.packet = {.protocol = IPPROTO_UDP, .ip = 14, .payload = 1, .end = sizeof(message)},
		.hash = 5 + 1024,
		.service = 1,
		.pool = 1,
		.has_service = true,
		.has_key = true,
		.line = 1,
		.call_id_end = (uint16_t)(1 + (strstr(message, "\r\n\r\n") - message)),
		.slot_owner = 1,
		.key_verdict = VERDICT_call_id,
		.verdict = VERDICT_call_id,
		.backend = 1,
		.reason = REASON_SLOT};
}

static void expect_step(const struct explanation *explanation, const char *name, const char *wanted)
{
	uint8_t frame[sizeof(message) + 1] = {0};
	struct image *names = image();
	const struct explained explained = {explanation, frame, sizeof(message), names};
	const char *got = "";
	json_t *object, *step;
	size_t i;

	memcpy(frame + 1, message, sizeof(message));
	object = explanation_json(&explained);
	json_array_foreach(json_object_get(object, "steps"), i, step)
	{
		if (!strcmp(json_string_value(json_object_get(step, "name")), name))
			got = json_string_value(json_object_get(step, "text"));
	}
	cr_expect_str_eq(got, wanted);
	json_decref(object);
	image_free(names);
}

Test(explanation, of_a_usual_packet)
{
	struct explanation e = usual();

	expect_step(&e, "message", "request INVITE, 84 bytes at offset 1");
	expect_step(&e, "key", "Call-ID a:b@example.net");
	expect_step(&e, "slot", "5 of 1024, from the hash 0000000000000405");
	expect_step(&e, "pool", "proxies");
	expect_step(&e, "owner", "px1");
	expect_step(&e, "migration", "");
	expect_step(&e, "verdict", "call_id (forwarded): SIP: to the owner of its Call-ID");
}

Test(explanation, of_migrating_slots)
{
	struct explanation e = usual();

	e.previous_owner = 1;
	expect_step(&e, "migration", "the slot is recording calls; its owner does not change yet (px1)");
	e.slot_owner = 2;
	expect_step(&e, "migration", "the slot is migrating; its previous owner is px1");
	expect_step(
		&e, "dialog", "the packet belongs to a call: it goes to the previous owner unless its call is tracked");
	expect_step(&e, "tracked", "no");
	e.is_tracked = e.is_transaction = true;
	e.tracked = 3;
	e.tracked_age = 7;
	expect_step(&e, "tracked", "a transaction at px3, last packet 7 s ago");
	e.is_transaction = false;
	e.has_ended = true;
	expect_step(&e, "tracked", "a call at px3, last packet 7 s ago, ended");
}

Test(explanation, of_placed_calls)
{
	struct explanation e = usual();

	expect_step(&e, "placed", "");
	e.is_balanced = true;
	expect_step(&e, "placed", "no");
	e.reason = REASON_PLACED_CALL;
	expect_step(&e, "placed", "no: a new call, which `balance:` places");
	e.is_placed = true;
	e.place = 2;
	e.place_age = 7;
	expect_step(&e, "placed", "at px2, last packet 7 s ago");
	e.place_ended = true;
	expect_step(&e, "placed", "at px2, last packet 7 s ago, ended");
}

Test(explanation, of_packets_without_a_backend)
{
	struct explanation e = usual();

	e.slot_owner = e.backend = 0;
	e.reason = REASON_NONE;
	e.verdict = VERDICT_no_backend;
	expect_step(&e, "owner", "none: the slot has no owner");
	expect_step(&e, "backend", "none");
}

Test(explanation, of_a_hint_beyond_the_search_limit)
{
	struct explanation e = usual();

	e.hint_count = 1;
	e.hints[0].at = 1 + (strstr(message, "px1") - message);
	e.hints[0].backend = 1;
	e.hints[0].result = EXPLAINED_BACKEND;
	expect_step(&e, "hint", "px1 at offset 52: backend px1, not used: the search limit was reached");
	e.reason = REASON_HINT;
	expect_step(&e, "hint", "px1 at offset 52: backend px1");
}

Test(explanation, of_a_tag)
{
	struct explanation e = usual();

	e.hint_count = 1;
	e.hints[0].at = 1 + (strstr(message, "a:b@") - message);
	e.hints[0].is_tag = true;
	expect_step(&e, "hint", "tag a:b@example.net at offset 66: no backend has this tag");
	e.hints[0].backend = 1;
	e.hints[0].result = EXPLAINED_DOWN;
	expect_step(&e, "hint", "tag a:b@example.net at offset 66: backend px1, not used because it is down");
	e.hints[0].result = EXPLAINED_BACKEND;
	e.reason = REASON_HINT;
	expect_step(&e, "hint", "tag a:b@example.net at offset 66: backend px1");
}

Test(explanation, of_keys_that_are_missing)
{
	static const struct {
		uint8_t affinity, verdict;
		const char *text;
	} rows[] = {
		{AFFINITY_CALL_ID, VERDICT_no_call_id, "source 0.0.0.0:5060: there is no Call-ID"},
		{AFFINITY_CALL_ID, VERDICT_call_id_too_far,
			"source 0.0.0.0:5060: the Call-ID is beyond the search limit"},
		{AFFINITY_TO_USER, VERDICT_no_user, "source 0.0.0.0:5060: there is no such user"},
		{AFFINITY_TO_USER, VERDICT_user, "the user that the affinity selects"},
		{AFFINITY_FLOW, VERDICT_flow, "source 0.0.0.0:5060"},
		{AFFINITY_SOURCE, VERDICT_source, "source address 0.0.0.0"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct explanation e = usual();

		e.call_id_end = 0;
		e.packet.source.word[2] = htonl(0xffff);
		e.packet.source_port = htons(5060);
		e.affinity = rows[i].affinity;
		e.key_verdict = rows[i].verdict;
		expect_step(&e, "key", rows[i].text);
	}
}

Test(explanation, why_a_payload_is_not_sip)
{
	static const struct {
		const char *payload;
		size_t length;
		const char *text;
	} rows[] = {
		{"", 0, "empty"},
		{"\r\n\r\n", 4, "keepalive"},
		{"\0\1\0\0\x21\x12\xa4\x42............", 20, "STUN"},
		{"\x80\x08 RTP", 6, "RTP"},
		{"hello", 5, "first line"},
		{"\0\1\0\0\x21\x12\xa4\x42", 8, "first line"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *text = explanation_not_sip((const uint8_t *)rows[i].payload, rows[i].length);

		cr_expect(strstr(text, rows[i].text), "'%s' is not '%s'", text, rows[i].text);
	}
}

static void expect_guard(struct explanation e, const char *result, const char *wanted)
{
	struct image *names = image();
	json_t *object = json_object();
	char text[GUARD_STEP_SIZE];

	name_copy(names->guard_names[2].name, "trunk");
	name_copy(names->guard_list_names[GUARD_LIST_FIRST].name, "offices");
	names->guards[2].first_class = 20;
	e.guard = 2;
	if (!e.guard_class)
		e.guard_class = 20;
	cr_assert(guard_step(names, &e, object, text));
	cr_expect_str_eq(text, wanted);
	cr_expect_str_eq(json_string_value(json_object_get(object, "guard_result")), result);
	json_decref(object);
	image_free(names);
}

Test(explanation, of_the_guard)
{
	struct explanation e = usual();

	expect_step(&e, "guard", "");
	e.guard_rule = GUARD_RULES;
	e.guard_reads = true;
	e.guard_bucket = GUARD_BUCKET_INVITE;
	expect_guard(e, "passes", "trunk, no list, limit invite: passes");
	e.guard_rule = GUARD_BUCKET_INITIAL;
	expect_guard(e, "observed", "trunk, no list, limit invite, rule initial: would be dropped in mode enforce");
	e.guard_enforced = true;
	expect_guard(e, "dropped", "trunk, no list, limit invite, rule initial: dropped");
	e.verdict = VERDICT_refused;
	expect_guard(e, "refused", "trunk, no list, limit invite, rule initial: answered with 503");
	e.verdict = VERDICT_call_id;
	e.guard_is_exempt = true;
	expect_guard(e, "passes",
		"trunk, no list, limit invite, rule initial: passes, because it is an emergency call or has a listed "
		"priority");
	e = (struct explanation){.guard_rule = GUARD_RULES, .guard_reads = true, .guard_bucket = GUARD_BUCKET_DIALOG};
	expect_guard(e, "passes", "trunk, no list, part of a call: passes");
	e.verdict = VERDICT_refused_ack;
	e.was_refused = true;
	expect_guard(e, "dropped",
		"trunk, no list, part of a call: dropped, because the INVITE of this transaction was refused before");
	e.verdict = VERDICT_call_id;
	e.was_refused = false;
	e.guard_class = 20 + GUARD_LIST_FIRST;
	e.guard_action = GUARD_TRUST;
	expect_guard(e, "passes", "trunk, list offices, trusted: passes");
	e = (struct explanation){.guard_class = 20 + GUARD_LIST_BLOCKED,
		.guard_action = GUARD_DENY,
		.guard_rule = GUARD_RULE_BLOCKED,
		.guard_enforced = true};
	expect_guard(e, "dropped", "trunk, list blocked, rule blocked: dropped");
}
