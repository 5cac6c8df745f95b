// SPDX-License-Identifier: GPL-2.0
/* The times in which servers with `forward: nat` respond to INVITEs (bpf/abi_return.h). See maps.h. */

#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include "core/base/memory.h"
#include "maps_private.h"

int maps_service_setup_times(const struct maps *maps, uint32_t id, struct setup_times *out)
{
	memset(out, 0, sizeof(*out));
	return bpf_map_lookup_elem(maps->fd[MAP_SERVICE_SETUP_TIMES], &id, out);
}

int maps_backend_setup_times(const struct maps *maps, uint32_t id, struct setup_times *out)
{
	memset(out, 0, sizeof(*out));
	return bpf_map_lookup_elem(maps->fd[MAP_BACKEND_SETUP_TIMES], &id, out);
}

int maps_unanswered_calls(const struct maps *maps, uint32_t id, uint64_t *out)
{
	*out = 0;
	return bpf_map_lookup_elem(maps->fd[MAP_UNANSWERED_CALLS], &id, out);
}

int maps_add_unanswered_call(const struct maps *maps, uint32_t id)
{
	uint64_t calls;
	int error = maps_unanswered_calls(maps, id, &calls);

	calls++;
	return error ? error : bpf_map_update_elem(maps->fd[MAP_UNANSWERED_CALLS], &id, &calls, BPF_ANY);
}

/* The kernel may update an entry after it was read. A response that arrives at that time is not measured. */
int maps_visit_setups(const struct maps *maps, maps_visit_setup *visit, void *data)
{
	int fd = maps->fd[MAP_SETUPS], found = 0, error;
	__u64 *calls = allocate(SETUPS, sizeof(*calls));
	struct setup *setups = allocate(SETUPS, sizeof(*setups));
	uint32_t batch, *from = NULL;

	do {
		uint32_t count = SETUPS;

		error = bpf_map_lookup_batch(fd, from, &batch, calls, setups, &count, NULL);
		if (error && error != -ENOENT)
			break;
		from = &batch;
		found += count;
		for (uint32_t i = 0; i < count; i++)
			if (visit(&setups[i], data))
				bpf_map_delete_elem(fd, &calls[i]);
	} while (!error);
	free(calls);
	free(setups);
	return error == -ENOENT ? found : error;
}

struct forgetting {
	const bool *reassigned;
	uint32_t backends;
};

static bool is_reassigned(const struct setup *setup, void *data)
{
	const struct forgetting *forgetting = data;

	return setup->backend > forgetting->backends || forgetting->reassigned[setup->backend];
}

int maps_forget_setups(const struct maps *maps, const bool *reassigned)
{
	int count = maps_visit_setups(maps, is_reassigned, &(struct forgetting){reassigned, maps->contract.backends});

	return count < 0 ? count : 0;
}
