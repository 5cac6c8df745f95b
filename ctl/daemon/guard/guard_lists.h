/* SPDX-License-Identifier: GPL-2.0 */
/* The lists of the guard in the kernel. For new lists the worker builds a new trie, while packets use the old one, and
 * then replaces the old one at once. Between the prefixes it runs urgent jobs, so that a list with a million prefixes
 * delays neither probes nor failover. The worker calls all functions except those that say otherwise. */
#pragma once

#include "ctl/daemon/daemon.h"
#include "guard_files.h"

struct guard_lists;

struct guard_lists *guard_lists_new(void);
void guard_lists_free(struct guard_lists *lists);

/* Same as guard_files_read(). Meanwhile the worker runs urgent jobs. */
struct guard_files *guard_lists_read(struct daemon *daemon, const struct config *config, struct faults *faults);

/* At the start of the daemon: the lists of the previous daemon stay in use until the first guard_lists_update(). */
void guard_lists_start(struct daemon *daemon);

/* Call this after the daemon has opened new maps. */
void guard_lists_follow_maps(struct daemon *daemon);

/* Takes ownership of lists without faults. They take effect with the next guard_lists_update(). Returns false if the
 * kernel has the same lists already. Sets `lists_pending` in the farm, which must be the running one. */
bool guard_lists_take(struct daemon *daemon, struct guard_files *files);

/* Loads the lists into the kernel if that is due. Call it after daemon_reconcile() and every second. Releases the lock
 * and runs urgent jobs. 0 or -errno; the next call tries again. */
int guard_lists_update(struct daemon *daemon);

/* Stores the reason why files were refused, for `status`, until guard_lists_take(). */
void guard_lists_note_faults(struct daemon *daemon, const struct faults *faults);

/* The next functions only read, and any thread with the lock may call them. */

/* The reason why the lists differ from the files; NULL: they do not. */
const char *guard_lists_fault(const struct daemon *daemon);

/* May the maps be marked as filled? */
bool guard_lists_are_ready(const struct daemon *daemon);

/* Does guard_lists_find() use the lists in the kernel? False while the kernel has the lists of the previous daemon. */
bool guard_lists_are_known(const struct daemon *daemon);

/* Can this daemon load the lists in the kernel into other maps? False before it has read its files, and if the lists of
 * the previous daemon stay in use because a file has a fault. */
bool guard_lists_can_move(const struct daemon *daemon);

/* The name of a list with the action trust whose prefixes are not known: it is not read yet, or its file has a fault.
 * NULL: none. The kernel may still trust the prefixes of the previous daemon. */
const char *guard_lists_unknown_trust(const struct daemon *daemon);

/* The name of a list with the action trust that overlaps the prefix; NULL: none. Writes the prefix on the list. */
const char *guard_lists_trusting(
	const struct daemon *daemon, const struct prefix_key *prefix, char text[PREFIX_TEXT_SIZE]);

/* The longest prefix of all lists that contains the address, and the id of its list. */
bool guard_lists_find(
	const struct daemon *daemon, const struct address *address, struct prefix_key *prefix, uint32_t *list);

/* The lists in use; NULL: not read yet. */
const struct guard_files *guard_lists_files(const struct daemon *daemon);
