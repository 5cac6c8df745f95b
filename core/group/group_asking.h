/* SPDX-License-Identifier: GPL-2.0 */
/* A member asks the others for all calls, one member after the other until one answers (docs/design/group.md, tracked
 * calls). A member that does not have all calls itself replies that it does not know them. If no member has all calls,
 * a member with empty maps asks again, and a part of them is enough. No I/O. */
#pragma once

#include "group.h"

struct group_asking {
	bool is_empty;         /* this member has no calls itself */
	uint16_t flags;        /* of the current question */
	bool waits;            /* the answer to it is not complete */
	struct group_id asked; /* the member that must answer it */
	uint64_t heard;        /* when it was asked, or has last sent calls, ms */
};

void group_asking_begin(struct group_asking *asking, bool is_empty);

/* Chooses the next member. The caller sends it the question. Returns false if all members have been asked. */
bool group_asking_next(struct group_asking *asking, const struct group *group, uint64_t now);

/* Has the member that was asked sent nothing for so long that the next question may follow? */
bool group_asking_has_paused(const struct group_asking *asking, uint64_t now);

enum group_asking_result {
	GROUP_ASKING_WAITS,
	GROUP_ASKING_REFUSED, /* call group_asking_next() */
	GROUP_ASKING_COMPLETE,
};

/* A message with calls from another member. `is_for_us`: it belongs to an answer for this member. */
enum group_asking_result group_asking_take(
	struct group_asking *asking, struct group_id from, uint16_t flags, bool is_for_us, uint64_t now);

/* Does a member answer a question with these flags? Otherwise it replies that it does not know the calls. `is_filled`:
 * its maps have been in use. */
bool group_asking_may_answer(uint16_t flags, bool has_all, bool is_filled);
