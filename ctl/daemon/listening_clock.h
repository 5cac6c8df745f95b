/* SPDX-License-Identifier: GPL-2.0 */
/* A clock that runs only while the event loop runs (core/health/listening.h). A stopped or blocked daemon
 * receives nothing, so the time of such a stop must not count against a backend. Probes, neighbours, heartbeats
 * and health decisions all use this one clock. */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

/* Starts the clock as a timer of the event loop. 0 or -errno. */
int listening_clock_start(sd_event *event);

/* ms of this clock; ms of CLOCK_MONOTONIC before the start. The caller holds the lock (worker.h). */
uint64_t listening_clock_now(void);

/* The longest single stop of the clock since the previous call, ms; 0: no stop. */
uint64_t listening_clock_stall(void);
