/* SPDX-License-Identifier: GPL-2.0 */
/* A balancer that has started with empty maps asks the other members of its group for their migrating slots, one member
 * after the other until one knows them, and continues these migrations (docs/design/group.md). No I/O: the caller
 * passes the messages of the group, and sends. */
#pragma once

#include "core/group/group_transfer.h"
#include "desired.h"

struct transfer;

struct transfer *transfer_new(void);
void transfer_free(struct transfer *transfer);

/* This balancer becomes a member of a group, with empty maps or not. */
void transfer_begin(struct transfer *transfer, bool is_empty);

/* Does this balancer still need the migrating slots of the others before it is ready? */
bool transfer_is_waiting(const struct transfer *transfer);

/* The maps are in use: this balancer needs nothing any more. */
void transfer_end(struct transfer *transfer);

/* Call this after events of the group, while this balancer agrees and has its shared state: asks the next member if
 * necessary. `data` is passed to `send`. */
void transfer_update(struct transfer *transfer, const struct group *group, group_send *send, void *data);

enum transfer_result {
	TRANSFER_NOTHING,
	TRANSFER_ANSWER,   /* the sender asks this balancer: call transfer_send() */
	TRANSFER_COMPLETE, /* all slots have arrived: call transfer_adopt() before the next image */
};

/* A message from a member; ignores all but those about migrating slots. */
enum transfer_result transfer_take(struct transfer *transfer, const struct group *group, const struct farm *farm,
	const struct image *running, struct group_id from, const struct group_message *message, group_send *send,
	void *data);

/* The answer for the member `to`: a message with GROUP_FIRST, the slots of each pool, and a message with GROUP_LAST.
 * The second function returns the number of bytes. */
void transfer_send_bound(struct group_id to, uint16_t flags, group_send *send, void *data);
size_t transfer_send_pool(
	const struct desired *desired, const struct farm_pool *pool, struct group_id to, group_send *send, void *data);

/* Passes the slots that have arrived to `desired`. */
void transfer_adopt(
	struct transfer *transfer, const struct farm *farm, const struct image *running, struct desired *desired);
