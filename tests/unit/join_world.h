/* SPDX-License-Identifier: GPL-2.0 */
/* A farm that servers can join, and requests to it, for the tests of core/join. */
#pragma once

#include <string.h>
#include "core/join/join.h"
#include "world.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define SMALL_HEAD                                                                                                     \
	"interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n"                                             \
	"limits: {slots: 256, pools: 4, services: 8, backends: 6}\n"
#define JOIN "join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef, node_timeout: 10s}\n"
#define PX1 "{name: px1, address: 10.0.0.11}"
#define POOLS(more, backends)                                                                                          \
	"pools: [{name: proxies, " more "backends: [" backends "]}, {name: spare, backends: []}]\n"
#define FARM SMALL_HEAD JOIN SERVICE POOLS("", PX1)

#define NOW 1700000000 /* seconds since the epoch */

extern const struct contract join_contract;

struct join_world {
	struct image *running;
	struct farm *farm;
	struct join *join;
	uint64_t ms;
};

/* Starts a balancer with the configuration `text`. */
void join_begin(struct join_world *world, const char *text);

void join_end(struct join_world *world);

static inline struct span span_of(const char *text)
{
	return (struct span){text, text + strlen(text)};
}

/* Sends a request with a correct and unique signature. The sender's clock is `ahead` seconds fast. */
struct join_answer join_say_at(struct join_world *world, int ahead, const char *text);

struct join_answer join_say(struct join_world *world, const char *text);

/* Sends it with the signature of the last request. */
struct join_answer join_say_again(struct join_world *world, const char *text);
