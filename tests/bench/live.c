// SPDX-License-Identifier: GPL-2.0
/* Measures the frames per second that one processor handles on a veth, by live frames of BPF_PROG_TEST_RUN: the
 * kernel runs the program on each frame and carries out its action. The other end of the veth drops all frames.
 *
 * usage: live INTERFACE PEER [BUILD]      prints a line `NAME MPPS CPU-NS` for each program */

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "measure.h"
#include "subject.h"

#define ROUNDS 5
#define FRAMES (1 << 20)
#define BATCH 64

#define DRIVEN .object = "tests/bench/drive", .program = "drive", .rewrite = 1
#define FLOOR .object = "tests/bench/floors"

static struct live {
	const char *name;
	struct subject_setup setup;
	struct subject subject;
	struct samples wall, cpu;
} lives[] = {
	{.name = "drop", .setup = {FLOOR, .program = "floor_drop"}},
	{.name = "tx", .setup = {FLOOR, .program = "floor_tx"}},
	{.name = "flow-dsr", .setup = {DRIVEN, .affinity = AFFINITY_FLOW}},
	{.name = "flow-ipip", .setup = {DRIVEN, .forward = FORWARD_IPIP, .affinity = AFFINITY_FLOW}},
	{.name = "call-id-dsr", .setup = {DRIVEN}},
	{.name = "call-id-ipip", .setup = {DRIVEN, .forward = FORWARD_IPIP}},
};

#define LIVES (sizeof(lives) / sizeof(*lives))

static int run_live(struct live *live, uint32_t ifindex, uint32_t frames)
{
	struct xdp_md context = {.ingress_ifindex = ifindex};
	struct frame frame;
	LIBBPF_OPTS(bpf_test_run_opts, run, .repeat = frames, .batch_size = BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		.ctx_in = &context, .ctx_size_in = sizeof(context));
	uint64_t wall, cpu;
	int error;

	message_build(MESSAGE_TYPICAL, &frame);
	context.data_end = frame.length;
	run.data_in = frame.data;
	run.data_size_in = frame.length;
	wall = measure_wall_ns();
	cpu = measure_cpu_ns();
	error = bpf_prog_test_run_opts(live->subject.program, &run);
	cpu = measure_cpu_ns() - cpu;
	wall = measure_wall_ns() - wall;
	if (error) {
		fprintf(stderr, "%s: live frames: %s\n", live->name, strerror(-error));
		return error;
	}
	samples_add(&live->wall, (double)wall / frames);
	samples_add(&live->cpu, (double)cpu / frames);
	return 0;
}

/* XDP_TX on a veth needs a program on both ends. */
static int attach(const struct live *live, const char *interface)
{
	int error = bpf_xdp_attach(if_nametoindex(interface), live->subject.program, 0, NULL);

	if (error)
		fprintf(stderr, "cannot attach to %s: %s\n", interface, strerror(-error));
	return error;
}

static int measure_all(uint32_t ifindex)
{
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < LIVES; i++) {
			if (run_live(&lives[i], ifindex, FRAMES))
				return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t ifindex = argc >= 3 ? if_nametoindex(argv[1]) : 0;

	if (!ifindex) {
		fprintf(stderr, "usage: live INTERFACE PEER [BUILD]\n");
		return 2;
	}
	if (measure_pin(1))
		measure_pin(0);
	for (size_t i = 0; i < LIVES; i++) {
		lives[i].setup.ifindex = ifindex;
		if (subject_load(&lives[i].subject, &lives[i].setup, argc > 3 ? argv[3] : "build"))
			return 1;
	}
	if (attach(&lives[1], argv[1]) || attach(&lives[0], argv[2]) || measure_all(ifindex))
		return 1;
	for (size_t i = 0; i < LIVES; i++)
		printf("%s %.2f %.1f\n", lives[i].name, 1000 / samples_quantile(&lives[i].cpu, 0.5),
			samples_quantile(&lives[i].cpu, 0.5));
	return 0;
}
