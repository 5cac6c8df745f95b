/* SPDX-License-Identifier: GPL-2.0 */
/* A child process that restores the plain program when the daemon exits for any reason, even SIGKILL. The child
 * reads from a pipe whose only writer is the daemon, and restores the program when the pipe is closed. */
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

/* Starts a guard for these links and programs (file descriptors), then stops the previous guard in *guard. Returns 0 or
 * -errno. After an error the previous guard continues. */
int observer_guard_start(struct observer_guard *guard, const int *links, size_t count, int plain, int observer);

bool observer_guard_is_alive(const struct observer_guard *guard);

/* Stops the guard without changing a link. */
void observer_guard_stop(struct observer_guard *guard);

/* Replaces the program `from` of a link with the program `to`. Returns 0 or -errno. A link with a third program, or
 * whose interface no longer exists, is not an error. */
int observer_guard_replace(int link, int from, int to);
