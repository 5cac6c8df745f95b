// SPDX-License-Identifier: GPL-2.0
/* Requests of servers that join: authentication, and the fields of each format. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "join_world.h"

static const uint8_t right[JOIN_SIGNATURE_SIZE] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
#define ZEROS48 "000000000000000000000000000000000000000000000000"
#define RIGHT "0123456789abcdef" ZEROS48

/* --- authentication */

struct proof {
	const char *name, *time, *signature;
	unsigned int status;
	const char *text;
};

#define START "{\"action\": \"start\", \"pool\": \"proxies\", \"name\": \"px4\", \"address\": \"10.0.0.14\"}"

Test(join_request, authentication)
{
	static const struct proof rows[] = {
		{"right", "1700000000", RIGHT, 200, "joined"},
		{"30 s old", "1699999970", RIGHT, 200, "joined"},
		{"30 s ahead", "1700000030", RIGHT, 200, "joined"},
		{"31 s old", "1699999969", RIGHT, 401, "the time is 31 s old: are both clocks right?"},
		{"31 s ahead", "1700000031", RIGHT, 401, "the time is 31 s ahead: are both clocks right?"},
		{"no time", "", RIGHT, 401, "time or signature is missing"},
		{"no signature", "1700000000", "", 401, "time or signature is missing"},
		{"a time that is not a number", "now", RIGHT, 401, "the signature is wrong"},
		{"negative", "-1700000000", RIGHT, 401, "the signature is wrong"},
		{"huge", "170000000000", RIGHT, 401, "the signature is wrong"},
		{"a signature with a wrong first digit", "1700000000", "1123456789abcdef" ZEROS48, 401,
			"the signature is wrong"},
		{"a signature with a wrong last digit", "1700000000", "0123456789abcdef" ZEROS48 + 1, 401,
			"the signature is wrong"},
		{"a signature with one digit more", "1700000000", RIGHT "0", 401, "the signature is wrong"},
		{"a signature in capitals", "1700000000", "0123456789ABCDEF" ZEROS48, 401, "the signature is wrong"},
		{"a signature that is not hexadecimal", "1700000000", "0123456789abcdeg" ZEROS48, 401,
			"the signature is wrong"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct proof *row = &rows[i];
		struct join_request request = {.text = span_of(START),
			.time = span_of(row->time),
			.signature = span_of(row->signature),
			.is_json = true};
		struct join_answer answer;
		struct join_world world;

		join_begin(&world, FARM);
		answer = join_handle_request(world.join, world.farm, world.running, &request, right,
			(struct join_clocks){.seconds = NOW, .ms = 1});
		cr_expect_eq(answer.status, row->status, "%s: %u", row->name, answer.status);
		cr_expect_str_eq(answer.text, row->text, "%s: %s", row->name, answer.text);
		cr_expect_eq(answer.changed, row->status == 200, "%s", row->name);
		cr_expect_eq(!!farm_find_backend(&world.farm->pools[0], "px4"), row->status == 200, "%s", row->name);
		join_end(&world);
	}
}

static unsigned int status_at(struct join_world *world, const char *time, uint8_t first, uint64_t now)
{
	uint8_t signature[JOIN_SIGNATURE_SIZE] = {first};
	char hex[] = "00" ZEROS48 "00000000000000";
	struct join_request request = {.text = span_of(START), .time = span_of(time), .is_json = true};
	char digits[3];

	sprintf(digits, "%02x", first);
	memcpy(hex, digits, 2);
	request.signature = span_of(hex);
	return join_handle_request(world->join, world->farm, world->running, &request, signature,
		(struct join_clocks){.seconds = now, .ms = 1})
		.status;
}

/* A signature is refused a second time as long as its time is in the window. Other signatures of the same second are
 * not affected. */
Test(join_request, replays)
{
	static const struct {
		const char *time;
		uint8_t first;
		uint64_t now;
		unsigned int status;
	} rows[] = {
		{"1700000030", 1, NOW, 200}, {"1700000030", 1, NOW, 401}, {"1700000030", 2, NOW, 200},
		{"1700000029", 1, NOW, 200}, /* of a different second */
		{"1700000030", 1, NOW + 60, 401},
		{"1700000094", 1, NOW + 64, 200}, /* uses the entry of the second 64 s before */
		{"1700000094", 1, NOW + 64, 401}, {"1700000030", 1, NOW + 64, 401}, /* too old at that time */
	};
	struct join_world world;

	join_begin(&world, FARM);
	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect_eq(status_at(&world, rows[i].time, rows[i].first, rows[i].now), rows[i].status, "row %zu", i);
	join_end(&world);
}

Test(join_request, signed_text)
{
	struct join_request request = {.text = span_of("text"), .time = span_of("1700000000")};
	char out[JOIN_SIGNED_MAX];

	cr_expect_eq(join_signed(&request, out), 15);
	cr_expect_eq(memcmp(out, "1700000000\ntext", 15), 0);
	request = (struct join_request){0};
	cr_expect_eq(join_signed(&request, out), 1);
}

/* If join_signed() truncates the text of a request, the request must not be applied. */
Test(join_request, text_beyond_the_signature_is_refused)
{
	char *text = malloc(JOIN_REQUEST_MAX + 2), out[JOIN_SIGNED_MAX];
	struct join_request request = {.time = span_of("123456789012345"), .signature = span_of(RIGHT)};
	struct join_world world;

	memset(text, ' ', JOIN_REQUEST_MAX + 1);
	request.text = (struct span){text, text + JOIN_REQUEST_MAX + 1};
	cr_expect_leq(join_signed(&request, out), sizeof(out));
	request.time = span_of("1700000000");
	join_begin(&world, FARM);
	cr_expect_eq(join_handle_request(world.join, world.farm, world.running, &request, right,
			     (struct join_clocks){.seconds = NOW, .ms = 1})
			     .status,
		401);
	join_end(&world);
	free(text);
}

/* --- fields */

struct reading {
	const char *name, *text;
	unsigned int status;
	const char *answer;
};

static void check_readings(const struct reading *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct join_world world;
		struct join_answer answer;

		join_begin(&world, FARM);
		answer = join_say(&world, rows[i].text);
		cr_expect_eq(answer.status, rows[i].status, "%s: %u", rows[i].name, answer.status);
		cr_expect(!strncmp(answer.text, rows[i].answer, strlen(rows[i].answer)), "%s: %s", rows[i].name,
			answer.text);
		cr_expect_eq(answer.changed, answer.status == 200, "%s", rows[i].name);
		join_end(&world);
	}
}

