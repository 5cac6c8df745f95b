/* SPDX-License-Identifier: GPL-2.0 */
/* The requirements of network drivers for an XDP program: the table for `sipxdp-loader check` and for docs/kernels.md.
 * No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LINUX(major, minor) ((major) << 8 | (minor))

/* The number of queues that the driver needs for XDP. */
enum xdp_queues {
	XDP_QUEUES_ANY,
	XDP_QUEUES_HALF,       /* as many free transmit queues as queues in use */
	XDP_QUEUES_HALF_PAIRS, /* as above, and the same number of receive and transmit queues */
	XDP_QUEUES_PER_CPU,    /* one additional pair for each CPU; with fewer pairs, the CPUs share queues */
	XDP_QUEUES_128_CPUS,   /* at most 128 CPUs; more than 64 share queues */
};

struct xdp_driver {
	const char *name;     /* as `ethtool -i` prints it */
	const char *platform; /* its typical environment */
	uint32_t native;      /* LINUX() version with the first native XDP */
	uint32_t mtu;         /* largest MTU with a program that needs each packet in one buffer (4 KiB pages) */
	uint32_t frags; /* LINUX() version from which packets may have several buffers, and the MTU has no XDP limit; 0:
			   none */
	enum xdp_queues queues;
	bool refuses_lro;   /* also refuses rx-gro-hw */
	const char *note;   /* conditions that no program can read from the kernel; "": none */
	const char *tested; /* the environment in which sipxdp was tested with this driver; NULL: not tested */
	const char *source; /* file or function in the source of Linux */
};

/* The last row has no name. */
extern const struct xdp_driver xdp_drivers[];

/* Finds a driver by its name; NULL if the table does not contain it. */
const struct xdp_driver *xdp_driver_find(const char *name);

/* The required number of queues as a sentence; "" for XDP_QUEUES_ANY. */
const char *xdp_queues_text(enum xdp_queues queues);
