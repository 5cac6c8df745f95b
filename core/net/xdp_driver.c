// SPDX-License-Identifier: GPL-2.0
/* See xdp_driver.h. An MTU limit is a page of 4,096 bytes without the headroom of XDP (256), struct
 * skb_shared_info (320) and the headers that the driver counts, or the size of its receive buffers without these
 * headers. */
#include <stddef.h>
#include <string.h>
#include "xdp_driver.h"

const struct xdp_driver xdp_drivers[] = {
	{
		.name = "ena",
		.platform = "Amazon EC2",
		.native = LINUX(5, 6),
		.mtu = 3498,
		.queues = XDP_QUEUES_HALF,
		.note = "",
		.source = "drivers/net/ethernet/amazon/ena/ena_xdp.c",
	},
	{
		.name = "gve",
		.platform = "Google Cloud",
		.native = LINUX(6, 4),
		.mtu = 2032,
		.queues = XDP_QUEUES_HALF_PAIRS,
		.refuses_lro = true,
		.note = "the first kernels with native XDP accept it only with the queue format GQI_QPL, later ones "
			"also with DQO_RDA; header split must be off",
		.source = "drivers/net/ethernet/google/gve/gve_main.c",
	},
	{
		.name = "mlx5_core",
		.platform = "NVIDIA ConnectX-4 and later; Azure",
		.native = LINUX(4, 9),
		.mtu = 3498,
		.frags = LINUX(5, 18),
		.refuses_lro = true,
		.note = "before Linux 6.4, an MTU above 3498 also needs 'ethtool --set-priv-flags IFACE rx_striding_rq "
			"off'",
		.source = "drivers/net/ethernet/mellanox/mlx5/core/en_main.c",
	},
	{
		.name = "hv_netvsc",
		.platform = "Azure, Hyper-V",
		.native = LINUX(5, 6),
		.mtu = 3506,
		.refuses_lro = true,
		.note = "with accelerated networking, the driver also puts the program on the virtual function, which "
			"must accept the program; attach to the netvsc interface, not to the virtual function",
		.source = "drivers/net/hyperv/netvsc_bpf.c",
	},
	{
		.name = "virtio_net",
		.platform = "KVM, QEMU",
		.native = LINUX(4, 10),
		.mtu = 3506,
		.frags = LINUX(6, 3),
		.queues = XDP_QUEUES_PER_CPU,
		.note = "",
		.tested = "native with XDP_TX in QEMU, Linux 6.1 and 6.12",
		.source = "drivers/net/virtio_net.c",
	},
	{
		.name = "vmxnet3",
		.platform = "VMware",
		.native = LINUX(6, 6),
		.mtu = 3494,
		.note = "the driver turns LRO off when a program is attached",
		.source = "drivers/net/vmxnet3/vmxnet3_xdp.c",
	},
	{
		.name = "ixgbe",
		.platform = "Intel 82599, X540, X550",
		.native = LINUX(4, 12),
		.mtu = 3046,
		.queues = XDP_QUEUES_128_CPUS,
		.refuses_lro = true,
		.note = "DCB must be off; most kernels also refuse XDP while SR-IOV is on",
		.source = "drivers/net/ethernet/intel/ixgbe/ixgbe_main.c",
	},
	{
		.name = "i40e",
		.platform = "Intel X710, XL710, XXV710",
		.native = LINUX(4, 13),
		.mtu = 3046,
		.frags = LINUX(6, 4),
		.note = "each queue needs a second queue for XDP: if the card has no free queue, use fewer queues "
			"('ethtool -L IFACE combined N')",
		.source = "drivers/net/ethernet/intel/i40e/i40e_main.c",
	},
	{
		.name = "ice",
		.platform = "Intel E810, E823",
		.native = LINUX(5, 5),
		.mtu = 3046,
		.frags = LINUX(6, 3),
		.note = "the card needs at least one free transmit queue for every two CPUs; the DDP package must be "
			"loaded (no native XDP in safe mode)",
		.source = "drivers/net/ethernet/intel/ice/ice_main.c",
	},
	{
		.name = "veth",
		.platform = "containers, namespaces",
		.native = LINUX(4, 19),
		.mtu = 3506,
		.frags = LINUX(5, 18),
		.note = "the device needs as many receive queues as its other end has transmit queues; the other end "
			"must run "
			"an XDP program (any) and have transmit checksums off ('ethtool -K PEER tx off'), or forwarded "
			"packets are lost; --mode generic needs none of this",
		.tested = "all network tests, Linux 6.1, 6.12 and 6.18",
		.source = "drivers/net/veth.c",
	},
	{0},
};

const struct xdp_driver *xdp_driver_find(const char *name)
{
	const struct xdp_driver *driver = xdp_drivers;

	while (driver->name && strcmp(driver->name, name))
		driver++;
	return driver->name ? driver : NULL;
}

const char *xdp_queues_text(enum xdp_queues queues)
{
	switch (queues) {
	case XDP_QUEUES_HALF:
		return "at most half of the maximum";
	case XDP_QUEUES_HALF_PAIRS:
		return "at most half of the maximum, and equal numbers for rx and tx";
	case XDP_QUEUES_PER_CPU:
		return "one additional pair for each CPU; slower with fewer pairs";
	case XDP_QUEUES_128_CPUS:
		return "at most 128 CPUs; slower with more than 64";
	case XDP_QUEUES_ANY:
		break;
	}
	return "";
}
