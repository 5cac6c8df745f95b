/* SPDX-License-Identifier: GPL-2.0 */
/* What config.c and config_objects.c share while they read a file. Nobody else's. */
#pragma once

#include "claims.h"
#include "config.h"
#include "reader.h"

/* What is known while a file is read: the context of the reader. */
struct parse {
	struct config *config;
	struct claims claims;
	const struct config_pool **pools_by_name;
	size_t pool;          /* index of the one being read */
	size_t backend_count; /* in all pools */
	size_t vip_count;     /* of all services */
	bool port_known;      /* of the service being read */
	bool cut;             /* the file broke off: what is not there may only be unread */
};

/* The values of `pools:` and `services:`; object is a struct config. Services refer to
 * pools, so pools come first. */
void config_read_pools(struct reader *reader, const struct node *value, void *object);
void config_read_services(struct reader *reader, const struct node *value, void *object);
