// SPDX-License-Identifier: GPL-2.0
/* The command `upgrade`: replaces the running program with the program of this loader. It keeps the maps or
 * replaces them with new ones (new_maps.c). Each link is updated in place, so that every packet is processed by
 * either the old program or the new one. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "attachment.h"
#include "carry.h"
#include "dispatcher.h"
#include "config_file.h"
#include "allowlist.h"
#include "options.h"
#include "new_maps.h"
#include "companions.h"
#include "output.h"

/* The interfaces may still use the old maps. The calls of maps that were moved already cannot be copied. */
static void carry_calls(const struct pins *pins)
{
	struct carry *carry = carry_begin(pins, false);

	carry_run(carry);
	carry_end(carry);
}

/* Reads the contract of the maps in use. If the contract is missing, a loader was killed while it activated new
 * maps. In that case this function first completes the activation. */
static int read_contract(struct pins *pins, struct contract *pinned)
{
	struct contract next = {0};
	int err = pins_contract(pins, PINS_TOP, pinned);

	if (err == -ENOENT && !pins_contract(pins, PINS_NEXT, &next) && next.filled) {
		carry_calls(pins);
		if (pins_finish_move(pins))
			return -1;
		err = pins_contract(pins, PINS_TOP, pinned);
	}
	if (err)
		output_error("cannot read the map %s/contract: %s", pins->dir, output_errno(err));
	return err ? -1 : 0;
}

/* Decides whether the pinned maps can be used, or new maps with the sizes in *sizes are needed. */
static int choose_maps(const struct options *options, struct pins *pins, struct contract *sizes, bool *are_new)
{
	struct config *config = NULL;
	struct contract pinned;

	*are_new = false;
	if (options->program != PROGRAM_BALANCER)
		return 0;
	if (read_contract(pins, &pinned))
		return -1;
	*sizes = pinned;
	if (options->config) {
		config = config_file_read(options->config);
		if (!config)
			return -1;
		*sizes = config_file_contract(config);
		config_free(config);
	}
	*are_new = !config_file_fits(&pinned, sizes);
	if (sizes->version == ABI_VERSION)
		return 0;
	output_error("the maps pinned in %s have contract version %u, but this program needs version %u: "
		     "'sipxdp-loader upgrade -c FILE' makes new maps",
		pins->dir, pinned.version, ABI_VERSION);
	return -1;
}

static int open_for_pins(struct program *program, const struct pins *pins, const struct contract *sizes)
{
	if (program_open(program, pins->kind, sizes))
		return -1;
	return pins_reuse_maps(pins, PINS_TOP, program);
}

/* The dispatcher cannot replace a program atomically. For a short time it calls both programs: the second one
 * receives the packets that the first one passes. */
static int upgrade_dispatched(
	struct pins *pins, const struct contract *sizes, const struct attachment *attachment, uint32_t *id)
{
	struct bpf_prog_info info = {};
	struct program program = {0};
	uint32_t size = sizeof(info);
	int result = -1;

	if (open_for_pins(&program, pins, sizes))
		goto out;
	if (dispatcher_attach(&program, attachment->ifindex, attachment->name, attachment->mode))
		goto out;
	if (!bpf_obj_get_info_by_fd(program_fd(&program), &info, &size))
		*id = info.id;
	if (pins_replace(pins, PINS_DISPATCHED, attachment->pin, program_fd(&program))) {
		dispatcher_detach(attachment->ifindex, info.id);
		goto out;
	}
	result = dispatcher_detach(attachment->ifindex, attachment->program_id);
out:
	program_close(&program);
	return result;
}

static int upgrade_one(struct pins *pins, const struct contract *sizes, const struct program *program,
	const struct attachment *attachment)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info), id;
	int err;

	if (attachment->state == ATTACHMENT_GONE) {
		output_warning("%s: nothing is attached any more (the interface was deleted, or a different tool "
			       "detached the program); 'sipxdp-loader attach' attaches again",
			attachment->name);
		return 0;
	}
	bpf_obj_get_info_by_fd(program_fd(program), &info, &size);
	id = info.id;
	if (attachment->dispatched)
		err = upgrade_dispatched(pins, sizes, attachment, &id);
	else
		err = attachment_replace(attachment, program_fd(program));
	if (!err)
		output_info("%s: program %u has replaced program %u", attachment->name, id, attachment->program_id);
	return err;
}

