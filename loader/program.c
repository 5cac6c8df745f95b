// SPDX-License-Identifier: GPL-2.0
/* The list of maps, and their sizes as set in `limits:`. Independent of pins and interfaces. */
#include <string.h>
#include "bpf/balancer.skel.h"
#include "bpf/decap.skel.h"
#include "program.h"
#include "output.h"

const char *program_name(enum program_kind kind)
{
	return kind == PROGRAM_DECAP ? "decap" : PIN_PROGRAM;
}

static int size_balancer(struct balancer_bpf *skeleton, const struct contract *sizes)
{
	const uint32_t backends = sizes->backends + 1; /* id 0 means "none" */
	const struct {
		struct bpf_map *map;
		uint32_t entries;
	} rows[] = {
		{skeleton->maps.services, 2 * sizes->services}, /* see maps.h */
		{skeleton->maps.services_ipv4, 2 * sizes->services},
		{skeleton->maps.vips, 2 * sizes->services},
		{skeleton->maps.service_names, sizes->services},
		{skeleton->maps.service_traffic, sizes->services},
		{skeleton->maps.service_return, sizes->services},
		{skeleton->maps.service_setup_times, sizes->services},
		{skeleton->maps.pools, sizes->pools},
		{skeleton->maps.pool_names, sizes->pools},
		{skeleton->maps.tables, 2 * sizes->pools},
		{skeleton->maps.previous_owners, sizes->pools},
		{skeleton->maps.tracked_calls, sizes->tracked_calls},
		{skeleton->maps.counted_calls, sizes->counted_calls},
		{skeleton->maps.backend_loads, backends},
		{skeleton->maps.balances, sizes->pools},
		{skeleton->maps.balance_counters, sizes->pools},
		{skeleton->maps.new_calls, 2 * sizes->pools},
		{skeleton->maps.backends, backends},
		{skeleton->maps.backend_records, backends},
		{skeleton->maps.added_backends, backends},
		{skeleton->maps.backend_traffic, backends},
		{skeleton->maps.backend_return, backends},
		{skeleton->maps.passive_rules, backends},
		{skeleton->maps.passive_states, backends},
		{skeleton->maps.backend_setup_times, backends},
		{skeleton->maps.unanswered_calls, backends},
		{skeleton->maps.service_surges, sizes->services},
		{skeleton->maps.backend_surges, backends},
		{skeleton->maps.guard_sources, sizes->guarded_sources},
	};
	size_t i;
	int err;

	skeleton->rodata->slot_mask = sizes->slots - 1;
	skeleton->rodata->guarded_sources = sizes->guarded_sources;
	err = bpf_map__set_value_size(skeleton->maps.tables, sizes->slots * sizeof(uint16_t));
	if (!err)
		err = bpf_map__set_value_size(skeleton->maps.previous_owners, sizes->slots * sizeof(uint16_t));
	for (i = 0; !err && i < sizeof(rows) / sizeof(*rows); i++)
		err = bpf_map__set_max_entries(rows[i].map, rows[i].entries);
	if (err)
		output_error("cannot set the sizes of the maps: %s", output_errno(err));
	return err ? -1 : 0;
}

int program_open(struct program *program, enum program_kind kind, const struct contract *sizes)
{
	*program = (struct program){.kind = kind};
	output_library_clear();
	if (kind == PROGRAM_DECAP)
		program->decap = decap_bpf__open();
	else
		program->balancer = balancer_bpf__open();
	if (!program->decap && !program->balancer) {
		output_error("cannot open the program '%s': %s%s", program_name(kind), output_errno(errno),
			output_library());
		return -1;
	}
	program->object = kind == PROGRAM_DECAP ? program->decap->obj : program->balancer->obj;
	program->xdp = kind == PROGRAM_DECAP ? program->decap->progs.decap : program->balancer->progs.balancer;
	return kind == PROGRAM_DECAP ? 0 : size_balancer(program->balancer, sizes);
}

static bool fits(const struct bpf_map *map, const struct bpf_map_info *info)
{
	return info->type == bpf_map__type(map) && info->key_size == bpf_map__key_size(map) &&
	       info->value_size == bpf_map__value_size(map) && info->max_entries == bpf_map__max_entries(map);
}

bool program_map_fits(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && fits(map, &info);
}

uint32_t program_map_id(int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

int program_reuse_map(struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	int err = bpf_obj_get_info_by_fd(fd, &info, &size);

	if (!err && !fits(map, &info)) {
		output_error("the pinned map '%s' has keys of %u bytes, values of %u bytes and room for %u entries, "
			     "but this "
			     "program needs %u bytes, %u bytes and %u entries: 'sipxdp-loader upgrade -c FILE' creates "
			     "new maps",
			bpf_map__name(map), info.key_size, info.value_size, info.max_entries, bpf_map__key_size(map),
			bpf_map__value_size(map), bpf_map__max_entries(map));
		return -1;
	}
	if (!err)
		err = bpf_map__reuse_fd(map, fd);
	if (err)
		output_error("cannot use the pinned map '%s': %s", bpf_map__name(map), output_errno(err));
	return err ? -1 : 0;
}

static int write_contract(struct program *program, const struct contract *sizes)
{
	int fd = bpf_map__fd(program->balancer->maps.contract);

	if (!bpf_map_update_elem(fd, &(uint32_t){0}, sizes, BPF_ANY))
		return 0;
	output_error("cannot write the map 'contract': %s", output_errno(errno));
	return -1;
}

int program_load(struct program *program, const struct contract *sizes)
{
	int err;

	output_library_clear();
	err = program->decap ? decap_bpf__load(program->decap) : balancer_bpf__load(program->balancer);
	if (err) {
		output_error("cannot load the program '%s': %s%s", program_name(program->kind), output_errno(err),
			output_library());
		return -1;
	}
	return program->balancer && sizes ? write_contract(program, sizes) : 0;
}

bool program_shares_map(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map);
}

int program_fd(const struct program *program)
{
	return bpf_program__fd(program->xdp);
}

void program_close(struct program *program)
{
	if (program->balancer)
		balancer_bpf__destroy(program->balancer);
	if (program->decap)
		decap_bpf__destroy(program->decap);
	*program = (struct program){.kind = program->kind};
}
