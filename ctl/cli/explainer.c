// SPDX-License-Identifier: GPL-2.0
/* See explainer.h. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "bpf/explanation.h"
#include "bpf/explainer.skel.h"
#include "core/base/memory.h"
#include "explainer.h"

struct explainer {
	struct explainer_bpf *skeleton;
	struct explainer_interface *interfaces;
	size_t count;
};

static int no_log(enum libbpf_print_level level, const char *format, va_list values)
{
	(void)level, (void)format, (void)values;
	return 0;
}

/* The maps of the balancer, by their names. */
static int reuse_maps(struct explainer *explainer, const char *directory, char error[MAPS_ERROR_SIZE])
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, explainer->skeleton->obj)
	{
		int fd, result;

		if (bpf_map__is_internal(map))
			continue;
		fd = maps_open_pin(directory, bpf_map__name(map));
		result = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
		if (!result)
			continue;
		snprintf(error, MAPS_ERROR_SIZE, "cannot use the map %s/%s: %s", directory, bpf_map__name(map),
			strerror(-result));
		return result;
	}
	return 0;
}

static int load(
	struct explainer *explainer, const struct maps *maps, const char *directory, char error[MAPS_ERROR_SIZE])
{
	int result;

	libbpf_set_print(no_log);
	explainer->skeleton = explainer_bpf__open();
	if (!explainer->skeleton) {
		snprintf(error, MAPS_ERROR_SIZE, "cannot open the program 'explainer': %s", strerror(errno));
		return -errno;
	}
	explainer->skeleton->rodata->slot_mask = maps_contract(maps)->slots - 1;
	explainer->skeleton->rodata->guarded_sources = maps_contract(maps)->guarded_sources;
	explainer->skeleton->rodata->dry_run = true;
	result = reuse_maps(explainer, directory, error);
	if (result)
		return result;
	result = explainer_bpf__load(explainer->skeleton);
	if (result)
		snprintf(error, MAPS_ERROR_SIZE, "cannot load the program 'explainer': %s%s", strerror(-result),
			result == -EPERM ? " (needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)" : "");
	return result;
}

/* Reads the MAC addresses for which the balancer accepts frames. The kernel runs a program only for interfaces of this
 * network namespace. */
static int read_interfaces(struct explainer *explainer, char error[MAPS_ERROR_SIZE])
{
	int map = bpf_map__fd(explainer->skeleton->maps.own_macs);
	struct own_mac key, *previous = NULL;
	char name[IF_NAMESIZE];
	uint32_t mtu;

	explainer->interfaces = allocate(OWN_MACS, sizeof(*explainer->interfaces));
	while (explainer->count < OWN_MACS && !bpf_map_get_next_key(map, previous, &key)) {
		if (!bpf_map_lookup_elem(map, &key, &mtu) && if_indextoname(key.ifindex, name))
			explainer->interfaces[explainer->count++] =
				(struct explainer_interface){key.ifindex, mtu, key.mac};
		previous = &key;
	}
	if (explainer->count)
		return 0;
	snprintf(error, MAPS_ERROR_SIZE, "the balancer has no interface in this network namespace");
	return -ENODEV;
}

int explainer_open(struct explainer **out, const struct maps *maps, const char *directory, char error[MAPS_ERROR_SIZE])
{
	struct explainer *explainer = allocate(1, sizeof(*explainer));
	int result = load(explainer, maps, directory, error);

	if (!result)
		result = read_interfaces(explainer, error);
	if (result) {
		explainer_close(explainer);
		explainer = NULL;
	}
	*out = explainer;
	return result;
}

void explainer_close(struct explainer *explainer)
{
	if (!explainer)
		return;
	explainer_bpf__destroy(explainer->skeleton);
	free(explainer->interfaces);
	free(explainer);
}

const struct explainer_interface *explainer_interface(const struct explainer *explainer, const struct mac *mac)
{
	for (size_t i = 0; i < explainer->count; i++)
		if (!mac || !memcmp(mac, &explainer->interfaces[i].mac, sizeof(*mac)))
			return &explainer->interfaces[i];
	return NULL;
}

int explainer_run(const struct explainer *explainer, uint32_t ifindex, const uint8_t *frame, size_t length,
	struct explanation *out)
{
	struct xdp_md context = {.data_end = length, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = length, .ctx_in = &context,
		.ctx_size_in = sizeof(context), .repeat = 1);
	struct explanation *result = &explainer->skeleton->bss->explanation;
	int error;

	memset(result, 0, sizeof(*result));
	error = bpf_prog_test_run_opts(bpf_program__fd(explainer->skeleton->progs.explainer), &run);
	*out = *result;
	return error;
}
