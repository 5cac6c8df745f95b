// SPDX-License-Identifier: GPL-2.0
/* Requests of servers to block and trust prefixes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "core/base/duration.h"
#include "join_world.h"

#define JOIN_GUARD "join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef, node_timeout: 10s, guard: true}\n"
#define FARM_GUARD SMALL_HEAD JOIN_GUARD SERVICE POOLS("", PX1)

/* Writes an accepted request as "ACTION PREFIX for=MS SERVER service=SERVICE REASON", or the reason of a refusal. */
static const char *describe(const struct join_answer *answer, char *text, size_t size)
{
	static const char *const actions[] = {"none", "block", "trust", "unblock"};
	const struct join_ban *ban = &answer->ban;
	char prefix[PREFIX_TEXT_SIZE];

	if (answer->status != 200)
		snprintf(text, size, "%u %s", answer->status, answer->text);
	else
		snprintf(text, size, "%s %s for=%u %s service=%s %s", actions[ban->action],
			prefix_format(&ban->prefix, prefix), ban->time, ban->server, ban->service, ban->reason);
	return text;
}

Test(join_ban, requests_are_read)
{
	static const struct {
		const char *text, *result; /* the beginning of the result */
	} rows[] = {
		{"{\"action\": \"block\", \"name\": \"px1\", \"prefix\": \"203.0.113.5\", \"for\": \"10m\"}",
			"block 203.0.113.5 for=600000 px1 service= "},
		{"{\"action\": \"block\", \"name\": \"px1\", \"prefix\": \"2001:db8::/48\", \"for\": \"1h\", "
		 "\"service\": \"sip\", \"reason\": \"5 wrong passwords\"}",
			"block 2001:db8::/48 for=3600000 px1 service=sip 5 wrong passwords"},
		{"{\"action\": \"trust\", \"name\": \"px1\", \"prefix\": \"203.0.113.0/24\", \"for\": \"90s\"}",
			"trust 203.0.113.0/24 for=90000 px1"},
		{"{\"action\": \"unblock\", \"name\": \"px1\", \"prefix\": \"203.0.113.5\"}",
			"unblock 203.0.113.5 for=0 px1"},
		{"{\"action\": \"block\", \"pool\": \"proxies\", \"name\": \"px1\", \"prefix\": \"203.0.113.5\", "
		 "\"for\": \"10m\", \"reason\": \"a\\nb\"}",
			"block 203.0.113.5 for=600000 px1 service= a?b"},
		{"{\"action\": \"block\", \"name\": \"px1\", \"prefix\": \"203.0.113.5\"}", "400 for is missing"},
		{"{\"action\": \"block\", \"name\": \"px1\", \"for\": \"10m\"}", "400 prefix is missing"},
		{"{\"action\": \"block\", \"prefix\": \"203.0.113.5\", \"for\": \"10m\"}", "400 name is missing"},
		{"{\"action\": \"block\", \"name\": \"px1\", \"prefix\": \"203.0.113.5/24\", \"for\": \"10m\"}",
			"400 prefix must be an address, or a network such as"},
		{"{\"action\": \"block\", \"name\": \"px1\", \"prefix\": \"203.0.113.5\", \"for\": \"0s\"}",
			"400 for must be a time"},
		{"{\"action\": \"block\", \"name\": \"px1\", \"prefix\": \"203.0.113.5\", \"for\": 600}",
			"400 for must be a time"},
		{"{\"action\": \"block\", \"name\": \"px1\", \"prefix\": \"203.0.113.5\", \"for\": \"10m\", "
		 "\"weight\": 1}",
			"400 this action has no member weight"},
		{"{\"action\": \"start\", \"pool\": \"proxies\", \"name\": \"px4\", \"address\": \"10.0.0.14\", "
		 "\"prefix\": \"203.0.113.5\"}",
			"400 this action has no member prefix"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct join_world world;
		struct join_answer answer;
		char text[512];

		join_begin(&world, FARM_GUARD);
		answer = join_say(&world, rows[i].text);
		cr_expect_eq(strncmp(describe(&answer, text, sizeof(text)), rows[i].result, strlen(rows[i].result)), 0,
			"%s: %s", rows[i].text, text);
		cr_expect(!answer.changed, "%s: the farm stays", rows[i].text);
		join_end(&world);
	}
}

#define BLOCK "{\"action\": \"block\", \"name\": \"px1\", \"prefix\": \"203.0.113.5\", \"for\": \"10m\"}"

Test(join_ban, the_file_must_permit_it)
{
	struct join_world world;
	struct join_answer answer;

	join_begin(&world, FARM);
	answer = join_say(&world, BLOCK);
	cr_expect_eq(answer.status, 409, "%s", answer.text);
	cr_expect(strstr(answer.text, "guard: true"), "%s", answer.text);
	cr_expect_eq(answer.ban.action, JOIN_BAN_NONE);
	join_end(&world);
}

Test(join_ban, the_rate_is_bounded)
{
	struct join_world world;
	struct join_answer answer = {.status = 200};
	size_t accepted = 0;

	join_begin(&world, FARM_GUARD);
	for (; accepted < 1000; accepted++) {
		answer = join_say(&world, BLOCK);
		if (answer.status != 200)
			break;
	}
	cr_expect_eq(answer.status, 503, "%s", answer.text);
	cr_expect_eq(answer.ban.action, JOIN_BAN_NONE);
	cr_expect_geq(accepted, 500);
	cr_expect_leq(accepted, 501);
	world.ms += SECOND;
	for (accepted = 0; join_say(&world, BLOCK).status == 200; accepted++)
		;
	cr_expect_geq(accepted, 49);
	cr_expect_leq(accepted, 51);
	join_end(&world);
}
