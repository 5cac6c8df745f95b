/* SPDX-License-Identifier: GPL-2.0 */
/* Decides from the facts about an interface whether the driver accepts an XDP program, and how to remove obstacles. No
 * I/O: loader/facts.c collects the facts. */
#pragma once

#include <stddef.h>
#include "xdp_driver.h"

#define XDP_OLDEST_KERNEL LINUX(6, 1) /* the oldest version on which sipxdp is tested */

/* enum netdev_xdp_act of <linux/netdev.h>, which is missing in the headers of Linux 6.1 */
#define XDP_FEATURE_BASIC 1
#define XDP_FEATURE_RX_SG 32 /* packets may have several buffers */

/* Numbers of virtio feature bits (virtio 1.2, 5.1.3, and 6). */
enum virtio_feature {
	VIRTIO_GUEST_CSUM = 1,
	VIRTIO_CTRL_GUEST_OFFLOADS = 2,
	VIRTIO_GUEST_TSO4 = 7,
	VIRTIO_GUEST_TSO6 = 8,
	VIRTIO_GUEST_ECN = 9,
	VIRTIO_GUEST_UFO = 10,
	VIRTIO_MRG_RXBUF = 15,
	VIRTIO_ANY_LAYOUT = 27,
	VIRTIO_VERSION_1 = 32,
};

enum xdp_hash {
	XDP_HASH_UNKNOWN,
	XDP_HASH_ADDRESSES, /* of UDP packets: addresses only */
	XDP_HASH_PORTS,     /* addresses and ports */
};

struct xdp_queue_counts {
	uint32_t rx, tx;         /* number in use */
	uint32_t max_rx, max_tx; /* 0: unknown */
	bool combined;           /* each queue serves both directions */
};

struct xdp_facts {
	char name[16];
	char driver[32]; /* "": unknown */
	char lower[16];  /* the interface below a VLAN, macvlan, bridge ...; "": none */
	uint32_t kernel; /* LINUX() */
	bool btf;        /* the kernel describes its types */
	bool ethernet;   /* frames start with an Ethernet header */
	bool loopback;
	bool up;
	bool has_features;
	uint64_t features; /* XDP_FEATURE_...: reported by the driver since Linux 6.3 */
	uint32_t mtu;
	struct xdp_queue_counts queues;
	uint32_t cpus;
	bool lro, gro_hw;
	enum xdp_hash hash;
	uint64_t virtio;         /* bit n: virtio feature n is negotiated; 0 for other drivers */
	char program[96];        /* the attached XDP program; "": none */
	bool program_is_own;     /* sipxdp attached it */
	bool program_is_unknown; /* the user may not read the pins, so it is unknown whether sipxdp attached it */
	uint32_t program_link;   /* id of its bpf_link; 0: none, or unknown */
	bool program_is_generic;
	bool program_is_dispatcher; /* the attached program is libxdp's dispatcher, which can also call sipxdp */
};

enum xdp_native {
	XDP_NATIVE_NO,
	XDP_NATIVE_YES,
	XDP_NATIVE_UNKNOWN, /* the kernel does not report it (before Linux 6.3), and the table does not contain the
			       driver */
};

enum xdp_severity {
	XDP_NOTE,
	XDP_WARNING, /* the program can be attached, but there may be a problem */
	XDP_BLOCKER, /* the program cannot be attached natively */
};

struct xdp_finding {
	enum xdp_severity severity;
	char text[320];
	char remedy[160]; /* a command or an instruction; "": none */
};

#define XDP_FINDINGS 20 /* more than xdp_check() can find */

struct xdp_report {
	enum xdp_native native;
	uint32_t mtu_limit; /* 0: none, or unknown */
	bool mtu_limit_is_known;
	size_t count;
	struct xdp_finding list[XDP_FINDINGS]; /* the blockers precede all others */
};

void xdp_check(const struct xdp_facts *facts, struct xdp_report *out);

bool xdp_report_blocks(const struct xdp_report *report);
const char *xdp_severity_name(enum xdp_severity severity);
