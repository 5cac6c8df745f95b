/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by desired.c and desired_group.c. No other file includes it. */
#pragma once

#include "desired.h"
#include "owners.h"

/* The state of a pool between two images. */
struct pool_state {
	char name[NAME_SIZE];
	struct owners *owners; /* NULL until they are first needed */
	struct migration *migration;
	uint64_t next;
	bool *held;                    /* slots whose migration must not end yet; NULL: not known */
	struct migration_phases group; /* at the members of the group; NULL: no group */
	uint64_t *group_begun;         /* slots that are migrating at all members */
	uint64_t *group_others;        /* slots that are migrating at other members; NULL: they want other owners */
	bool others_agree;             /* one of them */
	uint64_t moving_until;         /* as in migration_rules */
	uint64_t group_wants;          /* fingerprint of the owners that the members want */
	uint64_t fingerprint;          /* of the owners that this balancer wants */
	struct slots *fingerprinted;   /* of these owners */
	uint64_t names;                /* and of these names */
	bool finish;                   /* end the migration with the next image */
	struct slots *adopted_owners;  /* of slots that migrate at other members; NULL: nothing to adopt */
	struct slots *adopted_previous;
	bool starting; /* the pool is new in the maps, and some backends have no route yet */
	uint64_t begun;
	bool served;      /* a slot has had an owner since the daemon started */
	bool was_enabled; /* the last image had enabled backends */
	uint64_t empty;   /* the last time without an owner of any slot, after the pool was in service; 0: never */
	bool grouped;     /* the group decides about the next image */
	bool was_grouped;
	enum pool_balanced balanced;
	uint32_t balanced_since; /* as in struct pool */
};

struct desired {
	uint64_t hash_key[2]; /* used for `owners` */
	bool runs_by_key;     /* the running services use `hash_key`, too */
	uint32_t slots;
	struct pool_state *pools; /* by id */
	uint32_t count;
};

/* Of desired_group.c. The rules of a pool's migration; `failing`: see migration_rules. */
struct migration_rules desired_rules(const struct pool_state *state, const struct farm_pool *pool, const bool *failing);

/* Forgets what desired_read_group() has read. */
void desired_forget_group(struct pool_state *state);

/* Makes slots wait that a member may not have begun to record. */
void desired_compare_group(struct pool_state *state, const struct farm_pool *pool, struct slots *wanted);

/* Continues the migrations that desired_adopt() has noted. */
void desired_adopt_now(struct pool_state *state, struct slots *wanted, uint64_t now);
