// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include "join_world.h"

const struct contract join_contract = {.version = ABI_VERSION, .slots = 256, .pools = 4, .services = 8, .backends = 6};

void join_begin(struct join_world *world, const char *text)
{
	*world = (struct join_world){.running = image_new(&join_contract), .join = join_new(), .ms = 1000};
	world->farm = world_new_farm(text, world->running, FARM_RESTART);
}

void join_end(struct join_world *world)
{
	farm_free(world->farm);
	join_free(world->join);
	image_free(world->running);
}

static uint32_t counter; /* of signatures */

static struct join_answer say(struct join_world *world, int ahead, const char *text)
{
	uint8_t signature[JOIN_SIGNATURE_SIZE] = {0};
	char hex[2 * JOIN_SIGNATURE_SIZE + 1], time[16];
	struct join_request request = {.text = span_of(text), .is_json = *text == '{'};

	memcpy(signature, &counter, sizeof(counter));
	for (size_t i = 0; i < sizeof(signature); i++)
		sprintf(hex + 2 * i, "%02x", signature[i]);
	sprintf(time, "%d", NOW + ahead);
	request.time = span_of(time);
	request.signature = span_of(hex);
	return join_handle_request(world->join, world->farm, world->running, &request, signature,
		(struct join_clocks){.seconds = NOW, .ms = world->ms});
}

struct join_answer join_say_at(struct join_world *world, int ahead, const char *text)
{
	counter++;
	return say(world, ahead, text);
}

struct join_answer join_say(struct join_world *world, const char *text)
{
	return join_say_at(world, 0, text);
}

struct join_answer join_say_again(struct join_world *world, const char *text)
{
	return say(world, 0, text);
}
