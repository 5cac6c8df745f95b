// SPDX-License-Identifier: GPL-2.0
/* See worker.h. */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "ctl/maps/clock.h"
#include "worker.h"

#define YIELD_USEC 2000 /* the longest time that the worker holds the lock in a loop with worker_yield() */

#define COMPUTE_USEC 5000 /* between two checks for urgent jobs during worker_compute() */

struct job {
	void (*run)(void *data);
	void (*done)(void *data);
	void *data;
	STAILQ_ENTRY(job) entry;
};

STAILQ_HEAD(jobs, job);

struct worker {
	sd_event *event;
	sd_event_source *wake; /* wakes the loop when a job has ended or the worker may have set a timer */
	int wake_fd;
	pthread_t thread;
	pthread_mutex_t mutex; /* protects the members below; held only briefly */
	pthread_cond_t given;  /* the lock */
	pthread_cond_t added;  /* a job, or the worker must stop. Each turn of the loop gives the lock: not this */
	bool held;             /* a thread holds the lock */
	bool loop_waits; /* the event loop is waiting for the lock; no other thread may take the lock before the loop */
	bool keep;       /* worker_keep_lock() */
	bool stop;
	struct jobs urgent, jobs; /* jobs that have not begun */
	bool was_urgent;          /* the last job was urgent */
	struct jobs done;
	uint64_t taken; /* when the worker took the lock; us of CLOCK_MONOTONIC, like all times here */
	uint64_t woken; /* when the loop last received events */
	uint64_t longest_turn;
};

/* --- the lock */

static void take(struct worker *worker, bool loop)
{
	pthread_mutex_lock(&worker->mutex);
	worker->loop_waits |= loop;
	while (worker->held || (!loop && worker->loop_waits))
		pthread_cond_wait(&worker->given, &worker->mutex);
	worker->held = true;
	if (loop)
		worker->loop_waits = false;
	else
		worker->taken = clock_usec();
	pthread_mutex_unlock(&worker->mutex);
}

static void give(struct worker *worker)
{
	pthread_mutex_lock(&worker->mutex);
	worker->held = false;
	pthread_cond_broadcast(&worker->given);
	pthread_mutex_unlock(&worker->mutex);
}

static bool is_worker(const struct worker *worker)
{
	return worker && pthread_equal(pthread_self(), worker->thread);
}

/* sd-event applies changes to timers and other event sources only when it starts to wait. */
static void wake_loop(struct worker *worker)
{
	eventfd_write(worker->wake_fd, 1);
}

void worker_unlock(struct worker *worker)
{
	if (!is_worker(worker) || worker->keep)
		return;
	wake_loop(worker);
	give(worker);
}

void worker_lock(struct worker *worker)
{
	if (is_worker(worker) && !worker->keep)
		take(worker, false);
}

void worker_keep_lock(struct worker *worker, bool keep)
{
	if (is_worker(worker))
		worker->keep = keep;
}

void worker_yield(struct worker *worker)
{
	if (!is_worker(worker) || clock_usec() - worker->taken < YIELD_USEC)
		return;
	worker_unlock(worker);
	worker_lock(worker);
}

/* --- jobs */

static void add(struct worker *worker, struct jobs *jobs, void (*run)(void *data), void (*done)(void *data), void *data)
{
	struct job *job = allocate(1, sizeof(*job));

	*job = (struct job){.run = run, .done = done, .data = data};
	pthread_mutex_lock(&worker->mutex);
	STAILQ_INSERT_TAIL(jobs, job, entry);
	pthread_cond_signal(&worker->added);
	pthread_mutex_unlock(&worker->mutex);
}

void worker_add(struct worker *worker, void (*run)(void *data), void (*done)(void *data), void *data)
{
	add(worker, &worker->jobs, run, done, data);
}

void worker_add_urgent(struct worker *worker, void (*run)(void *data), void (*done)(void *data), void *data)
{
	add(worker, &worker->urgent, run, done, data);
}

/* Urgent jobs and other jobs alternate, so that no job waits forever. */
static struct job *take_job(struct worker *worker)
{
	bool urgent = !STAILQ_EMPTY(&worker->urgent) && (!worker->was_urgent || STAILQ_EMPTY(&worker->jobs));
	struct jobs *jobs = urgent ? &worker->urgent : &worker->jobs;
	struct job *job = STAILQ_FIRST(jobs);

	STAILQ_REMOVE_HEAD(jobs, entry);
	worker->was_urgent = urgent;
	return job;
}

/* Waits for a job. NULL when the worker must stop. */
static struct job *next_job(struct worker *worker)
{
	struct job *job = NULL;

	pthread_mutex_lock(&worker->mutex);
	while (STAILQ_EMPTY(&worker->urgent) && STAILQ_EMPTY(&worker->jobs) && !worker->stop)
		pthread_cond_wait(&worker->added, &worker->mutex);
	if (!worker->stop)
		job = take_job(worker);
	pthread_mutex_unlock(&worker->mutex);
	return job;
}

/* The caller holds the lock, which also protects the list of ended jobs. */
static void run_job(struct worker *worker, struct job *job)
{
	job->run(job->data);
	STAILQ_INSERT_TAIL(&worker->done, job, entry);
	wake_loop(worker);
}

