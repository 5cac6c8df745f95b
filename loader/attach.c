// SPDX-License-Identifier: GPL-2.0
/* The command `attach`. It first checks all interfaces, then loads the program, then pins and attaches it. If a check
 * or the load fails, nothing changes. If an attachment fails, the loader removes the earlier attachments of this run.
 * For this purpose, it pins new maps in a separate directory first, beside the maps that they replace. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/net/xdp_driver.h"
#include "attachment.h"
#include "check.h"
#include "decap.h"
#include "dispatcher.h"
#include "config_file.h"
#include "link.h"
#include "companions.h"
#include "options.h"
#include "output.h"
#include "own_macs.h"
#include "tunnel.h"

struct target {
	const char *name;
	int ifindex;
	bool attached;                   /* already attached by an earlier run */
	const struct attachment *before; /* existing pin of the interface; NULL: none */
	int fd;                          /* fd of the link, or of the program for the dispatcher; -1: none */
	uint32_t dispatched;             /* id of the program for the dispatcher; 0: none */
	size_t addresses; /* number of the interface's addresses that this run has added to decap_addresses */
};

struct attach {
	const struct options *options;
	struct config *config; /* of the balancer */
	struct contract sizes; /* of the maps of the balancer */
	struct pins pins;
	struct attachments attachments;
	struct target *targets;
	size_t target_count;
	struct program program; /* newly loaded, or zeroed if the running program is used */
	bool maps_are_new;
	enum pins_place place; /* of the maps: PINS_NEXT while they wait to replace others */
	int program_fd;
	struct decap decap;
};

/* --- the configuration */

static int read_targets(struct attach *attach)
{
	const struct options *options = attach->options;
	size_t i;

	if (options->program == PROGRAM_BALANCER) {
		attach->config = config_file_read(options->config);
		if (!attach->config)
			return -1;
		attach->sizes = config_file_contract(attach->config);
		attach->target_count = attach->config->interface_count;
	} else {
		attach->target_count = options->interface_count;
	}
	attach->targets = calloc(attach->target_count, sizeof(*attach->targets));
	for (i = 0; attach->targets && i < attach->target_count; i++) {
		attach->targets[i].fd = -1;
		attach->targets[i].name = attach->config ? attach->config->interfaces[i] : options->interfaces[i];
	}
	if (attach->targets)
		return 0;
	output_error("out of memory");
	return -1;
}

/* --- the current state */

static int survey_program(const struct attach *attach, const struct target *target)
{
	struct xdp_state xdp;
	int err = interface_query(target->ifindex, &xdp);

	if (err) {
		output_error("cannot read the XDP program of %s: %s", target->name, output_errno(err));
		return -1;
	}
	if (!xdp.program_id || (attach->options->dispatcher && dispatcher_is_on(target->ifindex)))
		return 0;
	link_refuse_busy(target->name, target->ifindex, EBUSY, xdp.program_id);
	return -1;
}

static int refuse_missing(const struct target *target, int error)
{
	if (target->before && target->before->state == ATTACHMENT_LIVE)
		output_error("cannot attach to %s: the interface is now called %s, and the program still runs there "
			     "(change the name, for the balancer in `interfaces:`)",
			target->name, target->before->name);
	else
		output_error("cannot attach to %s: %s (see 'ip link')", target->name, output_errno(error));
	return -1;
}

static int survey_target(const struct attach *attach, struct target *target)
{
	target->before = attachments_find(&attach->attachments, target->name);
	target->ifindex = if_nametoindex(target->name);
	if (!target->ifindex)
		return refuse_missing(target, errno);
	if (!interface_has_ethernet(target->name)) {
		output_error("cannot attach to %s: its packets have no Ethernet header (it is a tunnel or tun device: "
			     "use the interface that carries its packets)",
			target->name);
		return -1;
	}
	if (target->before && target->before->state == ATTACHMENT_ELSEWHERE) {
		output_error("cannot attach to %s: %s contains the pin of an interface with this name in a different "
			     "network namespace (use a different directory with --pin-dir)",
			target->name, attach->pins.dir);
		return -1;
	}
	target->attached = target->before && target->before->state == ATTACHMENT_LIVE;
	if (target->attached && target->before->ifindex != target->ifindex) {
		output_error("cannot attach to %s: the interface that was attached under this name is now called %s "
			     "(run 'sipxdp-loader detach %s' first)",
			target->name, target->before->name, target->before->name);
		return -1;
	}
	return target->attached ? 0 : survey_program(attach, target);
}