static int upgrade(struct pins *pins, const struct contract *sizes, const struct program *program,
	const struct attachments *attachments)
{
	size_t i, failed = 0;

	for (i = 0; i < attachments->count; i++)
		failed += upgrade_one(pins, sizes, program, &attachments->list[i]) != 0;
	if (failed) {
		output_error("%zu of %zu interfaces still have the old program; run 'sipxdp-loader upgrade' again",
			failed, attachments->count);
		return -1;
	}
	/* Pins the program last. After a partial failure the next attach then still uses the old program, and sipxdpd
	 * never replaces the new program with the old observer. */
	if (companions_put(pins, PINS_TOP, program))
		return -1;
	return pins_replace(pins, PINS_TOP, program_name(pins->kind), program_fd(program));
}

/* --- decap, whose maps the loader fills */

/* Replaces maps whose layout differs in this release. Must be called before the first link is updated: if the update of
 * a link fails, the next upgrade then finds the maps that its program expects. The new maps must accept all packets
 * that the old ones accepted. */
static int upgrade_decap(
	struct pins *pins, const struct program *program, const struct options *options, struct allowlists *lists)
{
	if (pins_put_new_maps(pins, program) || allowlists_open(lists, pins))
		return -1;
	if (!allowlists_keep(lists, options) && !allowlists_add(lists))
		return 0;
	allowlists_undo(lists);
	return -1;
}

static int open_decap(struct program *program, const struct pins *pins)
{
	int addresses = pins_get(pins, PINS_TOP, "decap_addresses");

	if (addresses < 0) {
		output_error("cannot use %s/decap_addresses: %s", pins->dir, output_errno(addresses));
		return -1;
	}
	close(addresses);
	if (program_open(program, PROGRAM_DECAP, NULL))
		return -1;
	return pins_reuse_fitting_maps(pins, program);
}

/* --- the command */

static int replace(const struct options *options, struct pins *pins, const struct contract *sizes,
	struct program *program, const struct attachments *attachments)
{
	bool decap = pins->kind == PROGRAM_DECAP;
	struct allowlists lists = {0};
	bool left_over; /* by a loader that was killed */
	int result = -1;

	if (decap ? open_decap(program, pins) : open_for_pins(program, pins, sizes))
		return -1;
	if (program_load(program, NULL))
		return -1;
	pins_begin(pins);
	if (!decap || !upgrade_decap(pins, program, options, &lists))
		result = upgrade(pins, sizes, program, attachments);
	if (!result)
		result = pins_remove_shared(pins, PINS_NEXT, &left_over);
	if (decap && !result) {
		allowlists_finish(&lists);
		allowlists_report(&lists);
	}
	pins_end(pins, false);
	allowlists_close(&lists);
	return result;
}

int upgrade_run(const struct options *options)
{
	struct attachments attachments = {0};
	struct program program = {0};
	struct contract sizes = {0};
	struct pins pins;
	bool new_maps;
	int result = -1;

	if (pins_open(&pins, options->pin_dir, options->program, PINS_CHANGE))
		return -1;
	if (attachments_read(&pins, &attachments))
		goto out;
	if (!attachments_running(&attachments)) {
		output_info("%s is not attached to anything, so there is nothing to upgrade ('sipxdp-loader attach')",
			program_name(options->program));
		result = NOTHING_TO_DO;
		goto out;
	}
	if (choose_maps(options, &pins, &sizes, &new_maps))
		goto out;
	if (new_maps)
		result = new_maps_upgrade(&pins, &sizes, &attachments, options->timeout);
	else
		result = replace(options, &pins, &sizes, &program, &attachments);
out:
	program_close(&program);
	attachments_free(&attachments);
	pins_close(&pins);
	return result;
}
