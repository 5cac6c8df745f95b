// SPDX-License-Identifier: GPL-2.0
/* The requirements of network drivers for XDP: each condition with facts that just meet it and facts that just miss it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "core/net/xdp_check.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define RX_SG (XDP_FEATURE_BASIC | XDP_FEATURE_RX_SG)

/* An interface without obstacles, on a kernel that reports XDP features. */
static struct xdp_facts usual(const char *driver)
{
	struct xdp_facts facts = {
		.name = "eth0",
		.kernel = LINUX(6, 12),
		.btf = true,
		.ethernet = true,
		.up = true,
		.has_features = true,
		.features = XDP_FEATURE_BASIC,
		.mtu = 1500,
		.queues = {4, 4, 16, 16, true},
		.cpus = 4,
	};

	snprintf(facts.driver, sizeof(facts.driver), "%s", driver);
	return facts;
}

/* Linux before 6.3 does not report features. */
static struct xdp_facts old(const char *driver)
{
	struct xdp_facts facts = usual(driver);

	facts.kernel = LINUX(6, 1);
	facts.has_features = false;
	facts.features = 0;
	return facts;
}

static const struct xdp_finding *find(const struct xdp_report *report, enum xdp_severity severity, const char *text)
{
	for (size_t i = 0; i < report->count; i++) {
		if (report->list[i].severity == severity && strstr(report->list[i].text, text))
			return &report->list[i];
	}
	return NULL;
}

/* The facts have exactly one finding of this severity and no higher one, with these words and this remedy. */
static void expect_one(const struct xdp_facts *facts, enum xdp_severity severity, const char *text, const char *remedy)
{
	const struct xdp_finding *finding;
	struct xdp_report report;
	size_t count = 0;

	xdp_check(facts, &report);
	for (size_t i = 0; i < report.count; i++)
		count += report.list[i].severity >= severity;
	finding = find(&report, severity, text);
	cr_assert(finding, "%s: no finding '%s'", facts->driver, text);
	cr_expect_eq(count, 1, "%s, '%s': %zu findings", facts->driver, text, count);
	cr_expect(strstr(finding->remedy, remedy), "'%s' is not '%s'", finding->remedy, remedy);
	cr_expect_eq(xdp_report_blocks(&report), severity == XDP_BLOCKER);
}

static void expect_none(const struct xdp_facts *facts)
{
	struct xdp_report report;

	xdp_check(facts, &report);
	for (size_t i = 0; i < report.count; i++)
		cr_expect_eq(report.list[i].severity, XDP_NOTE, "%s: %s", facts->driver, report.list[i].text);
	cr_expect(!xdp_report_blocks(&report));
}

Test(xdp_check, a_usual_card_has_no_findings)
{
	for (const struct xdp_driver *driver = xdp_drivers; driver->name; driver++) {
		struct xdp_facts facts = usual(driver->name);

		expect_none(&facts);
	}
}

Test(xdp_check, kernels_before_the_first_native_xdp_of_a_driver_are_blocked)
{
	for (const struct xdp_driver *driver = xdp_drivers; driver->name; driver++) {
		struct xdp_facts facts = old(driver->name);

		if (driver->native > facts.kernel)
			expect_one(&facts, XDP_BLOCKER, "has native XDP since", "newer kernel");
		else
			expect_none(&facts);
	}
}

Test(xdp_check, each_driver_has_its_mtu_limit)
{
	static const struct {
		const char *driver;
		uint32_t limit;
	} rows[] = {
		{"ena", 3498},
		{"gve", 2032},
		{"mlx5_core", 3498},
		{"hv_netvsc", 3506},
		{"virtio_net", 3506},
		{"vmxnet3", 3494},
		{"ixgbe", 3046},
		{"i40e", 3046},
		{"ice", 3046},
		{"veth", 3506},
	};
	char remedy[64];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct xdp_facts facts = usual(rows[i].driver);

		facts.mtu = rows[i].limit;
		expect_none(&facts);
		facts.mtu++;
		snprintf(remedy, sizeof(remedy), "ip link set dev eth0 mtu %u", rows[i].limit);
		expect_one(&facts, XDP_BLOCKER, "with XDP the driver accepts at most", remedy);
		facts.features = RX_SG;
		expect_none(&facts);
	}
}

