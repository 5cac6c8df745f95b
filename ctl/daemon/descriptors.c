// SPDX-License-Identifier: GPL-2.0
/* See descriptors.h. */
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "descriptors.h"

#define RESERVED 16      /* number of reserved descriptors; if the limit is low, RESERVED_SHARE applies instead */
#define RESERVED_SHARE 8 /* at most 1/8 of the limit */

void descriptors_open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

void descriptors_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Reads the limit each time, because prlimit(1) may change it. */
bool descriptors_is_reserved(int fd)
{
	struct rlimit limit;
	rlim_t reserved;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return false;
	reserved = limit.rlim_cur / RESERVED_SHARE;
	return (rlim_t)fd >= limit.rlim_cur - (reserved < RESERVED ? reserved : RESERVED);
}
