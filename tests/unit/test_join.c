// SPDX-License-Identifier: GPL-2.0
/* Servers that join and leave by themselves: the effect of each request, of silence, and of a restart on the
 * farm. test_join_request.c tests the requests themselves. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/memory.h"
#include "join_world.h"

/* --- the farm: "px4@10.0.0.14 x1 leaving silent" for each backend that is not in the file */

static const char *describe(const struct join_world *world)
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

/* The actions of the daemon in each second. */
static void look(struct join_world *world)
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
	const char *said;   /* NULL: no request */
	unsigned int status;
	const char *answer;
	bool changed;
	const char *farm;
};

/* Each request is signed a second later than the previous one. */
static void go(struct join_world *world, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct step *step = &steps[i];
		struct join_answer answer;

		world->ms += step->after * 1000;
		look(world);
		if (step->said) {
			answer = join_say_at(world, i, step->said);
			cr_expect_eq(answer.status, step->status, "%s: %u", step->name, answer.status);
			cr_expect_str_eq(answer.text, step->answer, "%s: %s", step->name, answer.text);
			cr_expect_eq(answer.changed, step->changed, "%s", step->name);
		}
		cr_expect_str_eq(describe(world), step->farm, "%s: %s", step->name, describe(world));
	}
}

#define PX4 "pool=proxies; name=px4"

static int load_of_px4(struct join_world *world)
{
	const struct farm_backend *backend = farm_find_backend(farm_find_pool(world->farm, "proxies"), "px4");

	return join_load(world->join, world->farm, backend, world->ms);
}

Test(join, the_load_of_a_server)
{
	struct join_world world;

	join_begin(&world, FARM);
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
	cr_expect_eq(load_of_px4(&world), JOIN_NO_LOAD);
	cr_expect_not(join_say(&world, "action=heartbeat; " PX4 "; load=95").changed, "the farm does not contain it");
	cr_expect_eq(load_of_px4(&world), 95);
	join_say(&world, "action=heartbeat; " PX4 "; load=0");
	cr_expect_eq(load_of_px4(&world), 0);
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14; load=80");
	world.ms += 9000;
	look(&world);
	cr_expect_eq(load_of_px4(&world), 80, "it stays until the next heartbeat");
	world.ms += 1000;
	look(&world);
	cr_expect_eq(load_of_px4(&world), JOIN_NO_LOAD, "after node_timeout it is too old");
	join_say(&world, "action=heartbeat; " PX4 "; load=70");
	join_say(&world, "action=heartbeat; " PX4);
	cr_expect_eq(load_of_px4(&world), JOIN_NO_LOAD, "the last heartbeat has no load");
	join_end(&world);
}

