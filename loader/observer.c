// SPDX-License-Identifier: GPL-2.0
/* See observer.h. */
#include <errno.h>
#include <unistd.h>
#include "bpf/balancer.skel.h"
#include "bpf/observer.skel.h"
#include "observer.h"
#include "output.h"

/* Both objects include bpf/maps.h, so each map of the observer exists in the balancer. */
static int share_maps(struct bpf_object *object, const struct program *balancer)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object)
	{
		if (!err && program_shares_map(map))
			err = bpf_map__reuse_fd(
				map, bpf_object__find_map_fd_by_name(balancer->object, bpf_map__name(map)));
	}
	return err;
}

/* Returns a descriptor of the loaded program, or -errno. */
static int load(const struct program *balancer)
{
	struct observer_bpf *skeleton = observer_bpf__open();
	int result;

	if (!skeleton)
		return -errno;
	skeleton->rodata->slot_mask = balancer->balancer->rodata->slot_mask;
	skeleton->rodata->guarded_sources = balancer->balancer->rodata->guarded_sources;
	result = share_maps(skeleton->obj, balancer);
	if (!result)
		result = observer_bpf__load(skeleton);
	if (!result)
		result = dup(bpf_program__fd(skeleton->progs.observer));
	observer_bpf__destroy(skeleton);
	return result;
}

/* Creates or replaces the pin. pins_end() removes the pin only if this function created it. */
static int put(struct pins *pins, enum pins_place place, int fd)
{
	int old = pins_get(pins, place, PIN_OBSERVER);

	if (old < 0)
		return pins_put(pins, place, PIN_OBSERVER, fd);
	close(old);
	return pins_replace(pins, place, PIN_OBSERVER, fd);
}

int observer_put(struct pins *pins, enum pins_place place, const struct program *balancer)
{
	int fd, result;

	if (balancer->kind != PROGRAM_BALANCER)
		return 0;
	output_library_clear();
	fd = load(balancer);
	if (fd < 0) {
		output_warning(
			"cannot load the program 'observer': %s%s; forwarding does not need it, but packets cannot be "
			"observed ('sipxdp-ctl trace')",
			output_errno(fd), output_library());
		return pins_remove(pins, place, PIN_OBSERVER);
	}
	result = put(pins, place, fd);
	close(fd);
	return result;
}