/* mlx5 has accepted several buffers since 5.18, virtio_net since 6.3. */
Test(xdp_check, without_features_the_version_tells_whether_packets_may_have_several_buffers)
{
	struct xdp_facts mlx5 = old("mlx5_core"), virtio = old("virtio_net");

	mlx5.mtu = virtio.mtu = 9000;
	expect_none(&mlx5);
	virtio.queues = (struct xdp_queue_counts){4, 4, 8, 8, true};
	expect_one(&virtio, XDP_BLOCKER, "MTU is 9000", "mtu 3506");
}

Test(xdp_check, offloads_that_merge_packets_must_be_off)
{
	static const struct {
		const char *driver;
		bool refuses;
	} rows[] = {{"gve", true}, {"mlx5_core", true}, {"hv_netvsc", true}, {"ixgbe", true}, {"ena", false},
		{"vmxnet3", false}, {"virtio_net", false}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct xdp_facts lro = usual(rows[i].driver), gro = lro;

		lro.lro = gro.gro_hw = true;
		if (rows[i].refuses) {
			expect_one(&lro, XDP_BLOCKER, "LRO is on", "ethtool -K eth0 lro off");
			expect_one(&gro, XDP_BLOCKER, "GRO in hardware is on", "ethtool -K eth0 rx-gro-hw off");
		} else {
			expect_none(&lro);
			expect_none(&gro);
		}
	}
}

Test(xdp_check, ena_and_gve_need_half_of_their_queues_for_xdp)
{
	struct xdp_facts ena = usual("ena"), gve = usual("gve");

	ena.queues = (struct xdp_queue_counts){4, 4, 8, 8, true};
	expect_none(&ena);
	ena.queues = (struct xdp_queue_counts){5, 5, 8, 8, true};
	expect_one(&ena, XDP_BLOCKER, "5 queues are in use", "ethtool -L eth0 combined 4");
	gve.queues = (struct xdp_queue_counts){16, 16, 16, 16, false};
	expect_one(&gve, XDP_BLOCKER, "16 queues are in use", "ethtool -L eth0 rx 8 tx 8");
	gve.queues = (struct xdp_queue_counts){8, 4, 16, 16, false};
	expect_one(&gve, XDP_BLOCKER, "8 receive and 4 transmit queues", "ethtool -L eth0 rx 4 tx 4");
	gve.queues = (struct xdp_queue_counts){4, 4, 16, 16, false};
	expect_none(&gve);
}

Test(xdp_check, virtio_without_a_queue_for_each_cpu_is_slower)
{
	struct xdp_facts facts = usual("virtio_net");

	facts.queues = (struct xdp_queue_counts){4, 4, 8, 8, true};
	expect_none(&facts);
	facts.queues = (struct xdp_queue_counts){5, 5, 8, 8, true};
	expect_one(&facts, XDP_WARNING, "slower", "ethtool -L eth0 combined 4");
	facts.queues = (struct xdp_queue_counts){1, 1, 1, 1, true};
	expect_one(&facts, XDP_WARNING, "slower", "on the host: 8 queue pairs");
}

Test(xdp_check, ixgbe_accepts_128_cpus)
{
	struct xdp_facts facts = usual("ixgbe");

	facts.cpus = 64;
	expect_none(&facts);
	facts.cpus = 65;
	expect_one(&facts, XDP_WARNING, "more than 64 CPUs", "");
	facts.cpus = 129;
	expect_one(&facts, XDP_BLOCKER, "129 CPUs", "generic");
}

Test(xdp_check, a_virtio_device_must_be_able_to_turn_its_offloads_off)
{
	static const enum virtio_feature offloads[] = {
		VIRTIO_GUEST_CSUM, VIRTIO_GUEST_TSO4, VIRTIO_GUEST_TSO6, VIRTIO_GUEST_ECN, VIRTIO_GUEST_UFO};
	struct xdp_facts facts = usual("virtio_net");

	for (size_t i = 0; i < COUNT(offloads); i++) {
		facts.virtio = 1ull << offloads[i] | 1ull << VIRTIO_VERSION_1;
		expect_one(&facts, XDP_BLOCKER, "large segments", "ctrl_guest_offloads=on");
		facts.virtio |= 1ull << VIRTIO_CTRL_GUEST_OFFLOADS;
		expect_none(&facts);
	}
	facts.virtio = 1ull << VIRTIO_MRG_RXBUF;
	expect_one(&facts, XDP_BLOCKER, "legacy virtio", "modern");
	facts.virtio |= 1ull << VIRTIO_ANY_LAYOUT;
	expect_none(&facts);
}

