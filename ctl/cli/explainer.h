/* SPDX-License-Identifier: GPL-2.0 */
/* The program `explainer` (bpf/explainer.bpf.c): loads it with the pinned maps of the balancer, and runs it on packets
 * by BPF_PROG_TEST_RUN. It is not attached and changes no map. */
#pragma once

#include "bpf/explanation.h"
#include "ctl/maps/maps.h"

struct explainer;

/* An interface of the balancer, for frames of which it is the destination. */
struct explainer_interface {
	uint32_t ifindex;
	uint32_t mtu;
	struct mac mac;
};

/* 0, or -errno with the reason in `error`. */
int explainer_open(struct explainer **out, const struct maps *maps, const char *directory, char error[MAPS_ERROR_SIZE]);
void explainer_close(struct explainer *explainer);

/* The interface with this MAC address, or any interface if `mac` is NULL; NULL if there is none. */
const struct explainer_interface *explainer_interface(const struct explainer *explainer, const struct mac *mac);

/* Runs the program on a frame that the interface has received. 0 or -errno. */
int explainer_run(const struct explainer *explainer, uint32_t ifindex, const uint8_t *frame, size_t length,
	struct explanation *out);