Test(join, life_of_a_server)
{
	static const struct step steps[] = {
		{"heartbeat of an unknown server", 0, "action=heartbeat; " PX4, 404,
			"no backend 'px4' in pool 'proxies': it has not joined, or its heartbeats were missing", false,
			""},
		{"start", 0, "action=start; " PX4 "; address=10.0.0.14; weight=2", 200, "joined", true,
			"px4@10.0.0.14 x2"},
		{"a second start counts as a heartbeat", 6, "action=start; " PX4 "; address=10.0.0.14", 200,
			"heartbeat received", false, "px4@10.0.0.14 x2"},
		{"heartbeat", 6, "action=heartbeat; " PX4, 200, "heartbeat received", false, "px4@10.0.0.14 x2"},
		{"heartbeat with the weight", 6, "action=heartbeat; " PX4 "; weight=2", 200, "heartbeat received",
			false, "px4@10.0.0.14 x2"},
		{"heartbeat with a different weight", 6, "action=heartbeat; " PX4 "; weight=0; address=10.0.0.14", 200,
			"heartbeat received", true, "px4@10.0.0.14 x0"},
		{"start with a different address", 0, "action=start; " PX4 "; address=10.0.0.15", 409,
			"backend 'px4' of pool 'proxies' has the address 10.0.0.14", false, "px4@10.0.0.14 x0"},
		{"stop with a different address", 0, "action=stop; " PX4 "; address=10.0.0.15", 409,
			"backend 'px4' of pool 'proxies' has the address 10.0.0.14", false, "px4@10.0.0.14 x0"},
		{"start of a second server", 3, "action=start; pool=proxies; name=px5; address=10.0.0.15", 200,
			"joined", true, "px4@10.0.0.14 x0, px5@10.0.0.15 x1"},
		{"not silent yet", 6, NULL, 0, "", false, "px4@10.0.0.14 x0, px5@10.0.0.15 x1"},
		{"one server is silent", 1, NULL, 0, "", false, "px4@10.0.0.14 x0 silent, px5@10.0.0.15 x1"},
		{"the second server shuts down", 2, "action=shutdown; pool=proxies; name=px5", 200, "leaving", true,
			"px4@10.0.0.14 x0 silent, px5@10.0.0.15 x1 leaving"},
		{"... and still sends heartbeats", 6, "action=heartbeat; pool=proxies; name=px5", 200,
			"heartbeat received", false, "px4@10.0.0.14 x0 silent, px5@10.0.0.15 x1 leaving"},
		{"a heartbeat just in time", 1, "action=heartbeat; " PX4, 200, "heartbeat received", true,
			"px4@10.0.0.14 x0, px5@10.0.0.15 x1 leaving"},
		{"a start cancels the pending removal", 0, "action=start; pool=proxies; name=px5; address=10.0.0.15",
			200, "joined", true, "px4@10.0.0.14 x0, px5@10.0.0.15 x1"},
		{"both servers are silent", 10, NULL, 0, "", false, "px4@10.0.0.14 x0 silent, px5@10.0.0.15 x1 silent"},
		{"stop", 5, "action=stop; pool=proxies; name=px5", 200, "removed", true, "px4@10.0.0.14 x0 silent"},
		{"both servers are removed", 5, NULL, 0, "", false, ""},
		{"a heartbeat does not add a removed server", 0, "action=heartbeat; " PX4, 404,
			"no backend 'px4' in pool 'proxies': it has not joined, or its heartbeats were missing", false,
			""},
		{"stop of an unknown backend", 0, "action=stop; " PX4, 404,
			"no backend 'px4' in pool 'proxies': it has not joined, or its heartbeats were missing", false,
			""},
		{"a new start with a different address", 60, "action=start; " PX4 "; address=10.0.0.24", 200, "joined",
			true, "px4@10.0.0.24 x1"},
		{"its silence counts from the new start", 9, NULL, 0, "", false, "px4@10.0.0.24 x1"},
	};
	struct join_world world;

	join_begin(&world, FARM);
	go(&world, steps, COUNT(steps));
	join_end(&world);
}

/* UDP may deliver a `start` after the `shutdown` that followed it. */
Test(join, a_start_that_was_signed_before_the_shutdown_does_not_cancel_it)
{
	static const char start[] = "action=start; " PX4 "; address=10.0.0.14", leaving[] = "px4@10.0.0.14 x1 leaving";
	struct join_world world;

	join_begin(&world, FARM);
	join_say(&world, start);
	join_say_at(&world, 2, "action=shutdown; " PX4);
	for (int signed_at = 1; signed_at <= 2; signed_at++) {
		struct join_answer answer = join_say_at(&world, signed_at, start);

		cr_expect_str_eq(answer.text, "heartbeat received");
		cr_expect_not(answer.changed);
		cr_expect_str_eq(describe(&world), leaving, "signed at %d: %s", signed_at, describe(&world));
	}
	cr_expect_eq(join_say_at(&world, 100, "action=heartbeat; " PX4).status, 401, "a clock that is ahead");
	join_say_at(&world, 2, start);
	cr_expect_str_eq(describe(&world), leaving, "the refused heartbeat changes nothing: %s", describe(&world));
	cr_expect_str_eq(join_say_at(&world, 3, start).text, "joined");
	cr_expect_str_eq(describe(&world), "px4@10.0.0.14 x1");
	join_end(&world);
}

/* A request that a different member of a group has received. */
static struct join_answer share(struct join_world *world, const char *text)
{
	const struct join_request request = {.text = span_of(text), .is_json = *text == '{'};

	return join_handle_shared(world->join, world->farm, world->running, &request, NOW,
		(struct join_clocks){.seconds = NOW, .ms = world->ms});
}