Test(xdp_check, the_kernel_may_be_too_old)
{
	struct xdp_facts facts = old("veth");

	facts.kernel = LINUX(5, 19);
	expect_one(&facts, XDP_BLOCKER, "Linux 5.19 is too old", "newer kernel");
	facts = usual("veth");
	facts.btf = false;
	expect_one(&facts, XDP_BLOCKER, "no type information", "CONFIG_DEBUG_INFO_BTF");
}

Test(xdp_check, the_remedy_names_the_interface_below_a_virtual_interface)
{
	struct xdp_facts facts = usual("macvlan");

	facts.features = 0;
	expect_one(&facts, XDP_BLOCKER, "the driver macvlan has no native XDP", "--mode generic");
	strcpy(facts.lower, "eth1");
	expect_one(&facts, XDP_BLOCKER, "the driver macvlan has no native XDP", "attach to eth1");
	facts = usual("");
	facts.features = 0;
	facts.loopback = true;
	expect_one(&facts, XDP_BLOCKER, "this kind of interface", "network card");
	facts = usual("tun");
	facts.ethernet = false;
	expect_one(&facts, XDP_BLOCKER, "no Ethernet header", "interface that carries its packets");
	facts = usual("veth");
	facts.features = 0;
	expect_one(&facts, XDP_BLOCKER, "present configuration", "other blockers");
}

Test(xdp_check, a_driver_that_is_not_in_the_table)
{
	struct xdp_facts facts = usual("newcard");

	expect_none(&facts);
	facts.mtu = 9000;
	expect_one(&facts, XDP_WARNING, "MTU is 9000", "");
	facts.features = RX_SG;
	expect_none(&facts);
	facts = old("newcard");
	expect_one(&facts, XDP_WARNING, "unknown", "");
	facts = usual("newcard");
	facts.lro = true;
	expect_one(&facts, XDP_WARNING, "LRO is on", "lro off");
}

Test(xdp_check, an_attached_program_blocks_unless_it_is_ours)
{
	struct xdp_facts facts = usual("veth");

	strcpy(facts.program, "XDP program 'pass' (id 7), native");
	expect_one(&facts, XDP_BLOCKER, "'pass' (id 7), native is attached", "ip link set dev eth0 xdpdrv off");
	facts.program_link = 12;
	expect_one(&facts, XDP_BLOCKER, "'pass'", "bpftool link detach id 12");
	facts.program_link = 0;
	facts.program_is_generic = true;
	expect_one(&facts, XDP_BLOCKER, "'pass'", "ip link set dev eth0 xdpgeneric off");
	facts.program_is_dispatcher = true;
	expect_one(&facts, XDP_BLOCKER, "'pass'", "--dispatcher");
	facts.program_is_unknown = true;
	expect_one(&facts, XDP_WARNING, "only root can see", "as root");
	facts.program_is_own = true;
	expect_none(&facts);
}

Test(xdp_check, traffic_that_uses_one_cpu)
{
	struct xdp_facts facts = usual("i40e");

	facts.hash = XDP_HASH_PORTS;
	expect_none(&facts);
	facts.hash = XDP_HASH_ADDRESSES;
	expect_one(&facts, XDP_WARNING, "one CPU", "ethtool -N eth0 rx-flow-hash udp4 sdfn");
	facts.queues = (struct xdp_queue_counts){1, 1, 1, 1, true};
	expect_none(&facts);
	facts.up = false;
	expect_one(&facts, XDP_WARNING, "is down", "ip link set dev eth0 up");
}

Test(xdp_check, blockers_come_first)
{
	struct xdp_facts facts = usual("hv_netvsc");
	struct xdp_report report;

	facts.up = false;
	facts.lro = true;
	facts.mtu = 9000;
	xdp_check(&facts, &report);
	cr_assert_geq(report.count, 4);
	for (size_t i = 1; i < report.count; i++)
		cr_expect_leq(report.list[i].severity, report.list[i - 1].severity);
	cr_expect(strstr(report.list[0].text, "LRO"));
	cr_expect(strstr(report.list[1].text, "MTU"));
}
