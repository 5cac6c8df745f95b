// SPDX-License-Identifier: GPL-2.0
/* The command `check`: collects the facts about interfaces (facts.c), evaluates them (core/net/xdp_check.c) and prints
 * facts and findings. Makes no changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/utsname.h>
#include <jansson.h>
#include "attachment.h"
#include "check.h"
#include "config_file.h"
#include "facts.h"
#include "options.h"
#include "output.h"

struct check {
	const struct options *options;
	struct config *config;         /* NULL unless a file lists the interfaces */
	struct if_nameindex *existing; /* NULL unless all existing interfaces are checked */
	struct attachments attachments;
	bool is_unknown;    /* the pins are not readable, so it is unknown which programs sipxdp attached */
	json_t *interfaces; /* NULL without --json */
	bool blocked;       /* an interface has a blocker */
};

/* --- one interface */

static bool is_own(const struct check *check, const char *name)
{
	const struct attachment *attachment = attachments_find(&check->attachments, name);

	return attachment && attachment->state == ATTACHMENT_LIVE && attachment->ifindex == (int)if_nametoindex(name);
}

static const char *native_text(enum xdp_native native)
{
	static const char *const texts[] = {"no", "yes", "unknown"};

	return texts[native];
}

static const char *hash_text(enum xdp_hash hash)
{
	static const char *const texts[] = {"unknown", "addresses", "addresses and ports"};

	return texts[hash];
}

static void print_findings(const struct xdp_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct xdp_finding *finding = &report->list[i];

		printf("  %s: %s\n", xdp_severity_name(finding->severity), finding->text);
		if (finding->remedy[0])
			printf("    %s: %s\n", finding->severity == XDP_BLOCKER ? "remedy" : "recommended",
				finding->remedy);
	}
}

static void print_facts(const struct xdp_facts *facts, const struct xdp_report *report)
{
	const struct xdp_queue_counts *queues = &facts->queues;

	printf("\n%s: %s\n", facts->name,
		xdp_report_blocks(report)              ? "cannot be attached natively"
		: report->native == XDP_NATIVE_UNKNOWN ? "may be attached natively"
						       : "can be attached natively");
	printf("  driver:      %s\n", facts->driver[0] ? facts->driver : "unknown");
	printf("  native XDP:  %s\n", native_text(report->native));
	printf("  MTU:         %u, ", facts->mtu);
	if (report->mtu_limit)
		printf("with XDP at most %u\n", report->mtu_limit);
	else
		puts(report->mtu_limit_is_known ? "no limit with XDP" : "limit with XDP unknown");
	if (queues->max_tx)
		printf("  queues:      %u rx, %u tx (maximum %u rx, %u tx)\n", queues->rx, queues->tx, queues->max_rx,
			queues->max_tx);
	printf("  offloads:    LRO %s, GRO in hardware %s\n", facts->lro ? "on" : "off", facts->gro_hw ? "on" : "off");
	printf("  UDP hash:    %s\n", hash_text(facts->hash));
	printf("  XDP program: %s%s\n", facts->program[0] ? facts->program : "none",
		facts->program_is_own ? ", attached by sipxdp" : "");
	print_findings(report);
}

