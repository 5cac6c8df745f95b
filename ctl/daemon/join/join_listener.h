/* SPDX-License-Identifier: GPL-2.0 */
/* Servers that come and go by themselves: listens where `join:` of the file says, checks
 * what they say, changes the farm, and forgets those that have fallen silent. */
#pragma once

#include "ctl/daemon/daemon.h"

struct join_listener;

/* `changed` is called from the loop, at most once every 50 ms, after a server has changed
 * the farm; and by join_listener_free() if it was still to be. 0 or -errno. */
int join_listener_new(struct join_listener **out, struct daemon *daemon, void (*changed)(void *data), void *data);
void join_listener_free(struct join_listener *listener);

/* Takes another farm, after a reload: listens where that says. */
void join_listener_reconfigure(struct join_listener *listener);

/* To be called every second: looks which servers are silent. True if the farm has changed. */
bool join_listener_check_silence(struct join_listener *listener);

/* Marks the silent backends in another farm. */
void join_listener_mark_silent(const struct join_listener *listener, struct farm *farm);

/* Why nobody can join though the file says where; NULL if all is well. */
const char *join_listener_fault(const struct join_listener *listener);

/* That requests came from networks that none are taken from, lately; NULL if none did. Valid until
 * the next call. */
const char *join_listener_outsiders(struct join_listener *listener);
