// SPDX-License-Identifier: GPL-2.0
/* The explainer predicts the verdict of the next packet and changes nothing: it runs before each packet of the rows. */

#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/explanation.h"
#include "bpf/explainer.skel.h"
#include "guard.h"
#include "rows.h"
#include "suite.h"

static struct explainer_bpf *explainer;

static struct explainer_bpf *explainer_of(struct balancer_bpf *skel)
{
	struct explainer_bpf *opened = explainer_bpf__open();
	struct bpf_map *map;

	run_must(!opened, "open");
	opened->rodata->slot_mask = skel->rodata->slot_mask;
	opened->rodata->guarded_sources = skel->rodata->guarded_sources;
	opened->rodata->dry_run = true;
	bpf_object__for_each_map(map, opened->obj)
	{
		if (!bpf_map__is_internal(map))
			run_must(bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(skel->obj, bpf_map__name(map))),
				bpf_map__name(map));
	}
	run_must(explainer_bpf__load(opened), "load");
	return opened;
}

static void predict(const struct row *row, const struct frame *in)
{
	const struct explanation *e = &explainer->bss->explanation;
	struct frame frame = *in;

	if (run_frame(bpf_program__fd(explainer->progs.explainer), &frame, &row->run) == -EINVAL)
		return; /* the row is skipped, too */
	cr_expect_eq(e->verdict, row->verdict, "%s: the explainer predicts %s", row->sentence,
		balancer_verdict_name(e->verdict));
}

static void load(void)
{
	suite_load(&(struct balancer_setup){});
	explainer = explainer_of(skel);
	row_program = (struct row_program){.predict = predict};
}

static void unload(void)
{
	explainer_bpf__destroy(explainer);
	suite_unload();
}

TestSuite(explainer, .init = load, .fini = unload);

/* Without the rows whose verdict depends on the space in a ring buffer: rows_fragments, rows_probes. */
Test(explainer, predicts_the_verdict)
{
	static const struct row_table *const tables[] = {&rows_services, &rows_direct, &rows_tunnel, &rows_gue,
		&rows_malformed, &rows_icmp, &rows_keys, &rows_ranges, &rows_ping, &rows_oversize, &rows_names,
		&rows_nat};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		row_run_table(skel, tables[i]);
}

Test(explainer, predicts_the_verdict_of_the_guard)
{
	row_run_table(skel, &rows_guard);
}

/* A change of the lists makes the list of each source unknown, but not its tokens. */
Test(explainer, knows_a_source_over_its_limit_after_a_change_of_the_lists)
{
	static const struct guard_setup one_invite = {.burst[GUARD_BUCKET_INVITE] = 1};
	const struct frame_spec spec = {.payload = ROW_INVITE};
	const uint32_t id = TEST_GUARD;
	struct guard guard;
	struct frame frame;

	balancer_fill(skel, &(struct balancer_setup){.guard = &one_invite});
	frame_build(&frame, &spec);
	cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
	run_must(bpf_map_lookup_elem(bpf_map__fd(skel->maps.guards), &id, &guard), "guards");
	guard.generation++;
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.guards), &id, &guard, BPF_ANY), "guards");
	frame_build(&frame, &spec);
	predict(&(struct row){.sentence = "an INVITE over its limit", .verdict = VERDICT_limited}, &frame);
}
