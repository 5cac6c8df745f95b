/* SPDX-License-Identifier: GPL-2.0 */
/* A child process that restores the plain program when the daemon dies, also by SIGKILL. The child reads a pipe whose
 * only writer is the daemon, and acts when the pipe ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct observer_guard {
	pid_t process; /* 0: none */
	int pipe;      /* -1: none */
};

#define OBSERVER_GUARD_NONE                                                                                            \
	(struct observer_guard)                                                                                        \
	{                                                                                                              \
		.pipe = -1                                                                                             \
	}

/* Starts a guard for these links and programs (file descriptors), then stops the previous guard in *guard. 0 or -errno;
 * after an error the previous guard continues. */
int observer_guard_start(struct observer_guard *guard, const int *links, size_t count, int plain, int observer);

bool observer_guard_is_alive(const struct observer_guard *guard);

/* Stops the guard. It then changes no link. */
void observer_guard_stop(struct observer_guard *guard);

/* Replaces the program `from` of a link by `to`. 0, also if the link has a third program or its interface no longer
 * exists; or -errno. */
int observer_guard_replace(int link, int from, int to);