static json_t *describe_findings(const struct xdp_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->count; i++) {
		const struct xdp_finding *finding = &report->list[i];
		json_t *item = json_pack(
			"{s:s, s:s}", "severity", xdp_severity_name(finding->severity), "text", finding->text);

		if (finding->remedy[0])
			json_object_set_new(item, "remedy", json_string(finding->remedy));
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *describe(const struct xdp_facts *facts, const struct xdp_report *report)
{
	const struct xdp_queue_counts *queues = &facts->queues;
	json_t *object = json_pack("{s:s, s:b, s:s, s:s, s:i, s:{s:i, s:i, s:i, s:i}, s:b, s:b, s:s, s:b}", "name",
		facts->name, "blocked", xdp_report_blocks(report), "driver", facts->driver, "native_xdp",
		native_text(report->native), "mtu", facts->mtu, "queues", "rx", queues->rx, "tx", queues->tx, "max_rx",
		queues->max_rx, "max_tx", queues->max_tx, "lro", facts->lro, "gro_hw", facts->gro_hw, "udp_hash",
		hash_text(facts->hash), "attached_by_sipxdp", facts->program_is_own);

	if (report->mtu_limit)
		json_object_set_new(object, "mtu_limit", json_integer(report->mtu_limit));
	if (facts->program[0])
		json_object_set_new(object, "xdp_program", json_string(facts->program));
	json_object_set_new(object, "findings", describe_findings(report));
	return object;
}

static int check_interface(struct check *check, const char *name)
{
	struct xdp_report report;
	struct xdp_facts facts;

	if (facts_read(name, &facts)) {
		output_error("cannot check %s: there is no such interface (see 'ip link')", name);
		return -1;
	}
	facts.program_is_own = is_own(check, name);
	facts.program_is_unknown = check->is_unknown;
	xdp_check(&facts, &report);
	check->blocked = check->blocked || xdp_report_blocks(&report);
	if (check->options->json)
		json_array_append_new(check->interfaces, describe(&facts, &report));
	else
		print_facts(&facts, &report);
	return 0;
}

/* --- selecting interfaces */

/* Without names and without a file, checks all interfaces with Ethernet headers, except the loopback device. */
static int check_existing(struct check *check)
{
	const struct if_nameindex *interface;
	bool up, loopback;
	int result = 0;

	check->existing = if_nameindex();
	if (!check->existing) {
		output_error("cannot list the interfaces: %s", output_errno(errno));
		return -1;
	}
	for (interface = check->existing; interface->if_index; interface++) {
		interface_flags(interface->if_name, &up, &loopback);
		if (!loopback && interface_has_ethernet(interface->if_name) &&
			check_interface(check, interface->if_name))
			result = -1;
	}
	return result;
}

static int check_config(struct check *check)
{
	int result = 0;
	size_t i;

	check->config = config_file_read(check->options->config);
	if (!check->config)
		return -1;
	for (i = 0; i < check->config->interface_count; i++) {
		if (check_interface(check, check->config->interfaces[i]))
			result = -1;
	}
	return result;
}

static int check_named(struct check *check)
{
	int result = 0;
	size_t i;

	for (i = 0; i < check->options->interface_count; i++) {
		if (check_interface(check, check->options->interfaces[i]))
			result = -1;
	}
	return result;
}

static int check_all(struct check *check)
{
	if (check->options->interface_count)
		return check_named(check);
	return check->options->config ? check_config(check) : check_existing(check);
}

/* --- the command */

static void print_kernel(const char *release)
{
	printf("kernel: Linux %s, %s type information (BTF)\n", release,
		access("/sys/kernel/btf/vmlinux", F_OK) ? "without" : "with");
}

/* The pins distinguish the programs of sipxdp from other programs. A user without permission to read the pins can
 * check everything else. */
static void read_own(struct check *check)
{
	const char *directory = check->options->pin_dir;
	struct pins pins;

	if (access(directory, R_OK | X_OK)) {
		check->is_unknown = errno != ENOENT;
		return;
	}
	if (pins_open(&pins, directory, check->options->program, PINS_READ))
		return;
	attachments_read(&pins, &check->attachments);
	pins_close(&pins);
}

int check_run(const struct options *options)
{
	struct check check = {.options = options, .interfaces = json_array()};
	struct utsname kernel = {};
	int result;

	uname(&kernel);
	read_own(&check);
	if (!options->json)
		print_kernel(kernel.release);
	result = check_all(&check);
	if (options->json) {
		json_t *root = json_pack("{s:s, s:s, s:b, s:o}", "version", SIPXDP_VERSION, "kernel", kernel.release,
			"btf", !access("/sys/kernel/btf/vmlinux", F_OK), "interfaces", check.interfaces);

		json_dumpf(root, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(root);
	} else {
		json_decref(check.interfaces);
	}
	attachments_free(&check.attachments);
	if (check.existing)
		if_freenameindex(check.existing);
	if (check.config)
		config_free(check.config);
	return output_finish() || result || check.blocked ? -1 : 0;
}

void check_explain(const char *name)
{
	struct xdp_report report;
	struct xdp_facts facts;

	if (facts_read(name, &facts))
		return;
	xdp_check(&facts, &report);
	for (size_t i = 0; i < report.count; i++) {
		const struct xdp_finding *finding = &report.list[i];

		if (finding->severity == XDP_BLOCKER)
			output_error("%s: blocker: %s%s%s%s", name, finding->text, finding->remedy[0] ? " (" : "",
				finding->remedy, finding->remedy[0] ? ")" : "");
	}
}
