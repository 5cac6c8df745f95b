/* SPDX-License-Identifier: GPL-2.0 */
/* The progress of drains, and the removal of backends with a pending removal (`backend remove --drain`). */
#pragma once

#include "core/group/group_message.h"
#include "daemon.h"

struct drain;

struct drain *drain_new(void);
void drain_free(struct drain *drain);

/* A backend that is leaving. */
struct drained {
	char pool[NAME_SIZE], name[NAME_SIZE];
	struct address address;
	struct group_drained drained; /* for a group */
	bool is_overdue;              /* no call has used it here for longer than the other members may need */
};

/* The leaving backends. The caller frees the list. */
struct drained *drain_leaving(struct drain *drain, const struct daemon *daemon, size_t *count);

/* Call these functions around each change of the group, with its number: the backends that it makes leave have this
 * number at all members. */
void drain_begin_change(struct drain *drain, const struct daemon *daemon, uint64_t number);
void drain_end_change(struct drain *drain, const struct daemon *daemon);

/* The numbers of the changes, in the shared state of a group: writes them to a list of shared_backends_write(), and
 * takes them from one that has been applied. */
void drain_write_removals(struct drain *drain, const struct daemon *daemon, json_t *list);
void drain_take_removals(struct drain *drain, const struct daemon *daemon, const json_t *list);

/* Which backends have tracked or placed calls, or tracked connections? All of them, if it is unknown. By backend id;
 * the caller frees the array. */
bool *drain_has_calls(const struct daemon *daemon);

void drain_log_end(const char *pool, const char *name);

/* Call this every second: removes each backend that has a pending removal and no calls left, or lets the group remove
 * it. True if the farm has changed. */
bool drain_remove_empty(struct drain *drain, struct daemon *daemon);

/* Does a draining backend have no slots and no calls, and has no message of a call arrived for the longest duration of
 * a transaction (RFC 3261, timers B and F: 32 s)? Registrations, OPTIONS pings and idle connections do not count. */
bool drain_is_empty(const struct daemon *daemon, const struct farm_backend *backend);
