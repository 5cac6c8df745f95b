/* SPDX-License-Identifier: GPL-2.0 */
/* The commands that change or list the lists of the guard, and the same changes by servers (`join: guard:`). */
#pragma once

#include "core/guard/blocks.h"
#include "core/join/join.h"
#include "ctl/daemon/daemon.h"

json_t *guard_command_list(struct daemon *daemon, const struct request *request);
json_t *guard_command_reload(struct daemon *daemon, const struct request *request);

/* A list with a row for each prefix that is blocked or trusted at run time. */
json_t *guard_list_blocks(const struct daemon *daemon, json_t *(*row)(const struct block *block));

/* `guard block` and `guard trust`. */
json_t *guard_command_put(struct daemon *daemon, const struct request *request);
json_t *guard_command_unblock(struct daemon *daemon, const struct request *request);

/* Carries out the request of a server, and writes it to the audit log. `peer` is the address of the server. */
struct join_answer guard_handle_ban(struct daemon *daemon, const struct join_ban *ban, const struct address *peer);

/* The same for a request that the member of the group with the name `node` has received. */
void guard_handle_shared_ban(struct daemon *daemon, const struct join_ban *ban, const char *node);
