// SPDX-License-Identifier: GPL-2.0
/* Servers that join and leave by themselves: who is believed, what becomes of the farm with
 * each step, and what is answered. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/join/join_sip.h"
#include "core/base/memory.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct contract contract = {
	.version = ABI_VERSION, .slots = 256, .pools = 4, .services = 8, .backends = 6};

#define HEAD                                                                                                           \
	"interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n"                                             \
	"limits: {slots: 256, pools: 4, services: 8, backends: 6}\n"
#define JOIN "join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef, node_timeout: 10s}\n"
#define SERVICE "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies}]\n"
#define PX1 "{name: px1, address: 10.0.0.11}"
#define POOLS(more, backends)                                                                                          \
	"pools: [{name: proxies, " more "backends: [" backends "]}, {name: spare, backends: []}]\n"
#define FARM HEAD JOIN SERVICE POOLS("", PX1)

#define NOW 1700000000 /* seconds since the epoch */

struct world {
	struct image *running;
	struct farm *farm;
	struct join *join;
	uint64_t ms;
};

static void load(struct world *world, const char *text, enum farm_origin origin)
{
	struct faults faults = {0};
	struct config *config = config_parse(text, strlen(text), &faults);

	cr_assert(config, "%s", faults.count ? faults.list[0].message : "?");
	farm_free(world->farm);
	world->farm = farm_new(config, world->running, origin, &faults);
	cr_assert(world->farm, "%s", faults.count ? faults.list[0].message : "?");
	faults_free(&faults);
}

static void begin(struct world *world, const char *text)
{
	*world = (struct world){.running = image_new(&contract), .join = join_new(), .ms = 1000};
	load(world, text, FARM_RESTART);
}

static void end(struct world *world)
{
	farm_free(world->farm);
	join_free(world->join);
	image_free(world->running);
}

static struct span span_of(const char *text)
{
	return (struct span){text, text + strlen(text)};
}

static const uint8_t right[JOIN_SIGNATURE_SIZE] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
#define ZEROS48 "000000000000000000000000000000000000000000000000"
#define RIGHT "0123456789abcdef" ZEROS48

/* A request that has its signature, each another one, by a clock that is so many seconds ahead. */
static struct join_answer say_at(struct world *world, int ahead, const char *text)
{
	static uint32_t counter;
	uint8_t signature[JOIN_SIGNATURE_SIZE] = {0};
	char hex[2 * JOIN_SIGNATURE_SIZE + 1], time[16];
	struct join_request request = {.text = span_of(text), .is_json = *text == '{'};

	counter++;
	memcpy(signature, &counter, sizeof(counter));
	for (size_t i = 0; i < sizeof(signature); i++)
		sprintf(hex + 2 * i, "%02x", signature[i]);
	sprintf(time, "%d", NOW + ahead);
	request.time = span_of(time);
	request.signature = span_of(hex);
	return join_take(world->join, world->farm, world->running, &request, signature,
		(struct join_clocks){.seconds = NOW, .ms = world->ms});
}

static struct join_answer say(struct world *world, const char *text)
{
	return say_at(world, 0, text);
}

/* --- who is believed */

struct proof {
	const char *name, *time, *signature;
	unsigned int status;
	const char *text;
};

#define START "{\"action\": \"start\", \"pool\": \"proxies\", \"name\": \"px4\", \"address\": \"10.0.0.14\"}"

