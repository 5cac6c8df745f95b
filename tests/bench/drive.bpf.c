// SPDX-License-Identifier: GPL-2.0
/* Bench only: the unchanged balancer with a different packet in each run (drive.h). */

#include "drive.h"
#include "bpf/balancer.bpf.c"

SEC("xdp.frags")
int drive(struct xdp_md *ctx)
{
	return drive_once(ctx);
}

SEC("xdp.frags")
int timed(struct xdp_md *ctx)
{
	return drive_timed(ctx);
}
