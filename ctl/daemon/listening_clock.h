/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's clock of the time in which it listens (core/listening.h). There is one, as there is
 * one event loop: probes, neighbours, heartbeats and the judgement take their times from it. */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

/* Joins the loop, and notices from now on when the loop does not run. 0 or -errno. */
int listening_clock_start(sd_event *event);

/* ms of this clock; of CLOCK_MONOTONIC where it was not begun. With the lock of worker.h. */
uint64_t listening_clock_now(void);

/* The longest time for which the clock stood still since this was asked last, ms; 0: it did not. */
uint64_t listening_clock_stall(void);
