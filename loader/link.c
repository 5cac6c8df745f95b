// SPDX-License-Identifier: GPL-2.0
/* See link.h. */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include "dispatcher.h"
#include "link.h"
#include "output.h"

void link_refuse_busy(const char *name, int ifindex, int error, uint32_t program_id)
{
	const char *remedy = "to share the interface, load that program with libxdp as well ('xdp-loader load')";
	char text[PROGRAM_TEXT_SIZE];

	if (dispatcher_is_on(ifindex))
		remedy = "--dispatcher shares the interface with it";
	output_error("cannot attach to %s: %s (%s is loaded; see 'ip link show %s'; %s)", name, strerror(error),
		interface_program_text(program_id, text), name, remedy);
}

/* If the kernel refuses a link, it returns only an error number. If it refuses a netlink request, it also
 * returns a message of the driver. */
static const char *ask_driver(int ifindex, int program_fd)
{
	const uint32_t flags = XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST;
	LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = program_fd);

	output_library_clear();
	if (!bpf_xdp_attach(ifindex, program_fd, flags, NULL))
		bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE, &options);
	return output_kernel();
}

static void refuse_link(const char *name, int ifindex, int program_fd, enum mode mode, int error)
{
	bool asks_for_native = mode == MODE_NATIVE && error != EPERM && error != EACCES;
	struct xdp_state xdp;
	const char *reason;

	if ((error == EBUSY || error == EEXIST) && !interface_query(ifindex, &xdp) && xdp.program_id) {
		link_refuse_busy(name, ifindex, error, xdp.program_id);
		return;
	}
	if (!asks_for_native) {
		output_error("cannot attach to %s: %s", name, output_errno(error));
		return;
	}
	reason = ask_driver(ifindex, program_fd);
	output_error("cannot attach to %s: %s (%s; --mode generic works with every driver, but is slow)", name,
		strerror(error), *reason ? reason : "its driver refuses native XDP");
}

int link_attach(const char *name, int ifindex, int program_fd, enum mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, options);
	int fd;

	options.flags = mode == MODE_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	fd = bpf_link_create(program_fd, ifindex, BPF_XDP, &options);
	if (fd < 0)
		refuse_link(name, ifindex, program_fd, mode, errno);
	return fd < 0 ? -1 : fd;
}
