/* SPDX-License-Identifier: GPL-2.0 */
/* The balancer, loaded and filled by hand for the packet tests and the benchmark: no
 * daemon, no interface. One service "sip" at 192.0.2.10:5060 and 2001:db8::10:5060,
 * pool 0 with backends 1 to N, each owning every N-th slot. */
#pragma once

#include <stdint.h>
#include "../../bpf/abi.h"
#include "bpf/balancer.skel.h"
#include "frame.h"

/* BPF_PROG_TEST_RUN reports this as the interface a frame came by, unless told. */
#define TEST_IFINDEX 1

extern const uint64_t test_hash_key[2];

struct balancer_setup {
	uint32_t backends;           /* [4] */
	uint32_t slots;              /* [4096] */
	enum forward_method forward; /* [FORWARD_DSR] */
	bool ipv6_way;               /* backends have IPv6 addresses */
	uint32_t ifindex;            /* [TEST_IFINDEX] */
	uint16_t mtu;                /* [1500] */
};

/* Loads and fills; aborts the test when the kernel refuses. */
struct balancer_bpf *balancer_load(const struct balancer_setup *setup);

/* What a backend of the setup looks like. */
struct backend balancer_backend(const struct balancer_setup *setup, uint32_t id);

/* Runs one frame through the program, in place; returns what XDP returned. */
uint32_t balancer_run(struct balancer_bpf *skel, struct frame *frame);

/* The sum over all CPUs of one verdict's counter. */
uint64_t balancer_verdict(struct balancer_bpf *skel, enum verdict verdict);
