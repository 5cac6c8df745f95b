// SPDX-License-Identifier: GPL-2.0
/* See pair.h. */

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <sys/mman.h>
#include "bpf/abi_punt.h"
#include "guard.h"
#include "pair.h"

static const struct guard_setup no_limits;

const struct balancer_setup pair_setup = {.slots = PAIR_SLOTS, .backends = 4, .guard = &no_limits};

struct side sides[2];

void pair_share(bool active)
{
	struct punt_reader reader = {.active = active};
	uint32_t class = PUNT_CLASS_CALLS;

	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.punt_readers), &class, &reader, BPF_ANY), "punt_readers");
}

/* Takes the changes of one side to the writer of the other one. */
static int on_change(void *data, void *record, size_t size)
{
	struct call_batch *batch = data;

	cr_assert_eq(size, sizeof(struct call_change));
	cr_assert_lt(batch->change_count, CALL_BATCH);
	batch->changes[batch->change_count++] = *(struct call_change *)record;
	return 0;
}

void pair_apply(struct side *side)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	run_must(bpf_prog_test_run_opts(bpf_program__fd(side->writer->progs.call_writer), &options), "call_writer");
}

uint32_t pair_exchange(struct side *side)
{
	struct call_batch *batch = side->other->batch;

	batch->change_count = 0;
	ring_buffer__consume(side->ring);
	pair_apply(side->other);
	return batch->change_count;
}

static struct call_writer_bpf *open_writer(struct balancer_bpf *balancer)
{
	struct call_writer_bpf *writer = call_writer_bpf__open();
	struct bpf_map *map;

	cr_assert(writer);
	writer->rodata->slot_mask = PAIR_SLOTS - 1;
	bpf_object__for_each_map(map, writer->obj) if (!bpf_map__is_internal(map))
		run_must(bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(balancer->obj, bpf_map__name(map))),
			bpf_map__name(map));
	run_must(call_writer_bpf__load(writer), "call_writer");
	return writer;
}

void pair_use(const struct side *side)
{
	skel = side->balancer;
}

void pair_renew(uint64_t lease)
{
	sides[0].batch->change_count = sides[0].batch->copy_count = 0;
	sides[0].batch->lease = lease;
	pair_apply(&sides[0]);
	sides[0].batch->lease = 0;
}

void pair_load(void)
{
	for (int i = 0; i < 2; i++) {
		suite_load(&pair_setup);
		sides[i] = (struct side){.balancer = skel, .writer = open_writer(skel), .other = &sides[!i]};
		sides[i].batch = mmap(NULL, sizeof(struct call_batch), PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(skel->maps.call_batch), 0);
		cr_assert_neq(sides[i].batch, MAP_FAILED);
		pair_share(true);
	}
	for (int i = 0; i < 2; i++) {
		sides[i].ring = ring_buffer__new(
			bpf_map__fd(sides[i].balancer->maps.call_changes), on_change, sides[!i].batch, NULL);
		cr_assert(sides[i].ring);
	}
	pair_use(&sides[0]);
}

void pair_unload(void)
{
	for (int i = 0; i < 2; i++) {
		ring_buffer__free(sides[i].ring);
		munmap(sides[i].batch, sizeof(*sides[i].batch));
		call_writer_bpf__destroy(sides[i].writer);
		pair_use(&sides[i]);
		suite_unload();
	}
}
