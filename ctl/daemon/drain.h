/* SPDX-License-Identifier: GPL-2.0 */
/* How far backends are that take no new calls: how many calls they have left, by the
 * notes of the kernel and by whether anything is sent to them still; and ends it when
 * they have none. */
#pragma once

#include "daemon.h"

struct drain;

struct drain *drain_new(void);
void drain_free(struct drain *drain);

/* To be called every second: looks what is sent to those who drain, and takes those out
 * who were to be removed and are empty. True if the farm has changed. */
bool drain_look(struct drain *drain, struct daemon *daemon);

/* About how many calls a backend has in slots that are in motion (motion_is_call). */
uint32_t drain_calls(struct drain *drain, const struct daemon *daemon, uint16_t id);

/* Is there room for the notes of calls in slots that are in motion? When there is none, the
 * oldest go. */
bool drain_has_room(struct drain *drain, const struct daemon *daemon);

/* Has a backend that drains no slots and no calls any more, and was nothing sent to it for
 * as long as a transaction may last (RFC 3261, timers B and F)? */
bool drain_is_empty(struct drain *drain, const struct daemon *daemon, const struct farm_backend *backend);