Test(join, authentication)
{
	static const struct proof rows[] = {
		{"right", "1700000000", RIGHT, 200, "joined"},
		{"30 s old", "1699999970", RIGHT, 200, "joined"},
		{"30 s ahead", "1700000030", RIGHT, 200, "joined"},
		{"31 s old", "1699999969", RIGHT, 401, "the time is 31 s old: are both clocks right?"},
		{"31 s ahead", "1700000031", RIGHT, 401, "the time is 31 s ahead: are both clocks right?"},
		{"no time", "", RIGHT, 401, "time or signature is missing"},
		{"no signature", "1700000000", "", 401, "time or signature is missing"},
		{"no number", "now", RIGHT, 401, "the signature is wrong"},
		{"negative", "-1700000000", RIGHT, 401, "the signature is wrong"},
		{"huge", "170000000000", RIGHT, 401, "the signature is wrong"},
		{"wrong in the first digit", "1700000000", "1123456789abcdef" ZEROS48, 401, "the signature is wrong"},
		{"wrong in the last digit", "1700000000", "0123456789abcdef" ZEROS48 + 1, 401,
			"the signature is wrong"},
		{"one digit more", "1700000000", RIGHT "0", 401, "the signature is wrong"},
		{"capitals", "1700000000", "0123456789ABCDEF" ZEROS48, 401, "the signature is wrong"},
		{"no hex", "1700000000", "0123456789abcdeg" ZEROS48, 401, "the signature is wrong"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct proof *row = &rows[i];
		struct join_request request = {.text = span_of(START),
			.time = span_of(row->time),
			.signature = span_of(row->signature),
			.is_json = true};
		struct join_answer answer;
		struct world world;

		begin(&world, FARM);
		answer = join_take(world.join, world.farm, world.running, &request, right,
			(struct join_clocks){.seconds = NOW, .ms = 1});
		cr_expect_eq(answer.status, row->status, "%s: %u", row->name, answer.status);
		cr_expect_str_eq(answer.text, row->text, "%s: %s", row->name, answer.text);
		cr_expect_eq(answer.changed, row->status == 200, "%s", row->name);
		cr_expect_eq(!!farm_find_backend(&world.farm->pools[0], "px4"), row->status == 200, "%s", row->name);
		end(&world);
	}
}

static unsigned int status_at(struct world *world, const char *time, uint8_t first, uint64_t now)
{
	uint8_t signature[JOIN_SIGNATURE_SIZE] = {first};
	char hex[] = "00" ZEROS48 "00000000000000";
	struct join_request request = {.text = span_of(START), .time = span_of(time), .is_json = true};
	char digits[3];

	sprintf(digits, "%02x", first);
	memcpy(hex, digits, 2);
	request.signature = span_of(hex);
	return join_take(world->join, world->farm, world->running, &request, signature,
		(struct join_clocks){.seconds = now, .ms = 1})
		.status;
}

/* For as long as the time is good; others of the same second are not meant. */
Test(join, replays)
{
	static const struct {
		const char *time;
		uint8_t first;
		uint64_t now;
		unsigned int status;
	} rows[] = {
		{"1700000030", 1, NOW, 200}, {"1700000030", 1, NOW, 401}, {"1700000030", 2, NOW, 200},
		{"1700000029", 1, NOW, 200}, /* of another second */
		{"1700000030", 1, NOW + 60, 401},
		{"1700000094", 1, NOW + 64, 200}, /* takes the place of the second of 64 before */
		{"1700000094", 1, NOW + 64, 401}, {"1700000030", 1, NOW + 64, 401}, /* too old by then */
	};
	struct world world;

	begin(&world, FARM);
	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect_eq(status_at(&world, rows[i].time, rows[i].first, rows[i].now), rows[i].status, "row %zu", i);
	end(&world);
}

Test(join, what_is_signed)
{
	struct join_request request = {.text = span_of("text"), .time = span_of("1700000000")};
	char out[JOIN_SIGNED_MAX];

	cr_expect_eq(join_signed(&request, out), 15);
	cr_expect_eq(memcmp(out, "1700000000\ntext", 15), 0);
	request = (struct join_request){0};
	cr_expect_eq(join_signed(&request, out), 1);
}

/* A text that is cut for the signature must not be taken whole. */
Test(join, refuses_more_than_is_signed)
{
	char *text = malloc(JOIN_REQUEST_MAX + 2), out[JOIN_SIGNED_MAX];
	struct join_request request = {.time = span_of("123456789012345"), .signature = span_of(RIGHT)};
	struct world world;

	memset(text, ' ', JOIN_REQUEST_MAX + 1);
	request.text = (struct span){text, text + JOIN_REQUEST_MAX + 1};
	cr_expect_leq(join_signed(&request, out), sizeof(out));
	request.time = span_of("1700000000");
	begin(&world, FARM);
	cr_expect_eq(join_take(world.join, world.farm, world.running, &request, right,
			     (struct join_clocks){.seconds = NOW, .ms = 1})
			     .status,
		401);
	end(&world);
	free(text);
}

/* --- what is understood */

struct reading {
	const char *name, *text;
	unsigned int status;
	const char *answer;
};

static void check_readings(const struct reading *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct world world;
		struct join_answer answer;

		begin(&world, FARM);
		answer = say(&world, rows[i].text);
		cr_expect_eq(answer.status, rows[i].status, "%s: %u", rows[i].name, answer.status);
		cr_expect(!strncmp(answer.text, rows[i].answer, strlen(rows[i].answer)), "%s: %s", rows[i].name,
			answer.text);
		cr_expect_eq(answer.changed, answer.status == 200, "%s", rows[i].name);
		end(&world);
	}
}

#define MEMBERS "\"pool\": \"proxies\", \"name\": \"px4\", \"address\": \"10.0.0.14\""
#define WORDS "pool=proxies; name=px4; address=10.0.0.14"

Test(join, json)
{
	static const struct reading rows[] = {
		{"all", "{\"action\": \"start\", " MEMBERS ", \"weight\": 1000}", 200, "joined"},
		{"IPv6",
			"{\"action\": \"start\", \"pool\": \"proxies\", \"name\": \"a\", \"address\": \"2001:db8::1\"}",
			200, "joined"},
		{"another pool", "{\"action\":\"start\",\"pool\":\"spare\",\"name\":\"px1\",\"address\":\"10.0.0.11\"}",
			200, "joined"},
		{"cut", "{\"action\": \"start\"", 400, "not JSON: "},
		{"more behind it", "{\"action\": \"start\", " MEMBERS "} {}", 400, "not JSON: "},
		{"twice", "{\"action\": \"start\", \"action\": \"stop\", " MEMBERS "}", 400, "not JSON: dupl"},
		{"deep", "{\"action\": [[[[[[[[]]]]]]]], " MEMBERS "}", 400, "action must be start, heartbeat, "},
		{"no action", "{" MEMBERS "}", 400, "action is missing"},
		{"unknown action", "{\"action\": \"Start\", " MEMBERS "}", 400, "action must be start, "},
		{"no pool", "{\"action\": \"stop\", \"name\": \"px4\"}", 400, "pool is missing"},
		{"no name", "{\"action\": \"stop\", \"pool\": \"proxies\"}", 400, "name is missing"},
		{"no address", "{\"action\": \"start\", \"pool\": \"proxies\", \"name\": \"px4\"}", 400,
			"address is missing"},
		{"unknown member", "{\"action\": \"start\", " MEMBERS ", \"port\": 5060}", 400,
			"unknown member 'port': known are action, "},
		{"member of a bad name", "{\"\\u00fc\\n\": 1}", 400,
			"unknown member '??"
			"?': "},
		{"weight above", "{\"action\": \"start\", " MEMBERS ", \"weight\": 1001}", 400,
			"weight must be a number"},
		{"weight below", "{\"action\": \"start\", " MEMBERS ", \"weight\": -1}", 400, "weight must be"},
		{"weight of 64 bits", "{\"action\": \"start\", " MEMBERS ", \"weight\": 4294967296}", 400,
			"weight must"},
		{"weight as text", "{\"action\": \"start\", " MEMBERS ", \"weight\": \"1\"}", 400, "weight must be"},
		{"half a weight", "{\"action\": \"start\", " MEMBERS ", \"weight\": 1.0}", 400, "weight must be"},
		{"name as number", "{\"action\": \"stop\", \"pool\": \"proxies\", \"name\": 4}", 400, "name must be 1"},
		{"name with a blank", "{\"action\": \"stop\", \"pool\": \"proxies\", \"name\": \"px 4\"}", 400,
			"name must be 1 to 63"},
		{"pool with a slash", "{\"action\": \"stop\", \"pool\": \"a/b\", \"name\": \"px4\"}", 400,
			"pool must be"},
		{"address of a name", "{\"action\":\"start\",\"pool\":\"spare\",\"name\":\"a\",\"address\":\"a.b\"}",
			400, "address must be the address of a host"},
		{"multicast", "{\"action\":\"start\",\"pool\":\"spare\",\"name\":\"a\",\"address\":\"224.0.0.1\"}", 400,
			"address must be"},
		{"loopback", "{\"action\":\"start\",\"pool\":\"spare\",\"name\":\"a\",\"address\":\"127.0.0.1\"}", 400,
			"address must be"},
	};

	check_readings(rows, COUNT(rows));
}

