/* SPDX-License-Identifier: GPL-2.0 */
/* The backends that leave with `remove --drain` (docs/design/group.md): each member sends which of them no call of its
 * own uses any more. When all members that count say so of a backend, one of them sends the change that removes it at
 * all members. No I/O. */
#pragma once

#include "group.h"

/* Are these the numbers of the same removal? 0: it is unknown here, or not a change of the group. */
static inline bool group_same_removal(uint64_t a, uint64_t b)
{
	return a == b || !a || !b;
}

/* The leaving backends that no call of this member uses. Sends the list if it differs from the previous one. A member
 * that does not agree passes an empty list. */
void group_set_drained(struct group *group, const struct group_drained *list, size_t count);

/* Is this backend in the list of this member? */
bool group_has_drained(const struct group *group, const struct group_drained *drained);

/* The first member that counts and has not said that no call of its own uses this backend; NULL: all have said so, for
 * the same removal. */
const struct group_member *group_undrained(const struct group *group, const struct group_drained *drained);

/* Is this the member that sends the changes of the group itself: the first one that counts? */
bool group_leads(const struct group *group);
