// SPDX-License-Identifier: GPL-2.0
/* See reinject.h. */

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "bpf/abi.h"
#include "core/base/memory.h"
#include "ctl/maps/maps.h"
#include "reinject.h"
#include "routed.h"

#define GROWTH 64 /* maximum bytes that the program prepends to a frame */

struct reinject {
	int program_fd; /* after an upgrade, this is the previous program, which uses the same maps */
	int pass_fd;    /* a program that passes every frame to this machine's kernel */
	int backends_fd;
	int packet_fd;
	struct routed routed;
};

/* Runs a program for a frame. Returns the XDP action or -errno. */
static int run(int program, const void *frame, uint32_t length, uint32_t ifindex, void *out, uint32_t *out_length)
{
	struct xdp_md context = {.data_end = length, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length, .data_out = out,
		.data_size_out = *out_length, .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);
	int error = bpf_prog_test_run_opts(program, &options);

	*out_length = options.data_size_out;
	return error ?: (int)options.retval;
}

/* Passes the unchanged frame to this machine's kernel. Only this case needs a live frame, which the kernel processes
 * after the run. */
static int give_to_kernel(const struct reinject *reinject, const void *frame, uint32_t length, uint32_t ifindex)
{
	struct xdp_md context = {.data_end = length, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length, .ctx_in = &context,
		.ctx_size_in = sizeof(context), .repeat = 1, .batch_size = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	return bpf_prog_test_run_opts(reinject->pass_fd, &options);
}

int reinject_send(const struct reinject *reinject, const void *frame, uint32_t length, uint32_t ifindex)
{
	struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};

	if (sendto(reinject->packet_fd, frame, length, MSG_DONTWAIT, (struct sockaddr *)&link, sizeof(link)) < 0)
		return -errno;
	return 0;
}

static int out_by_backend(const struct reinject *reinject, const void *frame, uint32_t length, uint32_t id)
{
	struct backend backend;
	int error = bpf_map_lookup_elem(reinject->backends_fd, &id, &backend);

	return error ?: reinject_send(reinject, frame, length, backend.ifindex);
}

int reinject_route(const struct reinject *reinject, const void *frame, uint32_t length)
{
	return routed_send(&reinject->routed, frame, length);
}

int reinject_frame(const struct reinject *reinject, const void *frame, uint32_t length, uint32_t ifindex,
	const struct fragment *owner)
{
	uint8_t out[PUNT_FRAME_SIZE + GROWTH];
	uint32_t out_length = sizeof(out);
	int action = run(reinject->program_fd, frame, length, ifindex, out, &out_length);

	if (owner->nat_backend && (action == XDP_TX || action == XDP_REDIRECT))
		return reinject_route(reinject, out, out_length);
	switch (action) {
	case XDP_TX:
		return reinject_send(reinject, out, out_length, ifindex);
	case XDP_REDIRECT:
		return out_by_backend(reinject, out, out_length, owner->backend);
	case XDP_PASS:
		return give_to_kernel(reinject, frame, length, ifindex);
	case XDP_DROP:
		return -EAGAIN;
	}
	return action < 0 ? action : -EINVAL;
}

/* --- setup and cleanup */

static int load_pass(void)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "sipxdp_pass", "GPL", pass, 2, NULL);
}

/* The packet socket has no protocol, so it receives nothing. */
static int open_all(struct reinject *reinject, const char *directory)
{
	int error;

	reinject->program_fd = maps_open_pin(directory, "balancer");
	reinject->backends_fd = maps_open_pin(directory, "backends");
	reinject->pass_fd = load_pass();
	reinject->packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (reinject->packet_fd < 0)
		return -errno;
	error = routed_open(&reinject->routed);
	if (error)
		return error;
	if (reinject->program_fd < 0)
		return reinject->program_fd;
	if (reinject->backends_fd < 0)
		return reinject->backends_fd;
	return reinject->pass_fd < 0 ? reinject->pass_fd : 0;
}

int reinject_new(struct reinject **out, const char *directory)
{
	struct reinject *reinject = allocate(1, sizeof(*reinject));
	int error = open_all(reinject, directory);

	if (error) {
		reinject_free(reinject);
		reinject = NULL;
	}
	*out = reinject;
	return error;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void reinject_free(struct reinject *reinject)
{
	if (!reinject)
		return;
	close_if_open(reinject->program_fd);
	close_if_open(reinject->pass_fd);
	close_if_open(reinject->backends_fd);
	close_if_open(reinject->packet_fd);
	routed_close(&reinject->routed);
	free(reinject);
}
