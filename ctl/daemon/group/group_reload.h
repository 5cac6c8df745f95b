/* SPDX-License-Identifier: GPL-2.0 */
/* `reload --all`: every member of a group reads its own file. First all members check their files, and none of them
 * changes anything unless all files mean the same. Only the worker calls these functions. They release the lock. */
#pragma once

#include "ctl/daemon/daemon.h"

/* The question whether the files of the other members mean the same as the file of this one. If this file has faults,
 * returns NULL, and `*refusal` is the reply to the client. */
json_t *group_reload_question(struct daemon *daemon, const struct request *request, json_t **refusal);

/* The event by which all members reload, after all have agreed to the question. */
json_t *group_reload_event(const json_t *question);

/* Is this one of the two? */
bool group_reload_is_event(const json_t *event);

/* Handles a question or an event. Returns a reply as for a request. */
json_t *group_reload_apply(struct daemon *daemon, const json_t *event, const char *user, const char *node);
