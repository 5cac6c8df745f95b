// SPDX-License-Identifier: GPL-2.0
/* See dispatcher.h. No other file uses the dispatcher of libxdp. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <xdp/libxdp.h>
#include "dispatcher.h"
#include "output.h"

/* To call a program, the dispatcher replaces one of its own functions with the program (BPF_PROG_TYPE_EXT). Some
 * kernels do not support this. The test tries to replace a kernel function. All kernels refuse this. Only kernels that
 * support the program type refuse it with EINVAL. */
int dispatcher_probe(void)
{
	const struct bpf_insn instructions[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .attach_btf_id = 1);
	int fd = bpf_prog_load(BPF_PROG_TYPE_EXT, NULL, "GPL", instructions, 2, &options);

	if (fd == -EINVAL)
		return 0;
	output_error("this kernel refuses programs of type BPF_PROG_TYPE_EXT (%s), without which libxdp's dispatcher "
		     "cannot share an interface: attach without --dispatcher, to an interface that has no other XDP "
		     "program",
		fd == -EPERM ? "EPERM" : output_errno(fd));
	return -1;
}

static struct xdp_multiprog *open_dispatcher(int ifindex)
{
	struct xdp_multiprog *dispatcher = xdp_multiprog__get_from_ifindex(ifindex);

	if (libxdp_get_error(dispatcher))
		return NULL;
	if (!xdp_multiprog__is_legacy(dispatcher))
		return dispatcher;
	xdp_multiprog__close(dispatcher);
	return NULL;
}

bool dispatcher_is_on(int ifindex)
{
	struct xdp_multiprog *dispatcher = open_dispatcher(ifindex);

	xdp_multiprog__close(dispatcher);
	return dispatcher != NULL;
}

static struct xdp_program *find(const struct xdp_multiprog *dispatcher, uint32_t program_id)
{
	struct xdp_program *program = NULL;

	while ((program = xdp_multiprog__next_prog(program, dispatcher))) {
		if (xdp_program__id(program) == program_id)
			break;
	}
	return program;
}

bool dispatcher_calls(int ifindex, uint32_t program_id, enum mode *mode)
{
	struct xdp_multiprog *dispatcher = open_dispatcher(ifindex);
	bool found = dispatcher && find(dispatcher, program_id);

	if (found)
		*mode = xdp_multiprog__attach_mode(dispatcher) == XDP_MODE_SKB ? MODE_GENERIC : MODE_NATIVE;
	xdp_multiprog__close(dispatcher);
	return found;
}

/* Since Linux 6.13 (and later 6.12.y releases), a program that moves the start of a packet can only replace a function
 * that also moves it. The functions of the dispatcher meet this condition since pull request 509 of xdp-tools
 * (2025). */
static const char *help_with_libxdp(void)
{
	return strstr(output_library(), "changes packet data") ? "; this kernel needs a libxdp of 2025 or later" : "";
}

int dispatcher_attach(struct program *program, int ifindex, const char *name, enum mode mode)
{
	LIBBPF_OPTS(xdp_program_opts, options, .obj = program->object, .prog_name = program_name(program->kind));
	enum xdp_attach_mode xdp_mode = mode == MODE_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE;
	struct xdp_program *xdp;
	int err;

	output_library_clear();
	xdp = xdp_program__create(&options);
	err = libxdp_get_error(xdp);
	if (err)
		xdp = NULL;
	else
		err = xdp_program__set_xdp_frags_support(xdp, true);
	if (!err)
		err = xdp_program__attach(xdp, ifindex, xdp_mode, 0);
	/* If libxdp cannot run its dispatcher, it attaches the program directly, without a link. */
	if (!err && !dispatcher_is_on(ifindex)) {
		xdp_program__detach(xdp, ifindex, xdp_mode, 0);
		err = -EOPNOTSUPP;
	}
	if (err)
		output_error("cannot attach to %s by libxdp's dispatcher: %s%s%s", name, output_errno(err),
			output_library(), help_with_libxdp());
	xdp_program__close(xdp);
	return err ? -1 : 0;
}

int dispatcher_detach(int ifindex, uint32_t program_id)
{
	struct xdp_multiprog *dispatcher = open_dispatcher(ifindex);
	struct xdp_program *program = dispatcher ? find(dispatcher, program_id) : NULL;
	int err = 0;

	output_library_clear();
	if (program)
		err = xdp_program__detach(program, ifindex, xdp_multiprog__attach_mode(dispatcher), 0);
	if (err)
		output_error("cannot detach from interface %d: %s%s", ifindex, output_errno(err), output_library());
	xdp_multiprog__close(dispatcher);
	return err ? -1 : 0;
}