Test(join, parameters)
{
	static const struct reading rows[] = {
		{"all", "action=start; " WORDS "; weight=2", 200, "joined"},
		{"no blanks", "action=start;pool=proxies;name=px4;address=2001:db8::14", 200, "joined"},
		{"blanks", " action = start ;\tpool= proxies; name =px4;address=10.0.0.14; ", 400, "unknown member ''"},
		{"nothing", "", 400, "action is missing"},
		{"twice", "action=start; " WORDS "; name=px5", 400, "name is given twice"},
		{"no value", "action=start; " WORDS "; weight", 400, "weight must be a number from 0 to 1000"},
		{"weight", "action=start; " WORDS "; weight=0x1", 400, "weight must be a number from 0 to 1000"},
		{"unknown", "action=start; " WORDS "; q=1", 400, "unknown member 'q'"},
		{"very long",
			"action=start; pool=0123456789012345678901234567890123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789012345678901234567890123456789; name=px4",
			400, "a parameter is too long"},
	};

	check_readings(rows, COUNT(rows));
}

/* --- what becomes of the farm: "px4@10.0.0.14 x1 leaving silent" of each that is not in the file */

static const char *describe(const struct world *world)
{
	static char text[1024];

	*text = '\0';
	for (size_t i = 0; i < world->farm->config->pool_count; i++)
		for (size_t j = 0; j < world->farm->pools[i].count; j++) {
			const struct farm_backend *backend = &world->farm->pools[i].backends[j];
			uint8_t overrides = backend->record.overrides;
			char address[ADDRESS_TEXT_SIZE];

			if (config_find_backend(world->farm->pools[i].config, backend->record.name) &&
				!(overrides & OVERRIDE_JOINED))
				continue;
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s@%s x%u%s%s%s",
				*text ? ", " : "", backend->record.name,
				address_format(&backend->record.address, address), backend->record.weight,
				overrides & OVERRIDE_JOINED ? "" : " by hand",
				overrides & OVERRIDE_LEAVING ? " leaving" : "", backend->silent ? " silent" : "");
		}
	return text;
}

/* What the daemon does each second. */
static void look(struct world *world)
{
	const struct farm_backend *backend;
	char error[FARM_ERROR_SIZE];

	join_update_silence(world->join, world->farm, world->ms);
	while ((backend = join_find_expired(world->join, world->farm, world->ms))) {
		struct backend_record record = backend->record;

		cr_assert_eq(farm_remove_backend(world->farm, record.pool, record.name, error), 0);
	}
}

struct step {
	const char *name;
	unsigned int after; /* seconds */
	const char *said;   /* NULL: nothing */
	unsigned int status;
	const char *answer;
	bool changed;
	const char *farm;
};

static void go(struct world *world, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct step *step = &steps[i];
		struct join_answer answer;

		world->ms += step->after * 1000;
		look(world);
		if (step->said) {
			answer = say(world, step->said);
			cr_expect_eq(answer.status, step->status, "%s: %u", step->name, answer.status);
			cr_expect_str_eq(answer.text, step->answer, "%s: %s", step->name, answer.text);
			cr_expect_eq(answer.changed, step->changed, "%s", step->name);
		}
		cr_expect_str_eq(describe(world), step->farm, "%s: %s", step->name, describe(world));
	}
}

#define PX4 "pool=proxies; name=px4"