#define MEMBERS "\"pool\": \"proxies\", \"name\": \"px4\", \"address\": \"10.0.0.14\""
#define WORDS "pool=proxies; name=px4; address=10.0.0.14"

Test(join_request, json)
{
	static const struct reading rows[] = {
		{"all", "{\"action\": \"start\", " MEMBERS ", \"weight\": 1000, \"load\": 100}", 200, "joined"},
		{"IPv6",
			"{\"action\": \"start\", \"pool\": \"proxies\", \"name\": \"a\", \"address\": \"2001:db8::1\"}",
			200, "joined"},
		{"a different pool",
			"{\"action\":\"start\",\"pool\":\"spare\",\"name\":\"px1\",\"address\":\"10.0.0.11\"}", 200,
			"joined"},
		{"truncated", "{\"action\": \"start\"", 400, "not JSON: "},
		{"text after the object", "{\"action\": \"start\", " MEMBERS "} {}", 400, "not JSON: "},
		{"twice", "{\"action\": \"start\", \"action\": \"stop\", " MEMBERS "}", 400, "not JSON: dupl"},
		{"deep", "{\"action\": [[[[[[[[]]]]]]]], " MEMBERS "}", 400, "action must be start, heartbeat, "},
		{"no action", "{" MEMBERS "}", 400, "action is missing"},
		{"unknown action", "{\"action\": \"Start\", " MEMBERS "}", 400, "action must be start, "},
		{"no pool", "{\"action\": \"stop\", \"name\": \"px4\"}", 400, "pool is missing"},
		{"no name", "{\"action\": \"stop\", \"pool\": \"proxies\"}", 400, "name is missing"},
		{"no address", "{\"action\": \"start\", \"pool\": \"proxies\", \"name\": \"px4\"}", 400,
			"address is missing"},
		{"unknown member", "{\"action\": \"start\", " MEMBERS ", \"port\": 5060}", 400,
			"unknown member 'port': the members are action, "},
		{"member with a bad name", "{\"\\u00fc\\n\": 1}", 400,
			"unknown member '??"
			"?': "},
		{"a weight above the maximum", "{\"action\": \"start\", " MEMBERS ", \"weight\": 1001}", 400,
			"weight must be a number"},
		{"a weight below the minimum", "{\"action\": \"start\", " MEMBERS ", \"weight\": -1}", 400,
			"weight must be"},
		{"weight of 64 bits", "{\"action\": \"start\", " MEMBERS ", \"weight\": 4294967296}", 400,
			"weight must"},
		{"weight as text", "{\"action\": \"start\", " MEMBERS ", \"weight\": \"1\"}", 400, "weight must be"},
		{"a fractional weight", "{\"action\": \"start\", " MEMBERS ", \"weight\": 1.0}", 400, "weight must be"},
		{"a load above the maximum", "{\"action\": \"start\", " MEMBERS ", \"load\": 101}", 400,
			"load must be a number from 0 to 100"},
		{"load as text", "{\"action\": \"start\", " MEMBERS ", \"load\": \"1\"}", 400, "load must be"},
		{"name as number", "{\"action\": \"stop\", \"pool\": \"proxies\", \"name\": 4}", 400, "name must be 1"},
		{"name with a blank", "{\"action\": \"stop\", \"pool\": \"proxies\", \"name\": \"px 4\"}", 400,
			"name must be 1 to 63"},
		{"pool with a slash", "{\"action\": \"stop\", \"pool\": \"a/b\", \"name\": \"px4\"}", 400,
			"pool must be"},
		{"a name as address", "{\"action\":\"start\",\"pool\":\"spare\",\"name\":\"a\",\"address\":\"a.b\"}",
			400, "address must be the address of a host"},
		{"multicast", "{\"action\":\"start\",\"pool\":\"spare\",\"name\":\"a\",\"address\":\"224.0.0.1\"}", 400,
			"address must be"},
		{"loopback", "{\"action\":\"start\",\"pool\":\"spare\",\"name\":\"a\",\"address\":\"127.0.0.1\"}", 400,
			"address must be"},
	};

	check_readings(rows, COUNT(rows));
}

