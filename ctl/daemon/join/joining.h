/* SPDX-License-Identifier: GPL-2.0 */
/* Servers that come and go by themselves: listens where `join:` of the file says, checks
 * what they say, changes the farm, and forgets those that have fallen silent. */
#pragma once

#include "ctl/daemon/daemon.h"

struct joining;

/* `changed` is called from the loop, at most once every 50 ms, after a server has changed
 * the farm; and by joining_free() if it was still to be. 0 or -errno. */
int joining_new(struct joining **out, struct daemon *daemon, void (*changed)(void *data), void *data);
void joining_free(struct joining *joining);

/* Takes another farm, after a reload: listens where that says. */
void joining_follow(struct joining *joining);

/* To be called every second: looks which servers are silent. True if the farm has changed. */
bool joining_look(struct joining *joining);

/* Marks the silent backends in another farm. */
void joining_mark(const struct joining *joining, struct farm *farm);

/* Why nobody can join though the file says where; NULL if all is well. */
const char *joining_fault(const struct joining *joining);

/* That requests came from networks that none are taken from, lately; NULL if none did. Valid until
 * the next call. */
const char *joining_outsiders(struct joining *joining);
