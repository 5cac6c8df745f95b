// SPDX-License-Identifier: GPL-2.0
/* See run.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "run.h"

void run_must(int error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

bool run_is_allowed(char reason[RUN_REASON_SIZE])
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "probe", "GPL", pass, 2, NULL);

	if (fd < 0) {
		snprintf(reason, RUN_REASON_SIZE,
			"cannot load an XDP program: %s (needs root, and a kernel with bpf())", strerror(-fd));
		return false;
	}
	close(fd);
	return true;
}

int run_frame(int program, struct frame *frame, const struct run_options *options)
{
	static uint8_t in[FRAME_SIZE], out[FRAME_SIZE];
	uint32_t taken = options->taken, direct = options->direct ? options->direct : frame->length;
	struct xdp_md context = {.data = taken, .data_end = taken + direct};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in, .data_size_in = taken + frame->length, .data_out = out,
		.data_size_out = sizeof(out));
	int error;

	/* The kernel treats metadata as the beginning of the data, both in the input and in the output. */
	memset(in, 0, taken);
	memcpy(in + taken, frame->data, frame->length);
	if (options->taken || options->direct) {
		run.ctx_in = &context;
		run.ctx_size_in = sizeof(context);
	}
	error = bpf_prog_test_run_opts(program, &run);
	if (error)
		return error;
	frame->length = run.data_size_out - taken;
	memcpy(frame->data, out + taken, frame->length);
	return run.retval;
}

void run_counters(int map, uint32_t key, uint64_t *sums, size_t count)
{
	int cpus = libbpf_num_possible_cpus();
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	run_must(bpf_obj_get_info_by_fd(map, &info, &size), "counters");
	memset(sums, 0, count * sizeof(*sums));

	uint64_t values[cpus][info.value_size / sizeof(uint64_t)];

	run_must(bpf_map_lookup_elem(map, &key, values), "counters");
	for (int cpu = 0; cpu < cpus; cpu++) {
		for (size_t i = 0; i < count; i++)
			sums[i] += values[cpu][i];
	}
}
