// SPDX-License-Identifier: GPL-2.0
/* See resend.h. */

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "bpf/abi.h"
#include "core/base/memory.h"
#include "ctl/maps/maps.h"
#include "resend.h"

#define GROWTH 64 /* bytes that the program puts before a frame, at most */

struct resend {
	int program_fd; /* after an upgrade the one before it, which reads the same maps */
	int pass_fd;    /* a program that gives every frame to this machine's kernel */
	int backends_fd;
	int packet_fd;
};

/* Runs a program for a frame. What XDP returned, or -errno. */
static int run(int program, const void *frame, uint32_t length, uint32_t ifindex, void *out, uint32_t *out_length)
{
	struct xdp_md context = {.data_end = length, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length, .data_out = out,
		.data_size_out = *out_length, .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);
	int error = bpf_prog_test_run_opts(program, &options);

	*out_length = options.data_size_out;
	return error ?: (int)options.retval;
}

/* Up to this machine's kernel, as it came. Only this needs frames that live on after the run. */
static int give_to_kernel(const struct resend *resend, const void *frame, uint32_t length, uint32_t ifindex)
{
	struct xdp_md context = {.data_end = length, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length, .ctx_in = &context,
		.ctx_size_in = sizeof(context), .repeat = 1, .batch_size = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	return bpf_prog_test_run_opts(resend->pass_fd, &options);
}

int resend_out(const struct resend *resend, const void *frame, uint32_t length, uint32_t ifindex)
{
	struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};

	if (sendto(resend->packet_fd, frame, length, MSG_DONTWAIT, (struct sockaddr *)&link, sizeof(link)) < 0)
		return -errno;
	return 0;
}

static int out_by_backend(const struct resend *resend, const void *frame, uint32_t length, uint32_t id)
{
	struct backend backend;
	int error = bpf_map_lookup_elem(resend->backends_fd, &id, &backend);

	return error ?: resend_out(resend, frame, length, backend.ifindex);
}

int resend_frame(const struct resend *resend, const void *frame, uint32_t length, uint32_t ifindex, uint32_t backend)
{
	uint8_t out[PUNT_FRAME_SIZE + GROWTH];
	uint32_t out_length = sizeof(out);
	int action = run(resend->program_fd, frame, length, ifindex, out, &out_length);

	switch (action) {
	case XDP_TX:
		return resend_out(resend, out, out_length, ifindex);
	case XDP_REDIRECT:
		return out_by_backend(resend, out, out_length, backend);
	case XDP_PASS:
		return give_to_kernel(resend, frame, length, ifindex);
	case XDP_DROP:
		return -EAGAIN;
	}
	return action < 0 ? action : -EINVAL;
}

/* --- life */

static int load_pass(void)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "sipxdp_pass", "GPL", pass, 2, NULL);
}

/* The packet socket receives nothing: it is of no protocol. */
static int open_all(struct resend *resend, const char *directory)
{
	resend->program_fd = maps_open_pin(directory, "balancer");
	resend->backends_fd = maps_open_pin(directory, "backends");
	resend->pass_fd = load_pass();
	resend->packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (resend->packet_fd < 0)
		return -errno;
	if (resend->program_fd < 0)
		return resend->program_fd;
	if (resend->backends_fd < 0)
		return resend->backends_fd;
	return resend->pass_fd < 0 ? resend->pass_fd : 0;
}

int resend_new(struct resend **out, const char *directory)
{
	struct resend *resend = allocate(1, sizeof(*resend));
	int error = open_all(resend, directory);

	if (error) {
		resend_free(resend);
		resend = NULL;
	}
	*out = resend;
	return error;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void resend_free(struct resend *resend)
{
	if (!resend)
		return;
	close_if_open(resend->program_fd);
	close_if_open(resend->pass_fd);
	close_if_open(resend->backends_fd);
	close_if_open(resend->packet_fd);
	free(resend);
}
