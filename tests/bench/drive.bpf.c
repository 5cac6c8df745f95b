// SPDX-License-Identifier: GPL-2.0
/* Bench only: the balancer as it is, given another packet each time (drive.h). */

#include "drive.h"
#include "../../bpf/balancer.bpf.c"

SEC("xdp.frags")
int drive(struct xdp_md *ctx)
{
	struct drive_saved saved = {};
	int action = XDP_TX;

	drive_before(ctx, &saved);
	if (!drive_idle)
		action = balancer(ctx);
	drive_after(ctx, &saved);
	return action;
}
