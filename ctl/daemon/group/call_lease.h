/* SPDX-License-Identifier: GPL-2.0 */
/* The permission to send new calls of migrating slots to their new owners (punt_reader.lease). The other members of the
 * group learn of such a call by a message; until then they send its packets to the previous owner. The permission
 * therefore ends by itself when messages of this balancer do not return, also if the daemon is stopped. New calls then
 * stay at the previous owners, where all members find them. */
#pragma once

#include "call_exchange.h"

struct call_lease;

struct call_lease *call_lease_new(struct daemon *daemon, struct call_exchange *exchange);
void call_lease_free(struct call_lease *lease);

/* Call this after events of the group: begins to renew the permission if slots migrate. */
void call_lease_update(struct call_lease *lease);

/* Has the permission ended while slots migrate? */
bool call_lease_has_ended(const struct call_lease *lease);
