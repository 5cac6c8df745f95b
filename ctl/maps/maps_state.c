// SPDX-License-Identifier: GPL-2.0
/* Changes the map balancer_state without the daemon; see maps.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "maps_private.h"

static int write_away(const struct maps *maps, uint32_t since)
{
	struct balancer_state state;
	uint32_t first = 0;
	int error = bpf_map_lookup_elem(maps->fd[MAP_STATE], &first, &state);

	state.away_since = since;
	return error ? error : bpf_map_update_elem(maps->fd[MAP_STATE], &first, &state, BPF_ANY);
}

/* Holds the lock of the daemon, because a starting daemon reads the map once and then trusts its copy. */
int maps_set_away(const struct maps *maps, const char *directory, uint32_t since)
{
	int lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;

	if (lock < 0)
		return -errno;
	if (flock(lock, LOCK_EX | LOCK_NB))
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else
		error = write_away(maps, since);
	close(lock);
	return error;
}
