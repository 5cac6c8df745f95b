/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's two threads and the lock that keeps them apart. The event loop holds the lock
 * except while it waits for events. The worker does, one after the other, what may take long:
 * it holds the lock while it touches what the loop touches, and gives it up while it computes
 * with what is its own. So the code on both sides reads as if there were one thread; what may
 * have changed while the lock was given up is said where that is done. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct worker;

/* 0 or -errno. The caller becomes the loop's thread, and holds the lock. */
int worker_new(struct worker **out, sd_event *event);

/* Waits until the job under way has ended; the others are not begun. */
void worker_free(struct worker *worker);

/* Runs the event loop until it is ended: its exit code, or -errno. */
int worker_run_loop(struct worker *worker);

/* A job: the worker calls run(data), then the loop calls done(data), if there is one. */
void worker_add(struct worker *worker, void (*run)(void *data), void (*done)(void *data), void *data);

/* Give the lock up, and take it again. In the loop's own thread, and where
 * there is no worker yet (NULL), both do nothing. */
void worker_leave(struct worker *worker);
void worker_return(struct worker *worker);

/* Lets the loop have its turn if the worker has held the lock for long. To be called between the
 * items of a long loop. */
void worker_breathe(struct worker *worker);

/* From now on the worker does not give the lock up where it could, or does again: for what must find
 * nothing changed. */
void worker_keep(struct worker *worker, bool keeps);

/* The longest time in ms for which the loop did not come back to its events. */
uint64_t worker_longest_turn(const struct worker *worker);