static void *work(void *data)
{
	struct worker *worker = data;
	struct job *job;

	while ((job = next_job(worker))) {
		take(worker, false);
		run_job(worker, job);
		give(worker);
	}
	return NULL;
}

/* Takes an urgent job. NULL if none waits, or if the worker must stop. */
static struct job *take_urgent_job(struct worker *worker, bool *stop)
{
	struct job *job;

	pthread_mutex_lock(&worker->mutex);
	*stop = worker->stop;
	job = *stop ? NULL : STAILQ_FIRST(&worker->urgent);
	if (job)
		STAILQ_REMOVE_HEAD(&worker->urgent, entry);
	pthread_mutex_unlock(&worker->mutex);
	return job;
}

bool worker_run_urgent(struct worker *worker)
{
	struct job *job;
	bool stop;

	while ((job = take_urgent_job(worker, &stop)))
		run_job(worker, job);
	return !stop;
}

struct computation {
	void (*compute)(void *data);
	void *data;
	_Atomic bool is_done;
};

static void *run_computation(void *data)
{
	struct computation *computation = data;

	computation->compute(computation->data);
	atomic_store(&computation->is_done, true);
	return NULL;
}

void worker_compute(struct worker *worker, void (*compute)(void *data), void *data)
{
	struct computation computation = {.compute = compute, .data = data};
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_computation, &computation)) {
		worker_unlock(worker);
		compute(data);
		worker_lock(worker);
		return;
	}
	while (!atomic_load(&computation.is_done)) {
		worker_unlock(worker);
		usleep(COMPUTE_USEC);
		worker_lock(worker);
		worker_run_urgent(worker);
	}
	pthread_join(thread, NULL);
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct worker *worker = data;
	struct job *job;
	eventfd_t count;

	(void)source, (void)events;
	eventfd_read(fd, &count);
	while ((job = STAILQ_FIRST(&worker->done))) {
		STAILQ_REMOVE_HEAD(&worker->done, entry);
		if (job->done)
			job->done(job->data);
		free(job);
	}
	return 0;
}

/* --- the loop */

/* Like sd_event_wait(), but releases the lock during the wait. */
static int wait_for_events(struct worker *worker)
{
	struct pollfd fd = {.fd = sd_event_get_fd(worker->event), .events = POLLIN};
	uint64_t turn = clock_usec() - worker->woken;
	int error;

	if (worker->woken && turn > worker->longest_turn)
		worker->longest_turn = turn;
	give(worker);
	poll(&fd, 1, -1);
	worker->woken = clock_usec();
	take(worker, true);
	error = sd_event_wait(worker->event, 0);
	return error > 0 ? sd_event_dispatch(worker->event) : error;
}

int worker_run_loop(struct worker *worker)
{
	int error = 0, code = 0;

	while (error >= 0 && sd_event_get_state(worker->event) != SD_EVENT_FINISHED) {
		error = sd_event_prepare(worker->event);
		if (error > 0)
			error = sd_event_dispatch(worker->event);
		else if (error == 0)
			error = wait_for_events(worker);
	}
	if (error >= 0)
		error = sd_event_get_exit_code(worker->event, &code);
	return error < 0 ? error : code;
}

uint64_t worker_longest_turn(const struct worker *worker)
{
	return worker->longest_turn / 1000;
}

/* --- start and stop */

int worker_new(struct worker **out, sd_event *event)
{
	struct worker *worker = allocate(1, sizeof(*worker));
	int error;

	*worker = (struct worker){.event = sd_event_ref(event), .held = true, .wake_fd = -1};
	STAILQ_INIT(&worker->urgent);
	STAILQ_INIT(&worker->jobs);
	STAILQ_INIT(&worker->done);
	pthread_mutex_init(&worker->mutex, NULL);
	pthread_cond_init(&worker->given, NULL);
	pthread_cond_init(&worker->added, NULL);
	worker->thread = pthread_self(); /* a valid value until the thread starts */
	worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = worker->wake_fd < 0 ? -errno
				    : sd_event_add_io(event, &worker->wake, worker->wake_fd, EPOLLIN, on_wake, worker);
	if (error >= 0)
		error = -pthread_create(&worker->thread, NULL, work, worker);
	if (error) {
		worker->thread = pthread_self();
		worker_free(worker);
		return error;
	}
	*out = worker;
	return 0;
}

static void free_jobs(struct jobs *jobs)
{
	struct job *job;

	while ((job = STAILQ_FIRST(jobs))) {
		STAILQ_REMOVE_HEAD(jobs, entry);
		free(job);
	}
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	if (!is_worker(worker)) {
		pthread_mutex_lock(&worker->mutex);
		worker->stop = true;
		pthread_cond_signal(&worker->added);
		pthread_mutex_unlock(&worker->mutex);
		give(worker);
		pthread_join(worker->thread, NULL);
	}
	free_jobs(&worker->urgent);
	free_jobs(&worker->jobs);
	free_jobs(&worker->done);
	sd_event_source_disable_unref(worker->wake);
	if (worker->wake_fd >= 0)
		close(worker->wake_fd);
	sd_event_unref(worker->event);
	free(worker);
}
