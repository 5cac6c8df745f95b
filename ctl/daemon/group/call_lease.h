/* SPDX-License-Identifier: GPL-2.0 */
/* The permission to send new calls of migrating slots to their new owners, and to place new calls (punt_reader.lease).
 * The other members of the group learn of such a call by a message; until then they send its packets to the previous
 * owner, or to the owner of its slot. The permission therefore ends by itself when messages of this balancer do not
 * return, also if the daemon is stopped. New calls then go where all members find them. */
#pragma once

#include "call_exchange.h"

struct call_lease;

struct call_lease *call_lease_new(struct daemon *daemon, struct call_exchange *exchange);
void call_lease_free(struct call_lease *lease);

/* Call this after events of the group: begins to renew the permission if slots migrate or a pool places calls. */
void call_lease_update(struct call_lease *lease);

#define CALL_LEASE_ENDED                                                                                               \
	"new calls go to the owners of their slots, and to the previous owners of migrating slots, because a member "  \
	"does not receive messages"
#define CALL_LEASE_RETURNED "new calls go to the new owners of migrating slots, and where `balance` places them"

/* Has the permission ended although it is needed? */
bool call_lease_has_ended(const struct call_lease *lease);

/* When there was last no permission, clock_msec(); 0: never. Until then previous owners received new calls. */
uint64_t call_lease_lacked(const struct call_lease *lease);