/* A renamed interface keeps its attachment: its pin gets the current name, too. */
static int rename_pins(struct attach *attach)
{
	int result = 0;
	size_t i;

	for (i = 0; i < attach->target_count; i++) {
		const struct target *target = &attach->targets[i];

		if (target->attached && strcmp(target->before->pin, target->name) &&
			pins_rename(&attach->pins, PINS_LINKS, target->before->pin, target->name))
			result = -1;
	}
	return result;
}

/* Reports what `check` finds, if a native attachment to the interface failed. */
static int explain_failure(const struct attach *attach, const struct target *target)
{
	if (attach->options->mode == MODE_NATIVE)
		check_explain(target->name);
	return -1;
}

/* Checks all interfaces, so that one run reports all errors. */
static int survey(struct attach *attach)
{
	int result = 0;
	size_t i;

	for (i = 0; i < attach->target_count; i++) {
		if (survey_target(attach, &attach->targets[i]))
			result = explain_failure(attach, &attach->targets[i]);
	}
	if (result)
		output_error("nothing was attached");
	return result;
}

static bool is_anything_left(const struct attach *attach)
{
	bool left = false;
	size_t i;

	for (i = 0; i < attach->target_count; i++) {
		const struct target *target = &attach->targets[i];

		if (target->attached)
			output_info(
				"%s is already attached to %s", program_name(attach->options->program), target->name);
		left = left || !target->attached;
	}
	return left;
}

/* --- the program and its maps */

/* Decides whether to use the pinned maps. If an attached program uses maps of different sizes, the loader does
 * not replace them; the operator must decide. */
static int examine_maps(struct attach *attach)
{
	bool decap = attach->options->program == PROGRAM_DECAP, running = attachments_running(&attach->attachments) > 0;
	struct contract pinned;
	int err;

	if (decap)
		err = pins_have_maps(&attach->pins) ? 0 : -ENOENT;
	else
		err = pins_contract(&attach->pins, PINS_TOP, &pinned);
	if (err && (err != -ENOENT || running)) {
		output_error("cannot use the maps pinned in %s: %s: %s%s", attach->pins.dir,
			decap ? "decap_verdicts" : "contract", output_errno(err),
			pins_have_program(&attach->pins, PINS_TOP)
				? " ('sipxdp-loader upgrade' completes an interrupted "
				  "upgrade, 'detach' removes the maps)"
				: "");
		return -1;
	}
	attach->maps_are_new = err == -ENOENT;
	if (attach->maps_are_new || decap || config_file_fits(&pinned, &attach->sizes))
		return 0;
	if (running)
		return config_file_refuse(&pinned, &attach->sizes, attach->options->config, attach->pins.dir);
	attach->maps_are_new = true;
	attach->place = PINS_NEXT;
	output_warning(
		"the maps pinned in %s do not have the limits of the file or the version of this loader. No interface "
		"is attached, so the loader replaces these maps (sipxdpd fills the new maps; restart sipxdpd if it is "
		"of a different version)",
		attach->pins.dir);
	return 0;
}

/* Uses the program that is already attached to other interfaces. If there is none, loads a new one. */
static int prepare_program(struct attach *attach)
{
	bool running = attachments_running(&attach->attachments) > 0;
	struct program *program = &attach->program;

	if (examine_maps(attach))
		return -1;
	if (running) {
		attach->program_fd = pins_get(&attach->pins, PINS_TOP, program_name(attach->options->program));
		if (attach->program_fd >= 0)
			return 0;
	}
	if (program_open(program, attach->options->program, &attach->sizes))
		return -1;
	if (program->kind == PROGRAM_DECAP && !running && !pins_have_fitting_maps(&attach->pins, program))
		attach->maps_are_new = true; /* left over from a killed loader of a different release */
	if (!attach->maps_are_new && pins_reuse_maps(&attach->pins, PINS_TOP, program))
		return -1;
	if (program_load(program, attach->maps_are_new ? &attach->sizes : NULL))
		return -1;
	attach->program_fd = dup(program_fd(program));
	return 0;
}

