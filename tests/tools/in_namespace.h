/* SPDX-License-Identifier: GPL-2.0 */
/* For tools that send and receive in several network namespaces. Include it first: it defines _GNU_SOURCE. */
#pragma once

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Prints the message and ends the process with status 2. */
static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	exit(2);
}

/* Opens a socket in the namespace of this file, such as /run/netns/NAME. Reading from it does not wait. */
static int socket_in(const char *namespace, int domain, int type, int protocol)
{
	int fd = open(namespace, O_RDONLY | O_CLOEXEC), sock;

	if (fd < 0)
		fail("cannot open %s: %s", namespace, strerror(errno));
	if (setns(fd, CLONE_NEWNET))
		fail("cannot enter %s: %s", namespace, strerror(errno));
	close(fd);
	sock = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (sock < 0)
		fail("cannot open a socket in %s: %s", namespace, strerror(errno));
	return sock;
}
