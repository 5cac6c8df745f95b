// SPDX-License-Identifier: GPL-2.0
/* See ring.h. */

#include <errno.h>
#include <unistd.h>
#include "maps.h"
#include "ring.h"

int ring_open(
	struct ring_buffer **out, const char *directory, const char *name, ring_buffer_sample_fn on_record, void *data)
{
	int fd = maps_open_pin(directory, name), error = 0;

	*out = NULL;
	if (fd < 0)
		return fd;
	*out = ring_buffer__new(fd, on_record, data, NULL);
	if (!*out)
		error = -errno;
	close(fd); /* the ring has mapped the map into memory */
	return error;
}
