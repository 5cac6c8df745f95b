// SPDX-License-Identifier: GPL-2.0
/* See forwarding.h. */
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>
#include "forwarding.h"

bool forwarding_is_on(const char *interface, bool ipv6)
{
	char path[sizeof("/proc/sys/net/ipv4/conf//forwarding") + IF_NAMESIZE], value = '1';
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/forwarding", ipv6 ? "ipv6" : "ipv4", interface);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	if (read(fd, &value, 1) < 1)
		value = '1';
	close(fd);
	return value != '0';
}
