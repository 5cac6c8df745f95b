/* SPDX-License-Identifier: GPL-2.0 */
/* A child process that restores the plain program when the daemon exits for any reason, even SIGKILL. The child
 * reads from a pipe whose only writer is the daemon, and restores the program when the pipe is closed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct observer_watchdog {
	pid_t process; /* 0: none */
	int pipe;      /* -1: none */
};

#define OBSERVER_WATCHDOG_NONE                                                                                         \
	(struct observer_watchdog)                                                                                     \
	{                                                                                                              \
		.pipe = -1                                                                                             \
	}

/* Starts a watchdog for these links and programs (file descriptors), then stops the previous watchdog in *watchdog.
 * Returns 0 or -errno. After an error the previous watchdog continues. */
int observer_watchdog_start(
	struct observer_watchdog *watchdog, const int *links, size_t count, int plain, int observer);

bool observer_watchdog_is_alive(const struct observer_watchdog *watchdog);

/* Stops the watchdog without changing a link. */
void observer_watchdog_stop(struct observer_watchdog *watchdog);

/* Replaces the program `from` of a link with the program `to`. Returns 0 or -errno. A link with a third program, or
 * whose interface no longer exists, is not an error. */
int observer_watchdog_replace(int link, int from, int to);
