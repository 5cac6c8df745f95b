// SPDX-License-Identifier: GPL-2.0
/* See observer_watchdog.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include "core/base/memory.h"
#include "observer_watchdog.h"

int observer_watchdog_replace(int link, int from, int to)
{
	LIBBPF_OPTS(bpf_link_update_opts, options, .flags = BPF_F_REPLACE, .old_prog_fd = from);

	if (!bpf_link_update(link, to, &options))
		return 0;
	return errno == EPERM || errno == ENOLINK ? 0 : -errno; /* EPERM: the link has another program */
}

/* --- the child: the daemon has threads, so the child may call only functions that are async-signal-safe */

/* The descriptors that the child keeps open, in ascending order. */
static void close_others(const int *keep, size_t count)
{
	unsigned int next = 0;

	for (size_t i = 0; i < count; i++) {
		if ((unsigned int)keep[i] > next)
			close_range(next, keep[i] - 1, 0);
		next = keep[i] + 1;
	}
	close_range(next, UINT_MAX, 0);
}

/* systemd and a terminal send signals to all processes of a service. The child ignores these signals. It exits after
 * the daemon. */
static void ignore_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	sigset_t none;

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void watchdog(int pipe, const int *links, size_t count, int plain, int observer)
{
	ssize_t got;
	char byte;

	do
		got = read(pipe, &byte, 1);
	while (got < 0 && errno == EINTR);
	for (size_t i = 0; got <= 0 && i < count; i++)
		observer_watchdog_replace(links[i], observer, plain);
	_exit(0);
}

/* --- the daemon */

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int observer_watchdog_start(struct observer_watchdog *current, const int *links, size_t count, int plain, int observer)
{
	int *keep = allocate(count + 3, sizeof(*keep)), ends[2], err;
	pid_t process;

	if (pipe2(ends, O_CLOEXEC)) {
		err = -errno;
		free(keep);
		return err;
	}
	memcpy(keep, links, count * sizeof(*keep));
	keep[count] = plain;
	keep[count + 1] = observer;
	keep[count + 2] = ends[0];
	qsort(keep, count + 3, sizeof(*keep), compare);
	process = fork();
	if (!process) {
		close(ends[1]); /* even if close_others() fails: the child must detect the end of the pipe */
		ignore_signals();
		prctl(PR_SET_NAME, "sipxdpd-watch");
		close_others(keep, count + 3);
		watchdog(ends[0], links, count, plain, observer);
	}
	err = process < 0 ? -errno : 0;
	close(ends[0]);
	free(keep);
	if (err) {
		close(ends[1]);
		return err;
	}
	observer_watchdog_stop(current);
	*current = (struct observer_watchdog){.process = process, .pipe = ends[1]};
	return 0;
}

bool observer_watchdog_is_alive(const struct observer_watchdog *current)
{
	siginfo_t info = {};

	return current->process && !waitid(P_PID, current->process, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

void observer_watchdog_stop(struct observer_watchdog *current)
{
	if (!current->process)
		return;
	(void)!write(current->pipe, "",
		1); /* SIGPIPE is blocked or ignored, so the write may fail if the watchdog is dead */
	close(current->pipe);
	waitpid(current->process, NULL, 0);
	*current = OBSERVER_WATCHDOG_NONE;
}