/* Pins the program, and its maps if they are new, before any packet can use them. */
static int pin_program(struct attach *attach)
{
	bool left_over;

	if (!attach->program.object)
		return 0;
	if (!attach->maps_are_new) {
		if (companions_put(&attach->pins, PINS_TOP, &attach->program))
			return -1;
		return pins_replace(&attach->pins, PINS_TOP, program_name(attach->program.kind), attach->program_fd);
	}
	if (pins_remove_shared(&attach->pins, attach->place, &left_over) ||
		pins_remove_shared(&attach->pins, PINS_NEXT, &left_over))
		return -1;
	if (pins_put(&attach->pins, attach->place, program_name(attach->program.kind), attach->program_fd))
		return -1;
	if (companions_put(&attach->pins, attach->place, &attach->program))
		return -1;
	return pins_put_maps(&attach->pins, attach->place, &attach->program);
}

/* --- one interface */

/* The dispatcher needs a different program type, so the loader loads a second copy of the program with the same
 * maps. */
static int attach_dispatched(const struct attach *attach, struct target *target)
{
	struct bpf_prog_info info = {};
	struct program program = {0};
	uint32_t size = sizeof(info);
	int result = -1;

	if (program_open(&program, attach->options->program, &attach->sizes))
		goto out;
	if (pins_reuse_maps(&attach->pins, attach->place, &program))
		goto out;
	if (dispatcher_attach(&program, target->ifindex, target->name, attach->options->mode))
		goto out;
	if (!bpf_obj_get_info_by_fd(program_fd(&program), &info, &size))
		target->dispatched = info.id;
	target->fd = dup(program_fd(&program));
	result = 0;
out:
	program_close(&program);
	return result;
}

/* Stores the MAC addresses of the interfaces, so that the program accepts frames for them. The daemon adds
 * other addresses later. */
static int fill_own_macs(const struct attach *attach)
{
	struct own_macs maps;
	int err = own_macs_open(&maps, &attach->pins, attach->place);
	size_t i;

	for (i = 0; i < attach->target_count && !err; i++)
		err = own_macs_add(&maps, attach->targets[i].name, attach->targets[i].ifindex);
	own_macs_close(&maps);
	return err;
}

/* Fills the maps before any packet uses the program. */
static int fill_maps(struct attach *attach)
{
	const struct options *options = attach->options;
	size_t i;

	if (options->program != PROGRAM_DECAP)
		return fill_own_macs(attach);
	if (decap_begin(&attach->decap, &attach->pins, options))
		return -1;
	for (i = 0; i < attach->target_count; i++) {
		struct target *target = &attach->targets[i];

		if (tunnel_add_interface(attach->decap.addresses, target->name, target->ifindex,
			    !options->address_count, &target->addresses))
			return -1;
	}
	return 0;
}

static int attach_target(const struct attach *attach, struct target *target)
{
	if (target->attached)
		return 0;
	if (attach->options->dispatcher)
		return attach_dispatched(attach, target);
	target->fd = link_attach(target->name, target->ifindex, attach->program_fd, attach->options->mode);
	return target->fd < 0 ? -1 : 0;
}

/* The kernel detaches an unpinned link when its file descriptor is closed. */
static void detach_target(const struct attach *attach, struct target *target)
{
	if (target->dispatched)
		dispatcher_detach(target->ifindex, target->dispatched);
	if (attach->decap.addresses >= 0 && !target->attached)
		tunnel_remove_interface(attach->decap.addresses, target->ifindex, &attach->attachments);
}

static int pin_target(struct attach *attach, const struct target *target)
{
	const struct attachment *before = target->before;

	if (target->attached)
		return 0;
	if (before && pins_remove(&attach->pins, before->dispatched ? PINS_DISPATCHED : PINS_LINKS, before->pin))
		return -1;
	if (before)
		output_info("%s: removed the pin of an earlier attachment that no longer exists", target->name);
	if (before && attach->decap.addresses >= 0)
		tunnel_remove_interface(attach->decap.addresses, 0, &attach->attachments);
	return pins_put(&attach->pins, target->dispatched ? PINS_DISPATCHED : PINS_LINKS, target->name, target->fd);
}

/* --- all interfaces */

static int attach_targets(struct attach *attach)
{
	size_t i;

	for (i = 0; i < attach->target_count; i++) {
		if (attach_target(attach, &attach->targets[i]))
			return explain_failure(attach, &attach->targets[i]);
	}
	for (i = 0; i < attach->target_count; i++) {
		if (pin_target(attach, &attach->targets[i]))
			return -1;
	}
	return 0;
}

