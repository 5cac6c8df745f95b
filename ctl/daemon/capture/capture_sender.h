/* SPDX-License-Identifier: GPL-2.0 */
/* Sends copies of SIP messages to the capture server of `capture:`. The XDP program observes packets only while
 * `capture:` is set (ctl/daemon/trace/observers.h). A message that cannot be copied, read or sent immediately is
 * lost and counted: forwarding never waits for a capture. */
#pragma once

#include "ctl/daemon/daemon.h"

struct capture_sender;

/* Numbers of messages since the start of the daemon, by result. */
struct capture_sender_counts {
	uint64_t sent;
	uint64_t refused;    /* messages that were sent, but answered with an ICMP error */
	uint64_t unsent;     /* messages that the socket did not accept */
	uint64_t ring_full;  /* packets that were lost because the ring buffer from the kernel was full */
	uint64_t incomplete; /* messages with a missing fragment */
	uint64_t too_long;   /* messages that exceed the copy of the frame, or a HEP packet */
};

struct capture_sender *capture_sender_new(struct daemon *daemon);
void capture_sender_free(struct capture_sender *sender);

/* Applies the configuration. Call it every second in the thread of the event loop, which observers need. */
void capture_sender_update(struct capture_sender *sender);

struct capture_sender_counts capture_sender_counts(struct capture_sender *sender);

/* Returns the reason why no messages are captured now; NULL: messages are captured. The text is valid until the next
 * call. */
const char *capture_sender_fault(struct capture_sender *sender);
