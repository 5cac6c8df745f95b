// SPDX-License-Identifier: GPL-2.0
/* See xdp_check.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "xdp_check.h"

#define GENERIC "attach with --mode generic, which is slow"

/* Inserts a finding after all findings of the same or a higher severity. */
static void add(struct xdp_report *report, enum xdp_severity severity, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void add(struct xdp_report *report, enum xdp_severity severity, const char *remedy, const char *format, ...)
{
	struct xdp_finding *finding = report->list;
	struct xdp_finding *end = finding + report->count;
	va_list values;

	if (report->count == XDP_FINDINGS)
		return;
	while (finding < end && finding->severity >= severity)
		finding++;
	memmove(finding + 1, finding, (end - finding) * sizeof(*finding));
	report->count++;
	finding->severity = severity;
	snprintf(finding->remedy, sizeof(finding->remedy), "%s", remedy);
	va_start(values, format);
	vsnprintf(finding->text, sizeof(finding->text), format, values);
	va_end(values);
}

static bool has_virtio(const struct xdp_facts *facts, enum virtio_feature feature)
{
	return facts->virtio & 1ull << feature;
}

/* --- the kernel */

static void check_kernel(const struct xdp_facts *facts, struct xdp_report *report)
{
	if (facts->kernel < XDP_OLDEST_KERNEL)
		add(report, XDP_BLOCKER, "install a newer kernel",
			"Linux %u.%u is too old: sipxdp needs %u.%u or later", facts->kernel >> 8, facts->kernel & 0xff,
			XDP_OLDEST_KERNEL >> 8, XDP_OLDEST_KERNEL & 0xff);
	/* The verifier needs the types for global functions that receive the context. */
	if (!facts->btf)
		add(report, XDP_BLOCKER, "use a kernel that was built with CONFIG_DEBUG_INFO_BTF=y",
			"the kernel has no type information (/sys/kernel/btf/vmlinux)");
}

/* --- the driver */

static enum xdp_native find_native(const struct xdp_facts *facts, const struct xdp_driver *driver)
{
	if (facts->has_features)
		return facts->features & XDP_FEATURE_BASIC ? XDP_NATIVE_YES : XDP_NATIVE_NO;
	if (driver)
		return facts->kernel >= driver->native ? XDP_NATIVE_YES : XDP_NATIVE_NO;
	return facts->driver[0] ? XDP_NATIVE_UNKNOWN : XDP_NATIVE_NO;
}

static void report_no_native(const struct xdp_facts *facts, const struct xdp_driver *driver, struct xdp_report *report)
{
	char remedy[sizeof(report->list[0].remedy)] = GENERIC;

	if (driver && facts->kernel < driver->native) {
		add(report, XDP_BLOCKER, GENERIC ", or install a newer kernel",
			"the driver %s has native XDP since Linux %u.%u", driver->name, driver->native >> 8,
			driver->native & 0xff);
	} else if (driver) {
		add(report, XDP_BLOCKER, "remove the other blockers, and read the note; otherwise " GENERIC,
			"the driver %s offers no native XDP in its present configuration", driver->name);
	} else {
		if (facts->lower[0])
			snprintf(remedy, sizeof(remedy), "attach to %s, which is below it; or " GENERIC, facts->lower);
		add(report, XDP_BLOCKER, facts->loopback ? "attach to a network card" : remedy,
			"%s%s has no native XDP", facts->driver[0] ? "the driver " : "this kind of interface",
			facts->driver);
	}
}

static void check_driver(const struct xdp_facts *facts, const struct xdp_driver *driver, struct xdp_report *report)
{
	if (!facts->ethernet) {
		report->native = XDP_NATIVE_NO;
		add(report, XDP_BLOCKER, "use the interface that carries its packets",
			"its packets have no Ethernet header (it is a tunnel or tun device)");
		return;
	}
	report->native = find_native(facts, driver);
	if (report->native == XDP_NATIVE_NO)
		report_no_native(facts, driver, report);
	if (report->native == XDP_NATIVE_UNKNOWN)
		add(report, XDP_WARNING, "",
			"it is unknown whether the driver %s has native XDP: kernels before 6.3 do not report this",
			facts->driver);
}

/* Linux refuses XDP in virtnet_xdp_set() if the host may send large segments or partial checksums and the guest cannot
 * turn this off. */
static void check_virtio(const struct xdp_facts *facts, struct xdp_report *report)
{
	bool offloads = has_virtio(facts, VIRTIO_GUEST_CSUM) || has_virtio(facts, VIRTIO_GUEST_TSO4) ||
			has_virtio(facts, VIRTIO_GUEST_TSO6) || has_virtio(facts, VIRTIO_GUEST_ECN) ||
			has_virtio(facts, VIRTIO_GUEST_UFO);

	if (offloads && !has_virtio(facts, VIRTIO_CTRL_GUEST_OFFLOADS))
		add(report, XDP_BLOCKER,
			"on the host: ctrl_guest_offloads=on, or guest_csum, guest_tso4, guest_tso6, guest_ecn and "
			"guest_ufo=off, for this device",
			"the host sends large segments or partial checksums, and its virtio device cannot turn that "
			"off");
	if (has_virtio(facts, VIRTIO_MRG_RXBUF) && !has_virtio(facts, VIRTIO_ANY_LAYOUT) &&
		!has_virtio(facts, VIRTIO_VERSION_1))
		add(report, XDP_BLOCKER, "on the host: a modern virtio device (disable-legacy=on)",
			"the legacy virtio device puts header and packet into separate buffers");
}

static void check_offloads(const struct xdp_facts *facts, const struct xdp_driver *driver, struct xdp_report *report)
{
	enum xdp_severity severity = driver ? XDP_BLOCKER : XDP_WARNING;
	char remedy[64];

	if (driver && !driver->refuses_lro)
		return;
	snprintf(remedy, sizeof(remedy), "ethtool -K %s lro off", facts->name);
	if (facts->lro)
		add(report, severity, remedy, "LRO is on%s", driver ? "" : ": many drivers then refuse XDP");
	snprintf(remedy, sizeof(remedy), "ethtool -K %s rx-gro-hw off", facts->name);
	if (facts->gro_hw)
		add(report, severity, remedy, "GRO in hardware is on%s",
			driver ? "" : ": many drivers then refuse XDP");
}

/* --- sizes */

static void check_mtu(const struct xdp_facts *facts, const struct xdp_driver *driver, struct xdp_report *report)
{
	bool frags = facts->has_features ? facts->features & XDP_FEATURE_RX_SG
					 : driver && driver->frags && facts->kernel >= driver->frags;
	char remedy[64];

	report->mtu_limit = driver && !frags ? driver->mtu : 0;
	report->mtu_limit_is_known = driver || frags;
	snprintf(remedy, sizeof(remedy), "ip link set dev %s mtu %u", facts->name, report->mtu_limit);
	if (report->mtu_limit && facts->mtu > report->mtu_limit)
		add(report, XDP_BLOCKER, remedy, "the MTU is %u, and with XDP the driver accepts at most %u",
			facts->mtu, report->mtu_limit);
	else if (!report->mtu_limit_is_known && facts->mtu > 3000 && report->native != XDP_NATIVE_NO)
		add(report, XDP_WARNING, "", "the MTU is %u: many drivers refuse XDP with an MTU above about 3000",
			facts->mtu);
}

static void check_half(const struct xdp_facts *facts, bool pairs, struct xdp_report *report)
{
	const struct xdp_queue_counts *queues = &facts->queues;
	uint32_t half = queues->max_tx / 2 ? queues->max_tx / 2 : 1;
	uint32_t wanted = queues->tx < half ? queues->tx : half;
	char remedy[96];

	if (queues->combined)
		snprintf(remedy, sizeof(remedy), "ethtool -L %s combined %u", facts->name, wanted);
	else
		snprintf(remedy, sizeof(remedy), "ethtool -L %s rx %u tx %u", facts->name, wanted, wanted);
	if (queues->max_tx && 2 * queues->tx > queues->max_tx)
		add(report, XDP_BLOCKER, remedy,
			"%u queues are in use, and XDP needs the same number in addition, but the maximum is %u",
			queues->tx, queues->max_tx);
	else if (pairs && queues->rx != queues->tx)
		add(report, XDP_BLOCKER, remedy,
			"there are %u receive and %u transmit queues: the driver needs equal numbers", queues->rx,
			queues->tx);
}

static void check_per_cpu(const struct xdp_facts *facts, struct xdp_report *report)
{
	const struct xdp_queue_counts *queues = &facts->queues;
	char remedy[120];

	if (!queues->max_tx || queues->tx + facts->cpus <= queues->max_tx)
		return;
	if (queues->max_tx > facts->cpus)
		snprintf(
			remedy, sizeof(remedy), "ethtool -L %s combined %u", facts->name, queues->max_tx - facts->cpus);
	else
		snprintf(remedy, sizeof(remedy), "on the host: %u queue pairs (twice the number of CPUs)",
			2 * facts->cpus);
	add(report, XDP_WARNING, remedy,
		"there are not enough queue pairs (in use: %u, maximum: %u): CPUs share the queues for XDP, which is "
		"slower",
		queues->tx, queues->max_tx);
}

static void check_queues(const struct xdp_facts *facts, const struct xdp_driver *driver, struct xdp_report *report)
{
	switch (driver ? driver->queues : XDP_QUEUES_ANY) {
	case XDP_QUEUES_HALF:
	case XDP_QUEUES_HALF_PAIRS:
		check_half(facts, driver->queues == XDP_QUEUES_HALF_PAIRS, report);
		break;
	case XDP_QUEUES_PER_CPU:
		check_per_cpu(facts, report);
		break;
	case XDP_QUEUES_128_CPUS:
		if (facts->cpus > 128)
			add(report, XDP_BLOCKER, GENERIC, "there are %u CPUs, and the driver accepts XDP up to 128",
				facts->cpus);
		else if (facts->cpus > 64)
			add(report, XDP_WARNING, "", "with more than 64 CPUs, CPUs share queues, which is slower");
		break;
	case XDP_QUEUES_ANY:
		break;
	}
}

/* --- other programs and devices */

/* `ip link` cannot detach a program that a bpf_link has attached. */
static void check_program(const struct xdp_facts *facts, struct xdp_report *report)
{
	char remedy[96];

	if (!facts->program[0] || facts->program_is_own)
		return;
	if (facts->program_is_unknown) {
		add(report, XDP_WARNING, "run this command as root",
			"%s is attached, and only root can see whether it belongs to sipxdp", facts->program);
		return;
	}
	if (facts->program_is_dispatcher)
		snprintf(remedy, sizeof(remedy), "sipxdp-loader attach --dispatcher shares the interface with it");
	else if (facts->program_link)
		snprintf(remedy, sizeof(remedy), "bpftool link detach id %u", facts->program_link);
	else
		snprintf(remedy, sizeof(remedy), "ip link set dev %s %s off", facts->name,
			facts->program_is_generic ? "xdpgeneric" : "xdpdrv");
	add(report, XDP_BLOCKER, remedy, "%s is attached", facts->program);
}

static void check_traffic(const struct xdp_facts *facts, struct xdp_report *report)
{
	char remedy[64];

	snprintf(remedy, sizeof(remedy), "ip link set dev %s up", facts->name);
	if (!facts->up)
		add(report, XDP_WARNING, remedy, "the interface is down");
	snprintf(remedy, sizeof(remedy), "ethtool -N %s rx-flow-hash udp4 sdfn", facts->name);
	if (facts->hash == XDP_HASH_ADDRESSES && facts->queues.rx > 1)
		add(report, XDP_WARNING, remedy,
			"UDP packets are spread over the queues by addresses only: all packets of a SIP proxy use one "
			"CPU");
}

static void add_notes(const struct xdp_facts *facts, const struct xdp_driver *driver, struct xdp_report *report)
{
	if (!driver || facts->kernel < driver->native)
		return;
	if (driver->note[0])
		add(report, XDP_NOTE, "", "%s", driver->note);
	if (!driver->tested)
		add(report, XDP_NOTE, "",
			"sipxdp was not tested with the driver %s; the limits of the driver are from the Linux source "
			"code",
			driver->name);
}

void xdp_check(const struct xdp_facts *facts, struct xdp_report *out)
{
	const struct xdp_driver *driver = xdp_driver_find(facts->driver);

	*out = (struct xdp_report){0};
	check_kernel(facts, out);
	check_program(facts, out);
	check_virtio(facts, out);
	check_offloads(facts, driver, out);
	check_driver(facts, driver, out);
	check_mtu(facts, driver, out);
	check_queues(facts, driver, out);
	check_traffic(facts, out);
	add_notes(facts, driver, out);
}

bool xdp_report_blocks(const struct xdp_report *report)
{
	return report->count && report->list[0].severity == XDP_BLOCKER;
}

const char *xdp_severity_name(enum xdp_severity severity)
{
	static const char *const names[] = {"note", "warning", "blocker"};

	return names[severity];
}
