/* SPDX-License-Identifier: GPL-2.0 */
/* The migrating slots of a pool as messages: a member sends them to one that has started with empty maps
 * (docs/design/group.md). No I/O. */
#pragma once

#include "core/table/slots.h"
#include "group.h"

/* Names of backends in messages, by id. 0: the id has no backend. */
struct group_names {
	uint64_t pool;
	uint64_t names[UINT16_MAX + 1];
};

/* Sends the migrating slots of a pool to the member `to`. `previous`: the previous owner of each slot, 0 for a slot
 * that does not migrate. Returns the number of bytes. */
size_t group_transfer_send(struct group_id to, const struct group_names *names, const struct slots *owners,
	const struct slots *previous, group_send *send, void *data);

/* Adds the slots of a message to `owners` and `previous`, which both begin with zeros. Slots whose backends are unknown
 * are ignored. */
void group_transfer_take(const struct group_names *names, const struct group_message *message, struct slots *owners,
	struct slots *previous);