Test(join, life_of_a_server)
{
	static const struct step steps[] = {
		{"heartbeat of a stranger", 0, "action=heartbeat; " PX4, 404,
			"no backend 'px4' in pool 'proxies': it has not joined, or its heartbeats were missing", false,
			""},
		{"start", 0, "action=start; " PX4 "; address=10.0.0.14; weight=2", 200, "joined", true,
			"px4@10.0.0.14 x2"},
		{"another start is a heartbeat", 6, "action=start; " PX4 "; address=10.0.0.14", 200, "heard", false,
			"px4@10.0.0.14 x2"},
		{"heartbeat", 6, "action=heartbeat; " PX4, 200, "heard", false, "px4@10.0.0.14 x2"},
		{"heartbeat with the weight", 6, "action=heartbeat; " PX4 "; weight=2", 200, "heard", false,
			"px4@10.0.0.14 x2"},
		{"heartbeat with another weight", 6, "action=heartbeat; " PX4 "; weight=0; address=10.0.0.14", 200,
			"heard", true, "px4@10.0.0.14 x0"},
		{"another address", 0, "action=start; " PX4 "; address=10.0.0.15", 409,
			"backend 'px4' of pool 'proxies' is at 10.0.0.14", false, "px4@10.0.0.14 x0"},
		{"stop from another address", 0, "action=stop; " PX4 "; address=10.0.0.15", 409,
			"backend 'px4' of pool 'proxies' is at 10.0.0.14", false, "px4@10.0.0.14 x0"},
		{"another server", 3, "action=start; pool=proxies; name=px5; address=10.0.0.15", 200, "joined", true,
			"px4@10.0.0.14 x0, px5@10.0.0.15 x1"},
		{"not silent yet", 6, NULL, 0, "", false, "px4@10.0.0.14 x0, px5@10.0.0.15 x1"},
		{"one is silent", 1, NULL, 0, "", false, "px4@10.0.0.14 x0 silent, px5@10.0.0.15 x1"},
		{"the other has leave", 2, "action=shutdown; pool=proxies; name=px5", 200, "leaving", true,
			"px4@10.0.0.14 x0 silent, px5@10.0.0.15 x1 leaving"},
		{"... and goes on to live", 6, "action=heartbeat; pool=proxies; name=px5", 200, "heard", false,
			"px4@10.0.0.14 x0 silent, px5@10.0.0.15 x1 leaving"},
		{"heard again, just in time", 1, "action=heartbeat; " PX4, 200, "heard", true,
			"px4@10.0.0.14 x0, px5@10.0.0.15 x1 leaving"},
		{"not leaving any more", 0, "action=start; pool=proxies; name=px5; address=10.0.0.15", 200, "joined",
			true, "px4@10.0.0.14 x0, px5@10.0.0.15 x1"},
		{"both silent", 10, NULL, 0, "", false, "px4@10.0.0.14 x0 silent, px5@10.0.0.15 x1 silent"},
		{"stop", 5, "action=stop; pool=proxies; name=px5", 200, "removed", true, "px4@10.0.0.14 x0 silent"},
		{"forgotten", 5, NULL, 0, "", false, ""},
		{"a heartbeat is not enough then", 0, "action=heartbeat; " PX4, 404,
			"no backend 'px4' in pool 'proxies': it has not joined, or its heartbeats were missing", false,
			""},
		{"stop of nobody", 0, "action=stop; " PX4, 404,
			"no backend 'px4' in pool 'proxies': it has not joined, or its heartbeats were missing", false,
			""},
		{"start anew, at another address", 60, "action=start; " PX4 "; address=10.0.0.24", 200, "joined", true,
			"px4@10.0.0.24 x1"},
		{"its silence counts from there", 9, NULL, 0, "", false, "px4@10.0.0.24 x1"},
	};
	struct world world;

	begin(&world, FARM);
	go(&world, steps, COUNT(steps));
	end(&world);
}

Test(join, refusals)
{
	static const struct step steps[] = {
		{"no such pool", 0, "action=start; pool=none; name=px4; address=10.0.0.14", 404, "no pool 'none'",
			false, ""},
		{"in the file", 0, "action=start; pool=proxies; name=px1; address=10.0.0.11", 409,
			"backend 'px1' of pool 'proxies' is in the file: only other backends join and leave", false,
			""},
		{"heartbeat of one in the file", 0, "action=heartbeat; pool=proxies; name=px1", 409,
			"backend 'px1' of pool 'proxies' is in the file: only other backends join and leave", false,
			""},
		{"stop of one in the file", 0, "action=stop; pool=proxies; name=px1", 409,
			"backend 'px1' of pool 'proxies' is in the file: only other backends join and leave", false,
			""},
		{"address of another", 0, "action=start; pool=proxies; name=px4; address=10.0.0.11", 409,
			"backend 'px1' of pool 'proxies' has the address 10.0.0.11 already", false, ""},
		{"a VIP", 0, "action=start; pool=proxies; name=px4; address=192.0.2.10", 409,
			"192.0.2.10 is a VIP: a backend needs an address of its own", false, ""},
		{"2", 0, "action=start; pool=spare; name=2; address=10.0.0.2", 200, "joined", true, "2@10.0.0.2 x1"},
		{"3", 0, "action=start; pool=spare; name=3; address=10.0.0.3", 200, "joined", true,
			"2@10.0.0.2 x1, 3@10.0.0.3 x1"},
		{"4", 0, "action=start; pool=spare; name=4; address=10.0.0.4", 200, "joined", true,
			"2@10.0.0.2 x1, 3@10.0.0.3 x1, 4@10.0.0.4 x1"},
		{"5", 0, "action=start; pool=spare; name=5; address=10.0.0.5", 200, "joined", true,
			"2@10.0.0.2 x1, 3@10.0.0.3 x1, 4@10.0.0.4 x1, 5@10.0.0.5 x1"},
		{"6", 0, "action=start; pool=spare; name=6; address=10.0.0.6", 200, "joined", true,
			"2@10.0.0.2 x1, 3@10.0.0.3 x1, 4@10.0.0.4 x1, 5@10.0.0.5 x1, 6@10.0.0.6 x1"},
		{"more than there is room for", 0, "action=start; pool=spare; name=7; address=10.0.0.7", 503,
			"the maps were made for 6 backends; raise `limits:` and run 'sipxdp-loader upgrade -c FILE'",
			false, "2@10.0.0.2 x1, 3@10.0.0.3 x1, 4@10.0.0.4 x1, 5@10.0.0.5 x1, 6@10.0.0.6 x1"},
	};
	struct world world;

	begin(&world, FARM);
	go(&world, steps, COUNT(steps));
	end(&world);
}

Test(join, those_of_an_operator)
{
	static const struct step steps[] = {
		{"added by hand", 0, "action=start; pool=proxies; name=px9; address=10.0.0.19", 409,
			"backend 'px9' of pool 'proxies' was added by an operator", false, "px9@10.0.0.19 x1 by hand"},
		{"stop of one added by hand", 0, "action=stop; pool=proxies; name=px9", 409,
			"backend 'px9' of pool 'proxies' was added by an operator", false, "px9@10.0.0.19 x1 by hand"},
		{"removed by hand", 0, "action=start; pool=proxies; name=px1; address=10.0.0.11", 409,
			"backend 'px1' of pool 'proxies' is in the file: only other backends join and leave", false,
			"px9@10.0.0.19 x1 by hand"},
		{"never silent", 3600, NULL, 0, "", false, "px9@10.0.0.19 x1 by hand"},
	};
	struct address address;
	char error[FARM_ERROR_SIZE];
	struct world world;

	begin(&world, FARM);
	address_parse("10.0.0.19", &address);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px9", &address, 1, error), 0);
	cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px1", error), 0);
	go(&world, steps, COUNT(steps));
	end(&world);
}

