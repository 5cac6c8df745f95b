/* SPDX-License-Identifier: GPL-2.0 */
/* Handles the frames that the XDP program punts to the daemon through ring buffers. Fragments that arrived before
 * their first fragment wait until the program reports the first fragment. Packets that exceed the MTU towards their
 * backend are fragmented, or answered with an ICMP error. Translated packets to a client whose next hop the kernel must
 * resolve are sent through a socket. All other forwarded frames pass through the XDP program again (reinject.h). The
 * work is bounded in number and in time. */
#pragma once

#include <systemd/sd-event.h>
#include "bpf/abi_punt.h"

struct punt_handler;

/* Counts punted frames by their result. The frames in `held`, `sent`, `fragmented`, `answered` and `routed_nat` were
 * not dropped; all others were. */
struct punt_counts {
	uint64_t held; /* fragments that had to wait */
	uint64_t sent;
	uint64_t timed_out;      /* dropped: the first fragment did not arrive */
	uint64_t displaced;      /* dropped to make room for newer ones */
	uint64_t duplicates;     /* dropped: copies of a waiting fragment */
	uint64_t late_fragments; /* fragments older than PUNT_NSEC when the daemon read them */
	uint64_t late_oversize;
	uint64_t fragmented; /* oversize packets, sent in fragments */
	uint64_t answered;   /* oversize packets, answered with an ICMP error */
	uint64_t refused; /* oversize packets, dropped: neither was possible, or the limit of ICMP errors was reached */
	uint64_t unsent;  /* fragments that the interface did not accept */
	uint64_t routed_nat; /* translated packets from backends that the kernel has routed */
	uint64_t unsent_nat; /* translated packets from backends that the kernel did not accept */
	uint64_t late_nat;
};

/* Opens the balancer that is pinned under `directory` and joins the loop. 0 or -errno. */
int punt_handler_new(struct punt_handler **out, sd_event *event, const char *directory);
void punt_handler_free(struct punt_handler *handler);

/* Returns counts of 0 if `handler` is NULL. */
struct punt_counts punt_counts(const struct punt_handler *handler);
