/* SPDX-License-Identifier: GPL-2.0 */
/* The two threads of the daemon, event loop and worker, and the one lock between them. The event loop holds the lock
 * except while it waits for events. The worker runs long jobs one after another. It holds the lock while it uses shared
 * data, and releases it while it computes with its own data. The code of both threads can therefore be read like
 * single-threaded code. If a function releases the lock, its comment says which data may have changed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct worker;

/* Starts the worker. The calling thread becomes the thread of the event loop and holds the lock.
 * 0 or -errno. */
int worker_new(struct worker **out, sd_event *event);

/* Waits until the current job has ended, and discards the jobs in the queue. */
void worker_free(struct worker *worker);

/* Runs the event loop until it exits. Returns the exit code of the loop, or -errno. */
int worker_run_loop(struct worker *worker);

/* Queues a job: the worker calls run(data), then the event loop calls done(data) unless `done` is NULL. */
void worker_add(struct worker *worker, void (*run)(void *data), void (*done)(void *data), void *data);

/* Like worker_add(), for a job that must not wait for the requests of many clients. The job waits for the current job
 * and at most one other job. */
void worker_add_urgent(struct worker *worker, void (*run)(void *data), void (*done)(void *data), void *data);

/* Release the lock and take it again. Both do nothing in the thread of the event loop, or if `worker` is NULL (no
 * worker exists yet). */
void worker_unlock(struct worker *worker);
void worker_lock(struct worker *worker);

/* Call this between the items of a long loop. If the worker has held the lock for too long, this function lets the
 * event loop run. */
void worker_yield(struct worker *worker);

/* Call this between the parts of a job that takes seconds: runs the waiting urgent jobs now, as if the current job
 * had ended. All shared data may have changed afterwards. Returns false if the daemon stops: the caller must end. */
bool worker_run_urgent(struct worker *worker);

/* For a computation that takes seconds and cannot be divided: runs it in a separate thread without the lock, and calls
 * worker_run_urgent() meanwhile. */
void worker_compute(struct worker *worker, void (*compute)(void *data), void *data);

/* While `keep` is set, worker_unlock() and worker_yield() do not release the lock. Use it for work during which the
 * shared data must not change. */
void worker_keep_lock(struct worker *worker, bool keep);

/* The longest time in ms that the event loop has spent between two waits for events. */
uint64_t worker_longest_turn(const struct worker *worker);
