// SPDX-License-Identifier: GPL-2.0
/* See generation.h. */
#include <string.h>
#include "ctl/daemon/log.h"
#include "generation.h"

void generation_raise(struct daemon *daemon)
{
	int error = 0;

	for (uint32_t id = 1; id < GUARDS; id++) {
		struct guard *guard = &daemon->running->guards[id];
		int result;

		if (!*daemon->running->guard_names[id].name)
			continue;
		guard->generation++;
		result = maps_put_guard(daemon->maps, id, guard);
		error = result ? result : error;
	}
	if (error)
		log_error("cannot write the map of guards: %s; known sources keep their lists until the next change",
			strerror(-error));
}

static void raise_job(void *data)
{
	struct daemon *daemon = data;

	daemon->generation_queued = false;
	generation_raise(daemon);
}

void generation_raise_soon(struct daemon *daemon)
{
	if (!daemon->generation_queued)
		worker_add_urgent(daemon->worker, raise_job, NULL, daemon);
	daemon->generation_queued = true;
}
