/* SPDX-License-Identifier: GPL-2.0 */
/* Answers the INVITEs that the guard refuses: reads the ring buffer `punt_refusals`, and sends a 503 for each of them.
 * The work is bounded in number and in time. */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

struct refuser;

/* Counts the INVITEs by result. All of them were dropped. */
struct refuse_counts {
	uint64_t answered;
	uint64_t late;      /* older than PUNT_NSEC when the daemon read them */
	uint64_t unusable;  /* no response is possible: a header is missing, or the sender is not a single host */
	uint64_t too_large; /* the response would be larger than the INVITE */
	uint64_t unsent;    /* the interface did not accept the response */
};

/* Opens the ring buffer that is pinned under `directory` and joins the loop. 0 or -errno. */
int refuse_new(struct refuser **out, sd_event *event, const char *directory);
void refuse_free(struct refuser *refuser);

/* Returns counts of 0 if `refuser` is NULL. */
struct refuse_counts refuse_counts(const struct refuser *refuser);