/* --- restart and reload */

/* As if all were in the maps. */
static void write_down(struct world *world)
{
	memset(world->running->records, 0, (contract.backends + 1) * sizeof(*world->running->records));
	for (size_t i = 0; i < world->farm->config->pool_count; i++)
		for (size_t j = 0; j < world->farm->pools[i].count; j++) {
			const struct farm_backend *backend = &world->farm->pools[i].backends[j];

			world->running->records[backend->id] = backend->record;
		}
}

struct return_row {
	const char *name;
	enum farm_origin origin;
	const char *file;
	const char *farm; /* at once, 9 s later, and 10 s later */
	const char *later;
	const char *end;
};

#define FOUR "px4@10.0.0.14 x2"

/* One joins, and says nothing for 5 s: then the farm is built anew. */
Test(join, restart_and_reload)
{
	static const struct return_row rows[] = {
		{"restart: as if just heard of", FARM_RESTART, FARM, FOUR, FOUR, FOUR " silent"},
		{"reload: as before", FARM_RELOAD, FARM, FOUR, FOUR " silent", FOUR " silent"},
		{"reload without join:", FARM_RELOAD, HEAD SERVICE POOLS("", PX1), FOUR, FOUR " silent",
			FOUR " silent"},
		{"reload: shorter timeout", FARM_RELOAD,
			HEAD
			"join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef, node_timeout: 4s}\n" SERVICE POOLS(
				"", PX1),
			FOUR " silent", "", ""},
		{"reload: its pool is gone", FARM_RELOAD, HEAD JOIN "pools: [{name: spare, backends: []}]\n", "", "",
			""},
		{"reload: written down", FARM_RELOAD,
			HEAD JOIN SERVICE POOLS("", PX1 ", {name: px4, address: 10.0.0.14}"), "", "", ""},
		{"restart: written down", FARM_RESTART,
			HEAD JOIN SERVICE POOLS("", PX1 ", {name: px4, address: 10.0.0.14}"), "", "", ""},
		{"reload: its address under another name", FARM_RELOAD,
			HEAD JOIN SERVICE POOLS("", PX1 ", {name: pxx, address: 10.0.0.14}"), "", "", ""},
		{"reload: its address is a VIP", FARM_RELOAD,
			HEAD JOIN "services: [{name: sip, vip: 10.0.0.14, port: 5060, pool: proxies}]\n" POOLS("", PX1),
			"", "", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct return_row *row = &rows[i];
		struct world world;

		begin(&world, FARM);
		look(&world);
		say(&world, "action=start; " PX4 "; address=10.0.0.14; weight=2");
		world.ms += 5000;
		look(&world);
		write_down(&world);
		if (row->origin == FARM_RESTART) {
			join_free(world.join);
			world.join = join_new();
		}
		load(&world, row->file, row->origin);
		look(&world);
		cr_expect_str_eq(describe(&world), row->farm, "%s: %s", row->name, describe(&world));
		world.ms += 9000;
		look(&world);
		cr_expect_str_eq(describe(&world), row->later, "%s, later: %s", row->name, describe(&world));
		world.ms += 1000;
		look(&world);
		cr_expect_str_eq(describe(&world), row->end, "%s, in the end: %s", row->name, describe(&world));
		end(&world);
	}
}

/* An id that somebody else had before brings no silence with it. */
Test(join, id_of_another)
{
	struct world world;

	begin(&world, FARM);
	say(&world, "action=start; " PX4 "; address=10.0.0.14");
	say(&world, "action=stop; " PX4);
	world.ms += 100000;
	look(&world);
	say(&world, "action=start; pool=spare; name=px6; address=10.0.0.16");
	look(&world);
	cr_expect_str_eq(describe(&world), "px6@10.0.0.16 x1");
	end(&world);
}

Test(join, is_not_saved)
{
	struct config *config;
	struct world world;

	begin(&world, FARM);
	say(&world, "action=start; " PX4 "; address=10.0.0.14");
	config = farm_config(world.farm);
	cr_expect(config_find_backend(&config->pools[0], "px1"));
	cr_expect_null(config_find_backend(&config->pools[0], "px4"));
	config_free(config);
	end(&world);
}

/* After a stall all count as just heard of, except servers that were silent before. */
Test(join, forgiven)
{
	struct world world;

	begin(&world, FARM);
	say(&world, "action=start; " PX4 "; address=10.0.0.14");
	world.ms += 5000;
	say(&world, "action=start; pool=proxies; name=px5; address=10.0.0.15");
	world.ms += 6000;
	look(&world);
	cr_expect_str_eq(describe(&world), "px4@10.0.0.14 x1 silent, px5@10.0.0.15 x1");
	join_restart_silence(world.join, world.farm, world.ms);
	world.ms += 9000;
	look(&world);
	cr_expect_str_eq(describe(&world), "px5@10.0.0.15 x1", "silent before, and forgotten: %s", describe(&world));
	world.ms += 1000;
	look(&world);
	cr_expect_str_eq(describe(&world), "px5@10.0.0.15 x1 silent", "%s", describe(&world));
	end(&world);
}

/* An outage that is longer than node_timeout: when it ends probes are answered at once, and the next
 * heartbeat comes later. */
Test(join, silence_while_the_balancer_sees_nobody)
{
	struct farm_pool *pool;
	struct world world;

	begin(&world, HEAD JOIN SERVICE POOLS("probe: options, ", ""));
	say(&world, "action=start; " PX4 "; address=10.0.0.14");
	say(&world, "action=start; pool=proxies; name=px5; address=10.0.0.15");
	pool = &world.farm->pools[0];
	pool->outage.view = OUTAGE_BLIND;
	farm_find_backend(pool, "px5")->judged.down = true;
	world.ms += 11000;
	look(&world);
	cr_expect_eq(farm_find_backend(pool, "px4")->silent_ms, 11000, "it is excused, and was not heard");
	pool->outage.view = OUTAGE_NONE;
	world.ms += 500;
	look(&world);
	cr_expect_str_eq(describe(&world), "px4@10.0.0.14 x1, px5@10.0.0.15 x1 silent", "px5 was down before");
	world.ms += 10000;
	look(&world);
	cr_expect_str_eq(describe(&world), "px4@10.0.0.14 x1 silent", "it counts from the end of the outage");
	end(&world);
}

/* All fall silent at once: it is the network. */
Test(join, those_of_whom_none_is_heard)
{
	static const struct route ready = {.state = ROUTE_READY, .next_hop = {{2, 0, 0, 0, 0, 1}}, .mtu = 1500};
	struct farm_pool *pool;
	struct world world;

	begin(&world, HEAD JOIN SERVICE POOLS("", ""));
	say(&world, "action=start; " PX4 "; address=10.0.0.14");
	say(&world, "action=start; pool=proxies; name=px5; address=10.0.0.15");
	say(&world, "action=start; pool=proxies; name=px6; address=10.0.0.16");
	pool = &world.farm->pools[0];
	for (int turn = 0; turn < 3; turn++) {
		look(&world);
		for (size_t i = 0; i < pool->count; i++)
			farm_set_route(&pool->backends[i], &ready);
		farm_judge(world.farm, pool, 0, world.ms);
		for (size_t i = 0; i < pool->count; i++) {
			farm_update_state(world.farm, pool, &pool->backends[i], NOW);
			cr_expect_eq(pool->backends[i].record.state, turn ? STATE_SUSPECTED : STATE_UP);
		}
		cr_expect_eq(pool->count, 3, "no backend is forgotten");
		world.ms += turn ? 3600000 : 11000;
	}
	end(&world);
}

/* One of the two clocks was set: heartbeats are refused, and still are signs of life, unless they
 * may have been recorded before. */
Test(join, clocks_that_differ)
{
	static const char heartbeat[] = "action=heartbeat; " PX4;
	static const struct {
		const char *sentence;
		int ahead;
		const char *farm; /* 6 s later */
	} rows[] = {
		{"the server's clock is ahead", 3600, "px4@10.0.0.14 x1"},
		{"... and goes on", 3606, "px4@10.0.0.14 x1"},
		{"the same second again", 3606, "px4@10.0.0.14 x1 silent"},
		{"an earlier one, recorded", 3603, "px4@10.0.0.14 x1 silent"},
		{"long before", -3600, ""},
	};
	struct world world;

	for (size_t i = 0; i < COUNT(rows); i++) {
		begin(&world, FARM);
		say(&world, "action=start; " PX4 "; address=10.0.0.14");
		for (size_t j = 0; j <= i; j++) {
			world.ms += 6000;
			cr_expect_eq(say_at(&world, rows[j].ahead, heartbeat).status, 401);
		}
		world.ms += 6000;
		look(&world);
		cr_expect_str_eq(describe(&world), rows[i].farm, "%s: %s", rows[i].sentence, describe(&world));
		end(&world);
	}
}

Test(join, a_heartbeat_by_another_clock_brings_no_server_back)
{
	struct world world;

	begin(&world, FARM);
	cr_expect_eq(say_at(&world, 3600, "action=start; " PX4 "; address=10.0.0.14").status, 401);
	cr_expect_str_eq(describe(&world), "", "nor adds one");
	say(&world, "action=start; " PX4 "; address=10.0.0.14");
	cr_expect_eq(say_at(&world, 3600, "action=stop; " PX4).status, 401);
	cr_expect_str_eq(describe(&world), "px4@10.0.0.14 x1", "nor removes one");
	world.ms += 10000;
	look(&world);
	say_at(&world, 3600, "action=heartbeat; " PX4);
	look(&world);
	cr_expect_str_eq(describe(&world), "px4@10.0.0.14 x1 silent");
	end(&world);
}

/* Where a pool fails open, and none of it is up, it is us who hear nothing. */
Test(join, those_of_a_pool_that_fails_open)
{
	static const struct route ready = {.state = ROUTE_READY, .next_hop = {{2, 0, 0, 0, 0, 1}}, .mtu = 1500};
	struct farm_pool *pool;
	struct world world;

	begin(&world, HEAD JOIN SERVICE POOLS("min_alive: 50, ", ""));
	say(&world, "action=start; " PX4 "; address=10.0.0.14");
	say(&world, "action=start; pool=proxies; name=px5; address=10.0.0.15");
	say(&world, "action=start; pool=proxies; name=px6; address=10.0.0.16");
	world.ms += 15000;
	pool = &world.farm->pools[0];
	for (int turn = 0; turn < 2; turn++) {
		look(&world);
		for (size_t i = 0; i < pool->count; i++) {
			farm_set_route(&pool->backends[i], &ready);
			farm_update_state(world.farm, pool, &pool->backends[i], NOW);
		}
		farm_update_fail_open(pool, NOW * UINT64_C(1000));
		cr_expect(pool->fail_open);
		cr_expect_eq(pool->backends[0].record.state, STATE_DOWN);
		cr_expect_str_eq(farm_reason(world.farm, pool, &pool->backends[0]), "sends no heartbeats");
		world.ms += 3600000;
	}
	cr_expect_eq(pool->count, 3, "no backend is forgotten");
	say(&world, "action=heartbeat; pool=proxies; name=px5");
	for (size_t i = 0; i < pool->count; i++)
		farm_update_state(world.farm, pool, &pool->backends[i], NOW);
	look(&world);
	cr_expect_str_eq(describe(&world), "px5@10.0.0.15 x1", "one is heard: %s", describe(&world));
	end(&world);
}

/* --- SIP */

#define SIP_HEAD                                                                                                       \
	"OPTIONS sip:10.0.0.2:7946 SIP/2.0\r\n"                                                                        \
	"Via: SIP/2.0/UDP 10.0.0.14:5062;branch=z9hG4bK1\r\n"                                                          \
	"Max-Forwards: 70\r\n"                                                                                         \
	"From: <sip:px4@10.0.0.14>;tag=1\r\n"                                                                          \
	"To: <sip:10.0.0.2:7946>\r\n"                                                                                  \
	"Call-ID: a@b\r\n"                                                                                             \
	"CSeq: 1 OPTIONS\r\n"
#define BEAT "X-Sipxdp-Heartbeat: action=heartbeat; pool=proxies; name=px4; time=17; signature=ab\r\n"

struct heartbeat {
	const char *name, *message;
	const char *said, *time, *signature;
};

static bool span_is(struct span span, const char *text)
{
	size_t length = span.end - span.at;

	return length == strlen(text) && (!length || !memcmp(span.at, text, length));
}

/* Of a copy of just these bytes, so that ASan sees a byte too many; to be freed. */
static char *read_sip(const char *message, struct join_request *request, const char **text, unsigned int *status)
{
	size_t length = strlen(message);
	char *copy = memcpy(malloc(length + !length), message, length);

	*status = join_sip_read((struct span){copy, copy + length}, request, text);
	return copy;
}

#define SAID "action=heartbeat; pool=proxies; name=px4"
#define SHORT "a=b; time=1; signature=2\r\n"

Test(join_sip, heartbeats)
{
	static const struct heartbeat rows[] = {
		{"a heartbeat", SIP_HEAD BEAT "Content-Length: 0\r\n\r\n", SAID, "17", "ab"},
		{"without an end", SIP_HEAD BEAT, SAID, "17", "ab"},
		{"no blanks", SIP_HEAD "x-sipxdp-heartbeat:a=b;time=1;signature=2\r\n\r\n", "a=b", "1", "2"},
		{"folded", SIP_HEAD "X-Sipxdp-Heartbeat: a=b\r\n ; time=1\r\n ;signature=2\r\n\r\n", "a=b", "1", "2"},
		{"in two, of which the first counts", SIP_HEAD BEAT "X-Sipxdp-Heartbeat: " SHORT "\r\n", SAID, "17",
			"ab"},
		{"compact", "OPTIONS sip:a SIP/2.0\nv: SIP/2.0/UDP a\nf: a\nt: b\ni: c\nCSeq: 1 OPTIONS\n" BEAT "\n",
			SAID, "17", "ab"},
		{"nothing said", SIP_HEAD "X-Sipxdp-Heartbeat: time=17; signature=ab\r\n\r\n", "", "17", "ab"},
		{"no time", SIP_HEAD "X-Sipxdp-Heartbeat: a=b; signature=ab\r\n\r\n", "", "", ""},
		{"no signature", SIP_HEAD "X-Sipxdp-Heartbeat: a=b; time=17\r\n\r\n", "a=b", "17", ""},
		{"signed, and more behind it", SIP_HEAD "X-Sipxdp-Heartbeat: a=b; time=1; signature=2; c=d\r\n\r\n",
			"a=b", "1", ""},
		{"empty", SIP_HEAD "X-Sipxdp-Heartbeat:\r\n\r\n", "", "", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct heartbeat *row = &rows[i];
		struct join_request request;
		unsigned int status;
		const char *text;
		char *copy = read_sip(row->message, &request, &text, &status);

		cr_expect_eq(status, 200, "%s: %u", row->name, status);
		cr_expect(span_is(request.text, row->said), "%s: said", row->name);
		cr_expect(span_is(request.time, row->time), "%s: time", row->name);
		cr_expect(span_is(request.signature, row->signature), "%s: signature", row->name);
		cr_expect(!request.is_json, "%s", row->name);
		free(copy);
	}
}

struct no_heartbeat {
	const char *name, *message;
	unsigned int status;
	const char *text;
};

#define OTHERS(method) "Via: SIP/2.0/UDP a\r\nf: a\r\nt: b\r\ni: c\r\nCSeq: 1 " method "\r\n" BEAT "\r\n"

Test(join_sip, others)
{
	static const struct no_heartbeat rows[] = {
		{"behind the blank line", SIP_HEAD "\r\n" BEAT, 400, "no X-Sipxdp-Heartbeat"},
		{"a ping", SIP_HEAD "\r\n", 400, "no X-Sipxdp-Heartbeat"},
		{"INVITE", "INVITE sip:a SIP/2.0\r\n" OTHERS("INVITE"), 405, "only OPTIONS is accepted here"},
		{"ACK", "ACK sip:a SIP/2.0\r\n" OTHERS("ACK"), 0, ""},
		{"a response", "SIP/2.0 200 OK\r\n" OTHERS("OPTIONS"), 0, ""},
		{"no Via", "OPTIONS sip:a SIP/2.0\r\nf: a\r\nt: b\r\ni: c\r\nCSeq: 1 OPTIONS\r\n" BEAT "\r\n", 0, ""},
		{"no CSeq", "OPTIONS sip:a SIP/2.0\r\nv: SIP/2.0/UDP a\r\nf: a\r\nt: b\r\ni: c\r\n" BEAT "\r\n", 0, ""},
		{"two Call-IDs", SIP_HEAD "i: other\r\n" BEAT "\r\n", 0, ""},
		{"not SIP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, ""},
		{"a keepalive", "\r\n\r\n", 0, ""},
		{"nothing", "", 0, ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *text = "";
		struct join_request request;
		unsigned int status;
		char *copy = read_sip(rows[i].message, &request, &text, &status);

		cr_expect_eq(status, rows[i].status, "%s: %u", rows[i].name, status);
		cr_expect(!status || !strcmp(text, rows[i].text), "%s: %s", rows[i].name, text);
		free(copy);
	}
}

static char *answer_to(const char *message, unsigned int status, const char *text, struct join_peer *peer)
{
	static char out[JOIN_SIP_ANSWER_SIZE + 1];
	struct join_answer answer = {.status = status};
	size_t length;

	snprintf(answer.text, sizeof(answer.text), "%s", text);
	address_parse("10.0.0.99", &peer->address);
	peer->port = 40000;
	length = join_sip_answer(span_of(message), &answer, 0x42, peer, out);
	out[length] = '\0';
	return out;
}

Test(join_sip, answer_in_full)
{
	struct join_peer peer;

	cr_expect_str_eq(answer_to(SIP_HEAD BEAT "\r\nbody", 200, "heard", &peer),
		"SIP/2.0 200 heard\r\n"
		"Via: SIP/2.0/UDP 10.0.0.14:5062;branch=z9hG4bK1;received=10.0.0.99\r\n"
		"From: <sip:px4@10.0.0.14>;tag=1\r\n"
		"To: <sip:10.0.0.2:7946>;tag=0000000000000042\r\n"
		"Call-ID: a@b\r\n"
		"CSeq: 1 OPTIONS\r\n"
		"Allow: OPTIONS\r\n"
		"Server: sipxdp\r\n"
		"Content-Length: 0\r\n"
		"\r\n");
	cr_expect_eq(peer.port, 5062);
}

struct answer_row {
	const char *name;
	const char *headers;
	const char *contains;
	uint16_t port;
};

#define REST "f: a\r\ni: c\r\nCSeq: 1 OPTIONS\r\n\r\n"

Test(join_sip, answers)
{
	static const struct answer_row rows[] = {
		{"no port", "Via: SIP/2.0/UDP a\r\nt: b\r\n", "\r\nVia: SIP/2.0/UDP a;received=10.0.0.99\r\n", 5060},
		{"IPv6", "Via: SIP/2.0/UDP [2001:db8::14]\r\nt: b\r\n", "Via: SIP/2.0/UDP [2001:db8::14];r", 5060},
		{"IPv6 with a port", "Via: SIP/2.0/UDP [2001:db8::14]:5062;x\r\nt: b\r\n", "]:5062;x;received", 5062},
		{"rport", "v: SIP/2.0/UDP a:1;branch=b;rport;x=\";rport\"\r\nt: b\r\n",
			"Via: SIP/2.0/UDP a:1;branch=b;rport=40000;x=\";rport\";received=10.0.0.99\r\n", 40000},
		{"rport with a lie", "v: SIP/2.0/UDP a:1;rport=2\r\nt: b\r\n", "a:1;rport=40000;received=", 40000},
		{"rport twice", "v: SIP/2.0/UDP a:1;rport;rport\r\nt: b\r\n", "a:1;rport=40000;rport;received=", 40000},
		{"rport of another", "v: SIP/2.0/UDP a:1, SIP/2.0/UDP b;rport\r\nt: b\r\n",
			"a:1;received=10.0.0.99, SIP/2.0/UDP b;rport\r\n", 1},
		{"many Vias", "v: SIP/2.0/UDP a:1\r\nVia: SIP/2.0/UDP b\r\nt: b\r\nvia: SIP/2.0/UDP c\r\n",
			"\r\nVia: SIP/2.0/UDP b\r\nt: b;tag=0000000000000042\r\nvia: SIP/2.0/UDP c\r\n", 1},
		{"port 0", "v: SIP/2.0/UDP a:0\r\nt: b\r\n", "a:0;", 5060},
		{"port of 17 bits", "v: SIP/2.0/UDP a:65536\r\nt: b\r\n", "a:65536;", 5060},
		{"a tag", "v: SIP/2.0/UDP a\r\nTo: \"b;tag=1\" <sip:b;tag=1>;x;TAG=2\r\n", ";x;TAG=2\r\n", 5060},
		{"no tag yet", "v: SIP/2.0/UDP a\r\nTo: \"b;tag=1\" <sip:b;tag=1>;x\r\n", ";x;tag=0000000000000042\r\n",
			5060},
		{"a tag without brackets", "v: SIP/2.0/UDP a\r\nTo: sip:b;tag=2\r\n", "To: sip:b;tag=2\r\n", 5060},
	};
	char message[1024];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct join_peer peer;
		const char *answer;

		snprintf(message, sizeof(message), "OPTIONS sip:a SIP/2.0\r\n%s" REST, rows[i].headers);
		answer = answer_to(message, 401, "no", &peer);
		cr_expect(strstr(answer, rows[i].contains), "%s: %s", rows[i].name, answer);
		cr_expect_eq(peer.port, rows[i].port, "%s: %u", rows[i].name, peer.port);
		cr_expect(!strncmp(answer, "SIP/2.0 403 no\r\n", 16), "401 has a challenge in SIP");
	}
}

/* The answer is longest where each line is short and ends in a bare LF. */
Test(join_sip, answer_to_the_longest)
{
	char message[JOIN_REQUEST_MAX];
	struct span span = {message, message + sizeof(message)};
	size_t length = snprintf(message, sizeof(message), "OPTIONS a SIP/2.0\nf:\nt:\ni:\nCSeq:\n");
	struct join_answer answer = {.status = 200};
	char *out = malloc(JOIN_SIP_ANSWER_SIZE);
	struct join_request request;
	struct join_peer peer = {0};
	const char *text;

	memset(answer.text, 'x', sizeof(answer.text) - 1);
	for (; length < sizeof(message); length++)
		message[length] = "v:\n"[length % 3];
	cr_expect_eq(join_sip_read(span, &request, &text), 400);
	length = join_sip_answer(span, &answer, 0, &peer, out);
	cr_expect_lt(length, JOIN_SIP_ANSWER_SIZE - 1);
	cr_expect(!memcmp(out + length - 4, "\r\n\r\n", 4));
	free(out);
}