/* Removes the contract first, as an upgrade does (new_maps.c). */
static int move_maps(struct attach *attach)
{
	if (attach->place == PINS_TOP)
		return 0;
	return pins_remove(&attach->pins, PINS_TOP, "contract") ? -1 : pins_move_next(&attach->pins);
}

static void detach_targets(struct attach *attach)
{
	size_t i;

	for (i = 0; i < attach->target_count; i++)
		detach_target(attach, &attach->targets[i]);
	decap_undo(&attach->decap);
}

static int commit(struct attach *attach)
{
	if (pin_program(attach))
		return -1;
	if (!fill_maps(attach) && !attach_targets(attach) && !move_maps(attach)) {
		decap_finish(&attach->decap);
		return 0;
	}
	detach_targets(attach);
	output_error("nothing was attached");
	return -1;
}

/* XDP on a veth device has requirements for its peer. The peer is in a different namespace, so the loader
 * cannot check them. */
static void warn_of_veth(const struct attach *attach)
{
	size_t i;

	for (i = 0; i < attach->target_count; i++) {
		const struct target *target = &attach->targets[i];

		if (target->attached || !interface_is_veth(target->name))
			continue;
		output_warning("%s is a veth device: %s", target->name, xdp_driver_find("veth")->note);
	}
}

static void report(const struct attach *attach)
{
	const struct options *options = attach->options;
	size_t i;

	decap_report(&attach->decap);
	for (i = 0; i < attach->target_count; i++) {
		const struct target *target = &attach->targets[i];

		if (target->addresses)
			output_info("%s: %zu new tunnel endpoint%s", target->name, target->addresses,
				target->addresses > 1 ? "s" : "");
		if (!target->attached)
			output_info("%s attached to %s, %s%s", program_name(options->program), target->name,
				mode_name(options->mode), options->dispatcher ? ", by libxdp's dispatcher" : "");
	}
	if (options->program == PROGRAM_BALANCER && options->mode == MODE_NATIVE)
		warn_of_veth(attach);
	if (options->mode == MODE_GENERIC)
		output_warning(
			"generic mode: a packet reaches the program late and costs many times as much as in native "
			"mode");
}

/* Called if all interfaces are already attached. The run can still change the maps. */
static int attach_again(struct attach *attach)
{
	size_t i, added = 0;

	if (fill_maps(attach)) {
		decap_undo(&attach->decap);
		return -1;
	}
	for (i = 0; i < attach->target_count; i++)
		added += attach->targets[i].addresses;
	if (decap_finish(&attach->decap) || added) {
		report(attach);
		return 0;
	}
	output_info("there is nothing to attach ('sipxdp-loader upgrade' replaces the program, 'detach' removes it)");
	return NOTHING_TO_DO;
}

static int attach_all(struct attach *attach)
{
	const struct options *options = attach->options;
	int result;

	if (pins_open(&attach->pins, options->pin_dir, options->program, PINS_CREATE))
		return -1;
	if (options->dispatcher && dispatcher_probe())
		return -1;
	if (attachments_read(&attach->pins, &attach->attachments) || survey(attach) || rename_pins(attach))
		return -1;
	if (!is_anything_left(attach))
		return attach_again(attach);
	if (prepare_program(attach))
		return -1;
	pins_begin(&attach->pins);
	result = commit(attach);
	pins_end(&attach->pins, result != 0);
	if (!result)
		report(attach);
	return result;
}

static void clean_up(struct attach *attach)
{
	size_t i;

	for (i = 0; i < attach->target_count; i++) {
		if (attach->targets && attach->targets[i].fd >= 0)
			close(attach->targets[i].fd);
	}
	free(attach->targets);
	if (attach->program_fd >= 0)
		close(attach->program_fd);
	decap_close(&attach->decap);
	program_close(&attach->program);
	attachments_free(&attach->attachments);
	pins_close(&attach->pins);
	if (attach->config)
		config_free(attach->config);
}

int attach_run(const struct options *options)
{
	struct attach attach = {.options = options, .pins.lock = -1, .program_fd = -1, .decap.addresses = -1};
	int result = read_targets(&attach);

	if (!result)
		result = attach_all(&attach);
	clean_up(&attach);
	return result;
}
