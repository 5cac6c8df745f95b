// SPDX-License-Identifier: GPL-2.0
/* See observer.h. */

#include <bpf/libbpf.h>
#include "observer.h"
#include "shared.h"

struct observer_bpf *observer_load(struct balancer_bpf *skel)
{
	struct observer_bpf *observing = observer_bpf__open();
	struct bpf_map *map;

	run_must(!observing, "open");
	observing->rodata->slot_mask = skel->rodata->slot_mask;
	observing->rodata->guarded_sources = skel->rodata->guarded_sources;
	bpf_object__for_each_map(map, observing->obj)
	{
		if (!bpf_map__is_internal(map))
			run_must(bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(skel->obj, bpf_map__name(map))),
				bpf_map__name(map));
	}
	shared_load(observing->obj);
	return observing;
}

void observer_unload(struct observer_bpf *observing)
{
	shared_release(observing->obj);
	observer_bpf__destroy(observing);
}