Test(join_request, parameters)
{
	static const struct reading rows[] = {
		{"all", "action=start; " WORDS "; weight=2; load=0", 200, "joined"},
		{"no blanks", "action=start;pool=proxies;name=px4;address=2001:db8::14", 200, "joined"},
		{"blanks", " action = start ;\tpool= proxies; name =px4;address=10.0.0.14; ", 400, "unknown member ''"},
		{"nothing", "", 400, "action is missing"},
		{"twice", "action=start; " WORDS "; name=px5", 400, "name is given twice"},
		{"no value", "action=start; " WORDS "; weight", 400, "weight must be a number from 0 to 1000"},
		{"weight", "action=start; " WORDS "; weight=0x1", 400, "weight must be a number from 0 to 1000"},
		{"load", "action=start; " WORDS "; load=99%", 400, "load must be a number from 0 to 100"},
		{"unknown", "action=start; " WORDS "; q=1", 400, "unknown member 'q'"},
		{"very long",
			"action=start; pool=0123456789012345678901234567890123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789012345678901234567890123456789; name=px4",
			400, "a parameter is too long"},
	};

	check_readings(rows, COUNT(rows));
}

/* --- a group */

static struct join_request request_of(const char *text, const char *time)
{
	return (struct join_request){
		.text = span_of(text), .time = span_of(time), .signature = span_of(*time ? RIGHT : "")};
}

static struct join_answer receive(struct join_world *world, const struct join_request *request, uint64_t now)
{
	return join_handle_request(world->join, world->farm, world->running, request, right,
		(struct join_clocks){.seconds = now, .ms = 1000});
}

static void pass_on(struct join_world *world, const struct join_request *request, uint64_t now)
{
	join_handle_shared(world->join, world->farm, world->running, request, NOW,
		(struct join_clocks){.seconds = now, .ms = 1000});
}

#define BEFORE "accepted by a different member of the group"

/* One member receives a stop and passes it on, the server joins again, and the stop is replayed at a different member.
 */
Test(join_request, a_replay_at_a_different_member_has_no_effect)
{
	static const char joins[] = "action=start; pool=proxies; name=px4; address=10.0.0.14";
	static const struct {
		const char *name, *time;
		bool joined;  /* when the stop is passed on */
		uint64_t now; /* of the second member, when the stop is passed on */
		unsigned int status;
		const char *text;
		bool stays; /* after the replay */
	} rows[] = {
		{"a replay", "1700000000", true, NOW, 200, BEFORE, true},
		{"the clock of the other member was ahead then", "1700000000", true, NOW + 31, 200, "removed", false},
		{"the other member runs a release that sends no signatures", "", true, NOW, 200, "removed", false},
		{"the stop was refused when it was passed on", "1700000000", false, NOW, 200, "removed", false},
	};
	const struct join_request stop = request_of("action=stop; pool=proxies; name=px4", "1700000000");
	const struct join_request start = request_of(joins, "");

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct join_request passed = request_of("action=stop; pool=proxies; name=px4", rows[i].time);
		struct join_world world;
		struct join_answer answer;

		join_begin(&world, FARM);
		if (rows[i].joined)
			pass_on(&world, &start, NOW);
		pass_on(&world, &passed, rows[i].now);
		pass_on(&world, &start, NOW);
		answer = receive(&world, &stop, NOW + 5);
		cr_expect_eq(answer.status, rows[i].status, "%s: %u", rows[i].name, answer.status);
		cr_expect_str_eq(answer.text, rows[i].text, "%s: %s", rows[i].name, answer.text);
		cr_expect_eq(answer.changed, !rows[i].stays, "%s", rows[i].name);
		cr_expect_eq(!!farm_find_backend(&world.farm->pools[0], "px4"), rows[i].stays, "%s", rows[i].name);
		cr_expect_eq(receive(&world, &stop, NOW + 6).status, rows[i].stays ? 200 : 401, "%s", rows[i].name);
		join_end(&world);
	}
}

/* A member applies its own requests again when the group delivers them. */
Test(join_request, a_replay_at_the_same_member_is_refused)
{
	const struct join_request start =
		request_of("action=start; pool=proxies; name=px4; address=10.0.0.14", "1700000000");
	struct join_world world;

	join_begin(&world, FARM);
	cr_expect_eq(receive(&world, &start, NOW).status, 200);
	pass_on(&world, &start, NOW);
	cr_expect_eq(receive(&world, &start, NOW).status, 401);
	join_end(&world);
}
