/* SPDX-License-Identifier: GPL-2.0 */
/* Sends copies of SIP messages to the capture server of `capture:`. The XDP program observes packets only while
 * `capture:` is set (ctl/daemon/trace/observers.h). A message that cannot be copied, read or sent at once is lost, and
 * counted: forwarding never waits for a capture. */
#pragma once

#include "ctl/daemon/daemon.h"

struct capture_sender;

/* Messages since the start of the daemon, by what became of them. */
struct capture_sender_counts {
	uint64_t sent;
	uint64_t refused;    /* of those sent: an ICMP error came back */
	uint64_t unsent;     /* the socket did not accept them */
	uint64_t ring_full;  /* packets: the ring buffer from the kernel was full */
	uint64_t incomplete; /* a fragment was missing */
	uint64_t too_long;   /* for the copy of a frame, or for a packet of HEP */
};

struct capture_sender *capture_sender_new(struct daemon *daemon);
void capture_sender_free(struct capture_sender *sender);

/* Applies the configuration. Call it every second in the thread of the event loop, which observers need. */
void capture_sender_update(struct capture_sender *sender);

struct capture_sender_counts capture_sender_counts(struct capture_sender *sender);

/* A text that says why messages are not captured now; NULL: no fault. Valid until the next call. */
const char *capture_sender_fault(struct capture_sender *sender);