Test(join, a_group_shares_starts_changes_and_some_heartbeats)
{
	const char *heartbeat = "action=heartbeat; pool=proxies; name=px4";
	struct join_world world;

	join_begin(&world, FARM);
	cr_expect(join_say(&world, "action=start; pool=proxies; name=px4; address=10.0.0.14").shared);
	cr_expect_not(join_say(&world, heartbeat).shared, "the others have heard of it just now");
	world.ms += 2500; /* a quarter of node_timeout */
	cr_expect(join_say(&world, heartbeat).shared);
	cr_expect(join_say(&world, "action=heartbeat; pool=proxies; name=px4; load=40").shared);
	cr_expect_not(join_say(&world, "action=heartbeat; pool=proxies; name=px4; load=40").shared);
	cr_expect(join_say(&world, "action=heartbeat; pool=proxies; name=px4; load=40; weight=3").shared);
	cr_expect_not(join_say(&world, "action=heartbeat; pool=proxies; name=px9").shared, "refused");
	world.ms += 2500;
	cr_expect_eq(share(&world, heartbeat).status, 200);
	cr_expect_not(join_say(&world, heartbeat).shared, "a different member has shared one");
	cr_expect(join_say(&world, "action=stop; pool=proxies; name=px4").shared);
	cr_expect_eq(share(&world, "{\"action\": \"start\", \"pool\": \"proxies\", \"name\": \"px5\", "
				   "\"address\": \"10.0.0.15\"}")
			     .status,
		200);
	cr_expect_not_null(farm_find_backend(&world.farm->pools[0], "px5"));
	cr_expect_eq(share(&world, "garbage").status, 400);
	join_end(&world);
}

/* If every heartbeat restarted the quarter of node_timeout, the other members would take the server down. */
Test(join, a_group_shares_heartbeats_at_least_four_times_in_node_timeout)
{
	unsigned int shared = 0;
	struct join_world world;

	join_begin(&world, FARM);
	join_say(&world, "action=start; pool=proxies; name=px4; address=10.0.0.14");
	for (int second = 0; second < 30; second++) {
		world.ms += 1000;
		shared += join_say(&world, "action=heartbeat; pool=proxies; name=px4").shared;
	}
	cr_expect_eq(shared, 10, "%u", shared); /* after 3, 6, ... s */
	join_end(&world);
}

Test(join, refusals)
{
	static const struct step steps[] = {
		{"an unknown pool", 0, "action=start; pool=none; name=px4; address=10.0.0.14", 404, "no pool 'none'",
			false, ""},
		{"a backend of the file", 0, "action=start; pool=proxies; name=px1; address=10.0.0.11", 409,
			"backend 'px1' of pool 'proxies' is in the file: only backends outside the file can join and "
			"leave",
			false, ""},
		{"heartbeat of a backend of the file", 0, "action=heartbeat; pool=proxies; name=px1", 409,
			"backend 'px1' of pool 'proxies' is in the file: only backends outside the file can join and "
			"leave",
			false, ""},
		{"stop of a backend of the file", 0, "action=stop; pool=proxies; name=px1", 409,
			"backend 'px1' of pool 'proxies' is in the file: only backends outside the file can join and "
			"leave",
			false, ""},
		{"the address of a different backend", 0, "action=start; pool=proxies; name=px4; address=10.0.0.11",
			409, "backend 'px1' of pool 'proxies' has the address 10.0.0.11 already", false, ""},
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
		{"no free id", 0, "action=start; pool=spare; name=7; address=10.0.0.7", 503,
			"the maps were made for 6 backends; raise `limits:` and run 'sipxdp-loader upgrade -c FILE'",
			false, "2@10.0.0.2 x1, 3@10.0.0.3 x1, 4@10.0.0.4 x1, 5@10.0.0.5 x1, 6@10.0.0.6 x1"},
	};
	struct join_world world;

	join_begin(&world, FARM);
	go(&world, steps, COUNT(steps));
	join_end(&world);
}

