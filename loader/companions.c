// SPDX-License-Identifier: GPL-2.0
/* See companions.h. */
#include <errno.h>
#include <unistd.h>
#include "bpf/balancer.skel.h"
#include "bpf/call_writer.skel.h"
#include "bpf/observer.skel.h"
#include "companions.h"
#include "output.h"

/* All objects include bpf/maps.h, so each map of a companion exists in the balancer. */
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
static int load(struct bpf_object *object, const struct bpf_program *program, const struct program *balancer)
{
	int result = share_maps(object, balancer);

	if (!result)
		result = bpf_object__load(object);
	return result ? result : dup(bpf_program__fd(program));
}

static int load_observer(const struct program *balancer)
{
	struct observer_bpf *skeleton = observer_bpf__open();
	int result;

	if (!skeleton)
		return -errno;
	skeleton->rodata->slot_mask = balancer->balancer->rodata->slot_mask;
	skeleton->rodata->guarded_sources = balancer->balancer->rodata->guarded_sources;
	result = load(skeleton->obj, skeleton->progs.observer, balancer);
	observer_bpf__destroy(skeleton);
	return result;
}

static int load_call_writer(const struct program *balancer)
{
	struct call_writer_bpf *skeleton = call_writer_bpf__open();
	int result;

	if (!skeleton)
		return -errno;
	skeleton->rodata->slot_mask = balancer->balancer->rodata->slot_mask;
	result = load(skeleton->obj, skeleton->progs.call_writer, balancer);
	call_writer_bpf__destroy(skeleton);
	return result;
}

static const struct companion {
	const char *name; /* of the program and its pin */
	int (*load)(const struct program *balancer);
	const char *effect; /* of a refusal */
} companions[] = {
	{PIN_OBSERVER, load_observer, "packets cannot be observed ('sipxdp-ctl trace')"},
	{PIN_CALL_WRITER, load_call_writer,
		"in a group, this balancer does not learn of calls at the others ('group:')"},
};

/* Creates or replaces the pin. pins_end() removes the pin only if this function created it. */
static int put(struct pins *pins, enum pins_place place, const char *name, int fd)
{
	int old = pins_get(pins, place, name);

	if (old < 0)
		return pins_put(pins, place, name, fd);
	close(old);
	return pins_replace(pins, place, name, fd);
}

static int put_companion(
	struct pins *pins, enum pins_place place, const struct program *balancer, const struct companion *companion)
{
	int fd, result;

	output_library_clear();
	fd = companion->load(balancer);
	if (fd < 0) {
		output_warning("cannot load the program '%s': %s%s; forwarding does not need it, but %s",
			companion->name, output_errno(fd), output_library(), companion->effect);
		return pins_remove(pins, place, companion->name);
	}
	result = put(pins, place, companion->name, fd);
	close(fd);
	return result;
}

int companions_put(struct pins *pins, enum pins_place place, const struct program *balancer)
{
	int result = 0;

	if (balancer->kind != PROGRAM_BALANCER)
		return 0;
	for (size_t i = 0; i < sizeof(companions) / sizeof(*companions) && !result; i++)
		result = put_companion(pins, place, balancer, &companions[i]);
	return result;
}
