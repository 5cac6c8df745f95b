/* SPDX-License-Identifier: GPL-2.0 */
/* Loads the program `explainer` (bpf/explainer.bpf.c) with the pinned maps of the balancer, and runs it on packets by
 * BPF_PROG_TEST_RUN. The program is not attached and does not change the maps. */
#pragma once

#include "bpf/explanation.h"
#include "ctl/maps/maps.h"

struct explainer;

/* An interface of the balancer. It can be the destination of frames. */
struct explainer_interface {
	uint32_t ifindex;
	uint32_t mtu;
	struct mac mac;
};

/* Returns 0, or -errno with the reason in `error`. */
int explainer_open(struct explainer **out, const struct maps *maps, const char *directory, char error[MAPS_ERROR_SIZE]);
void explainer_close(struct explainer *explainer);

/* Returns the interface with this MAC address, or NULL if there is none. If `mac` is NULL, returns any interface. */
const struct explainer_interface *explainer_interface(const struct explainer *explainer, const struct mac *mac);

/* Runs the program as if the interface had received this frame. Returns 0 or -errno. */
int explainer_run(const struct explainer *explainer, uint32_t ifindex, const uint8_t *frame, size_t length,
	struct explanation *out);