Test(join, backends_of_an_operator_are_not_changed)
{
	static const struct step steps[] = {
		{"a backend that an operator added", 0, "action=start; pool=proxies; name=px9; address=10.0.0.19", 409,
			"backend 'px9' of pool 'proxies' was added by an operator", false, "px9@10.0.0.19 x1 by hand"},
		{"stop of a backend that an operator added", 0, "action=stop; pool=proxies; name=px9", 409,
			"backend 'px9' of pool 'proxies' was added by an operator", false, "px9@10.0.0.19 x1 by hand"},
		{"a backend that an operator removed", 0, "action=start; pool=proxies; name=px1; address=10.0.0.11",
			409,
			"backend 'px1' of pool 'proxies' is in the file: only backends outside the file can join and "
			"leave",
			false, "px9@10.0.0.19 x1 by hand"},
		{"a backend that an operator added is never silent", 3600, NULL, 0, "", false,
			"px9@10.0.0.19 x1 by hand"},
	};
	struct address address;
	char error[FARM_ERROR_SIZE];
	struct join_world world;

	join_begin(&world, FARM);
	address_parse("10.0.0.19", &address);
	cr_assert_eq(farm_add_backend(world.farm, world.running, "proxies", "px9", &address, 1, error), 0);
	cr_assert_eq(farm_remove_backend(world.farm, "proxies", "px1", error), 0);
	go(&world, steps, COUNT(steps));
	join_end(&world);
}

/* --- Restart and reload */

/* Writes the backends of the farm to the running records, as the daemon does. */
static void write_down(struct join_world *world)
{
	memset(world->running->records, 0, (join_contract.backends + 1) * sizeof(*world->running->records));
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
	const char *farm; /* the expected farm at once, after 9 s, and after 10 s */
	const char *later;
	const char *end;
};

#define FOUR "px4@10.0.0.14 x2"

/* A server joins and sends nothing for 5 s. Then the farm is built again. */
Test(join, restart_and_reload)
{
	static const struct return_row rows[] = {
		{"restart: the silence starts again", FARM_RESTART, FARM, FOUR, FOUR, FOUR " silent"},
		{"reload: the silence continues", FARM_RELOAD, FARM, FOUR, FOUR " silent", FOUR " silent"},
		{"reload without join:", FARM_RELOAD, SMALL_HEAD SERVICE POOLS("", PX1), FOUR, FOUR " silent",
			FOUR " silent"},
		{"reload: shorter timeout", FARM_RELOAD,
			SMALL_HEAD
			"join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef, node_timeout: 4s}\n" SERVICE POOLS(
				"", PX1),
			FOUR " silent", "", ""},
		{"reload without its pool", FARM_RELOAD, SMALL_HEAD JOIN "pools: [{name: spare, backends: []}]\n", "",
			"", ""},
		{"reload with the server in the file", FARM_RELOAD,
			SMALL_HEAD JOIN SERVICE POOLS("", PX1 ", {name: px4, address: 10.0.0.14}"), "", "", ""},
		{"restart with the server in the file", FARM_RESTART,
			SMALL_HEAD JOIN SERVICE POOLS("", PX1 ", {name: px4, address: 10.0.0.14}"), "", "", ""},
		{"reload with a different backend at the same address", FARM_RELOAD,
			SMALL_HEAD JOIN SERVICE POOLS("", PX1 ", {name: pxx, address: 10.0.0.14}"), "", "", ""},
		{"reload: its address is a VIP", FARM_RELOAD,
			SMALL_HEAD JOIN
			"services: [{name: sip, vip: 10.0.0.14, port: 5060, pool: proxies}]\n" POOLS("", PX1),
			"", "", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct return_row *row = &rows[i];
		struct join_world world;

		join_begin(&world, FARM);
		look(&world);
		join_say(&world, "action=start; " PX4 "; address=10.0.0.14; weight=2");
		world.ms += 5000;
		look(&world);
		write_down(&world);
		if (row->origin == FARM_RESTART) {
			join_free(world.join);
			world.join = join_new();
		}
		farm_free(world.farm);
		world.farm = world_new_farm(row->file, world.running, row->origin);
		look(&world);
		cr_expect_str_eq(describe(&world), row->farm, "%s: %s", row->name, describe(&world));
		world.ms += 9000;
		look(&world);
		cr_expect_str_eq(describe(&world), row->later, "%s, later: %s", row->name, describe(&world));
		world.ms += 1000;
		look(&world);
		cr_expect_str_eq(describe(&world), row->end, "%s, in the end: %s", row->name, describe(&world));
		join_end(&world);
	}
}

/* The silence of the previous backend with this id does not count. */
Test(join, a_reused_id_does_not_inherit_silence)
{
	struct join_world world;

	join_begin(&world, FARM);
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
	join_say(&world, "action=stop; " PX4);
	world.ms += 100000;
	look(&world);
	join_say(&world, "action=start; pool=spare; name=px6; address=10.0.0.16");
	look(&world);
	cr_expect_str_eq(describe(&world), "px6@10.0.0.16 x1");
	join_end(&world);
}

Test(join, a_joined_backend_is_not_saved)
{
	struct config *config;
	struct join_world world;

	join_begin(&world, FARM);
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
	config = farm_config(world.farm);
	cr_expect(config_find_backend(&config->pools[0], "px1"));
	cr_expect_null(config_find_backend(&config->pools[0], "px4"));
	config_free(config);
	join_end(&world);
}

/* After a stall, the silence of all servers starts again at 0, except for servers that were already marked as silent.
 */
Test(join, silence_restarts_after_a_stall)
{
	struct join_world world;

	join_begin(&world, FARM);
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
	world.ms += 5000;
	join_say(&world, "action=start; pool=proxies; name=px5; address=10.0.0.15");
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
	join_end(&world);
}

/* The balancer cannot receive for longer than twice node_timeout. */
Test(join, silence_does_not_count_while_the_balancer_cannot_receive)
{
	struct join_world world;

	join_begin(&world, FARM);
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14; load=50");
	world.ms += 5000;
	join_say(&world, "action=start; pool=proxies; name=px5; address=10.0.0.15");
	world.ms += 6000;
	look(&world);
	for (int turn = 0; turn < 9; turn++) {
		world.ms += 1000;
		join_excuse_silence(world.join, world.farm, world.ms);
		look(&world);
	}
	cr_expect_str_eq(describe(&world), "px5@10.0.0.15 x1", "px4 was silent before: %s", describe(&world));
	for (int turn = 0; turn < 20; turn++) {
		world.ms += 1000;
		join_excuse_silence(world.join, world.farm, world.ms);
		look(&world);
	}
	cr_expect_str_eq(describe(&world), "px5@10.0.0.15 x1", "%s", describe(&world));
	cr_expect_eq(farm_find_backend(farm_find_pool(world.farm, "proxies"), "px5")->silent_ms, 35000);
	world.ms += 9999;
	look(&world);
	cr_expect_str_eq(describe(&world), "px5@10.0.0.15 x1", "it counts from the end: %s", describe(&world));
	world.ms += 1;
	look(&world);
	cr_expect_str_eq(describe(&world), "px5@10.0.0.15 x1 silent", "%s", describe(&world));
	join_end(&world);
}

/* An outage longer than node_timeout: at its end probes are answered at once, but the next heartbeat arrives
 * later. */
Test(join, silence_does_not_count_while_the_balancer_is_blind)
{
	struct farm_pool *pool;
	struct join_world world;

	join_begin(&world, SMALL_HEAD JOIN SERVICE POOLS("probe: options, ", ""));
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
	join_say(&world, "action=start; pool=proxies; name=px5; address=10.0.0.15");
	pool = &world.farm->pools[0];
	pool->outage.view = OUTAGE_BLIND;
	farm_find_backend(pool, "px5")->outage.down = true;
	world.ms += 11000;
	look(&world);
	cr_expect_eq(farm_find_backend(pool, "px4")->silent_ms, 11000,
		"px4 is not silent during the outage, although no heartbeat arrived");
	pool->outage.view = OUTAGE_NONE;
	world.ms += 500;
	look(&world);
	cr_expect_str_eq(describe(&world), "px4@10.0.0.14 x1, px5@10.0.0.15 x1 silent", "px5 was down before");
	world.ms += 10000;
	look(&world);
	cr_expect_str_eq(describe(&world), "px4@10.0.0.14 x1 silent", "it counts from the end of the outage");
	join_end(&world);
}

/* All servers are silent at once: this is a network failure. */
Test(join, servers_that_fall_silent_together_are_suspected)
{
	static const struct route ready = {.state = ROUTE_READY, .next_hop = {{2, 0, 0, 0, 0, 1}}, .mtu = 1500};
	struct farm_pool *pool;
	struct join_world world;

	join_begin(&world, SMALL_HEAD JOIN SERVICE POOLS("", ""));
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
	join_say(&world, "action=start; pool=proxies; name=px5; address=10.0.0.15");
	join_say(&world, "action=start; pool=proxies; name=px6; address=10.0.0.16");
	pool = &world.farm->pools[0];
	for (int turn = 0; turn < 3; turn++) {
		look(&world);
		for (size_t i = 0; i < pool->count; i++)
			farm_set_route(&pool->backends[i], &ready);
		farm_decide_outage(world.farm, pool, 0, world.ms);
		for (size_t i = 0; i < pool->count; i++) {
			farm_update_state(world.farm, pool, &pool->backends[i], NOW);
			cr_expect_eq(pool->backends[i].record.state, turn ? STATE_SUSPECTED : STATE_UP);
		}
		cr_expect_eq(pool->count, 3, "no backend is forgotten");
		world.ms += turn ? 3600000 : 11000;
	}
	join_end(&world);
}

/* One of the two clocks was changed. The balancer refuses the heartbeats. They still prove that the server is alive,
 * unless they may be replays. */
Test(join, clocks_that_differ)
{
	static const char heartbeat[] = "action=heartbeat; " PX4;
	static const struct {
		const char *sentence;
		int ahead;
		const char *farm; /* after 6 s */
	} rows[] = {
		{"the server's clock is ahead", 3600, "px4@10.0.0.14 x1"},
		{"... and continues", 3606, "px4@10.0.0.14 x1"},
		{"the same timestamp again", 3606, "px4@10.0.0.14 x1 silent"},
		{"an earlier timestamp (replay)", 3603, "px4@10.0.0.14 x1 silent"},
		{"a timestamp far in the past", -3600, ""},
	};
	struct join_world world;

	for (size_t i = 0; i < COUNT(rows); i++) {
		join_begin(&world, FARM);
		join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
		for (size_t j = 0; j <= i; j++) {
			world.ms += 6000;
			cr_expect_eq(join_say_at(&world, rows[j].ahead, heartbeat).status, 401);
		}
		world.ms += 6000;
		look(&world);
		cr_expect_str_eq(describe(&world), rows[i].farm, "%s: %s", rows[i].sentence, describe(&world));
		join_end(&world);
	}
}

static const char *reason(struct join_world *world)
{
	static const struct route ready = {.state = ROUTE_READY, .next_hop = {{2, 0, 0, 0, 0, 1}}, .mtu = 1500};
	struct farm_pool *pool = &world->farm->pools[0];
	struct farm_backend *backend = farm_find_backend(pool, "px4");

	farm_set_route(backend, &ready);
	farm_update_state(world->farm, pool, backend, NOW);
	return farm_reason(world->farm, pool, backend);
}

/* A restarted daemon does not know the times of earlier heartbeats. */
Test(join, clocks_that_differ_after_a_restart)
{
	static const char clocks[] = "its heartbeats are refused: the clocks differ";
	static const struct {
		const char *sentence;
		int ahead[4]; /* of a heartbeat every 4 s */
		const char *farm, *reason;
	} rows[] = {
		{"the server's clock is ahead", {3600, 3604, 3608, 3612}, "px4@10.0.0.14 x1", ""},
		{"it is behind", {-3600, -3596, -3592, -3588}, "px4@10.0.0.14 x1", ""},
		{"one heartbeat (replays)", {3600, 3600, 3600, 3600}, "px4@10.0.0.14 x1 silent", clocks},
		{"earlier ones (replays)", {3600, 3596, 3592, 3588}, "px4@10.0.0.14 x1 silent", clocks},
		{"the clocks differ no more", {3600, 3600, 3600, 12}, "px4@10.0.0.14 x1", ""},
	};
	struct join_world world;

	for (size_t i = 0; i < COUNT(rows); i++) {
		join_begin(&world, FARM);
		join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
		join_free(world.join);
		world.join = join_new();
		look(&world);
		for (size_t j = 0; j < COUNT(rows[i].ahead); j++) {
			world.ms += 4000;
			join_say_at(&world, rows[i].ahead[j], "action=heartbeat; " PX4);
			look(&world);
		}
		cr_expect_str_eq(describe(&world), rows[i].farm, "%s: %s", rows[i].sentence, describe(&world));
		cr_expect_str_eq(reason(&world), rows[i].reason, "%s: %s", rows[i].sentence, reason(&world));
		join_end(&world);
	}
}

/* A retransmission is refused, too, but not because of its time. */
Test(join, the_reason_names_the_clocks_only_if_they_differ)
{
	static const char heartbeat[] = "action=heartbeat; " PX4;
	struct join_world world;

	join_begin(&world, FARM);
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
	world.ms += 10000;
	join_say_at(&world, -3600, heartbeat);
	look(&world);
	cr_expect_str_eq(reason(&world), "its heartbeats are refused: the clocks differ");
	world.ms += 9000;
	look(&world);
	cr_expect_str_eq(reason(&world), "its heartbeats are refused: the clocks differ");
	join_say(&world, heartbeat);
	world.ms += 1000;
	cr_expect_eq(join_say_again(&world, heartbeat).status, 401);
	world.ms += 9000;
	look(&world);
	cr_expect_str_eq(reason(&world), "sends no heartbeats");
	join_end(&world);
}

Test(join, a_group_hears_of_servers_whose_clock_differs)
{
	static const char heartbeat[] = "action=heartbeat; weight=3; " PX4;
	struct join_answer answer;
	struct join_world world;

	join_begin(&world, FARM);
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
	cr_expect_null(join_say_at(&world, 3600, heartbeat).alive, "the others have heard of it just now");
	world.ms += 2500;
	answer = join_say_at(&world, 3602, heartbeat);
	cr_expect_eq(answer.status, 401);
	cr_expect(answer.alive && !strcmp(answer.alive->record.name, "px4"));
	cr_expect_not(answer.shared, "the others must not take the weight");
	cr_expect_null(join_say_at(&world, 3603, heartbeat).alive);
	world.ms += 2500;
	cr_expect_null(join_say_at(&world, 3603, heartbeat).alive, "a replay");
	join_end(&world);
}

Test(join, messages_with_a_wrong_time_change_nothing)
{
	struct join_world world;

	join_begin(&world, FARM);
	cr_expect_eq(join_say_at(&world, 3600, "action=start; " PX4 "; address=10.0.0.14").status, 401);
	cr_expect_str_eq(describe(&world), "", "a start with a wrong time does not add a backend");
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
	cr_expect_eq(join_say_at(&world, 3600, "action=stop; " PX4).status, 401);
	cr_expect_str_eq(describe(&world), "px4@10.0.0.14 x1", "a stop with a wrong time does not remove a backend");
	world.ms += 10000;
	look(&world);
	join_say_at(&world, 3600, "action=heartbeat; " PX4);
	look(&world);
	cr_expect_str_eq(describe(&world), "px4@10.0.0.14 x1 silent");
	join_end(&world);
}

/* If a pool fails open and no backend is up, the failure is on the balancer's side: it receives nothing. */
Test(join, a_pool_that_fails_open_keeps_its_backends)
{
	static const struct route ready = {.state = ROUTE_READY, .next_hop = {{2, 0, 0, 0, 0, 1}}, .mtu = 1500};
	struct farm_pool *pool;
	struct join_world world;

	join_begin(&world, SMALL_HEAD JOIN SERVICE POOLS("min_alive: 50, ", ""));
	join_say(&world, "action=start; " PX4 "; address=10.0.0.14");
	join_say(&world, "action=start; pool=proxies; name=px5; address=10.0.0.15");
	join_say(&world, "action=start; pool=proxies; name=px6; address=10.0.0.16");
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
	join_say(&world, "action=heartbeat; pool=proxies; name=px5");
	for (size_t i = 0; i < pool->count; i++)
		farm_update_state(world.farm, pool, &pool->backends[i], NOW);
	look(&world);
	cr_expect_str_eq(describe(&world), "px5@10.0.0.15 x1", "a heartbeat of px5 arrived: %s", describe(&world));
	join_end(&world);
}
